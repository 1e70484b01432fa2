/** What lies in a literal or a comment is never mistaken for SQL, nor the other way round. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TokenKind, tokensOf } from './tokens.ts'

/** Words and names as they are, everything else by a letter. */
function shown(sql: string): string {
  const { kinds, texts, complete } = tokensOf(sql)
  const letters: readonly string[] = ['', '', '', 'T', 'N', 'P', '']
  const parts = kinds.map((kind, index) => {
    if (kind === TokenKind.Name) return `"${texts[index]}"`
    return kind === TokenKind.Word || kind === TokenKind.Sign ? texts[index] : letters[kind]
  })
  return parts.join(' ') + (complete ? '' : ' …')
}

describe('the scanner', () => {
  it.each([
    ['select 1, $1, $23', 'select N , P , P'],
    ['SELECT A_b$1', 'select a_b$1'],
    ["select 'it''s' x", 'select T x'],
    ["select 'a\\' x", 'select T x'],
    ["select E'a\\' x' y", 'select T y'],
    ["select e'\\\\' y", 'select T y'],
    ["select E'a'\n  'b\\' c' y", 'select T y'],
    ["select E'a' -- then\n -- and\n 'b\\' c' y", 'select T y'],
    ["select E'a' 'b\\' y", 'select T T y'],
    ["select 'a'\n'b' y", 'select T y'],
    ["select B'01' X'ff' N'x' U&'d\\0061' y", 'select T T T T y'],
    ["select be'a\\' y", 'select be T y'],
    ['select "A""b" "c"', 'select "A"b" "c"'],
    ['select U&"d\\0061t\\+000061"', 'select "data"'],
    ['select U&"d!0061" uescape \'!\' x', 'select "da" x'],
    ['select U&"a\\\\b" u&"x"', 'select "a\\b" "x"'],
    ['select $$ a $b$ c $$ d', 'select T d'],
    ['select $q$ $$ $Q$ $q$ d', 'select T d'],
    ['select a$$b$$', 'select a$$b$$'],
    ['select $ a', 'select $ a'],
    ['select $a b', 'select $ a b'],
    ['select 1.5e3 .5 1..2', 'select N e3 N N N'],
    ['select a /* b /* c */ d */ e', 'select a e'],
    ['select a -- b\n c -- d\r e', 'select a c e'],
    ['select a--b', 'select a'],
    ['select 1*/*x*/2', 'select N * N'],
    ['select a.b::c[1]', 'select a . b : : c [ N ]'],
    ['select \u212a, ſet, Ä', 'select \u212a , ſet , Ä'],
    ["select 'open", 'select …'],
    ['select "open', 'select …'],
    ['select /* open /* */', 'select …'],
    ['select $$open', 'select …'],
    ['', ''],
  ])('reads %s', (sql, expected) => {
    expect(shown(sql)).toBe(expected)
  })

  it('never sees what a literal of any kind holds', () => {
    const content = fc.string({ unit: fc.constantFrom("'", '"', '\\', '$', '/', '*', '-', '\n', 'a', ';', '(', ' ') })
    fc.assert(
      fc.property(content, (text) => {
        const escaped = text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")
        const literals = [
          `'${text.replaceAll("'", "''")}'`,
          `E'${escaped}'`,
          `U&'${text.replaceAll("'", "''")}'`,
          `$tag$${text}$tag$`,
        ]
        for (const literal of literals) expect(shown(`a ${literal};b`)).toBe('a T ; b')
        expect(shown(`a "${text.replaceAll('"', '""')}" b`)).toBe(`a "${text}" b`)
        expect(shown(`a /*${text.replaceAll('/', '').replaceAll('*', '')}*/ b`)).toBe('a b')
      }),
    )
  })

  it('ends, whatever it is given', () => {
    fc.assert(fc.property(fc.string({ maxLength: 60 }), (sql) => tokensOf(sql).kinds.length >= 0))
  })
})
