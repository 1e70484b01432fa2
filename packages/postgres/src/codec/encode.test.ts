/** Requests byte by byte, as the chapter "Message Formats" has them. */
import { ByteWriter } from '@iokernel/core/plugin'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { message, u16, u32, utf8 } from '../../fixtures/messages.ts'
import {
  VALUES_MAX,
  writeBind,
  writeClose,
  writeCopyData,
  writeCopyDone,
  writeCopyFail,
  writeDescribe,
  writeExecute,
  writeParse,
  writePrepared,
  writeQuery,
  writeSync,
  writeUnprepared,
  writeValues,
} from './encode.ts'

function written(write: (out: ByteWriter) => void, bytesInitial = 8): string {
  const out = new ByteWriter(bytesInitial)
  write(out)
  return out.written().toString('latin1')
}

const values = (...list: unknown[]) => written((out) => writeValues(out, list))
const text = (value: string) => u32(Buffer.byteLength(value)) + utf8(value)
const statement = Buffer.from('select $1\0\0\0')

describe('values', () => {
  it('are counted, each with its length, all as text', () => {
    expect(values()).toBe(u16(0) + u16(0) + u16(0))
    expect(values('a', 12, null)).toBe(u16(0) + u16(3) + text('a') + text('12') + u32(-1) + u16(0))
  })

  it('are bytes where they were bytes', () => {
    const bytes = new Uint8Array([0, 255])
    expect(values(1, bytes)).toBe(`${u16(2) + u16(0) + u16(1) + u16(2) + text('1') + u32(2)}\0\xff${u16(0)}`)
    expect(values(Buffer.alloc(0))).toBe(u16(1) + u16(1) + u16(1) + u32(0) + u16(0))
  })

  it('are UTF-8 of any length', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 120 }), { minLength: 1, maxLength: 5 }), (list) => {
        expect(values(...list)).toBe(u16(0) + u16(list.length) + list.map(text).join('') + u16(0))
      }),
    )
  })

  it('are at most as many as Bind can count', () => {
    const most = Array.from({ length: VALUES_MAX }, () => null)
    expect(values(...most).length).toBe(6 + 4 * VALUES_MAX)
    expect(() => values(...most, null)).toThrow(/at most 65535 values/)
  })
})

describe('messages', () => {
  const bound = u16(0) + u16(1) + text('x') + u16(0)

  it.each<[string, (out: ByteWriter) => void, string]>([
    ['Query', (out) => writeQuery(out, 'select ü'), message('Q', utf8('select ü\0'))],
    ['Parse', (out) => writeParse(out, statement), message('P', '\0select $1\0\0\0')],
    ['Bind', (out) => writeBind(out, 'c1', ['x']), message('B', `c1\0\0${bound}`)],
    ['Describe', (out) => writeDescribe(out, 'c1'), message('D', 'Pc1\0')],
    ['Execute', (out) => writeExecute(out, 'c1', 7), message('E', `c1\0${u32(7)}`)],
    ['Close', (out) => writeClose(out, 'c1'), message('C', 'Pc1\0')],
    ['Sync', writeSync, message('S')],
    ['CopyData', (out) => writeCopyData(out, Buffer.from('1\n')), message('d', '1\n')],
    ['CopyDone', writeCopyDone, message('c')],
    ['CopyFail', (out) => writeCopyFail(out, 'why'), message('f', 'why\0')],
    ['the envelope', (out) => writePrepared(out, 5, statement, ['x']), `${u32(5)}${u32(12)}select $1\0\0\0${bound}`],
    [
      'a statement without a name',
      (out) => writeUnprepared(out, statement, ['x']),
      message('P', '\0select $1\0\0\0') +
        message('B', `\0\0${bound}`) +
        message('D', 'P\0') +
        message('E', `\0${u32(0)}`) +
        message('S'),
    ],
  ])('%s', (_, write, expected) => {
    expect(written(write)).toBe(expected)
    expect(written(write, 4096)).toBe(expected)
  })
})
