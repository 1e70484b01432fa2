/**
 * Elastic lanes against a simulated server: the promises of `elastic.ts`, and what they are for. The simulator drives
 * the real scheduler, estimate and queues, and looks at everything that is written.
 */
import { describe, expect, test } from 'vitest'
import { type Random, withSeed } from '../testing/random.ts'
import { SchedulerSimulator, type SimulatorOptions, type StatementClass } from '../testing/scheduler-simulator.ts'

const FAST: StatementClass = {
  name: 'fast',
  fingerprint: 11,
  access: 'read',
  perSecond: 3_000,
  serviceMs: (random) => 0.02 + random.unit() * 0.03,
}
const SLOW: StatementClass = { name: 'slow', fingerprint: 12, access: 'read', perSecond: 5, serviceMs: () => 200 }
const WRITE: StatementClass = {
  name: 'write',
  fingerprint: 13,
  access: 'write',
  perSecond: 50,
  serviceMs: (random) => 1 + random.unit(),
}

/** Some seconds of work, of which the first is not counted. */
function after(
  simulator: SchedulerSimulator,
  ms: number,
  ...statements: readonly StatementClass[]
): SchedulerSimulator {
  simulator.start(...statements)
  simulator.run(2_000).forget().run(ms)
  expect(simulator.violations).toEqual([])
  return simulator
}

function simulated(random: Random, options: SimulatorOptions = {}): SchedulerSimulator {
  return new SchedulerSimulator(random, options).run(20)
}

describe('mixed work', () => {
  test('quick reads pass slow ones, ten times sooner than on one lane, and nobody starves', async () => {
    await withSeed((random) => {
      const elastic = after(simulated(random), 10_000, FAST, SLOW, WRITE)
      const one = after(simulated(random, { lanes: 'one' }), 10_000, FAST, SLOW, WRITE)
      const fast = elastic.report(FAST)
      expect(fast.count).toBeGreaterThan(28_000)
      expect(fast.p99Ms).toBeLessThan(3)
      expect(fast.p99Ms * 10).toBeLessThan(one.report(FAST).p99Ms)
      expect(elastic.report(SLOW).count).toBeGreaterThan(20)
      expect(elastic.report(SLOW).p99Ms).toBeLessThan(300)
      expect(elastic.report(WRITE).p99Ms).toBeLessThan(20)
      expect(elastic.mostLanes).toBeLessThanOrEqual(10)
      expect(elastic.behindSlow).toBe(0)
    })
  })

  test('a flood of quick reads does not starve writes', async () => {
    await withSeed((random) => {
      const flood = { ...FAST, inFlight: 200, perSecond: 0.001 }
      const simulator = after(simulated(random), 500, flood, WRITE)
      expect(simulator.report(WRITE).count).toBeGreaterThan(10)
      expect(simulator.report(WRITE).maxMs).toBeLessThan(30)
      expect(simulator.report(flood).count).toBeGreaterThan(5_000)
    })
  })

  test('a flood of one client leaves its turn to another, and high priority passes low', async () => {
    await withSeed((random) => {
      const batch = { ...WRITE, name: 'batch', client: 1, inFlight: 2_000, perSecond: 0.001, serviceMs: () => 2 }
      const user = { ...WRITE, name: 'user', client: 2, perSecond: 100, serviceMs: () => 2 }
      const urgent = { ...user, name: 'urgent', client: 1, priority: 0 }
      const simulator = after(simulated(random), 3_000, batch, user, urgent)
      expect(simulator.report(user).p99Ms).toBeLessThan(10)
      expect(simulator.report(urgent).p99Ms).toBeLessThan(10)
      expect(simulator.report(batch).p50Ms).toBeGreaterThan(100)
    })
  })

  test('whatever is asked, the rules hold', async () => {
    await withSeed((random) => {
      for (let round = 0; round < 20; round++) {
        const simulator = simulated(random, {
          roundTripMs: random.pick([0.1, 1, 20]),
          openMs: random.pick([1, 50]),
          letsIn: random.pick([1, 3, 100]),
          limits: { lanesMax: random.pick([2, 4, 10]), laneIdleMs: random.pick([1_000, 10_000]), laneLifeMs: 4_000 },
        })
        const classes = Array.from({ length: random.between(2, 6) }, (_, index) => anyClass(random, index))
        simulator.start(...classes)
        for (let second = 0; second < 5; second++) {
          simulator.run(1_000)
          if (random.chance(0.2)) simulator.freeze(random.between(1, 200))
          if (random.chance(0.2)) simulator.stop(random.pick(classes))
        }
        simulator.stop(...classes).run(120_000)
        expect(simulator.violations).toEqual([])
        expect(simulator.waiting).toBe(0)
      }
    })
  }, 60_000)
})

function anyClass(random: Random, index: number): StatementClass {
  const usualMs = random.pick([0.02, 0.5, 2, 30])
  const tail = random.pick([0, 0, 0.01])
  return {
    name: `class ${index}`,
    fingerprint: random.pick([0, index + 1, index + 1]),
    access: random.pick(['read', 'read', 'write']),
    taints: random.chance(0.2),
    idempotent: random.chance(0.7),
    priority: random.below(3),
    client: random.below(3),
    perSecond: random.pick([2, 50]),
    serviceMs: (some) => (some.chance(tail) ? 100 : usualMs * (0.5 + some.unit())),
  }
}

describe('what is learned', () => {
  test('nothing is shared before it is known: each of the first calls has a lane to itself', async () => {
    await withSeed((random) => {
      const simulator = simulated(random)
      for (let count = 0; count < 8; count++) simulator.ask(FAST)
      simulator.run(100)
      expect(simulator.violations).toEqual([])
      const unknown = { ...FAST, fingerprint: 0 }
      for (let count = 0; count < 200; count++) simulator.ask(unknown)
      simulator.run(1_000)
      expect(simulator.violations).toEqual([])
      expect(simulator.report(unknown).count).toBe(208)
    })
  })

  test('known quick reads share one lane, and open no other without need', async () => {
    await withSeed((random) => {
      const simulator = after(simulated(random), 5_000, FAST)
      simulator.run(12_000)
      expect(simulator.lanes).toHaveLength(1)
      expect(simulator.report(FAST).p99Ms).toBeLessThan(2)
    })
  })

  test('a statement that becomes slow is noticed soon, and the others pass it again', async () => {
    await withSeed((random) => {
      let slowSinceMs = Number.POSITIVE_INFINITY
      const turns = {
        ...FAST,
        name: 'turns',
        fingerprint: 20,
        perSecond: 20,
        serviceMs: (_: Random, nowMs: number) => (nowMs < slowSinceMs ? 0.05 : 200),
      }
      const simulator = after(simulated(random, { limits: { windowMax: 16 } }), 1_000, FAST, turns)
      slowSinceMs = simulator.world.nowMs()
      simulator.forget().run(2_000)
      expect(simulator.behindSlow).toBeLessThan(100)
      simulator.forget().run(5_000)
      expect(simulator.behindSlow).toBe(0)
      expect(simulator.report(FAST).p99Ms).toBeLessThan(3)
      expect(simulator.violations).toEqual([])
    })
  })

  test('one stall of the machine does not make quick reads slow for long', async () => {
    await withSeed((random) => {
      const statements = Array.from({ length: 20 }, (_, index) => ({
        ...FAST,
        name: `fast ${index}`,
        fingerprint: 100 + index,
        perSecond: 150,
      }))
      const simulator = after(simulated(random), 1_000, ...statements)
      simulator.freeze(300).run(2_000)
      for (const statement of statements) simulator.times.of(statement.fingerprint)
      const slow = statements.filter(({ fingerprint }) => {
        const time = simulator.times.of(fingerprint)
        return time === undefined || !simulator.times.isQuick(time)
      })
      expect(slow).toEqual([])
      expect(simulator.violations).toEqual([])
    })
  })

  test('a statement that becomes quick again is shared again', async () => {
    await withSeed((random) => {
      let slow = true
      const turns = { ...FAST, name: 'turns', fingerprint: 20, perSecond: 100, serviceMs: () => (slow ? 20 : 0.05) }
      const simulator = after(simulated(random), 1_000, FAST, turns)
      const time = simulator.times.of(20)
      expect(time !== undefined && simulator.times.isQuick(time)).toBe(false)
      slow = false
      simulator.run(2_000)
      expect(time !== undefined && simulator.times.isQuick(time)).toBe(true)
    })
  })

  test('one slow call in five hundred is borne: nothing is written behind it, who stands there is moved', async () => {
    await withSeed((random) => {
      const seldom = {
        ...FAST,
        name: 'seldom',
        fingerprint: 22,
        perSecond: 2_000,
        serviceMs: (some: Random) => (some.chance(1 / 500) ? 100 : 0.05),
      }
      const simulator = after(simulated(random), 5_000, seldom)
      expect(simulator.rescued).toBeGreaterThan(5)
      expect(simulator.report(seldom).p50Ms).toBeLessThan(1)
      expect(simulator.report(seldom).p99Ms).toBeLessThan(30)
    })
  })

  test('one slow call in eight keeps a statement from sharing', async () => {
    await withSeed((random) => {
      const mostly = {
        ...FAST,
        name: 'mostly',
        fingerprint: 21,
        perSecond: 300,
        serviceMs: (some: Random) => (some.chance(1 / 8) ? 100 : 0.05),
      }
      const simulator = after(simulated(random), 10_000, FAST, mostly)
      expect(simulator.report(FAST).p99Ms).toBeLessThan(15)
      expect(simulator.behindSlow).toBeLessThan(simulator.report(mostly).count * 0.1)
    })
  })
})

describe('long round trips', () => {
  test('quick reads share although each takes 20 ms, and windows grow', async () => {
    await withSeed((random) => {
      const simulator = after(simulated(random, { roundTripMs: 20 }), 5_000, FAST)
      expect(simulator.times.roundTripMs).toBeGreaterThan(19)
      expect(simulator.times.roundTripMs).toBeLessThan(22)
      expect(simulator.report(FAST).p99Ms).toBeLessThan(30)
      simulator.run(12_000)
      expect(simulator.lanes.length).toBeLessThanOrEqual(2)
    })
  })

  test('slow ones are told apart there too', async () => {
    await withSeed((random) => {
      const simulator = after(simulated(random, { roundTripMs: 20 }), 8_000, FAST, SLOW, WRITE)
      expect(simulator.report(FAST).p99Ms).toBeLessThan(40)
      expect(simulator.behindSlow).toBe(0)
    })
  })
})

describe('lanes', () => {
  test('as many as calls of their own want are opened, few at a time, and never more than lanesMax', async () => {
    await withSeed((random) => {
      const simulator = simulated(random, { openMs: 50 })
      for (let count = 0; count < 3; count++) simulator.ask(WRITE)
      simulator.run(200)
      // One was there: two more would do, and the third is for the one that waited longest.
      expect(simulator.dialledAtMs.length).toBeLessThanOrEqual(3)
      for (let count = 0; count < 500; count++) simulator.ask(WRITE)
      const before = simulator.dialledAtMs.length
      simulator.run(1)
      expect(simulator.dialledAtMs.length - before).toBeLessThanOrEqual(4)
      simulator.run(2_000)
      expect(simulator.mostLanes).toBe(10)
      expect(simulator.violations).toEqual([])
    })
  })

  test('that nobody needs are closed, but one', async () => {
    await withSeed((random) => {
      const simulator = simulated(random)
      for (let count = 0; count < 500; count++) simulator.ask(WRITE)
      simulator.run(5_000)
      expect(simulator.lanes.length).toBeGreaterThan(5)
      simulator.run(20_000)
      expect(simulator.lanes).toHaveLength(1)
    })
  })
})
