/**
 * How a connection ends, and what may go wrong before: whatever the plugin throws and wherever it is destroyed,
 * `onClosed` comes exactly once, every call is settled, and nothing is answered or written afterwards.
 * Opening, draining, TLS.
 */
import { describe, expect, test } from 'vitest'
import { FrameFlag } from '../plugin/connection.ts'
import { LocalError, RefusedError, RemoteProtocolError } from '../plugin/errors.ts'
import { frame, read, send, upgradeTls } from '../plugin/script.ts'
import { Bench, type BenchOptions } from '../testing/connection-bench.ts'
import type { Tagged } from '../testing/tagged.ts'
import { tagged } from '../testing/tagged.ts'
import type { ConnectionOwner } from './connection-owner.ts'

const { Final, Push, Close } = FrameFlag
const ERROR = FrameFlag.Error
const REASON = new LocalError('TEST', 'destroyed by the test')

function closings(bench: Bench): string[] {
  return bench.log.filter((text) => text.startsWith('closed'))
}

const hello = (protocol: Tagged): void => {
  protocol.handshake = function* () {
    yield* send(Buffer.from('hello'))
    const answer = Buffer.from(yield* frame())
    return { answer: answer.subarray(6).toString() }
  }
}

describe('opening', () => {
  test('hands the facts of the handshake over, and is ready once', () => {
    const bench = new Bench({ protocol: hello }).open()
    expect(bench.log).toEqual([])
    bench.run()
    expect(bench.peer.received.toString()).toBe('hello')
    bench.arrive(tagged(Final, 'v7'))
    expect(bench.log).toEqual(['ready'])
    expect(bench.connection.facts).toEqual({ answer: 'v7' })
  })

  test('delivers pushes that come during the handshake, and never shows them to the script', () => {
    const bench = new Bench({ protocol: hello }).open()
    bench.arrive(tagged(Push, 'early'), tagged(Final, 'v7'))
    expect(bench.log).toEqual(['push early', 'ready'])
    expect(bench.connection.facts).toEqual({ answer: 'v7' })
  })

  test('gives up after connectTimeoutMs, and after handshakeTimeoutMs', () => {
    const hole = new Bench({ limits: { connectTimeoutMs: 300 } })
    hole.world.network.listen('peer', 'black-hole')
    hole.run(299)
    expect(closings(hole)).toEqual([])
    hole.run(2)
    expect(closings(hole)).toEqual(['closed CONNECT_TIMEOUT'])
    const silent = new Bench({ protocol: hello, limits: { connectTimeoutMs: 300, handshakeTimeoutMs: 400 } }).open()
    silent.run(399)
    expect(closings(silent)).toEqual([])
    silent.run(10)
    expect(closings(silent)).toEqual(['closed HANDSHAKE_TIMEOUT'])
    silent.arrive(tagged(Final, 'too late'))
    expect(silent.log).toEqual(['closed HANDSHAKE_TIMEOUT'])
  })

  test('says why it could not connect', () => {
    const bench = new Bench()
    bench.world.network.listen('peer', undefined)
    bench.run()
    expect(bench.closedWith).toMatchObject({
      code: 'CONNECTION_LOST',
      side: 'remote',
      fields: { systemCode: 'ECONNREFUSED' },
    })
  })

  test('keeps a refusal as what it is', () => {
    const bench = new Bench({
      protocol: (protocol) => {
        protocol.handshake = function* () {
          yield* frame()
          throw new RefusedError('WRONGPASS', 'no')
        }
      },
    }).open()
    bench.arrive(tagged(Final | ERROR, 'no'))
    expect(bench.closedWith).toBeInstanceOf(RefusedError)
  })

  test('upgrades to TLS where the script says, and refuses bytes that somebody put before it', () => {
    const negotiated: BenchOptions = {
      tls: { mode: 'negotiated' },
      protocol: (protocol) => {
        protocol.handshake = function* () {
          yield* send(Buffer.from('S?'))
          yield* read(1)
          return Buffer.from(yield* upgradeTls()).toString()
        }
      },
    }
    const good = new Bench(negotiated).open()
    good.peer.send('S')
    good.run()
    expect(good.log).toEqual(['ready'])
    expect(good.connection.facts).toBe('certificate')
    const bad = new Bench(negotiated).open()
    bad.peer.send(Buffer.concat([Buffer.from('S'), tagged(Final, 'injected')]))
    bad.run()
    expect(bad.log).toEqual(['closed PROTOCOL'])
    const given = new Bench(negotiated).open()
    given.peer.send('S')
    given.run(1)
    given.connection.destroy(REASON)
    given.run(100)
    expect(given.log).toEqual(['closed TEST'])
    expect(given.connection.phase).toBe('closed')
  })
})

describe('a plugin that throws costs its connection and nothing else', () => {
  const bug = (): never => {
    throw new TypeError('a bug in the plugin')
  }

  test.each<[string, (protocol: Tagged) => void, string]>([
    ['in scan', (protocol) => Object.assign(protocol, { before: bug }), 'closed PLUGIN'],
    ['in classify', (protocol) => Object.assign(protocol, { verdict: bug }), 'closed PLUGIN'],
    ['a protocol error in scan', (protocol) => Object.assign(protocol, { before: broken }), 'closed PROTOCOL'],
    [
      'by being done with more than it was shown',
      (protocol) => Object.assign(protocol, { scan: () => 1_000_000 }),
      'closed PLUGIN',
    ],
    [
      'by being done with less than nothing',
      (protocol) => Object.assign(protocol, { scan: () => -1 }),
      'closed PLUGIN',
    ],
  ])('%s', (_where, breaks, expected) => {
    const bench = new Bench({ protocol: breaks }).open()
    const numbers = [bench.call('a'), bench.call('b')]
    bench.arrive(tagged(Final | ERROR, 'x'))
    expect(closings(bench)).toEqual([expected])
    for (const number of numbers) expect(bench.outcome(number)).toMatch(/^(PLUGIN|PROTOCOL) maybe$/)
    expect(bench.client.calls).toBe(0)
    bench.arrive(tagged(Final, 'later'))
    expect(closings(bench)).toHaveLength(1)
  })

  test('in its handshake, before the first step and after it', () => {
    for (const steps of [0, 1]) {
      const bench = new Bench({
        protocol: (protocol) => {
          protocol.handshake = function* () {
            for (let count = 0; count < steps; count++) yield* frame()
            return bug()
          }
        },
      }).open()
      bench.arrive(tagged(Final, 'x'))
      expect(bench.log).toEqual(['closed PLUGIN'])
    }
  })

  test('in submit: that call fails unsent, the others go out whole', () => {
    const bench = new Bench({
      protocol: (protocol) => {
        protocol.submit = (payload, _hint, _wireId, out) => {
          out.ascii('<')
          out.copy(payload)
          if (payload[0] === 'x'.charCodeAt(0)) bug()
          out.ascii('>')
        }
      },
    }).open()
    const [first, second, third] = ['a', 'x', 'c'].map((text) => bench.call(text)) as [number, number, number]
    bench.run()
    expect(bench.peer.received.toString()).toBe('<a><c>')
    bench.arrive(tagged(Final, 'ra'), tagged(Final, 'rc'))
    expect([first, second, third].map((number) => bench.outcome(number))).toEqual(['reply ra', 'PLUGIN no', 'reply rc'])
    expect(closings(bench)).toEqual([])
  })

  test('in closed and in write', () => {
    const ending = new Bench({ protocol: (protocol) => Object.assign(protocol, { closed: bug }) }).open()
    ending.peer.end()
    ending.run()
    expect(closings(ending)).toHaveLength(1)
    const writing = new Bench({ purpose: 'push' }).open()
    writing.connection.write(bug)
    writing.run()
    expect(closings(writing)).toEqual(['closed PLUGIN'])
  })
})

function broken(): never {
  throw new RemoteProtocolError('bytes that the protocol does not allow')
}

describe('destroyed inside a callback, it is over at once and once', () => {
  const callbacks: readonly (keyof ConnectionOwner)[] = ['onReady', 'onPush', 'onProgress', 'onNotExecuted', 'onClosed']

  test.each(callbacks)('%s', (name) => {
    for (const handshake of [false, true]) {
      const bench: Bench = new Bench({
        protocol: (protocol) => {
          if (handshake) hello(protocol)
          protocol.verdict = () => 'not-executed'
        },
        owner: {
          [name]: () => {
            bench.connection.destroy(REASON)
            return name === 'onNotExecuted' ? false : undefined
          },
        },
      })
      bench.open()
      if (handshake) bench.arrive(tagged(Final, 'welcome'))
      const numbers: number[] = []
      if (bench.connection.phase === 'ready') numbers.push(bench.call('a'), bench.call('b'))
      bench.run()
      if (bench.peer.isOpen)
        bench.arrive(tagged(Push, 'p'), tagged(Final | ERROR, 'busy'), tagged(Push, 'q'), tagged(Final, 'b'))
      bench.peer.reset()
      bench.run(50)
      expect(closings(bench)).toHaveLength(1)
      for (const number of numbers) expect(bench.outcomes.get(number)).toHaveLength(1)
      expect(bench.client.calls).toBe(0)
      const pushes = bench.log.filter((text) => text.startsWith('push'))
      if (name === 'onPush') expect(pushes).toEqual(['push p'])
      expect(bench.log.indexOf(closings(bench)[0] as string)).toBe(bench.log.length - 1)
    }
  })
})

describe('retired', () => {
  test('it finishes what it has, takes the reason, and closes', () => {
    const bench = new Bench().open()
    const [first, second] = [bench.call('a'), bench.call('b')]
    bench.run()
    bench.connection.retire(new LocalError('ADDRESS_GONE', 'moved'))
    expect(bench.connection.hasRoom).toBe(false)
    expect(bench.connection.phase).toBe('draining')
    bench.arrive(tagged(Final, 'ra'))
    expect(closings(bench)).toEqual([])
    bench.arrive(tagged(Final, 'rb'))
    expect([first, second].map((number) => bench.outcome(number))).toEqual(['reply ra', 'reply rb'])
    expect(closings(bench)).toEqual(['closed ADDRESS_GONE'])
  })

  test('idle, it closes at once; twice is once', () => {
    const bench = new Bench().open()
    bench.connection.retire(REASON)
    bench.connection.retire(REASON)
    bench.connection.destroy(REASON)
    expect(closings(bench)).toEqual(['closed TEST'])
  })

  test('with a peer that never answers, it is over after drainTimeoutMs', () => {
    const bench = new Bench({ limits: { drainTimeoutMs: 500 } }).open()
    const number = bench.call('a')
    bench.run()
    bench.connection.retire(REASON)
    bench.run(480)
    expect(closings(bench)).toEqual([])
    bench.run(30)
    expect(closings(bench)).toEqual(['closed TEST'])
    expect(bench.outcome(number)).toBe('TEST maybe')
  })

  test('while a script runs, it waits for the script', () => {
    const bench = new Bench({ protocol: hello }).open()
    bench.connection.retire(REASON)
    bench.arrive(tagged(Final, 'welcome'))
    expect(closings(bench)).toEqual(['closed TEST'])
  })

  test.each([
    ['retire', ['closed RETIRED']],
    // The owner decides: without another address, reads still work here.
    ['role-lost', []],
  ] as const)('by the verdict %s: the error reaches its caller, the rest is finished', (verdict, closed) => {
    const bench = new Bench({ protocol: (protocol) => Object.assign(protocol, { verdict: () => verdict }) }).open()
    const [first, second] = [bench.call('a'), bench.call('b')]
    bench.arrive(tagged(Final | ERROR, 'READONLY'))
    expect(bench.outcome(first)).toBe('reply READONLY')
    expect(closings(bench)).toEqual([])
    bench.arrive(tagged(Final, 'rb'))
    expect(bench.outcome(second)).toBe('reply rb')
    expect(closings(bench)).toEqual(closed)
  })

  test('by a frame that says close: its caller has the frame, the others lose', () => {
    const bench = new Bench().open()
    const [first, second] = [bench.call('a'), bench.call('b')]
    bench.arrive(tagged(Final | Close, 'bye'))
    expect(bench.outcome(first)).toBe('reply bye')
    expect(bench.outcome(second)).toBe('CLOSED_BY_PEER maybe')
  })
})

describe('the peer goes away', () => {
  test('a half-close lets the framer finish the frame that only this completes', () => {
    const bench = new Bench({
      protocol: (protocol) => {
        protocol.closed = (sink) => sink.frame(0, 8, Final)
      },
    }).open()
    const [first, second] = [bench.call('a'), bench.call('b')]
    bench.peer.send(tagged(Final, 'xy'))
    Object.assign(bench.protocol, { scan: () => 0 })
    bench.peer.end()
    bench.run()
    expect(bench.outcome(first)).toBe('reply xy')
    expect(bench.outcome(second)).toBe('CLOSED_BY_PEER maybe')
    expect(closings(bench)).toEqual(['closed CLOSED_BY_PEER'])
  })

  test('what was written may have been executed; what was not is said to be unsent', () => {
    const bench = new Bench().open()
    const written = bench.call('a')
    bench.run()
    const gathered = bench.call('b')
    bench.connection.destroy(REASON)
    expect(bench.outcome(written)).toBe('TEST maybe')
    expect(bench.outcome(gathered)).toBe('TEST no')
  })
})

test('what was written behind the last request that its peer read is known not to have been looked at', () => {
  for (const [flags, sent] of [
    [Final | Close | FrameFlag.Unread, 'no'],
    [Final | Close, 'maybe'],
  ] as const) {
    const bench = new Bench().open()
    const calls = ['a', 'b', 'c'].map((text) => bench.call(text))
    bench.run()
    bench.arrive(tagged(flags, 'bye'))
    const outcomes = calls.map((call) => bench.outcome(call))
    expect(outcomes).toEqual(['reply bye', `CLOSED_BY_PEER ${sent}`, `CLOSED_BY_PEER ${sent}`])
  }
})
