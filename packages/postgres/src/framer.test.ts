/** What the framer does beyond what the conformance kit asks of every framer. */
import { ByteWriter, FrameFlag, type FrameSink, RemoteError, RemoteProtocolError } from '@iokernel/core/plugin'
import { describe, expect, it } from 'vitest'
import { AUTHENTICATED, error, fatal, message, parameter, READY, row, u32 } from '../fixtures/messages.ts'
import { RequestKind } from './codec/request.ts'
import { Framer } from './framer.ts'
import { FRAMER_LIMITS } from './limits.ts'
import { Parameters } from './parameters.ts'
import { PushLedger } from './push.ts'
import { Statements } from './statements.ts'

const { Plain, CopyIn } = RequestKind
const { Close, Dirty, Error: Failed, Final, Part, Push } = FrameFlag

/** Frames as they are reported: text and flags. */
class Sink implements FrameSink {
  readonly frames: (readonly [bytes: string, flags: number])[] = []
  bytes: Buffer = Buffer.alloc(0)
  hints: number[]
  idle = -1

  constructor(hints: readonly number[]) {
    this.hints = [...hints]
  }

  frame(start: number, end: number, flags: number): void {
    this.frames.push([this.bytes.toString('latin1', start, end), flags])
    if ((flags & Final) !== 0) this.hints.shift()
  }

  hint(): number {
    return this.hints[0] ?? this.idle
  }

  out(): ByteWriter {
    return new ByteWriter()
  }
}

function scan(text: string, hints: readonly number[] = [Plain], framer = new Framer()): Sink {
  const sink = new Sink(hints)
  feed(framer, sink, text)
  return sink
}

function feed(framer: Framer, sink: Sink, text: string): number {
  sink.bytes = Buffer.from(text, 'latin1')
  return framer.scan(sink.bytes, 0, sink.bytes.length, sink)
}

describe('frames', () => {
  it('of one reply that lie side by side are one, up to and with its end', () => {
    const reply = row('1') + row('2') + message('C', 'SELECT 2\0') + READY
    expect(scan(reply + READY, [Plain, Plain]).frames).toEqual([
      [reply, Final],
      [READY, Final],
    ])
  })

  it('are parted by what is none of the reply', () => {
    const notice = message('N', 'SNOTICE\0\0')
    const news = message('A', 1, 'news\0\0')
    const text = row('1') + notice + row('2') + news + parameter('a', 'b') + error('42601') + READY
    expect(scan(text).frames).toEqual([
      [row('1'), 0],
      [row('2'), 0],
      [news, Push],
      [error('42601'), Failed],
      [READY, Final | Dirty],
    ])
  })

  it('are single while a script runs', () => {
    const sink = scan(AUTHENTICATED + message('K', 1, 2) + READY, [0])
    expect(sink.frames.map(([bytes]) => bytes)).toEqual([AUTHENTICATED, message('K', 1, 2), READY])
  })

  it('of COPY FROM STDIN go on where it was asked for, and end everything where it was not', () => {
    const copy = message('G', '\0\0\0')
    expect(scan(copy + READY, [CopyIn]).frames).toEqual([
      [copy, 0],
      [READY, Final],
    ])
    expect(scan(message('2') + copy + READY, [Plain]).frames).toEqual([
      [message('2'), 0],
      [copy, Failed | Final | Close],
    ])
  })

  it('that are long leave in parts', () => {
    const framer = new Framer()
    const sink = new Sink([Plain])
    const long = row('x'.repeat(50_000))
    expect(feed(framer, sink, row('1') + long.slice(0, 20_000))).toBe(row('1').length + 20_000)
    expect(feed(framer, sink, long.slice(20_000, 40_000))).toBe(20_000)
    feed(framer, sink, long.slice(40_000) + READY)
    expect(sink.frames.map(([bytes, flags]) => [bytes.length, flags])).toEqual([
      [row('1').length, 0],
      [20_000, Part],
      [20_000, Part],
      [long.length - 40_000, 0],
      [READY.length, Final],
    ])
  })

  it('of a long last word end the connection, and a long error is judged by its beginning', () => {
    for (const [text, flags] of [
      [error('22P02', 'ERROR', 'x'.repeat(40_000)), Failed],
      [error('57P01', 'FATAL', 'x'.repeat(40_000)), Failed | Final | Close],
    ] as const) {
      const framer = new Framer()
      const sink = new Sink([Plain])
      feed(framer, sink, text.slice(0, 20_000))
      feed(framer, sink, text.slice(20_000))
      expect(sink.frames.map(([, each]) => each)).toEqual([Part, flags])
    }
  })
})

describe('what the server reports of itself', () => {
  it('is remembered, and no caller is blamed for it', () => {
    const parameters = new Parameters()
    const framer = new Framer(FRAMER_LIMITS, parameters)
    const sink = new Sink([])
    feed(framer, sink, parameter('TimeZone', 'UTC'))
    feed(framer, sink, parameter('TimeZone', 'Asia/Tokyo'))
    expect(parameters.get('TimeZone')).toBe('Asia/Tokyo')
    sink.hints = [Plain]
    feed(framer, sink, READY)
    expect(sink.frames).toEqual([[READY, Final]])
  })

  it('has a bound', () => {
    const many = Array.from({ length: 300 }, (_, index) => parameter(`p${index}`, '')).join('')
    expect(() => scan(many, [])).toThrow(RemoteProtocolError)
  })
})

describe('a connection that is idle', () => {
  it('may be told that it ends', () => {
    expect(() => scan(fatal('57P05'), [])).toThrow(expect.objectContaining({ code: '57P05', name: 'RemoteError' }))
    expect(() => scan(fatal('57P05').repeat(400), [])).toThrow(RemoteError)
  })

  it('gets no reply', () => {
    for (const text of [READY, row('1'), error('42601'), message('G', '\0\0\0'), `D${u32(10)}`]) {
      expect(() => scan(text, [])).toThrow(RemoteProtocolError)
    }
  })
})

describe('the beginning of a connection', () => {
  it('is over when it is over', () => {
    for (const text of [AUTHENTICATED, message('K', 1, 2), message('v', 0, 0)]) {
      scan(text, [0])
      const framer = new Framer()
      framer.begin()
      expect(() => scan(text, [0], framer)).toThrow(RemoteProtocolError)
    }
  })
})

describe('a push connection', () => {
  const push = () => {
    const ledger = new PushLedger()
    ledger.active = true
    const framer = new Framer(FRAMER_LIMITS, new Parameters(), new Statements(0, false), ledger)
    const sink = new Sink([])
    sink.idle = 0
    const out = new ByteWriter(64)
    return { ledger, framer, sink, out }
  }

  it('is answered once for each LISTEN, in order', () => {
    const { ledger, framer, sink, out } = push()
    for (const key of ['a', 'b']) ledger.subscribe(key, out)
    ledger.unsubscribe('a', out)
    expect(
      out
        .written()
        .toString('latin1')
        .match(/(UN)?LISTEN "\w"/g),
    ).toEqual(['LISTEN "a"', 'LISTEN "b"', 'UNLISTEN "a"'])
    const done = message('C', 'LISTEN\0')
    feed(framer, sink, done + READY + error('25006') + READY + done + READY)
    expect(sink.frames).toEqual([
      [READY, Final],
      [error('25006'), Failed | Final],
      [READY, Push],
    ])
  })

  it('says which channel has ended, while it says so', () => {
    const { ledger, framer, sink, out } = push()
    ledger.subscribe('a', out)
    ledger.unsubscribe('a', out)
    feed(framer, sink, READY)
    const routes: unknown[] = []
    const bytes = Buffer.from(READY, 'latin1')
    framer.scan(bytes, 0, bytes.length, {
      frame: (start, end) => routes.push(ledger.route(bytes, start, end)),
      hint: () => 0,
      out: () => out,
    })
    expect(routes).toEqual([{ key: 'a', kind: 'ended' }])
    expect(ledger.route(bytes, 0, bytes.length)).toEqual({ key: undefined, kind: 'message' })
  })

  it('does not ask for a name that the server would cut', () => {
    const { ledger, out } = push()
    for (const key of ['x'.repeat(64), 'ü'.repeat(32), 'a\0b', '']) ledger.subscribe(key, out)
    expect(
      out
        .written()
        .toString('latin1')
        .match(/LISTEN "[^"]*"/g),
    ).toEqual(Array(4).fill('LISTEN ""'))
  })

  it('ends with what the server says before it goes, and no interest is to blame', () => {
    const { ledger, framer, sink, out } = push()
    ledger.subscribe('a', out)
    expect(() => feed(framer, sink, fatal('57P01'))).toThrow(expect.objectContaining({ code: '57P01' }))
    expect(sink.frames).toEqual([])
  })

  it('refuses what no LISTEN is answered with', () => {
    for (const text of [row('1'), message('T', '\0\0'), READY + READY]) {
      const { ledger, framer, sink, out } = push()
      ledger.subscribe('a', out)
      expect(() => feed(framer, sink, text)).toThrow(RemoteProtocolError)
    }
  })
})
