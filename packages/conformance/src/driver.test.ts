/** The driver feeds as the kernel does, and says what breaks the contract. */
import {
  type ByteWriter,
  type Connection,
  FrameFlag,
  type FrameSink,
  frame,
  RemoteProtocolError,
  read,
  send,
  upgradeTls,
} from '@iokernel/core/plugin'
import { describe, expect, test } from 'vitest'
import { linesOf } from './arrivals.ts'
import { Driver } from './driver.ts'
import { drive, playScript } from './play.ts'

/** Frames of two bytes. */
function pairs(flags: (first: number) => number = () => FrameFlag.Final): Connection {
  return {
    scan(bytes, start, end, sink) {
      let at = start
      for (; at + 2 <= end; at += 2) sink.frame(at, at + 2, flags(bytes[at] as number), bytes[at])
      return at - start
    },
  }
}

function scanning(scan: Connection['scan']): Driver {
  const driver = new Driver({ scan })
  driver.request(0)
  return driver
}

test('what was left is shown again, in front of what comes next', () => {
  const { arrivals, bytesWaiting } = drive(pairs(), {
    requests: [0, 0],
    chunks: [Buffer.from('a'), Buffer.from('bc'), Buffer.from('de')],
  })
  expect(linesOf(arrivals)).toEqual(['reply 0: "ab"', 'reply 1: "cd"'])
  expect(bytesWaiting).toBe(1)
})

test('frames before the final one belong to the oldest request; a push may come in between', () => {
  const flags = (first: number): number => (first === 62 ? FrameFlag.Push : first === 46 ? FrameFlag.Final : 0)
  const { arrivals, unanswered } = drive(pairs(flags), { requests: [0, 0], chunks: [Buffer.from('aa>>bb..cc')] })
  expect(linesOf(arrivals)).toEqual(['push: ">>"', 'reply 0: "aabb.."'])
  expect(unanswered).toBe(1)
})

test('where replies are correlated, the wire id says whose a frame is', () => {
  const { arrivals } = drive(pairs(), { correlated: true, requests: [0, 0], chunks: [Buffer.of(2, 0, 1, 0)] })
  expect(arrivals.map((one) => one.kind === 'reply' && one.call)).toEqual([1, 0])
})

test('an answer to no request is refused, but kept as a stray on a push connection', () => {
  expect(drive(pairs(), { chunks: [Buffer.from('ab')] }).error).toBeInstanceOf(RemoteProtocolError)
  const { arrivals } = drive(pairs(), { purpose: 'push', chunks: [Buffer.from('ab')] })
  expect(linesOf(arrivals)).toEqual(['stray: "ab"'])
})

test('where replies are correlated, one that names nobody is dropped', () => {
  const { arrivals, unanswered, error } = drive(pairs(), {
    correlated: true,
    requests: [0],
    chunks: [Buffer.of(9, 0, 1, 0, 1, 0)],
  })
  expect(linesOf(arrivals)).toEqual([String.raw`reply 0: "\u0001\u0000"`])
  expect([unanswered, error]).toEqual([0, undefined])
})

test('of several requests with one wire id the oldest is answered', () => {
  const driver = new Driver(pairs(), { correlated: true })
  for (let count = 0; count < 2; count++) driver.ask([0, 0])
  driver.receive(Buffer.of(2, 0, 1, 0, 2, 0, 1, 0))
  expect(driver.arrivals.map((one) => one.kind === 'reply' && one.call)).toEqual([1, 0, 3, 2])
})

test('a silent request is written without a wire id, and stands in no order', () => {
  const wireIds: number[] = []
  const { scan } = pairs()
  const driver = new Driver({ scan, submit: (_payload, _hint, wireId) => wireIds.push(wireId) }, { correlated: true })
  driver.ask([{ hint: 0, silent: true }, 0, { hint: 0, silent: true }, 0])
  expect([wireIds, driver.unanswered]).toEqual([[0, 1, 0, 2], 2])
})

test('a request of the peer’s may come in pieces; the first is routed and refused', () => {
  const flags = [FrameFlag.Request | FrameFlag.Part, FrameFlag.Push, FrameFlag.Request | FrameFlag.Part]
  const { arrivals } = drive(
    {
      ...pairs(() => flags.shift() ?? FrameFlag.Request),
      route: (bytes, start) => ({ key: bytes.toString('latin1', start, start + 1), kind: 'message' }),
      refuse: (bytes, start, end, out) => out.copyRange(bytes, start, end),
    },
    { chunks: [Buffer.from('aa>>'), Buffer.from('bbcc')] },
  )
  expect(linesOf(arrivals)).toEqual(['push: ">>"', 'request: "aabbcc", refused with "aa"'])
  expect(arrivals[1]).toMatchObject({ route: { key: 'a', kind: 'message' } })
})

test('what a connection says by itself is kept apart from what it submits', () => {
  const { said } = drive(
    {
      scan(_bytes, start, end, sink) {
        sink.out().ascii('pong')
        return end - start
      },
      submit: (payload, _hint, _wireId, out) => out.copy(payload),
    },
    { requests: [{ hint: 0, payload: 'ping' }], chunks: [Buffer.from('a'), Buffer.from('b')] },
  )
  expect(said.toString()).toBe('pongpong')
})

test('after Close nothing more is shown', () => {
  const driver = new Driver(pairs(() => FrameFlag.Final | FrameFlag.Close))
  driver.request(0)
  driver.request(0)
  driver.receive(Buffer.from('abcd'))
  driver.receive(Buffer.from('ef'))
  expect(linesOf(driver.arrivals)).toEqual(['reply 0: "ab" Close'])
  expect(driver.closed).toBe(true)
})

test('the hint is that of the oldest unanswered request, and -1 where there is none', () => {
  const hints: number[] = []
  const driver = new Driver({
    scan(_bytes, start, end, sink) {
      for (let at = start; at < end; at++) {
        hints.push(sink.hint())
        sink.frame(at, at + 1, FrameFlag.Final)
      }
      hints.push(sink.hint())
      return end - start
    },
  })
  driver.request(7)
  driver.request({ hint: 8, payload: 'x' })
  driver.receive(Buffer.from('ab'))
  expect(hints).toEqual([7, 8, -1])
})

describe('breaches of the contract', () => {
  test.each<[RegExp, Connection['scan']]>([
    [/had been shown/, (_bytes, start, end) => end - start + 1],
    [/had been shown/, () => -1],
    [/scan returned undefined/, () => undefined as unknown as number],
    [/it would come again/, scanOf(({ frame: report }, start, end) => report(start, end, FrameFlag.Final), 0)],
    [/the bytes end at/, scanOf(({ frame: report }, start, end) => report(start, end + 1, FrameFlag.Final))],
    [/before byte/, scanOf(({ frame: report }, start, end) => report(start - 1, end, FrameFlag.Final))],
    [/ends before it begins/, scanOf(({ frame: report }, start, end) => report(end, start, FrameFlag.Final))],
    [/unknown bits/, scanOf(({ frame: report }, start, end) => report(start, end, 1 << 20))],
    [/Final, or Part/, scanOf(({ frame: report }, start, end) => report(start, end, FrameFlag.Final | FrameFlag.Part))],
    [/Push, or Final/, scanOf(({ frame: report }, start, end) => report(start, end, FrameFlag.Final | FrameFlag.Push))],
    [
      /a push is reported whole/,
      scanOf(({ frame: report }, start, end) => report(start, end, FrameFlag.Push | FrameFlag.Part)),
    ],
    [/Request, or Final/, scanOf(({ frame: report }, start, end) => report(start, end, FrameFlag.Request | 1))],
    [/Request, or Push/, scanOf(({ frame: report }, start, end) => report(start, end, FrameFlag.Request | 2))],
    [
      /a request lies between the pieces of a reply/,
      scanOf(({ frame: report }, start, end) => {
        report(start, start + 1, FrameFlag.Part)
        report(start + 1, end, FrameFlag.Request)
      }),
    ],
    [/frames without end/, scanOf(({ frame: report }, start) => forEver(() => report(start, start, 0)))],
    [/swallowed/, scanOf(({ frame: report }, _start, end) => swallow(() => report(end, end, FrameFlag.Final), 2))],
    [/changed the bytes/, filling((start, end) => [start, end])],
    [/wrote outside/, filling((_start, end) => [end, end + 1])],
  ])('%s', (says, scan) => {
    expect(() => scanning(scan).receive(Buffer.from('ab'))).toThrow(says)
  })

  test('a frame outside of a scan', () => {
    let kept: FrameSink | undefined
    const driver = scanning((_bytes, start, end, sink) => {
      kept = sink
      return end - start
    })
    driver.receive(Buffer.from('ab'))
    expect(() => kept?.frame(0, 1, FrameFlag.Final)).toThrow(/outside of scan/)
  })
})

test('callsMax() may have no bound', () => {
  expect(new Driver({ ...pairs(), callsMax: () => Number.POSITIVE_INFINITY }).callsMax).toBe(Number.POSITIVE_INFINITY)
  expect(new Driver(pairs()).callsMax).toBe(Number.POSITIVE_INFINITY)
})

test.each([0, -1, 1.5, Number.NaN])('callsMax() of %d is refused', (most) => {
  const driver = new Driver({ ...pairs(), callsMax: () => most })
  expect(() => driver.request(0)).toThrow(/callsMax/)
})

test('bytes may be said from within a scan alone', () => {
  const kept: ByteWriter[] = []
  const driver = scanning((_bytes, start, end, sink) => {
    kept.push(sink.out())
    return end - start
  })
  expect(() => driver.out()).toThrow(/outside of scan/)
  driver.receive(Buffer.from('a'))
  kept[0]?.ascii('late')
  expect(() => driver.receive(Buffer.from('b'))).toThrow(/after scan\(\) had returned/)
})

describe('scripts', () => {
  test('what the framer says while one runs is sent in its turn', () => {
    const driver = new Driver({
      scan(bytes, start, end, sink) {
        if (bytes[start] === 63) sink.out().ascii('!')
        else sink.frame(start, end, FrameFlag.Final)
        return end - start
      },
    })
    const script = function* () {
      yield* send(Buffer.from('a'))
      yield* frame()
      yield* send(Buffer.from('b'))
    }
    const { outcome } = playScript(driver, script(), [
      { receives: 'a' },
      { sends: '?' },
      { receives: '!' },
      { sends: '=' },
      { receives: 'b' },
    ])
    expect([outcome.kind, driver.said.length]).toEqual(['finished', 0])
  })

  test('raw bytes, TLS and frames, in turn', () => {
    const driver = new Driver(pairs())
    const script = function* () {
      yield* send(Buffer.from('tls?'))
      const answer = yield* read(1)
      const certificate = yield* upgradeTls()
      const first = yield* frame()
      return [answer, certificate, first].map((bytes) => Buffer.from(bytes).toString()).join(' ')
    }
    const { outcome } = playScript(driver, script(), [
      { receives: 'tls?' },
      { sends: 'S' },
      { upgrades: 'certificate' },
      { sends: 'ok' },
    ])
    expect(outcome).toEqual({ kind: 'finished', result: 'S certificate ok' })
  })

  test('plain bytes where TLS should begin end it', () => {
    const driver = new Driver(pairs())
    const script = function* () {
      yield* read(1)
      yield* upgradeTls()
    }
    const run = driver.start(script())
    driver.receive(Buffer.from('Sx'))
    expect(run.outcome).toMatchObject({ kind: 'failed', error: { code: 'PROTOCOL' } })
  })

  test('one that never ends is cut off', () => {
    const driver = new Driver(pairs())
    const script = function* () {
      for (;;) yield* frame()
    }
    const run = driver.start(script())
    driver.receive(Buffer.alloc(4_000))
    expect(run.outcome).toMatchObject({ kind: 'failed', error: { code: 'PROTOCOL' } })
  })
})

/** A scan that reports something and is done with `done` bytes, or with all. */
function scanOf(report: (sink: FrameSink, start: number, end: number) => void, done?: number): Connection['scan'] {
  return (_bytes, start, end, sink) => {
    const bound: FrameSink = {
      frame: (from, to, flags) => sink.frame(from, to, flags),
      hint: () => sink.hint(),
      out: () => sink.out(),
    }
    report(bound, start, end)
    return done ?? end - start
  }
}

function forEver(action: () => void): void {
  for (;;) action()
}

/** A scan that writes zeros somewhere. */
function filling(where: (start: number, end: number) => [from: number, to: number]): Connection['scan'] {
  return (bytes, start, end) => {
    bytes.fill(0, ...where(start, end))
    return end - start
  }
}

/** The first is answered; the others answer nothing. */
function swallow(action: () => void, times: number): void {
  for (let count = 0; count < times; count++) {
    try {
      action()
    } catch {}
  }
}
