/**
 * The missed-wake-up race, both ways: a consumer that goes to sleep while a record is published, and a producer that
 * waits while room is made. Every order of the atomic operations of the real code is run; deliberately wrong orders
 * prove that the test would notice.
 */
import { expect, test } from 'vitest'
import { everySchedule, type Outcome, type Program, runSchedule } from '../testing/interleave.ts'
import { withSeed } from '../testing/random.ts'
import { ChannelEnd, type Doorbell } from './channel.ts'
import { WORD_KIND } from './records.ts'
import { payloadMaxOf, RingConsumer, type RingMemory, RingProducer, ringMemory, SLEEPING } from './ring.ts'

const KB = 1024

/** Words of the ring's control block, for the deliberately wrong orders. */
const HEAD = 0
const TAIL = 16
const CONSUMER_STATE = 32
const PRODUCER_WAITS = 48

/** A doorbell in shared memory: whoever waits for it is stuck until it is rung. */
class Bell implements Doorbell {
  readonly #word: Int32Array
  #heard = 0

  constructor(memory: SharedArrayBuffer) {
    this.#word = new Int32Array(memory)
  }

  ring(): void {
    Atomics.add(this.#word, 0, 1)
    Atomics.notify(this.#word, 0)
  }

  hear(): void {
    Atomics.wait(this.#word, 0, this.#heard)
    this.#heard = Atomics.load(this.#word, 0)
  }
}

interface Shared {
  readonly ring: RingMemory
  readonly other: RingMemory
  readonly consumerBell: SharedArrayBuffer
  readonly producerBell: SharedArrayBuffer
}

function shared(): Shared {
  return {
    ring: ringMemory(KB),
    other: ringMemory(KB),
    consumerBell: new SharedArrayBuffer(4),
    producerBell: new SharedArrayBuffer(4),
  }
}

function program<Objects>(prepare: () => Objects, run: (objects: Objects) => unknown): Program {
  let objects: Objects
  return {
    prepare: () => {
      objects = prepare()
    },
    run: () => run(objects),
  }
}

function publish(end: ChannelEnd): boolean {
  const offset = end.out.begin(payloadMaxOf(KB))
  if (offset === -1) return false
  end.out.words[(offset >> 2) + WORD_KIND] = 1
  end.out.commit(payloadMaxOf(KB))
  return true
}

function takeAll(consumer: RingConsumer): number {
  let count = 0
  for (let offset = consumer.peek(); offset !== -1; offset = consumer.peek()) {
    consumer.next(offset)
    count++
  }
  return count
}

function producing(memory: Shared, wake: (end: ChannelEnd) => void, count = 1): Program {
  return program(
    () => new ChannelEnd(memory.ring, memory.other, new Bell(memory.consumerBell)),
    (end) => {
      for (let number = 0; number < count; number++) {
        publish(end)
        wake(end)
      }
    },
  )
}

/** Drains, announces sleep, waits for the bell: until `count` records have come. */
function consuming(memory: Shared, mayRest: (consumer: RingConsumer) => boolean, count = 1): Program {
  return program(
    () => ({ consumer: new RingConsumer(memory.ring), bell: new Bell(memory.consumerBell) }),
    ({ consumer, bell }) => {
      for (let taken = 0; ; ) {
        consumer.wake()
        taken += takeAll(consumer)
        consumer.release()
        if (taken === count) return taken
        if (mayRest(consumer)) bell.hear()
      }
    },
  )
}

const sleepProperly = (consumer: RingConsumer): boolean => consumer.sleep()
const wakeProperly = (end: ChannelEnd): void => end.wakeReader()

function expectNobodyStuck(outcome: Outcome): void {
  if (outcome.stuck.length > 0) expect(outcome, `a wake-up was lost: ${outcome.schedule.join('')}`).toEqual([])
}

test('no wake-up is missed: {publish, look at the flag} x {raise the flag, look at the ring}, in every order', () => {
  const count = everySchedule(() => {
    const memory = shared()
    return [producing(memory, wakeProperly), consuming(memory, sleepProperly)]
  }, expectNobodyStuck)
  expect(count).toBeGreaterThan(100)
})

test('no wake-up is missed by a thread that blocks in Atomics.wait, in every order', () => {
  const count = everySchedule(() => {
    const memory = shared()
    return [
      producing(memory, wakeProperly),
      program(
        () => new RingConsumer(memory.ring),
        (consumer) => {
          while (takeAll(consumer) === 0) consumer.block(60_000)
        },
      ),
    ]
  }, expectNobodyStuck)
  expect(count).toBeGreaterThan(20)
})

test('no wake-up is missed over several records, in a sample of orders', async () => {
  await withSeed((random) => {
    for (let round = 0; round < 3_000; round++) {
      const memory = shared()
      const favoured = random.unit()
      const outcome = runSchedule(
        [producing(memory, wakeProperly, 3), consuming(memory, sleepProperly, 3)],
        ([first, second]) => (random.chance(favoured) ? (first as number) : (second as number)),
      )
      expectNobodyStuck(outcome)
    }
  })
})

test('a doorbell is rung only for a consumer that said it sleeps, and once', () => {
  everySchedule(
    () => {
      const memory = shared()
      const rung = new Int32Array(memory.consumerBell)
      return [
        producing(memory, wakeProperly),
        consuming(memory, sleepProperly),
        program(
          () => undefined,
          () => rung[0],
        ),
      ]
    },
    ({ schedule, results }) => {
      // The producer published everything before the consumer's first step: it was awake all the time.
      const producerSteps = schedule.filter((index) => index === 0).length
      if (schedule.slice(0, producerSteps).every((index) => index === 0)) expect(results[2]).toBe(0)
    },
  )
})

test('a consumer that looks before it raises its flag is caught', () => {
  const wrong = (memory: Shared) => (consumer: RingConsumer) => {
    const control = new Int32Array(memory.ring.control)
    const empty = consumer.isEmpty()
    if (empty) Atomics.store(control, CONSUMER_STATE, SLEEPING)
    return empty
  }
  expect(
    lost(() => {
      const memory = shared()
      return [producing(memory, wakeProperly), consuming(memory, wrong(memory))]
    }),
  ).toBeGreaterThan(0)
})

test('a producer that looks at the flag before it publishes is caught', () => {
  expect(
    lost(() => {
      const memory = shared()
      const tooEarly = program(
        () => new ChannelEnd(memory.ring, memory.other, new Bell(memory.consumerBell)),
        (end) => {
          const offset = end.out.begin(0)
          const state = end.out.takeConsumerState()
          end.out.words[(offset >> 2) + WORD_KIND] = 1
          end.out.commit(0)
          if (state !== 0) new Bell(memory.consumerBell).ring()
        },
      )
      return [tooEarly, consuming(memory, sleepProperly)]
    }),
  ).toBeGreaterThan(0)
})

// ---- The twin: a producer that waits for room
// --------------------------------------------------------------------------

/** A full ring, and one record more than it holds. */
function waitingForRoom(memory: Shared, mayRest: (producer: RingProducer) => boolean): Program {
  return program(
    () => {
      const end = new ChannelEnd(memory.ring, memory.other, new Bell(memory.consumerBell))
      while (publish(end));
      return { end, bell: new Bell(memory.producerBell) }
    },
    ({ end, bell }) => {
      while (!publish(end)) if (mayRest(end.out)) bell.hear()
    },
  )
}

function makingRoom(memory: Shared, release: (consumer: RingConsumer) => boolean): Program {
  return program(
    () => ({ consumer: new RingConsumer(memory.ring), bell: new Bell(memory.producerBell) }),
    ({ consumer, bell }) => {
      const offset = consumer.peek()
      if (offset === -1) return
      consumer.next(offset)
      if (release(consumer)) bell.ring()
    },
  )
}

test('no wake-up is missed by a producer that waits: {raise, look at TAIL} x {release, look}, in every order', () => {
  const count = everySchedule(() => {
    const memory = shared()
    return [
      waitingForRoom(memory, (producer) => producer.waitForRoom(payloadMaxOf(KB))),
      makingRoom(memory, (consumer) => consumer.release()),
    ]
  }, expectNobodyStuck)
  expect(count).toBeGreaterThan(10)
})

test('a producer that looks for room before it raises its flag is caught', () => {
  expect(
    lost(() => {
      const memory = shared()
      const wrong = (producer: RingProducer): boolean => {
        if (producer.begin(payloadMaxOf(KB)) !== -1) return false
        Atomics.store(new Int32Array(memory.ring.control), PRODUCER_WAITS, 1)
        return true
      }
      return [waitingForRoom(memory, wrong), makingRoom(memory, (consumer) => consumer.release())]
    }),
  ).toBeGreaterThan(0)
})

test('a consumer that looks at the flag before it makes room is caught', () => {
  expect(
    lost(() => {
      const memory = shared()
      const wrong = (consumer: RingConsumer): boolean => {
        const waits = Atomics.load(new Int32Array(memory.ring.control), PRODUCER_WAITS) === 1
        consumer.release()
        return waits
      }
      return [waitingForRoom(memory, (producer) => producer.waitForRoom(payloadMaxOf(KB))), makingRoom(memory, wrong)]
    }),
  ).toBeGreaterThan(0)
})

test('each side writes its own position only', () => {
  const written = { producer: new Set<number>(), consumer: new Set<number>() }
  const memory = ringMemory(KB)
  const producer = new RingProducer(memory)
  const consumer = new RingConsumer(memory)
  const control = new Int32Array(memory.control)
  const watch = (into: Set<number>, action: () => void): void => {
    const before = Int32Array.from(control)
    action()
    control.forEach((value, index) => {
      if (value !== before[index]) into.add(index)
    })
  }
  for (let round = 0; round < 100; round++) {
    watch(written.producer, () => {
      const offset = producer.begin(round)
      if (offset === -1) return void producer.waitForRoom(round)
      producer.words[(offset >> 2) + WORD_KIND] = 1
      producer.commit(round)
    })
    if (round % 3 === 0) {
      watch(written.consumer, () => {
        takeAll(consumer)
        consumer.release()
        consumer.sleep()
      })
    }
  }
  expect(written.producer.has(TAIL)).toBe(false)
  expect(written.consumer.has(HEAD)).toBe(false)
})

/** How many orders lose a wake-up. */
function lost(begin: () => readonly Program[]): number {
  let count = 0
  everySchedule(begin, ({ stuck }) => {
    if (stuck.length > 0) count++
  })
  return count
}
