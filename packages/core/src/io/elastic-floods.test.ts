/**
 * Elastic lanes at their limits, in the simulator: floods, servers that let no more in, statements that change their
 * kind while hundreds of their calls wait. Nobody waits for longer than somebody of his own kind.
 */
import { describe, expect, test } from 'vitest'
import { withSeed } from '../testing/random.ts'
import { SchedulerSimulator, type SimulatorOptions, type StatementClass } from '../testing/scheduler-simulator.ts'

const FAST: StatementClass = {
  name: 'fast',
  fingerprint: 11,
  access: 'read',
  perSecond: 500,
  serviceMs: (random) => 0.02 + random.unit() * 0.03,
}

function slow(access: 'read' | 'write', inFlight: number = 100): StatementClass {
  return { name: 'slow', fingerprint: 12, access, inFlight, serviceMs: () => 200 }
}

/** Quick reads are known; then the slow ones come. */
async function flooded(
  options: SimulatorOptions,
  look: (simulator: SchedulerSimulator, flood: StatementClass) => void,
): Promise<void> {
  await withSeed((random) => {
    for (const access of ['read', 'write'] as const) {
      const simulator = new SchedulerSimulator(random, options).run(20).start(FAST).run(1_000).forget()
      const flood = slow(access)
      simulator.start(flood).run(5_000)
      look(simulator, flood)
      expect(simulator.violations).toEqual([])
    }
  })
}

describe('a flood of slow calls', () => {
  test('does not starve quick reads, from its first moment on, and has the other lanes', async () => {
    await flooded({}, (simulator, flood) => {
      expect(simulator.report(FAST).count).toBeGreaterThan(2_200)
      expect(simulator.report(FAST).p99Ms).toBeLessThan(25)
      expect(simulator.report(FAST).maxMs).toBeLessThan(100)
      expect(simulator.report(flood).count).toBeGreaterThan(0.8 * 9 * 25)
    })
  })

  test('does not starve them where the server lets fewer in than lanesMax', async () => {
    for (const letsIn of [2, 3]) {
      await flooded({ letsIn }, (simulator, flood) => {
        expect(simulator.report(FAST).count).toBeGreaterThan(2_200)
        // The slow ones that were there before the server refused have to end first.
        expect(simulator.report(FAST).p99Ms).toBeLessThan(210)
        expect(simulator.report(FAST).p50Ms).toBeLessThan(3)
        expect(simulator.report(flood).count).toBeGreaterThan(0.8 * (letsIn - 1) * 25)
      })
    }
  })

  test('on the only lane there is lets them have it when they have waited as long', async () => {
    await withSeed((random) => {
      for (const options of [{ letsIn: 1 }, { limits: { lanesMax: 1 } }]) {
        const simulator = new SchedulerSimulator(random, options).run(20).start(FAST).run(1_000).forget()
        simulator.start(slow('write', 20)).run(20_000)
        expect(simulator.report(FAST).count).toBeGreaterThan(0.5 * 500 * 20)
        expect(simulator.report(FAST).maxMs).toBeLessThan(20 * 200 + 500)
        expect(simulator.violations).toEqual([])
      }
    })
  })

  test('does not hold back a statement that has become known meanwhile', async () => {
    await withSeed((random) => {
      const flood = slow('write', 200)
      const simulator = new SchedulerSimulator(random).run(20).start(flood).run(1_000)
      simulator.start(FAST).run(10_000).forget().run(3_000)
      expect(simulator.report(FAST).count).toBeGreaterThan(1_300)
      expect(simulator.report(FAST).maxMs).toBeLessThan(20)
    })
  })
})

describe('a flood of quick reads', () => {
  test('leaves writes their turn, however few lanes there are', async () => {
    await withSeed((random) => {
      const flood = { ...FAST, name: 'flood', inFlight: 200, perSecond: 0.001 }
      const write: StatementClass = { name: 'write', access: 'write', perSecond: 50, serviceMs: () => 1 }
      for (const options of [{ letsIn: 1 }, { letsIn: 2 }, { limits: { lanesMax: 1 } }, { limits: { lanesMax: 3 } }]) {
        const simulator = new SchedulerSimulator(random, options).run(20).start(flood, write).run(200).forget().run(500)
        expect(simulator.report(write).count).toBeGreaterThan(10)
        expect(simulator.report(write).maxMs).toBeLessThan(50)
        expect(simulator.report(flood).count).toBeGreaterThan(5_000)
        expect(simulator.violations).toEqual([])
      }
    })
  })
})

describe('a statement that becomes slow', () => {
  test('while some dozens of it are in flight fills few lanes, and the others pass it at once', async () => {
    await turning(12, (simulator, turns) => {
      simulator.run(1_000)
      expect(simulator.behindSlow).toBeLessThan(40)
      expect(simulator.report(FAST).count).toBeGreaterThan(400)
      expect(simulator.report(FAST).p99Ms).toBeLessThan(60)
      simulator.forget().run(3_000)
      expect(simulator.report(FAST).p99Ms).toBeLessThan(10)
      expect(simulator.report(turns).count).toBeGreaterThan(0.7 * 9 * 15)
    })
  })

  test('while hundreds of it are in flight has filled every lane: after that the others pass it', async () => {
    await turning(200, (simulator, turns) => {
      // Windows of 16, 200 ms each.
      simulator.run(4_000)
      expect(simulator.behindSlow).toBeLessThan(200)
      simulator.forget().run(3_000)
      expect(simulator.report(FAST).count).toBeGreaterThan(1_300)
      expect(simulator.report(FAST).p99Ms).toBeLessThan(10)
      expect(simulator.report(turns).count).toBeGreaterThan(0.7 * 9 * 15)
    })
  })
})

/** Quick reads, and a statement that takes 200 ms from now on. */
async function turning(
  inFlight: number,
  look: (simulator: SchedulerSimulator, turns: StatementClass) => void,
): Promise<void> {
  await withSeed((random) => {
    let turned = false
    const turns: StatementClass = {
      name: 'turns',
      fingerprint: 20,
      access: 'read',
      inFlight,
      serviceMs: () => (turned ? 200 : 0.05),
    }
    const simulator = new SchedulerSimulator(random, { limits: { windowMax: 16 } })
      .run(20)
      .start(FAST, turns)
      .run(1_000)
      .forget()
    turned = true
    look(simulator, turns)
    expect(simulator.violations).toEqual([])
  })
}
