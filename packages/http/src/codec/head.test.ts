/** The head: what it says, where its parts lie, and that it is the same however it came. */
import { describe, expect, test } from 'vitest'
import { FRAMER_LIMITS } from '../limits.ts'
import { Coding, Connection } from './framing-fields.ts'
import { Head } from './head.ts'

/** `text` behind three bytes of something else, shown as it grows by `step`. */
function scanned(kind: 'request' | 'response', text: string, step: number): Head {
  const head = new Head(kind, FRAMER_LIMITS)
  const bytes = Buffer.from(`###${text}`, 'latin1')
  let isComplete = false
  for (let end = 3; end < bytes.length && !isComplete; ) {
    end = Math.min(bytes.length, end + step)
    isComplete = head.scan(bytes, 3, end)
  }
  expect(isComplete).toBe(true)
  return head
}

describe.each([1, 2, 7, 1_000])('%i bytes at a time', (step) => {
  test('a response', () => {
    const text = 'HTTP/1.0 207 Multi-Status\r\nContent-Length: 17\r\nX: y\r\nConnection: Keep-Alive\r\n\r\nbody'
    const head = scanned('response', text, step)
    expect(head).toMatchObject({ status: 207, minor: 0, contentLength: 17, coding: Coding.None, fields: 3 })
    expect(head.connection).toBe(Connection.KeepAlive)
    expect(head.isPersistent).toBe(true)
    expect(head.length).toBe(text.length - 4)
    expect(text.slice(head.fieldsStart, head.fieldsStart + 15)).toBe('Content-Length:')
  })

  test('a request', () => {
    const text =
      'OPTIONS /a?b HTTP/1.1\r\nhOsT: [::1]:8080 \r\nTransfer-Encoding: CHUNKED\r\nConnection: x, upgrade\r\n\r\n'
    const head = scanned('request', text, step)
    expect(head).toMatchObject({ minor: 1, contentLength: -1, coding: Coding.Chunked, fields: 3 })
    expect(head.connection).toBe(Connection.Upgrade)
    expect(text.slice(0, head.methodEnd)).toBe('OPTIONS')
    expect(head.length).toBe(text.length)
  })

  test('no fields at all', () => {
    const head = scanned('response', 'HTTP/1.1 200 \r\n\r\n', step)
    expect(head).toMatchObject({ fields: 0, fieldsStart: 15, length: 17, status: 200 })
  })

  test('a field that only looks like one that matters', () => {
    const head = scanned(
      'response',
      'HTTP/1.1 200 OK\r\nContent_Length: 5\r\nContent-Lengti: 5\r\nXonnection: close\r\n\r\n',
      step,
    )
    expect(head).toMatchObject({ contentLength: -1, connection: 0, fields: 3 })
  })

  test('codings of several fields are one list', () => {
    const head = scanned(
      'response',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip;q=1\r\nTransfer-Encoding: chunked\r\n\r\n',
      step,
    )
    expect(head.coding).toBe(Coding.Chunked | Coding.Other)
  })
})

test('what one head said is forgotten with the next', () => {
  const head = new Head('response', FRAMER_LIMITS)
  const first = Buffer.from('HTTP/1.0 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\nConnection: close\r\n\r\n')
  expect(head.scan(first, 0, first.length)).toBe(true)
  head.begin()
  const second = Buffer.from('HTTP/1.1 204 No\r\n\r\n')
  expect(head.scan(second, 0, second.length)).toBe(true)
  expect(head).toMatchObject({ status: 204, minor: 1, contentLength: -1, coding: 0, connection: 0, fields: 0 })
})

test('a Content-Length may have sixteen digits, and be 2^53 - 1', () => {
  expect(scanned('response', 'HTTP/1.1 200 OK\r\nContent-Length: 9007199254740991\r\n\r\n', 9).contentLength).toBe(
    2 ** 53 - 1,
  )
  expect(scanned('response', 'HTTP/1.1 200 OK\r\nContent-Length: 0000000000000007\r\n\r\n', 9).contentLength).toBe(7)
})

test('a head of 64 KB that comes byte by byte is read in one pass', () => {
  const head = new Head('response', FRAMER_LIMITS)
  const bytes = Buffer.from(`HTTP/1.1 200 ${'x'.repeat(30_000)}\r\nX: ${'x'.repeat(30_000)}\r\n\r\n`)
  const before = process.cpuUsage().user
  for (let end = 1; end < bytes.length; end++) expect(head.scan(bytes, 0, end)).toBe(false)
  expect(head.scan(bytes, 0, bytes.length)).toBe(true)
  // Looking at everything again for each byte would be 2 * 10^9 steps: seconds.
  expect(process.cpuUsage().user - before).toBeLessThan(1_000_000)
})
