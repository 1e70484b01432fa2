/** What is wrong is refused before anything is sent, and no message holds a value. */
import { describe, expect, it } from 'vitest'
import {
  checkedQueryOptions,
  checkedSimpleOptions,
  checkedStreamOptions,
  checkedText,
  checkedValues,
} from './query-options.ts'

describe('options', () => {
  it('are taken apart: what the rows are like, and what the kernel is told', () => {
    expect(checkedQueryOptions(undefined)).toEqual({ asArrays: false, prepared: true, call: undefined })
    expect(checkedQueryOptions(undefined)).toBe(checkedQueryOptions(undefined))
    const given = { rows: 'arrays', prepare: false, deadlineMs: 5, priority: 'low' }
    const taken = { asArrays: true, prepared: false, call: { deadlineMs: 5, priority: 'low' } }
    expect(checkedQueryOptions(given)).toEqual(taken)
    expect(checkedStreamOptions(given)).toEqual(taken)
    expect(checkedSimpleOptions({ rows: 'arrays', idempotent: true })).toEqual({
      ...taken,
      prepared: true,
      call: { idempotent: true },
    })
  })

  it.each([
    ['a query', checkedQueryOptions, { columns: 'secret' }],
    ['a query', checkedQueryOptions, { rows: 'secret' }],
    ['a query', checkedQueryOptions, { prepare: 'secret' }],
    ['a query', checkedQueryOptions, 'secret'],
    ['simple()', checkedSimpleOptions, { prepare: false }],
    ['a stream', checkedStreamOptions, { idempotent: true }],
    ['a stream', checkedStreamOptions, { deadlineMs: 'secret' }],
  ])('of %s are refused where they make no sense', (_, check, given) => {
    let message = ''
    try {
      check(given)
    } catch (error) {
      expect(error).toMatchObject({ code: 'ARGUMENT', sent: 'no' })
      message = (error as Error).message
    }
    expect(message).not.toBe('')
    expect(message).not.toContain('secret')
  })
})

describe('a statement and its values', () => {
  it('are a string and an array', () => {
    expect(checkedText('select 1')).toBe('select 1')
    expect(() => checkedText(['select 1'])).toThrow(/use sql`…`/)
    expect(checkedValues([1], '?')).toEqual([1])
    expect(checkedValues(undefined, '?')).toEqual([])
    expect(() => checkedValues('a', '$1')).toThrow('query("… $1", [value])')
    expect(() => checkedValues({ 0: 'a' }, '?')).toThrow('query("… ?", [value])')
  })
})
