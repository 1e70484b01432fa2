/** Statements: prepared once, held while one is under way, closed when nobody needs them, never mixed up. */
import { ByteWriter } from '@iokernel/core/plugin'
import { describe, expect, test } from 'vitest'
import { close, err, execute, packet, prepare, prepared, query, u16 } from '../fixtures/packets.ts'
import { RequestFlag, RequestKind } from './codec/request.ts'
import { Expected, Statements } from './statements.ts'

const { Text, Prepared, Multi, LocalInfile, FileData } = RequestKind
const QUERY = query('SELECT 1')
const SET_OPTION = { on: packet(0, 0x1b, u16(0)), off: packet(0, 0x1b, u16(1)) }

/** Statements whose server is played by the test. */
class Scene {
  readonly statements: Statements

  constructor(max = 256, isSession = false) {
    this.statements = new Statements({ max, isSession })
  }

  submit(payload: string, hint: number): string {
    return said((out) => this.statements.submit(Buffer.from(payload, 'latin1'), hint, out))
  }

  ask(sql: string, ...values: readonly string[]): string {
    return this.submit(prepared(sql, ...values), Prepared)
  }

  prepared(id: number, values = 0): string {
    return said((out) => this.statements.prepared(id, values, out))
  }

  optionSet(): string {
    return said((out) => this.statements.optionSet(out))
  }

  fail(packetBytes: string): void {
    const bytes = Buffer.from(packetBytes, 'latin1')
    this.statements.failed(bytes, 0, bytes.length)
  }

  answered(): string {
    return said((out) => this.statements.answered({ out: () => out }))
  }
}

function said(write: (out: ByteWriter) => void): string {
  const out = new ByteWriter(16)
  write(out)
  return out.written().toString('latin1')
}

describe('a statement', () => {
  test('is prepared, executed when its number has come, and then only executed', () => {
    const scene = new Scene()
    expect(scene.ask('SELECT ?', 'a')).toBe(prepare('SELECT ?'))
    expect(scene.statements.isWaiting).toBe(true)
    expect(scene.statements.expected).toBe(Expected.Prepare)
    expect(scene.prepared(5, 1)).toBe(execute(5, 'a'))
    expect(scene.statements.expected).toBe(Expected.Reply)
    expect(scene.answered()).toBe('')
    expect(scene.ask('SELECT ?', 'b')).toBe(execute(5, 'b'))
  })

  test('is prepared once for a hundred that ask at once, and they keep their order', () => {
    const scene = new Scene()
    expect(scene.ask('SELECT ?', '0')).toBe(prepare('SELECT ?'))
    for (let index = 1; index < 100; index++) expect(scene.ask('SELECT ?', String(index))).toBe('')
    const all = Array.from({ length: 100 }, (_, index) => execute(5, String(index))).join('')
    expect(scene.prepared(5, 1)).toBe(all)
    for (let index = 0; index < 100; index++) expect(scene.answered()).toBe('')
    expect(scene.statements.size).toBe(1)
  })

  test('that cannot be prepared is prepared again for the next', () => {
    const scene = new Scene()
    scene.ask('SELECT nope')
    expect(scene.ask('SELECT nope')).toBe('')
    scene.fail(err(1, 1054))
    expect(scene.statements.isStale).toBe(false)
    expect(scene.answered()).toBe(prepare('SELECT nope'))
    scene.fail(err(1, 1054))
    expect(scene.answered()).toBe('')
    expect(scene.statements.size).toBe(0)
    expect(scene.submit(QUERY, Text)).toBe(QUERY)
  })

  test('is not executed with another number of values than it takes', () => {
    const scene = new Scene()
    scene.ask('SELECT ?', 'a', 'b')
    expect(scene.ask('SELECT ?', 'a', 'b')).toBe('')
    expect(scene.prepared(5, 1)).toBe(packet(0, 0x17).repeat(2))
    expect(() => scene.ask('SELECT ?')).toThrow(expect.objectContaining({ code: 'ARGUMENT', sent: 'no' }))
  })

  test('with the hash of another is not kept, and not mixed up with it', () => {
    const scene = new Scene()
    const other = prepared('SELECT 1', 'x').slice(0, 4) + prepared('SELECT 2', 'x').slice(4)
    scene.ask('SELECT 1', 'x')
    scene.prepared(5, 1)
    scene.answered()
    expect(scene.submit(other, Prepared)).toBe(prepare('SELECT 2'))
    expect(scene.prepared(6, 1)).toBe(execute(6, 'x') + close(6))
    scene.answered()
    expect(scene.ask('SELECT 1', 'x')).toBe(execute(5, 'x'))
  })

  test('that is very long is closed behind its use', () => {
    const scene = new Scene()
    const sql = `SELECT ${'1,'.repeat(10_000)}1`
    scene.ask(sql)
    expect(scene.prepared(5)).toBe(execute(5) + close(5))
  })

  test('that was not used for longest goes first, but not while it is waited for', () => {
    const scene = new Scene(2)
    for (const [sql, id] of [
      ['A', 1],
      ['B', 2],
    ] as const) {
      scene.ask(sql)
      scene.prepared(id)
      scene.answered()
    }
    scene.ask('A')
    expect(scene.ask('C')).toBe(close(2) + prepare('C'))
    scene.answered()
    scene.prepared(3)
    scene.ask('C')
    expect(scene.ask('D')).toBe(close(1) + prepare('D'))
  })

  test.each([
    ['1243 with its number', 'SELECT 1', err(1, 1243, 'HY000', 'handler (5) given to'), true, ''],
    ['1243 with another', 'SELECT 1', err(1, 1243, 'HY000', 'handler (x) given to'), false, ''],
    ['1615', 'SELECT 1', err(1, 1615), true, close(5)],
    ['1615 of a procedure', 'CALL p()', err(1, 1615), false, ''],
    ['1054', 'SELECT 1', err(1, 1054), false, ''],
  ])('is out of date by %s', (_what, sql, error, isStale, closes) => {
    const scene = new Scene()
    scene.ask(sql)
    scene.prepared(5)
    scene.answered()
    scene.ask(sql)
    scene.fail(error)
    expect(scene.statements.isStale).toBe(isStale)
    scene.answered()
    expect(scene.ask(sql)).toBe(isStale ? closes + prepare(sql) : execute(5))
  })

  test('is forgotten when the server has dropped all', () => {
    const scene = new Scene()
    scene.ask('SELECT 1')
    scene.prepared(5)
    scene.answered()
    scene.statements.renewed(false)
    expect(scene.ask('SELECT 1')).toBe(prepare('SELECT 1'))
  })
})

describe('sessions', () => {
  test('several statements at once are allowed before, and forbidden behind', () => {
    const scene = new Scene(256, true)
    const multi = query('SELECT 1; SELECT 2')
    expect(scene.submit(multi, Multi)).toBe(SET_OPTION.on)
    expect(scene.submit(multi, Multi)).toBe('')
    expect(scene.submit(QUERY, Text)).toBe('')
    expect(scene.optionSet()).toBe(multi + multi + SET_OPTION.off)
    scene.answered()
    scene.answered()
    expect(scene.statements.expected).toBe(Expected.Option)
    expect(scene.optionSet()).toBe(QUERY)
    expect(scene.submit(QUERY, Text)).toBe(QUERY)
  })

  test('a file goes out by its numbers, and nothing behind it until the server has answered', () => {
    const scene = new Scene(256, true)
    expect(scene.submit(query('LOAD'), LocalInfile)).toBe(query('LOAD'))
    expect(scene.submit(QUERY, Text)).toBe('')
    expect(() => scene.submit('data', FileData)).toThrow(expect.objectContaining({ code: 'NO_FILE', sent: 'no' }))
    scene.statements.fileAsked(254)
    expect(scene.submit('a', FileData)).toBe(packet(254, 'a'))
    expect(scene.submit('b', FileData)).toBe(packet(255, 'b'))
    expect(scene.submit('', FileData)).toBe(packet(0))
    expect(scene.statements.sequence).toBe(1)
    expect(() => scene.submit('late', FileData)).toThrow(expect.objectContaining({ code: 'NO_FILE' }))
    expect(scene.answered()).toBe(QUERY)
  })

  test.each([Multi, LocalInfile])('are needed for kind %i', (kind) => {
    expect(() => new Scene().submit(QUERY, kind)).toThrow(expect.objectContaining({ code: 'PLUGIN' }))
  })
})

describe('requests that are refused, unsent', () => {
  test.each([
    ['nothing', '', Text],
    ['a header alone', '\0\0\0\0', Text],
    ['two commands', QUERY + QUERY, Text],
    ['another command', packet(0, 1), Text],
    ['a number that is not 0', packet(1, 3, 'x'), Text],
    ['half a packet', QUERY.slice(0, -1), Text],
    ['a statement that is cut short', prepared('SELECT 1').slice(0, -1), Prepared],
    ['no statement', '1234', Prepared],
    ['a kind that nobody knows', QUERY, 12],
  ])('%s', (_what, payload, kind) => {
    const scene = new Scene()
    expect(() => scene.submit(payload, kind)).toThrow(expect.objectContaining({ code: 'PLUGIN', sent: 'no' }))
    expect(scene.submit(QUERY, Text)).toBe(QUERY)
  })

  test('values that were escaped, where a backslash is none', () => {
    const scene = new Scene()
    expect(scene.submit(QUERY, Text | RequestFlag.Escaped)).toBe(QUERY)
    scene.statements.noBackslashEscapes = true
    expect(scene.submit(QUERY, Text)).toBe(QUERY)
    expect(() => scene.submit(QUERY, Text | RequestFlag.Escaped)).toThrow(
      expect.objectContaining({ code: 'NO_BACKSLASH_ESCAPES', sent: 'no' }),
    )
  })
})

test('more unanswered requests than anybody has thought of keep their numbers', () => {
  const scene = new Scene()
  const long = query('x'.repeat(0xff_ffff))
  for (let index = 0; index < 200; index++) scene.submit(index % 50 === 7 ? long : QUERY, Text)
  for (let index = 0; index < 200; index++) {
    expect(scene.statements.sequence).toBe(index % 50 === 7 ? 2 : 1)
    scene.answered()
  }
})
