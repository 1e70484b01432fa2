/** What one connection may use: sizes of replies, frames and requests, room for more calls, the memory it is lent. */
import { describe, expect, test } from 'vitest'
import { FrameFlag } from '../plugin/connection.ts'
import { Bench } from '../testing/connection-bench.ts'
import { tagged } from '../testing/tagged.ts'

const { Final } = FrameFlag

describe('limits', () => {
  test('replyBytesMax: a reply past it fails its call, however it is cut; the connection goes on', () => {
    const frames = [
      [tagged(Final, 'x'.repeat(300))],
      [tagged(0, 'x'.repeat(150)), tagged(Final, 'x'.repeat(150))],
      [tagged(0, 'x'.repeat(300)), tagged(0, 'y'), tagged(Final, 'z')],
      [tagged(0, 'x'.repeat(190)), tagged(Final, 'x'.repeat(20))],
    ]
    for (const each of frames) {
      for (const together of [true, false]) {
        const bench = new Bench({ limits: { replyBytesMax: 200 } }).open()
        const [first, second] = [bench.call('a'), bench.call('b')]
        if (together) bench.arrive(...each)
        else for (const one of each) bench.arrive(one)
        expect(bench.outcome(first)).toMatch(/^REPLY_TOO_LARGE maybe( held, released)?$/)
        bench.arrive(tagged(Final, 'mine'))
        expect(bench.outcome(second)).toBe('reply mine')
      }
    }
  })

  test('frameBytesMax: a frame that never ends costs the connection', () => {
    const bench = new Bench({ limits: { frameBytesMax: 10_000 } }).open()
    const number = bench.call('a')
    const endless = tagged(Final, 'x'.repeat(50_000))
    for (let at = 0; at < endless.length && bench.peer.isOpen; at += 1_000)
      bench.arrive(endless.subarray(at, at + 1_000))
    expect(bench.outcome(number)).toBe('PROTOCOL maybe')
    expect(bench.closedWith?.message).toContain('frameBytesMax')
  })

  test('pipelineMax and unsentBytesMax close the door, and onProgress opens it', () => {
    const bench = new Bench({ limits: { pipelineMax: 3, unsentBytesMax: 1_000 } }).open()
    for (let count = 0; count < 3; count++) {
      expect(bench.connection.hasRoom).toBe(true)
      bench.call('x')
    }
    expect(bench.connection.hasRoom).toBe(false)
    bench.arrive(tagged(Final, '1'))
    expect(bench.connection.hasRoom).toBe(true)
    bench.peer.pause()
    bench.call('y'.repeat(2_000))
    expect(bench.connection.hasRoom).toBe(false)
    bench.arrive(tagged(Final, '2'), tagged(Final, '3'))
    expect(bench.connection.hasRoom).toBe(false)
    bench.peer.resume()
    bench.run()
    expect(bench.connection.hasRoom).toBe(true)
  })

  test('requestBytesMax is meant for one request, not for all that leave together', () => {
    const bench = new Bench({
      limits: { requestBytesMax: 1_000 },
      protocol: (protocol) => {
        protocol.submit = (payload, _hint, _wireId, out) => out.copy(payload)
      },
    }).open()
    const numbers = Array.from({ length: 10 }, (_, index) => bench.call(`${index}`.repeat(600)))
    bench.run()
    expect(bench.peer.received.length).toBe(6_000)
    expect(numbers.map((number) => bench.outcome(number))).toEqual(numbers.map(() => ''))
  })
})

test('the bytes of a request stay untouched until the transport has taken them, however late that is', () => {
  const bench = new Bench().open()
  const expected: string[] = []
  for (let round = 0; round < 200; round++) {
    const text = `${round};`.padEnd(1 + ((round * 977) % 3_000), 'x')
    expected.push(text)
    const number = bench.call(text)
    if (round % 7 === 0) bench.peer.pause()
    bench.flush()
    // The caller gives up and its memory is released, while the transport still holds it.
    if (round % 3 === 0) bench.expire(number)
    if (round % 7 === 5) bench.peer.resume()
    if (round % 5 === 0)
      bench.arrive(...Array.from({ length: bench.connection.unanswered.count }, () => tagged(Final, 'r')))
  }
  bench.peer.resume()
  bench.run()
  expect(bench.peer.received.toString()).toBe(expected.join(''))
})

test('what is gathered in one turn leaves as one write', () => {
  const bench = new Bench().open()
  const chunks: number[] = []
  bench.peer.onData = (bytes) => chunks.push(bytes.length)
  for (let count = 0; count < 20; count++) bench.call('x'.repeat(10))
  bench.run()
  expect(chunks).toEqual([200])
})
