/** ErrorResponse: its fields, what it means, and what of it is shown. */
import { RemoteError } from '@iokernel/core/plugin'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { capture } from '../../fixtures/captures.ts'
import { error, fatal, message, utf8 } from '../../fixtures/messages.ts'
import { classify, isFatal, PostgresError, postgresError } from './errors.ts'

const bytes = (text: string) => Buffer.from(text, 'latin1')
const read = (text: string) => postgresError(bytes(text), 0, text.length)

describe('an error', () => {
  it('has every field that the server sent', () => {
    const { bytes: captured } = capture('every field of an error')
    const found = read(captured)
    expect(found).toBeInstanceOf(PostgresError)
    expect(found).toBeInstanceOf(RemoteError)
    expect(found).toMatchObject({
      name: 'PostgresError',
      side: 'remote',
      code: '23514',
      sqlState: '23514',
      severity: 'ERROR',
      message: 'new row for relation "v" violates check constraint "positive"',
      detail: 'Failing row contains (1).',
      table: 'v',
      constraint: 'positive',
      routine: 'ExecConstraints',
    })
    expect(read(capture('a Parse that fails').bytes).position).toBe(8)
  })

  it('shows no detail, which may hold values', () => {
    const found = read(capture('every field of an error').bytes)
    expect(`${found.stack} ${JSON.stringify(found.fields)}`).not.toContain('Failing row')
  })

  it('is read as UTF-8', () => {
    expect(read(message('E', `SERROR\0C42601\0M${utf8('größer 💡')}\0\0`)).message).toBe('größer 💡')
  })

  it.each([
    ['', 'XX000'],
    ['\0', 'XX000'],
    ['C\0\0', 'XX000'],
    ['Cdrop table\0\0', 'XX000'],
    ['C42601', '42601'],
    ['C42601\0C57P01\0\0', '42601'],
  ])('whose body is %j has the code %s', (body, code) => {
    expect(read(message('E', body))).toMatchObject({ code, severity: 'ERROR' })
  })

  it('never reads beyond its end, whatever its bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (body) => {
        const frame = bytes(message('E', body))
        const memory = Buffer.concat([frame, bytes('C57P01\0MSECRET\0\0')])
        expect(postgresError(memory, 0, frame.length).message).not.toContain('SECRET')
        classify(memory, 0, frame.length)
      }),
    )
  })
})

describe('a verdict', () => {
  it.each([
    [error('25006'), 'role-lost'],
    [error('53200'), 'overloaded'],
    [error('57P01'), 'retire'],
    [fatal('57P01'), 'retire'],
    [error('42601', 'PANIC'), 'retire'],
    [error('23505'), 'call'],
    [error('40001'), 'call'],
    [error('57014'), 'call'],
    [error('08P01'), 'call'],
    // Statements are judged by what was asked: statements.ts.
    [error('26000'), 'call'],
    ['Z\0\0\0\x05I', 'call'],
  ])('%j is %s', (frame, verdict) => {
    expect(classify(bytes(frame), 0, frame.length)).toBe(verdict)
  })

  it('looks at the severity that is never translated, where there is one', () => {
    const german = message('E', 'SFATAL\0VERROR\0C42601\0\0')
    expect(isFatal(bytes(german), 0, german.length)).toBe(false)
    const old = message('E', 'SFATAL\0C57P01\0\0')
    expect(isFatal(bytes(old), 0, old.length)).toBe(true)
  })
})
