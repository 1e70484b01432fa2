/** The framer of the other side: where requests end, at every split, and everything that could be read in two ways. */
import { describe, expect, test } from 'vitest'
import { WRONG_CHUNKS, WRONG_FIELDS } from '../../fixtures/heads.ts'
import { Reader, read, splits } from '../../fixtures/reader.ts'
import { GET, REQUESTS, WRONG_REQUESTS } from '../../fixtures/requests.ts'
import { WHOLE_BYTES_MAX } from '../limits.ts'
import { RequestFramer } from './requests.ts'

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

function atEverySplit(text: string, ended = false): ReturnType<typeof read> {
  const bytes = latin1(text)
  const whole = read(new RequestFramer(), [bytes], [], ended)
  for (const chunks of splits(bytes)) {
    const outcome = read(new RequestFramer(), chunks, [], ended)
    expect(outcome.seen, `cut at ${chunks[0]?.length}`).toEqual(whole.seen)
    expect(outcome.error === undefined, `cut at ${chunks[0]?.length}: ${outcome.error}`).toBe(whole.error === undefined)
  }
  return whole
}

describe('a request', () => {
  test.each(REQUESTS)('$name', ({ bytes, ended, seen }) => {
    const outcome = atEverySplit(bytes, ended)
    expect(outcome.error).toBeUndefined()
    expect(outcome.seen).toEqual(seen)
    expect(outcome.left).toBe(0)
  })
})

describe('a request that could be read in two ways', () => {
  test.each(WRONG_REQUESTS)('%s', (_name, bytes) => {
    const outcome = atEverySplit(`${GET}${bytes}`)
    expect(outcome.error).toBeDefined()
    expect(outcome.seen).toEqual([['request', GET]])
  })

  test.each(WRONG_FIELDS)('%s', (_name, fields) => {
    const outcome = atEverySplit(`POST / HTTP/1.1\r\nHost: a\r\n${fields}0\r\n\r\n`)
    expect(outcome.error).toBeDefined()
    expect(outcome.seen).toEqual([])
  })

  test.each(WRONG_CHUNKS)('chunks with %s', (_name, body) => {
    const outcome = atEverySplit(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}`)
    expect(outcome.error).toBeDefined()
    expect(outcome.seen).toEqual([])
  })

  test.each(['Content-Length', 'Transfer-Encoding'])('a first field that begins with a space: %s', (name) => {
    expect(atEverySplit(`POST / HTTP/1.1\r\n ${name}: 5\r\nHost: a\r\n\r\nhello`).error).toContain(
      'before the first field',
    )
  })

  test('says what to answer', () => {
    for (const [name, bytes, status = 400] of WRONG_REQUESTS) {
      const framer = new RequestFramer()
      const reader = new Reader(framer)
      expect(() => reader.arrive(latin1(bytes)), name).toThrow(expect.objectContaining({ fields: { status } }))
    }
  })
})

describe('a client that goes away', () => {
  test.each(['G', 'GET / HTTP/1.1\r\n', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel'])(
    'inside a request: %j',
    (bytes) => {
      expect(atEverySplit(bytes, true).error).toContain('inside a request')
    },
  )

  test('between two', () => {
    expect(atEverySplit(GET, true).error).toBeUndefined()
    expect(atEverySplit(`${GET}\r\n`, true).error).toBeUndefined()
  })
})

describe('what is passed on, and when', () => {
  test('a short request in one piece, a long one in parts, of which the first begins with the head', () => {
    const short = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello`
    const one = new Reader(new RequestFramer())
    for (const byte of latin1(short)) one.arrive(Uint8Array.of(byte))
    expect(one.frames).toEqual([['request', short]])

    const many = new Reader(new RequestFramer())
    const head = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${4 * WHOLE_BYTES_MAX}\r\n\r\n`
    many.arrive(latin1(head))
    expect(many.frames).toEqual([['request part', head]])
    for (let count = 0; count < 4; count++) many.arrive(Buffer.alloc(WHOLE_BYTES_MAX, 'x'))
    expect(many.frames).toHaveLength(5)
    expect(many.seen).toEqual([['request', head + 'x'.repeat(4 * WHOLE_BYTES_MAX)]])
  })
})
