/** Fields of replies, as programs ask for them. */
import { describe, expect, it } from 'vitest'
import { HttpFields, NO_FIELDS } from './fields.ts'

function fields(text: string): HttpFields {
  return new HttpFields(`GET\r\n${text}\r\n`, 5, 5 + text.length)
}

describe('fields', () => {
  it('are found by any spelling, and joined where that is what they mean', () => {
    const some = fields('Vary: a\r\nvary:b\r\nSet-Cookie: x=1, y\r\nset-cookie: z\r\nEmpty:\r\nSpaced: \t a b \t\r\n')
    expect([some.get('VARY'), some.get('set-cookie'), some.get('empty'), some.get('spaced')]).toEqual([
      'a, b',
      'x=1, y',
      '',
      'a b',
    ])
    expect([some.getAll('Set-Cookie'), some.getAll('none'), some.get('none'), some.has('Empty')]).toEqual([
      ['x=1, y', 'z'],
      [],
      undefined,
      true,
    ])
    expect([...some].map(([name]) => name)).toEqual(['Vary', 'vary', 'Set-Cookie', 'set-cookie', 'Empty', 'Spaced'])
  })

  it('keep bytes beyond ASCII as latin1', () => {
    expect(fields('a: \xfc\r\n').get('a')).toBe('\xfc')
  })

  it('become an object, even where a name means something to objects', () => {
    const object = JSON.parse(JSON.stringify(fields('__proto__: x\r\nconstructor: y\r\nset-cookie: z\r\n')))
    expect(Object.entries(object)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
      ['set-cookie', ['z']],
    ])
  })

  it('may be none', () => {
    expect([[...NO_FIELDS], NO_FIELDS.length, NO_FIELDS.get('a')]).toEqual([[], 0, undefined])
  })
})
