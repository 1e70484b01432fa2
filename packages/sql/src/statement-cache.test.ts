/** A statement is made once, and what is used stays. */
import { describe, expect, it } from 'vitest'
import { StatementCache } from './statement-cache.ts'

describe('the cache of statements', () => {
  it('gives the same statement for the same text', () => {
    const cache = new StatementCache((text) => ({ text }))
    expect(cache.of('select 1')).toBe(cache.of(['select', '1'].join(' ')))
    expect(cache.of('select 1')).not.toBe(cache.of('select 2'))
  })

  it('keeps what is used while others come and go', () => {
    const cache = new StatementCache((text) => ({ text }))
    const used = cache.of('select used')
    const unused = cache.of('select unused')
    for (let index = 0; index < 20_000; index++) {
      cache.of(`select ${index}`)
      if (index % 1000 === 0) expect(cache.of('select used')).toBe(used)
    }
    expect(cache.of('select unused')).not.toBe(unused)
  })

  it('does not keep what is very long', () => {
    const cache = new StatementCache((text) => ({ text }))
    const long = `select '${'x'.repeat(5000)}'`
    expect(cache.of(long)).not.toBe(cache.of(long))
  })
})
