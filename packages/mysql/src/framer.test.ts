/** The framer where the conformance kit does not look: payloads of 16 MB at their seams, limits, files. */
import { ByteWriter, FrameFlag } from '@iokernel/core/plugin'
import { describe, expect, test } from 'vitest'
import { column, end, eof, err, ok, packet, prepared, query, result, row, text } from '../fixtures/packets.ts'
import { RequestKind } from './codec/request.ts'
import { Framer } from './framer.ts'
import { Statements } from './statements.ts'

const { Text, Prepared, LocalInfile, FileData } = RequestKind
const PACKET_BYTES_MAX = 0xff_ffff
const BEHIND = result(['a'], [['behind']])

/** A framer whose kernel is the test: replies are put together, nothing is kept of what it was shown. */
class Bench {
  readonly statements = new Statements({ max: 16, isSession: true })
  readonly framer: Framer
  readonly replies: { readonly bytes: Buffer; readonly flags: number }[] = []
  readonly out = new ByteWriter()
  #hints: number[] = []
  #pieces: Buffer[] = []
  #pending: Buffer = Buffer.alloc(0)
  /** The most that was kept between two arrivals. */
  heldBytesMax = 0

  constructor(frameBytesMax = 0x4000_0000, deprecateEof = true) {
    this.framer = new Framer({ frameBytesMax }, this.statements)
    this.framer.begin(deprecateEof)
  }

  ask(hint: number, payload: string = query('SELECT 1')): this {
    this.statements.submit(Buffer.from(payload, 'latin1'), hint, this.out)
    if (hint !== FileData) this.#hints.push(hint)
    return this
  }

  receive(chunk: Buffer | string): this {
    const bytes = Buffer.concat([this.#pending, typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk])
    const done = this.framer.scan(bytes, 0, bytes.length, {
      frame: (start, stop, flags) => {
        this.#pieces.push(Buffer.from(bytes.subarray(start, stop)))
        if ((flags & FrameFlag.Final) === 0) return
        this.replies.push({ bytes: Buffer.concat(this.#pieces), flags: flags & ~FrameFlag.Final })
        this.#pieces = []
        this.#hints.shift()
      },
      hint: () => this.#hints[0] ?? -1,
      out: () => this.out,
    })
    this.#pending = Buffer.from(bytes.subarray(done))
    this.heldBytesMax = Math.max(this.heldBytesMax, this.#pending.length)
    bytes.fill(0xee)
    return this
  }
}

describe('8: payloads of 16 MB and more', () => {
  // What is behind a length of FE is a length-encoded number of 8 bytes: the row itself begins with FE.
  test.each([
    PACKET_BYTES_MAX - 10,
    PACKET_BYTES_MAX - 9,
    PACKET_BYTES_MAX - 1,
    PACKET_BYTES_MAX,
    0x100_0000,
    2 * PACKET_BYTES_MAX - 9,
  ])('a value of %i bytes, split at every seam, and a reply behind it', (length) => {
    const long = packet(3, text('x'.repeat(length)))
    const packets = Math.floor(text('x'.repeat(length)).length / PACKET_BYTES_MAX) + 1
    const reply = packet(1, 1) + column(2, 'a') + long + end((3 + packets) & 255)
    const bytes = Buffer.from(reply + BEHIND, 'latin1')
    const start = packet(1, 1).length + column(2, 'a').length
    const seams = [start, start + PACKET_BYTES_MAX + 4, start + long.length, reply.length]
    const splits = seams.flatMap((seam) => [-1, 0, 1, 4].map((offset) => seam + offset))
    for (const split of splits.filter((at) => at > 0 && at < bytes.length)) {
      const bench = new Bench().ask(Text).ask(Text)
      bench.receive(Buffer.from(bytes.subarray(0, split))).receive(Buffer.from(bytes.subarray(split)))
      expect(bench.replies.map(({ bytes: { length: size } }) => size)).toEqual([reply.length, BEHIND.length])
      expect(bench.replies[0]?.bytes.equals(bytes.subarray(0, reply.length))).toBe(true)
    }
  })

  test('nobody holds one: it is passed on as it arrives', () => {
    const bytes = Buffer.from(
      packet(1, 1) + column(2, 'a') + packet(3, text('x'.repeat(20_000_000))) + end(5),
      'latin1',
    )
    const bench = new Bench().ask(Text)
    for (let at = 0; at < bytes.length; at += 65_536) bench.receive(Buffer.from(bytes.subarray(at, at + 65_536)))
    expect(bench.replies[0]?.bytes.equals(bytes)).toBe(true)
    expect(bench.heldBytesMax).toBeLessThan(16 * 1024)
  })

  test('EOFs of old are told from rows by their length', () => {
    const reply = packet(1, 1) + column(2, 'a') + eof(3) + packet(4, text('x'.repeat(0x100_0000))) + eof(6)
    const bench = new Bench(0x4000_0000, false).ask(Text).receive(reply)
    expect(bench.replies[0]?.bytes.length).toBe(reply.length)
  })

  test('a payload that goes on for longer than frameBytesMax', () => {
    const bench = new Bench(20_000_000).ask(Text)
    const reply = packet(1, 1) + column(2, 'a') + packet(3, text('x'.repeat(21_000_000)))
    expect(() => bench.receive(reply)).toThrow(/frameBytesMax/)
  })

  test.each([
    ['a definition', packet(1, 1) + packet(2, 'x'.repeat(PACKET_BYTES_MAX))],
    ['an OK', packet(1, 0, 'x'.repeat(PACKET_BYTES_MAX))],
    ['an ERR', packet(1, 0xff, 'x'.repeat(PACKET_BYTES_MAX))],
  ])('%s of 16 MB is none', (_what, bytes) => {
    expect(() => new Bench().ask(Text).receive(bytes)).toThrow(expect.objectContaining({ code: 'PROTOCOL' }))
  })
})

describe('files', () => {
  const FB = packet(1, 0xfb, 'data.csv')

  test('asked for, sent, and answered; what was held is sent behind', () => {
    const bench = new Bench().ask(LocalInfile, query('LOAD')).ask(Text).receive(FB)
    expect(bench.replies).toEqual([])
    bench.ask(FileData, 'a\n').ask(FileData, '')
    expect(bench.out.written().toString('latin1')).toBe(query('LOAD') + packet(2, 'a\n') + packet(3))
    bench.receive(ok(4) + BEHIND)
    expect(bench.replies.map(({ bytes }) => bytes.toString('latin1'))).toEqual([FB + ok(4), BEHIND])
    expect(bench.out.written().toString('latin1').endsWith(query('SELECT 1'))).toBe(true)
  })

  test('several hundred pieces, whose numbers wrap', () => {
    const bench = new Bench().ask(LocalInfile, query('LOAD')).receive(FB)
    for (let index = 0; index < 600; index++) bench.ask(FileData, 'x')
    bench.ask(FileData, '').receive(ok((2 + 601) & 255))
    expect(bench.replies).toHaveLength(1)
  })

  test('an OK before the end of the file is a fault', () => {
    const bench = new Bench().ask(LocalInfile, query('LOAD')).receive(FB)
    expect(() => bench.receive(ok(2))).toThrow(expect.objectContaining({ code: 'PROTOCOL' }))
  })

  test.each([Text, Prepared])(
    '33: asked for where none was offered (kind %i): its end, an error, and goodbye',
    (kind) => {
      const bench = new Bench()
      if (kind === Prepared) bench.ask(kind, prepared('SELECT 1')).receive(packet(1, 0, '\x01\0\0\0', '\0\0\0\0\0\0\0'))
      else bench.ask(kind)
      bench.out.clear()
      bench.receive(FB)
      expect(bench.out.written().toString('latin1')).toBe(packet(2))
      expect(bench.replies[0]?.flags).toBe(FrameFlag.Error | FrameFlag.Close)
    },
  )
})

test('a reply that changes the session says so at its end, and the next one does not', () => {
  const bench = new Bench().ask(Text).ask(Text)
  bench.receive(ok(1, 0x4002, 0, 0, text('') + text('\x02\x011')) + err(1, 1064))
  expect(bench.replies.map(({ flags }) => flags)).toEqual([FrameFlag.Dirty, FrameFlag.Error])
})

test('rows are told from ends by their place: FE, FF and 00 in every place where they may be', () => {
  const rows = [row(3, ''), row(4, undefined), packet(5, '\xfc\x2c\x01', 'x'.repeat(300))]
  const reply = packet(1, 1) + column(2, 'a') + rows.join('') + end(6)
  const bench = new Bench().ask(Text).receive(reply)
  expect(bench.replies[0]?.bytes.toString('latin1')).toBe(reply)
})
