/** Requests as bytes. */
import { ByteWriter, LocalError } from '@iokernel/core/plugin'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Argument, headBytes, writeArgument, writeCommand, writeLatin1 } from './encode.ts'

/** Into memory that is too small, so that the writer moves on the way; and into memory that is lent. */
function written(write: (out: ByteWriter) => void): string {
  const small = new ByteWriter(1)
  write(small)
  const lent = new ByteWriter(1)
  const memory = Buffer.from(new SharedArrayBuffer(1 << 20)).fill(0xaa)
  lent.lend(memory, 5, memory.length)
  write(lent)
  const bytes = lent.written().toString('latin1')
  expect(small.written().toString('latin1')).toBe(bytes)
  expect(memory[4]).toBe(0xaa)
  return bytes
}

const argument = (value: Argument) => written((out) => writeArgument(out, value))

describe('arguments', () => {
  it.each<[Argument, string]>([
    ['', '$0\r\n\r\n'],
    ['a', '$1\r\na\r\n'],
    ['0123456789', '$10\r\n0123456789\r\n'],
    ['\r\n$1\r\n', '$6\r\n\r\n$1\r\n\r\n'],
    ['é', '$2\r\n\xc3\xa9\r\n'],
    ['abc€', '$6\r\nabc\xe2\x82\xac\r\n'],
    ['𝄞', '$4\r\n\xf0\x9d\x84\x9e\r\n'],
    ['\ud800', '$3\r\n\xef\xbf\xbd\r\n'],
    [0, '$1\r\n0\r\n'],
    [-0, '$1\r\n0\r\n'],
    [1.5, '$3\r\n1.5\r\n'],
    [-1e21, '$6\r\n-1e+21\r\n'],
    [Number.MAX_SAFE_INTEGER, '$16\r\n9007199254740991\r\n'],
    [Number.POSITIVE_INFINITY, '$3\r\ninf\r\n'],
    [Number.NEGATIVE_INFINITY, '$4\r\n-inf\r\n'],
    [9223372036854775807n, '$19\r\n9223372036854775807\r\n'],
    [new Uint8Array([0, 255, 13, 10]), '$4\r\n\x00\xff\r\n\r\n'],
    [Buffer.alloc(0), '$0\r\n\r\n'],
    ['x'.repeat(40), `$40\r\n${'x'.repeat(40)}\r\n`],
    ['x'.repeat(41), `$41\r\n${'x'.repeat(41)}\r\n`],
    ['x'.repeat(100_000), `$100000\r\n${'x'.repeat(100_000)}\r\n`],
    [`${'x'.repeat(50)}é`, `$52\r\n${'x'.repeat(50)}\xc3\xa9\r\n`],
  ])('argument %#', (value, bytes) => {
    expect(argument(value)).toBe(bytes)
  })

  it.each([undefined, null, Number.NaN, true, {}, [], ['a'], new Date(0), Symbol('x'), () => 1, new Map()])(
    'refuses %o',
    (value) => {
      expect(() => argument(value as never)).toThrow(LocalError)
      expect(() => argument(value as never)).toThrow(expect.objectContaining({ code: 'ARGUMENT', sent: 'no' }))
    },
  )

  it('writes what any text is in UTF-8, and says its length in bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (text) => {
        const bytes = Buffer.from(text)
        expect(argument(text)).toBe(`$${bytes.length}\r\n${bytes.toString('latin1')}\r\n`)
      }),
    )
  })
})

describe('commands', () => {
  it('are arrays of bulk strings', () => {
    expect(written((out) => writeCommand(out, ['SET', 'k', 1]))).toBe('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n1\r\n')
  })

  it('have heads that are made once', () => {
    expect(Buffer.from(headBytes(['CLIENT', 'ID'], 2)).toString()).toBe('*4\r\n$6\r\nCLIENT\r\n$2\r\nID\r\n')
  })

  it('may hold a name of any bytes', () => {
    const name = String.fromCharCode(...Array.from({ length: 256 }, (_, code) => code))
    expect(written((out) => writeLatin1(out, name))).toBe(`$256\r\n${name}\r\n`)
  })
})
