/** Replies as the server writes them, whole and hostile. */

import { LocalError, RemoteProtocolError } from '@iokernel/core/plugin'
import { withShared } from '@iokernel/core/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BOUND, complete, description, done, executed, rowOf, selected } from '../../fixtures/link.ts'
import { error, message, parameter, READY, u16, u32 } from '../../fixtures/messages.ts'
import type { TypeParsers } from '../app.ts'
import { analyzer } from '../sql/analysis.ts'
import { PostgresError } from './errors.ts'
import { Pieces } from './pieces.ts'
import { checked, Reply, refuseOpenTransaction, resultsIn } from './reply.ts'
import type { Rows } from './rows.ts'
import { Statement } from './statement.ts'

const analyze = analyzer([])
const statementOf = (text: string, types?: TypeParsers) => new Statement(text, analyze(text), types)
const statement = statementOf('select')

function results(reply: string, asArrays = false, of = statement): Rows<unknown>[] {
  return withShared(reply, ({ bytes, start, end }) => resultsIn(bytes, start, end, of, asArrays))
}

const first = (reply: string, asArrays = false, of = statement) => results(reply, asArrays, of)[0] as Rows<unknown>

describe('rows', () => {
  const columns = [['id', 23], ['name'], ['yes', 16], ['big', 20], ['none', 25]] as const
  const reply = selected(columns, ['1', '\xc3\xa4', 't', '5', null], ['-2', '', 'f', '-7', null])

  it('are objects, or arrays', () => {
    expect([...first(reply)]).toEqual([
      { id: 1, name: 'ä', yes: true, big: 5n, none: null },
      { id: -2, name: '', yes: false, big: -7n, none: null },
    ])
    expect([...first(reply, true)]).toEqual([
      [1, 'ä', true, 5n, null],
      [-2, '', false, -7n, null],
    ])
  })

  it('know what they answer', () => {
    const rows = first(reply)
    expect([rows.command, rows.count, rows.length]).toEqual(['SELECT', 2, 2])
    expect(rows.fields[0]).toEqual({
      name: 'id',
      tableID: 0,
      columnID: 0,
      dataTypeID: 23,
      dataTypeSize: -1,
      dataTypeModifier: -1,
    })
    expect(rows).toEqual([...rows])
    expect(JSON.stringify(rows.map((row) => (row as { id: number }).id))).toBe('[1,-2]')
    expect(rows.map((row) => row).constructor).toBe(Array)
  })

  it('keep nothing of the bytes they were read from', () => {
    const raw = first(
      selected(
        [
          ['b', 17],
          ['r', 17, 1],
        ],
        ['\\x0102', '\x01\x02'],
      ),
    )[0] as { b: Buffer; r: Buffer }
    expect(raw.b).toEqual(Buffer.from([1, 2]))
    expect(raw.r).toEqual(Buffer.from([1, 2]))
  })

  it('have a column called __proto__ like any other, and the last of two with one name', () => {
    const row = first(selected([['__proto__'], ['a'], ['a'], ['constructor']], ['x', '1', '2', 'c']))[0] as object
    expect(Object.keys(row)).toEqual(['__proto__', 'a', 'constructor'])
    expect(Object.getPrototypeOf(row)).toBe(Object.prototype)
    expect(Object.entries(row)).toEqual([
      ['__proto__', 'x'],
      ['a', '2'],
      ['constructor', 'c'],
    ])
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })

  it('of no columns are empty objects', () => {
    expect([...first(selected([], [], []))]).toEqual([{}, {}])
  })

  it('follow their description when it changes', () => {
    const of = statementOf('select it')
    expect([...first(selected([['a', 23]], ['1']), false, of)]).toEqual([{ a: 1 }])
    expect([...first(selected([['a', 25]], ['1']), false, of)]).toEqual([{ a: '1' }])
    expect([...first(selected([['b', 25]], ['1']), false, of)]).toEqual([{ b: '1' }])
    expect([...first(selected([['a', 23]], ['1']), false, of)]).toEqual([{ a: 1 }])
  })

  it('are read by the parsers of the application', () => {
    const of = statementOf('select', { 20: Number, 25: (text) => text.length })
    expect([...first(selected([['a', 20], ['b']], ['5', 'four']), false, of)]).toEqual([{ a: 5, b: 4 }])
  })
})

describe('a reply', () => {
  it.each([
    ['INSERT 0 5', 'INSERT', 5],
    ['UPDATE 0', 'UPDATE', 0],
    ['DELETE 12345', 'DELETE', 12345],
    ['SELECT 1', 'SELECT', 1],
    ['MERGE 2', 'MERGE', 2],
    ['CREATE TABLE', 'CREATE TABLE', 0],
    ['COPY 3', 'COPY', 3],
    ['BEGIN', 'BEGIN', 0],
    ['DO', 'DO', 0],
    ['X9', 'X9', 0],
    ['', '', 0],
  ])('%s', (tag, command, count) => {
    const rows = first(executed(tag))
    expect([rows.command, rows.count, rows.length, rows.fields]).toEqual([command, count, 0, []])
  })

  it('has a result for each statement', () => {
    const reply = description(['a', 23]) + rowOf('1') + complete('SELECT 1') + message('I') + complete('SET') + READY
    expect(results(reply).map((rows) => [rows.command, [...rows]])).toEqual([
      ['SELECT', [{ a: 1 }]],
      ['', []],
      ['SET', []],
    ])
  })

  it('may have anything in between that nobody asked for', () => {
    const noise = message('N', 'SNOTICE\0Mx\0\0') + parameter('TimeZone', 'UTC') + message('A', u32(1), 'c\0p\0')
    const parts = [
      message('3'),
      message('1'),
      BOUND,
      description(['a', 23]),
      rowOf('1'),
      rowOf('2'),
      complete('SELECT 2'),
    ]
    expect([...first(parts.map((part) => part + noise).join('') + READY)]).toEqual([{ a: 1 }, { a: 2 }])
  })

  it('that is an error throws it, whatever came before; of two the first', () => {
    const reply = BOUND + description(['a', 23]) + rowOf('1') + error('22012') + error('XX000') + READY
    expect(() => results(reply)).toThrow(PostgresError)
    expect(() => results(reply)).toThrow(expect.objectContaining({ code: '22012' }))
    // FATAL has no ReadyForQuery behind it.
    expect(() => results(error('57P01', 'FATAL'))).toThrow(expect.objectContaining({ code: '57P01' }))
  })

  it('on a shared connection must not leave a transaction open', () => {
    for (const status of ['T', 'E']) {
      const reply = new Reply(statement, false)
      withShared(done('BEGIN', status), ({ bytes, start, end }) => reply.read(bytes, start, end))
      expect(() => refuseOpenTransaction(checked(reply))).toThrow(LocalError)
      expect(() => refuseOpenTransaction(reply)).toThrow(
        expect.objectContaining({ code: 'TRANSACTION_LEFT_OPEN', sent: 'maybe' }),
      )
    }
  })

  it.each([
    ['a row without a description', BOUND + rowOf('1') + READY],
    ['fewer values than columns', BOUND + description(['a'], ['b']) + rowOf('1') + READY],
    ['more values than columns', BOUND + description(['a']) + rowOf('1', '2') + READY],
    ['a value longer than its row', BOUND + description(['a']) + message('D', `${u16(1)}${u32(99)}x`) + READY],
    ['a value shorter than its row', BOUND + description(['a']) + message('D', `${u16(1)}${u32(1)}xy`) + READY],
    ['a negative length', BOUND + description(['a']) + message('D', `${u16(1)}${u32(-2)}xy`) + READY],
    ['a description that breaks off', message('T', `${u16(2)}name\0`) + READY],
    ['a description of one field too many', message('T', u16(1)) + READY],
    ['a message of another kind', message('R', u32(0)) + READY],
    ['no end', BOUND],
    ['a message that is cut', `${BOUND}D\0\0\0\x20`],
  ])('is no reply: %s', (_, reply) => {
    expect(() => results(reply)).toThrow(RemoteProtocolError)
  })
})

describe('pieces', () => {
  const reply = Buffer.from(
    selected([['a', 23], ['b']], ...Array.from({ length: 20 }, (_, index) => [String(index), 'x'.repeat(index * 3)])),
    'latin1',
  )
  const whole = [...first(reply.toString('latin1'))]

  function read(pieces: readonly Buffer[]): unknown[] {
    const taken = new Pieces()
    const of = new Reply(statement, false)
    const rows: unknown[] = []
    for (const piece of pieces) {
      const own = Buffer.from(piece)
      const bytes = taken.take(own)
      if (bytes !== undefined) of.read(bytes, 0, bytes.length)
      rows.push(...of.takeRows())
    }
    expect(taken.isOpen).toBe(false)
    checked(of)
    return rows
  }

  it('of one byte, and cut in two at each place, are the same rows', () => {
    expect(read(Array.from(reply, (_, at) => reply.subarray(at, at + 1)))).toEqual(whole)
    for (let at = 0; at <= reply.length; at++) expect(read([reply.subarray(0, at), reply.subarray(at)])).toEqual(whole)
  })

  it('cut anywhere are the same rows', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: reply.length })), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), reply.length]
        expect(read(at.slice(1).map((end, index) => reply.subarray(at[index], end)))).toEqual(whole)
      }),
    )
  })

  it('that end inside a message show it', () => {
    const taken = new Pieces()
    taken.take(reply.subarray(0, 9))
    expect(taken.isOpen).toBe(true)
  })
})

describe('a statement', () => {
  it('is text, NUL, and that the server finds out the types', () => {
    expect(statementOf('select ü').bytes.toString()).toBe('select ü\0\0\0')
    expect(() => statementOf('select \0')).toThrow(LocalError)
  })

  it('has a fingerprint of 32 bits that is never 0', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        if (text.includes('\0')) return
        const { hash } = statementOf(text)
        expect(hash > 0 && hash <= 0xffffffff && Number.isInteger(hash)).toBe(true)
      }),
    )
  })
})
