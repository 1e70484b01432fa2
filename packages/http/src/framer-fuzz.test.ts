/**
 * Hostile peers, on either side: whatever comes, the framers take it or throw what the contract allows, hold no more
 * than their limits say, and see the same however it was cut.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { WRONG_CHUNKS, WRONG_FIELDS } from '../fixtures/heads.ts'
import { changed } from '../fixtures/mutations.ts'
import { Reader, read, type Scanner } from '../fixtures/reader.ts'
import { REPLIES } from '../fixtures/replies.ts'
import { REQUESTS, WRONG_REQUESTS } from '../fixtures/requests.ts'
import { RequestHint } from './codec/request.ts'
import { RequestFramer } from './framer/requests.ts'
import { Framer } from './framer.ts'
import { FRAMER_LIMITS, WHOLE_BYTES_MAX } from './limits.ts'

const { Request, Head, Connect, Upgrade, Interim, CloseAfter } = RequestHint
const RUNS = 5_000

const SIDES: readonly (readonly [side: string, framer: () => Scanner, texts: readonly string[]])[] = [
  [
    'replies',
    () => new Framer(),
    [
      ...REPLIES.map(({ bytes }) => bytes),
      ...WRONG_FIELDS.map(([, fields]) => `HTTP/1.1 200 OK\r\n${fields}0\r\n\r\n`),
      ...WRONG_CHUNKS.map(([, body]) => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`),
    ],
  ],
  [
    'requests',
    () => new RequestFramer(),
    [
      ...REQUESTS.map(({ bytes }) => bytes),
      ...WRONG_REQUESTS.map(([, bytes]) => bytes),
      ...WRONG_CHUNKS.map(([, body]) => `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}`),
    ],
  ],
]
const HINTS = fc.array(
  fc.constantFrom(
    Request,
    Request | Head,
    Request | Connect,
    Request | Upgrade,
    Request | Interim,
    Request | CloseAfter,
  ),
  { maxLength: 4 },
)

describe.each(SIDES)('%s', (_side, framer, texts) => {
  test('are the same however they are cut', () => {
    fc.assert(
      fc.property(
        changed(texts),
        HINTS,
        fc.array(fc.nat(), { maxLength: 6 }),
        fc.boolean(),
        (text, hints, cuts, ended) => {
          const bytes = Buffer.from(text, 'latin1')
          const whole = read(framer(), [bytes], hints, ended)
          const cut = read(framer(), piecesOf(bytes, cuts), hints, ended)
          expect(cut.seen).toEqual(whole.seen)
          expect(cut.error).toBe(whole.error)
          if (whole.error === undefined) expect(cut.open).toBe(whole.open)
        },
      ),
      { numRuns: RUNS },
    )
  })

  test('of random bytes are refused, or waited for within the limits', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }), (first, second) => {
        const outcome = read(framer(), [first, second], [Request, Request], false)
        expect(outcome.left).toBeLessThanOrEqual(FRAMER_LIMITS.headBytesMax)
      }),
      { numRuns: RUNS },
    )
  })
})

describe('what a peer can make us hold', () => {
  const most = (framer: Scanner, head: string, filling: string, bytes: number): number => {
    const reader = new Reader(framer, [Request])
    const chunk = Buffer.from(filling.repeat(Math.ceil(4_096 / filling.length)), 'latin1')
    try {
      reader.arrive(Buffer.from(head, 'latin1'))
      for (let sent = 0; sent < bytes; sent += chunk.length) reader.arrive(chunk)
    } catch (error) {
      expect(error).toMatchObject({ code: 'PROTOCOL' })
    }
    return reader.leftLongest
  }
  const replies: readonly (readonly [what: string, head: string, filling: string])[] = [
    ['a reason without end', 'HTTP/1.1 200 ', 'x'],
    ['fields without end', 'HTTP/1.1 200 OK\r\n', 'X: y\r\n'],
    ['a value without end', 'HTTP/1.1 200 OK\r\nX: ', 'x'],
    ['a name without end', 'HTTP/1.1 200 OK\r\n', 'x'],
    ['interim heads without end', '', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['a chunk extension without end', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=', 'x'],
    ['trailers without end', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n', 'X: y\r\n'],
    ['a body without end', 'HTTP/1.1 200 OK\r\n\r\n', 'x'],
    ['a body as long as can be', 'HTTP/1.1 200 OK\r\nContent-Length: 9007199254740991\r\n\r\n', 'x'],
    ['a chunk as long as can be', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1fffffffffffff\r\n', 'x'],
    ['chunks of one byte', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', '1\r\nx\r\n'],
  ]

  test.each(replies)('%s', (_what, head, filling) => {
    expect(most(new Framer(), head, filling, 1 << 20)).toBeLessThanOrEqual(FRAMER_LIMITS.headBytesMax + WHOLE_BYTES_MAX)
  })

  test.each([
    ['a target without end', 'GET /', 'x'],
    ['a method without end', '', 'X'],
    ['empty lines without end', '', '\r\n'],
    ['a body as long as can be', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9007199254740991\r\n\r\n', 'x'],
    ['a tunnel', 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', 'x'],
  ])('as a client: %s', (_what, head, filling) => {
    expect(most(new RequestFramer(), head, filling, 1 << 20)).toBeLessThanOrEqual(FRAMER_LIMITS.headBytesMax + 4_096)
  })
})

test('a reply of chunks of one byte each costs no more than its bytes', () => {
  const framer = new Framer()
  const body = Buffer.from(
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(200_000)}0\r\n\r\n`,
  )
  const reader = new Reader(framer, [Request])
  const before = process.cpuUsage().user
  reader.arrive(body)
  expect(reader.seen).toHaveLength(1)
  // 1.2 MB: some 20 ms where this was written.
  expect(process.cpuUsage().user - before).toBeLessThan(2_000_000)
})

function piecesOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((one, other) => one - other)
  const pieces: Buffer[] = []
  let from = 0
  for (const place of [...places, bytes.length]) {
    if (place > from) pieces.push(bytes.subarray(from, place))
    from = Math.max(from, place)
  }
  return pieces
}
