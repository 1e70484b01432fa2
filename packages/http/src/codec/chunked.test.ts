/** Chunk framing off bodies, however they were chunked and however they are cut. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ChunkedDecoder, unchunk } from './chunked.ts'

/** A body in chunks, as a server might write it. */
const chunks = fc.array(
  fc.record({
    data: fc.uint8Array({ minLength: 1, maxLength: 300 }),
    extension: fc.constantFrom('', ';a', ';a=b;c="d"', ' ;x'),
    upper: fc.boolean(),
    zeroes: fc.integer({ min: 0, max: 13 }),
  }),
  { maxLength: 8 },
)

function written(parts: typeof chunks extends fc.Arbitrary<infer Parts> ? Parts : never, trailers: string): Buffer {
  const pieces = parts.flatMap(({ data, extension, upper, zeroes }) => {
    const size = '0'.repeat(zeroes) + data.length.toString(16)
    return [Buffer.from(`${upper ? size.toUpperCase() : size}${extension}\r\n`), data, Buffer.from('\r\n')]
  })
  return Buffer.concat([...pieces, Buffer.from(`0\r\n${trailers}\r\n`)])
}

describe('a chunked body', () => {
  it('is its data and its trailers, at every cut', () => {
    const trailers = fc.constantFrom('', 'a: b\r\n', 'a: b\r\nC:d\r\n')
    const cutting = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 })
    fc.assert(
      fc.property(chunks, trailers, cutting, (parts, lines, lengths) => {
        const bytes = written(parts, lines)
        const data = Buffer.concat(parts.map(({ data }) => data))
        expect(unchunk(bytes).body.equals(data)).toBe(true)
        const decoder = new ChunkedDecoder()
        const into: Buffer[] = []
        for (let at = 0, round = 0; at < bytes.length; round++) {
          const length = lengths[round % lengths.length] as number
          expect(decoder.isDone).toBe(false)
          decoder.take(bytes.subarray(at, at + length), into)
          at += length
        }
        expect(decoder.isDone).toBe(true)
        expect(Buffer.concat(into).equals(data)).toBe(true)
        expect(decoder.trailers.length).toBe(lines.split('\r\n').length - 1)
      }),
    )
  })

  it('is an error and never a hang, whatever it is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const decoder = new ChunkedDecoder()
        const into: Buffer[] = []
        try {
          decoder.take(Buffer.from(bytes), into)
        } catch (error) {
          expect(error).toMatchObject({ code: 'PROTOCOL' })
        }
        expect(Buffer.concat(into).length).toBeLessThanOrEqual(bytes.length)
      }),
    )
  })

  it('has no end of trailers', () => {
    const decoder = new ChunkedDecoder()
    decoder.take(Buffer.from('0\r\n'), [])
    const line = Buffer.from(`a: ${'b'.repeat(60_000)}\r\n`)
    const feed = (): void => {
      for (let count = 0; count < 100; count++) decoder.take(line, [])
    }
    expect(feed).toThrow(/beyond all bounds/)
  })
})
