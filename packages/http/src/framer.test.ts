/** The framer: where replies end, at every split; what it passes on early and what it holds; and what it refuses. */
import { FrameFlag } from '@iokernel/core/plugin'
import { describe, expect, test } from 'vitest'
import { WRONG_CHUNKS, WRONG_FIELDS } from '../fixtures/heads.ts'
import { Reader, read, splits } from '../fixtures/reader.ts'
import { OK, REPLIES } from '../fixtures/replies.ts'
import { RequestHint } from './codec/request.ts'
import { Framer } from './framer.ts'
import { FRAMER_LIMITS, WHOLE_BYTES_MAX } from './limits.ts'

const { Request, Head, Upload, UploadPart, UploadEnd, Interim, Upgrade } = RequestHint
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

/** The outcome of every split, which must be one and the same; parts that were passed on before an error may differ. */
function atEverySplit(text: string, hints: readonly number[], ended = false): ReturnType<typeof read> {
  const bytes = latin1(text)
  const whole = read(new Framer(), [bytes], hints, ended)
  for (const chunks of splits(bytes)) {
    const outcome = read(new Framer(), chunks, hints, ended)
    expect(outcome.seen, `cut at ${chunks[0]?.length}`).toEqual(whole.seen)
    expect(outcome.error === undefined, `cut at ${chunks[0]?.length}: ${outcome.error}`).toBe(whole.error === undefined)
  }
  return whole
}

describe('a reply', () => {
  test.each(REPLIES)('$name', ({ bytes, hints, ended, seen }) => {
    const outcome = atEverySplit(bytes, hints, ended)
    expect(outcome.error).toBeUndefined()
    expect(outcome.seen).toEqual(seen)
    expect(outcome.left).toBe(0)
  })

  test.each(REPLIES.filter(({ seen }) => seen.every(([kind]) => !kind.endsWith('close'))))(
    'leaves alone what comes behind it: $name',
    ({ bytes, hints, seen }) => {
      const outcome = atEverySplit(bytes + OK, [...hints, Request])
      expect(outcome.seen).toEqual([...seen, ['reply', OK]])
    },
  )
})

describe('a wrong reply', () => {
  test.each(WRONG_FIELDS)('%s', (_name, fields) => {
    const outcome = atEverySplit(`HTTP/1.1 200 OK\r\n${fields}hello`, [Request])
    expect(outcome.error).toBeDefined()
    expect(outcome.seen).toEqual([])
  })

  test.each(WRONG_CHUNKS)('chunks with %s', (_name, body) => {
    const outcome = atEverySplit(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`, [Request])
    expect(outcome.error).toBeDefined()
    expect(outcome.seen).toEqual([])
  })

  test.each([
    'HTTP/1.1 200\rOK\r\n\r\n',
    'HTTP/1.1  200 OK\r\n\r\n',
    'HTTP/1.1 2000 OK\r\n\r\n',
    'HTTP/1.1 20 OK\r\n\r\n',
    'HTTP/1.1 099 OK\r\n\r\n',
    'HTTP/1.1 abc OK\r\n\r\n',
    'HTTP/1.1\r\n\r\n',
    'HTTP/1.2 200 OK\r\n\r\n',
    'HTTP/2.0 200 OK\r\n\r\n',
    'HTTP/1.1 200 O\0K\r\n\r\n',
    'HTTP/1.1 200 OK\n\n',
    'http/1.1 200 OK\r\n\r\n',
    'hTTP/1.1 200 OK\r\n\r\n',
    'ICY 200 OK\r\n\r\n',
    ' HTTP/1.1 200 OK\r\n\r\n',
    '\r\nHTTP/1.1 200 OK\r\n\r\n',
    'HTTP/1.1 200 OK\r\n\rX',
    '\x16\x03\x01',
    'hello',
  ])('%j is no start of one', (bytes) => {
    const outcome = atEverySplit(bytes, [Request])
    expect(outcome.error).toBeDefined()
    expect(outcome.seen).toEqual([])
  })

  test('is known by its first byte: nobody waits for the rest', () => {
    expect(read(new Framer(), [latin1('h')], [Request], false).error).toContain('something else than HTTP/1.1')
    expect(read(new Framer(), [latin1('HTTP/1.1 1x')], [Request], false).error).toBeDefined()
  })
})

describe('bytes that nobody asked for', () => {
  test.each([OK, 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n', 'h', '\0'])(
    '%j close an idle connection',
    (bytes) => {
      expect(atEverySplit(bytes, []).error).toContain('nothing had asked for')
    },
  )

  test('close it right behind a reply, which itself is whole', () => {
    const outcome = atEverySplit(`${OK}${OK}`, [Request])
    expect(outcome.seen).toEqual([['reply', OK]])
    expect(outcome.error).toContain('nothing had asked for')
  })

  test('are no answer to the next request: 304 with a body that must not be there', () => {
    const head = 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n'
    const outcome = atEverySplit(`${head}hello${OK}`, [Request, Request])
    expect(outcome.seen).toEqual([['reply', head]])
    expect(outcome.error).toContain('something else than HTTP/1.1')
  })

  test('101 that nobody asked for is an error', () => {
    expect(atEverySplit('HTTP/1.1 101 Switching\r\n\r\n\0', [Request]).error).toContain('101')
    expect(atEverySplit(`HTTP/1.1 101 Switching\r\n\r\n${OK}`, [Request | Head]).error).toContain('101')
  })
})

describe('a connection that ends early', () => {
  test.each([
    'H',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok',
    'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nok',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n',
    'HTTP/1.1 100 Continue\r\n\r\n',
  ])('%j is truncated', (bytes) => {
    const outcome = atEverySplit(bytes, [Request], true)
    expect(outcome.error).toContain('ended inside')
    expect(outcome.seen).toEqual([])
  })

  test('is nothing special while it is idle', () => {
    expect(read(new Framer(), [latin1(OK)], [Request], true).error).toBeUndefined()
    expect(read(new Framer(), [], [], true).error).toBeUndefined()
  })
})

describe('what is passed on, and when', () => {
  const parts = (bytes: string, hints: readonly number[]): Reader => {
    const reader = new Reader(new Framer(), hints)
    for (const byte of latin1(bytes)) reader.arrive(Uint8Array.of(byte))
    return reader
  }

  test('a short reply crosses in one piece, however it came', () => {
    expect(parts(OK, [Request]).frames).toEqual([['reply', OK]])
    const interim = `HTTP/1.1 103 Early Hints\r\n\r\n${OK}`
    expect(parts(interim, [Request]).frames).toEqual([['reply', interim]])
    const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'
    const reader = new Reader(new Framer(), [Request])
    reader.arrive(latin1(chunked))
    expect(reader.frames).toEqual([['reply', chunked]])
  })

  test('of a long one nothing is held but its head', () => {
    const reader = new Reader(new Framer(), [Request])
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${1 << 20}\r\n\r\n`
    reader.arrive(latin1(head))
    expect(reader.frames).toEqual([['reply part', head]])
    for (let sent = 0; sent < 1 << 20; sent += 8_192) {
      reader.arrive(Buffer.alloc(8_192, 'x'))
      expect(reader.left).toBe(0)
    }
    expect(reader.seen).toHaveLength(1)
  })

  test('the longest that is held is as long as it says', () => {
    const head = (length: number): string => `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`
    const fits = WHOLE_BYTES_MAX - head(WHOLE_BYTES_MAX).length
    const held = parts(head(fits) + 'x'.repeat(fits), [Request])
    expect(held.frames).toHaveLength(1)
    expect(held.leftLongest).toBe(WHOLE_BYTES_MAX - 1)
    const passed = parts(head(fits + 1) + 'x'.repeat(fits + 1), [Request])
    expect(passed.leftLongest).toBeLessThan(100)
    expect(passed.seen).toHaveLength(1)
  })

  test('a stream of events is passed on as it comes, head first', () => {
    for (const framing of ['Transfer-Encoding: chunked\r\n', '']) {
      const reader = new Reader(new Framer(), [Request])
      reader.arrive(latin1(`HTTP/1.1 200 OK\r\n${framing}\r\n`))
      expect(reader.frames).toHaveLength(1)
      reader.arrive(latin1('5\r\nevent\r\n'))
      expect(reader.frames).toHaveLength(2)
      expect(reader.left).toBe(0)
    }
  })

  test.each([Interim, Upload])('an interim head that somebody waits for is passed on at once', (bit) => {
    const reader = new Reader(new Framer(), [Request | bit])
    reader.arrive(latin1('HTTP/1.1 100 Continue\r\n\r\n'))
    expect(reader.frames).toEqual([['reply part', 'HTTP/1.1 100 Continue\r\n\r\n']])
    reader.arrive(latin1(OK))
    expect(reader.seen).toEqual([['reply', `HTTP/1.1 100 Continue\r\n\r\n${OK}`]])
  })

  test('bytes behind a 101 come in the same segment, and after it', () => {
    const reader = new Reader(new Framer(), [Request | Upgrade])
    const head = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'
    reader.arrive(latin1(`${head}first`))
    expect(reader.frames).toEqual([['reply part', `${head}first`]])
    reader.arrive(latin1(' second'))
    reader.end()
    expect(reader.seen).toEqual([['reply+close', `${head}first second`]])
  })
})

describe('bounds', () => {
  const limits = { headBytesMax: 200, fieldsMax: 5, interimMax: 3, chunkExtensionBytesMax: 20 }
  const errorOf = (bytes: string): string | undefined => {
    const outcomes = [...splits(latin1(bytes))].map(
      (chunks) => read(new Framer(limits), chunks, [Request], false).error,
    )
    expect(new Set(outcomes).size).toBe(1)
    return outcomes[0]
  }
  const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'

  test('on the bytes of a head, to the byte', () => {
    const fill = (bytes: number): string => {
      const head = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: '
      return `${head}${'x'.repeat(bytes - head.length - 4)}\r\n\r\n`
    }
    expect(fill(200)).toHaveLength(200)
    expect(errorOf(fill(200))).toBeUndefined()
    expect(errorOf(fill(201))).toContain('headBytesMax')
    expect(errorOf('x'.repeat(300))).toContain('something else')
    expect(errorOf(`HTTP/1.1 200 ${'x'.repeat(300)}`)).toContain('headBytesMax')
  })

  test('on fields', () => {
    expect(errorOf(`HTTP/1.1 204 No\r\n${'A: b\r\n'.repeat(5)}\r\n`)).toBeUndefined()
    expect(errorOf(`HTTP/1.1 204 No\r\n${'A: b\r\n'.repeat(6)}\r\n`)).toContain('fieldsMax')
  })

  test('on interim heads', () => {
    expect(errorOf(`${'HTTP/1.1 103 E\r\n\r\n'.repeat(3)}${OK}`)).toBeUndefined()
    expect(errorOf(`${'HTTP/1.1 103 E\r\n\r\n'.repeat(4)}${OK}`)).toContain('interimMax')
  })

  test('on the extensions of all chunks together', () => {
    expect(errorOf(`${chunked}${'1;abcd=1\r\nx\r\n'.repeat(2)}0\r\n\r\n`)).toBeUndefined()
    expect(errorOf(`${chunked}${'1;abcd=1\r\nx\r\n'.repeat(3)}0\r\n\r\n`)).toContain('chunkExtensionBytesMax')
    expect(errorOf(`${chunked}1;a="${'x'.repeat(30)}`)).toContain('chunkExtensionBytesMax')
  })

  test('on trailers, their bytes and their number', () => {
    expect(errorOf(`${chunked}0\r\n${'A: b\r\n'.repeat(5)}\r\n`)).toBeUndefined()
    expect(errorOf(`${chunked}0\r\n${'A: b\r\n'.repeat(6)}\r\n`)).toContain('fieldsMax')
    expect(errorOf(`${chunked}0\r\nA: ${'x'.repeat(300)}`)).toContain('headBytesMax')
  })

  test('as they are by default: 100 KB of head, 20 000 fields', () => {
    const many = read(new Framer(), [latin1(`HTTP/1.1 200 OK\r\n${'A:\r\n'.repeat(20_000)}\r\n`)], [Request], false)
    expect(many.error).toContain(`fieldsMax (${FRAMER_LIMITS.fieldsMax})`)
    const long = read(new Framer(), [latin1(`HTTP/1.1 200 OK\r\nA: ${'x'.repeat(100_000)}\r\n\r\n`)], [Request], false)
    expect(long.error).toContain(`headBytesMax (${FRAMER_LIMITS.headBytesMax} bytes)`)
  })
})

describe('what the connection may do next', () => {
  test('it takes more than one request once its peer speaks HTTP/1.1, and none behind a close', () => {
    const framer = new Framer()
    const reader = new Reader(framer, [Request, Request, Request])
    expect(framer.isPipelined).toBe(false)
    reader.arrive(latin1(OK))
    expect(framer.isPipelined).toBe(true)
    reader.arrive(latin1('HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n'))
    expect(framer.isPipelined).toBe(false)
    reader.arrive(latin1('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n'))
    expect(framer.isPipelined).toBe(false)
  })

  test('nothing, where the reply is complete before the upload', () => {
    const framer = new Framer()
    framer.submitted(Request | Upload)
    framer.submitted(UploadPart)
    expect(framer.isClean).toBe(false)
    const early = new Reader(framer, [Request | Upload])
    early.arrive(latin1(OK))
    expect(early.seen).toEqual([['reply+close', OK]])
    expect(framer.isClean).toBe(false)
  })

  test('more, where the upload was complete before the reply', () => {
    const framer = new Framer()
    framer.submitted(Request | Upload)
    framer.submitted(UploadEnd)
    const late = new Reader(framer, [Request | Upload])
    late.arrive(latin1(OK))
    expect(late.seen).toEqual([['reply', OK]])
    expect(framer.isClean).toBe(true)
  })

  test('it is not clean inside a reply, nor after the last', () => {
    const framer = new Framer()
    const reader = new Reader(framer, [Request])
    reader.arrive(latin1('HTTP/1.0 2'))
    expect(framer.isClean).toBe(false)
    reader.arrive(latin1('00 OK\r\nContent-Length: 0\r\n\r\n'))
    expect(framer.isClean).toBe(false)
  })

  test('what errors mean to the kernel', () => {
    const verdictOf = (head: string): string => {
      const framer = new Framer()
      let flagged = false
      framer.scan(latin1(`${head}\r\n\r\n`), 0, head.length + 4, {
        frame: (_start, _end, flags) => {
          flagged = (flags & FrameFlag.Error) !== 0
        },
        hint: () => Request | Head,
        out: () => {
          throw new Error('a client says nothing by itself')
        },
      })
      return flagged ? framer.verdict : 'no error'
    }
    expect(verdictOf('HTTP/1.1 200 OK')).toBe('no error')
    expect(verdictOf('HTTP/1.1 404 No')).toBe('no error')
    expect(verdictOf('HTTP/1.1 500 Oh')).toBe('call')
    expect(verdictOf('HTTP/1.1 503 Busy')).toBe('overloaded')
    expect(verdictOf('HTTP/1.1 429 Slow down')).toBe('overloaded')
    expect(verdictOf('HTTP/1.1 408 Late')).toBe('no error')
    expect(verdictOf('HTTP/1.1 408 Late\r\nConnection: close')).toBe('not-executed')
  })
})
