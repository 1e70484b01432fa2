/**
 * One connection: replies reach their callers in order however the bytes are cut, tombstones keep their place, pushes
 * may lie anywhere, and nobody is ever answered by bytes that were not meant for him.
 */
import { describe, expect, test } from 'vitest'
import { FrameFlag } from '../plugin/connection.ts'
import { frame, send } from '../plugin/script.ts'
import { Bench } from '../testing/connection-bench.ts'
import { withSeed } from '../testing/random.ts'
import { tagged } from '../testing/tagged.ts'

const { Final, Push, Part, Dirty, Close } = FrameFlag
const ERROR = FrameFlag.Error

describe('replies', () => {
  test('are given to the calls in the order in which those were written', () => {
    const bench = new Bench().open()
    const numbers = Array.from({ length: 50 }, (_, index) => bench.call(`q${index};`))
    bench.run()
    expect(bench.peer.received.toString()).toBe(numbers.map((_, index) => `q${index};`).join(''))
    bench.arrive(...numbers.map((_, index) => tagged(Final, `r${index}`)))
    expect(numbers.map((number) => bench.outcome(number))).toEqual(numbers.map((_, index) => `reply r${index}`))
    expect(bench.connection.isIdle).toBe(true)
  })

  test('are the same at every split of their bytes', () => {
    const stream = Buffer.concat([
      tagged(Final, 'one'),
      tagged(0, 'row1 '),
      tagged(Push, 'news'),
      tagged(0, 'row2 '),
      tagged(Part, 'ro'),
      tagged(Push, 'more news'),
      tagged(Final, 'w3'),
      tagged(Final, ''),
      tagged(Final | ERROR, 'refused'),
      tagged(Push, 'last'),
    ])
    for (let split = 0; split <= stream.length; split++) {
      const bench = new Bench().open()
      const numbers = ['a', 'b', 'c', 'd'].map((text) => bench.call(text))
      bench.arrive(stream.subarray(0, split)).arrive(stream.subarray(split))
      const outcomes = numbers.map((number) => bench.outcome(number))
      expect(outcomes, `split at ${split}`).toEqual(['reply one', 'reply row1 row2 row3', 'reply ', 'reply refused'])
      expect(bench.log).toEqual(['ready', 'push news', 'push more news', 'push last'])
    }
  })

  test('are the same byte by byte', () => {
    const bench = new Bench().open()
    const numbers = ['a', 'b'].map((text) => bench.call(text))
    const stream = Buffer.concat([
      tagged(0, 'x'),
      tagged(Push, '!'),
      tagged(Final, 'y'),
      tagged(Final, 'z'.repeat(300)),
    ])
    for (const byte of stream) bench.peer.send(Buffer.from([byte]))
    bench.run()
    expect(numbers.map((number) => bench.outcome(number))).toEqual(['reply xy', `reply ${'z'.repeat(300)}`])
  })

  test('tell the framer what was asked: the hint of the oldest unanswered call', () => {
    const bench = new Bench().open()
    bench.call('a', 11)
    bench.call('b', 22)
    bench.arrive(tagged(0, 'part'), tagged(Final, 'a'), tagged(Push, 'p'), tagged(Final, 'b'))
    expect(bench.protocol.hints).toEqual([11, 11, 22, 22])
    bench.arrive(tagged(Push, 'p'))
    expect(bench.protocol.hints.at(-1)).toBe(-1)
  })

  test('mark the connection dirty where the framer says so', () => {
    const bench = new Bench().open()
    bench.call('begin')
    expect(bench.connection.dirty).toBe(false)
    bench.arrive(tagged(Final | Dirty, 'ok'))
    expect(bench.connection.dirty).toBe(true)
  })

  test('mark it dirty even when they are too large to be passed on', () => {
    const bench = new Bench({ limits: { replyBytesMax: 100 } }).open()
    bench.call('begin')
    bench.arrive(tagged(Final | Dirty, 'x'.repeat(200)))
    expect(bench.connection.dirty || bench.connection.phase === 'closed').toBe(true)
  })
})

describe('a tombstone', () => {
  test('keeps its place: the late reply is dropped, and the next caller gets his own', () => {
    const bench = new Bench().open()
    const [first, second, third] = ['a', 'b', 'c'].map((text) => bench.call(text)) as [number, number, number]
    bench.run()
    bench.expire(second)
    bench.arrive(tagged(Final, 'ra'), tagged(0, 'rb'), tagged(Push, 'p'), tagged(Final, 'rb'), tagged(Final, 'rc'))
    expect(bench.outcome(first)).toBe('reply ra')
    expect(bench.outcome(second)).toBe('DEADLINE maybe held, released')
    expect(bench.outcome(third)).toBe('reply rc')
  })

  test('made in the middle of its reply drops the rest of it only', () => {
    const bench = new Bench().open()
    const [first, second] = ['a', 'b'].map((text) => bench.call(text)) as [number, number]
    bench.arrive(tagged(0, 'beginning'))
    bench.expire(first)
    bench.arrive(tagged(0, 'middle'))
    expect(bench.outcome(first)).toBe('DEADLINE maybe held')
    bench.arrive(tagged(Final, 'end'), tagged(Final, 'mine'))
    expect(bench.outcome(first)).toBe('DEADLINE maybe held, released')
    expect(bench.outcome(second)).toBe('reply mine')
  })

  test('is released when the connection is lost', () => {
    const bench = new Bench().open()
    const number = bench.call('a')
    bench.run()
    bench.expire(number)
    bench.peer.reset()
    bench.run()
    expect(bench.outcome(number)).toBe('DEADLINE maybe held, released')
    expect(bench.client.calls).toBe(0)
  })
})

describe('bytes that nobody asked for', () => {
  test('are a protocol error and cost the connection', () => {
    const bench = new Bench().open()
    bench.arrive(tagged(Final, 'surprise'))
    expect(bench.log).toEqual(['ready', 'closed PROTOCOL'])
    expect(bench.closedWith).toMatchObject({ side: 'remote', upstream: 'tagged://peer', endpoint: 'peer' })
  })

  test('behind the last reply do not become the answer of the next call', () => {
    const bench = new Bench().open()
    const first = bench.call('a')
    bench.arrive(tagged(Final, 'ra'), tagged(Final, 'surprise'))
    expect(bench.outcome(first)).toBe('reply ra')
    expect(bench.log.at(-1)).toBe('closed PROTOCOL')
  })

  test('behind the handshake do not become the answer of a call that was not even written', () => {
    let number = 0
    const bench = new Bench({
      protocol: (protocol) => {
        protocol.handshake = function* () {
          yield* send(Buffer.from('hello'))
          yield* frame()
          return null
        }
      },
      owner: {
        onReady: () => {
          number = bench.call('waiting')
        },
      },
    }).open()
    bench.arrive(tagged(Final, 'welcome'), tagged(Final, 'poison'))
    expect(bench.outcome(number)).not.toContain('poison')
    expect(bench.outcome(number)).toBe('PROTOCOL no')
    expect(bench.log).toEqual(['ready', 'closed PROTOCOL'])
  })

  test('that are an error are the reason why it closes', () => {
    const bench = new Bench().open()
    bench.arrive(tagged(Final | ERROR, 'shutting down'))
    expect(bench.log).toEqual(['ready', 'closed CLOSED_BY_PEER'])
  })

  test('on a push connection are told to its owner', () => {
    const bench = new Bench({ purpose: 'push' }).open()
    bench.arrive(tagged(Final, 'answer'), tagged(Final | ERROR, 'refused'), tagged(Push, 'p'))
    expect(bench.log).toEqual(['ready', 'stray answer', 'stray refused', 'push p'])
  })
})

describe('by wire id', () => {
  function correlated(count: number): { bench: Bench; numbers: number[]; wireIds: number[] } {
    const bench = new Bench({ correlated: true }).open()
    const numbers = Array.from({ length: count }, (_, index) => bench.call(String.fromCharCode(97 + index)))
    bench.run()
    const wireIds = numbers.map((_, index) => bench.peer.received.readUInt16BE(index * 3))
    return { bench, numbers, wireIds }
  }

  test('replies come in any order, pieces of several between each other', () => {
    const { bench, numbers, wireIds } = correlated(3)
    const [a, b, c] = wireIds as [number, number, number]
    expect(new Set(wireIds).size).toBe(3)
    bench.arrive(
      tagged(0, 'c1', c),
      tagged(0, 'a1', a),
      tagged(0, 'a2', a),
      tagged(0, 'c2', c),
      tagged(Final, 'b', b),
      tagged(Push, 'p'),
      tagged(Final, 'c3', c),
    )
    bench.arrive(tagged(0, 'a3', a)).arrive(tagged(Final, 'a4', a))
    const outcomes = numbers.map((number) => bench.outcome(number))
    expect(outcomes).toEqual(['reply a1a2a3a4', 'reply b', 'reply c1c2c3'])
  })

  test('a second reply with an id that was answered is dropped, and nobody else is answered by it', () => {
    const { bench, numbers, wireIds } = correlated(2)
    bench.arrive(tagged(Final, 'a', wireIds[0]))
    const later = bench.call('later')
    bench.run()
    bench.arrive(tagged(Final, 'again', wireIds[0]))
    expect(bench.outcome(numbers[0] as number)).toBe('reply a')
    bench.arrive(tagged(Final, 'its own', bench.peer.received.readUInt16BE(6)))
    expect(bench.outcome(later)).toBe('reply its own')
    expect(bench.world.lines).toEqual([])
  })

  test('a call that was given up is forgotten at once, and its late reply dropped', () => {
    const { bench, numbers, wireIds } = correlated(3)
    bench.expire(numbers[0] as number)
    expect(bench.connection.unanswered.count).toBe(2)
    expect(bench.outcome(numbers[0] as number)).toBe('DEADLINE maybe held, released')
    bench.arrive(tagged(Final, 'c', wireIds[2]), tagged(Final, 'late', wireIds[0]), tagged(Final, 'b', wireIds[1]))
    const outcomes = numbers.map((number) => bench.outcome(number))
    expect(outcomes).toEqual(['DEADLINE maybe held, released', 'reply b', 'reply c'])
  })

  test('a reply with an id that was never given is dropped, and told once', () => {
    const { bench, numbers, wireIds } = correlated(1)
    bench.arrive(tagged(Final, 'who', 999), tagged(0, 'who', 998), tagged(Final, 'who', 998))
    bench.arrive(tagged(Final, 'a', wireIds[0]))
    expect(bench.outcome(numbers[0] as number)).toBe('reply a')
    expect(bench.world.lines).toEqual([expect.stringContaining('answers calls that nobody made')])
  })

  test('the first call that has not left may be given up, and the next one is the first', () => {
    const { bench } = correlated(0)
    const [one, two] = [bench.call('x'), bench.call('y')]
    bench.expire(one)
    bench.run()
    bench.arrive(tagged(Final, 'y', bench.peer.received.readUInt16BE(3)))
    expect([bench.outcome(one), bench.outcome(two)]).toEqual(['DEADLINE maybe held, released', 'reply y'])
  })

  test('frames behind the one that closed the connection change nothing', () => {
    const { bench, numbers, wireIds } = correlated(3)
    bench.arrive(
      tagged(Final | ERROR | Close, 'going away', wireIds[0]),
      tagged(Final, 'b', wireIds[1]),
      tagged(0, 'c', wireIds[2]),
      tagged(Final | ERROR, 'c', wireIds[2]),
    )
    const outcomes = numbers.map((number) => bench.outcome(number))
    expect(outcomes).toEqual(['reply going away', 'CLOSED_BY_PEER maybe', 'CLOSED_BY_PEER maybe'])
    expect(bench.log).toEqual(['ready', 'closed CLOSED_BY_PEER'])
    expect(bench.client.calls).toBe(0)
    expect(bench.connection.unanswered.count).toBe(0)
  })

  test('an id is free again after its reply, however many calls go over one connection', () => {
    const { bench } = correlated(0)
    for (let round = 0; round < 300; round++) {
      const before = bench.peer.received.length
      const number = bench.call('x')
      bench.run(2)
      bench.arrive(tagged(Final, `r${round}`, bench.peer.received.readUInt16BE(before)))
      expect(bench.outcome(number)).toBe(`reply r${round}`)
    }
  })
})

test('every call settles exactly once with its own reply, over random cuts, tombstones and ends', async () => {
  await withSeed((random) => {
    for (let round = 0; round < 150; round++) {
      const correlated = random.chance(0.4)
      const bench = new Bench({ correlated, random, limits: { replyBytesMax: 1 << 20 } })
      bench.world.network.faults = {
        delay: random.pick([0, 0.5]),
        delayMsMax: 5,
        reset: random.pick([0, 0, 0.01]),
        chunkBytesMax: random.pick([1, 7, 100, 1_000_000]),
        stall: random.pick([0, 0.1]),
      }
      bench.open().run(20)
      let consumed = 0
      let served = 0
      for (let step = 0; step < 120 && bench.connection.phase === 'ready'; step++) {
        for (let count = random.below(4); count > 0; count--) bench.world.turn(() => bench.call(correlated ? 'x' : 'y'))
        bench.run(random.below(4))
        const unanswered = bench.connection.unanswered
        if (unanswered.first !== undefined && random.chance(0.1) && unanswered.first.state === 3)
          bench.expire(unanswered.first.id)
        const size = correlated ? 3 : 1
        while (bench.peer.isOpen && bench.peer.received.length - consumed >= size && random.chance(0.7)) {
          const wireId = correlated ? bench.peer.received.readUInt16BE(consumed) : 0
          consumed += size
          served++
          if (random.chance(0.3)) bench.peer.send(tagged(0, `${served}.`, wireId))
          if (random.chance(0.2)) bench.peer.send(tagged(Push, 'p'))
          bench.peer.send(tagged(Final, `${served}`, wireId))
        }
      }
      if (bench.connection.phase !== 'closed') bench.peer.reset()
      bench.run(100)
      expect(bench.log.filter((text) => text.startsWith('closed'))).toHaveLength(1)
      for (const [number, told] of bench.outcomes) {
        expect(told.length, `call ${number}`).toBeGreaterThan(0)
        const own = told[0] === `reply ${number}` || told[0] === `reply ${number}.${number}`
        const failed = /^(CONNECTION_LOST|DEADLINE) (no|maybe)( held)?$/.test(told[0] as string)
        expect(own || failed, `call ${number}: ${told.join()}`).toBe(true)
      }
      expect(bench.client.calls).toBe(0)
    }
  })
}, 60_000)
