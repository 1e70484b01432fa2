/**
 * Which functions a statement calls, as far as its text says.
 *
 * Rules: a call is a name before a parenthesis, unless the grammar makes it something else there: a keyword of the
 * statement's form, a type with a length, a table or an alias with its columns, a common table expression. Where both
 * are possible it is a call.
 *
 * Limits: a column may be read in the manner of a call (`t.f` for `f(t)`), and operators and casts call functions
 * without naming them.
 */
import { functionKind, functionRefusal } from './functions.ts'
import { isSyntax, opensExpression } from './keywords.ts'
import type { Piece } from './piece.ts'
import { foldCase } from './tokens.ts'

export interface Calls {
  /** What to use instead of a function that must not be called here, with its name. */
  readonly refused: string | undefined
  readonly unknown: boolean
  readonly volatile: boolean
}

/** Functions that the user vouches for. */
export interface Trusted {
  readonly exact: ReadonlySet<string>
  readonly prefixes: readonly string[]
}

export function trusted(names: readonly string[]): Trusted {
  const folded = names.map(foldCase)
  return {
    exact: new Set(folded.filter((name) => !name.endsWith('*'))),
    prefixes: folded.filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1)),
  }
}

/** Looks at `piece` from the token `from`. */
export function functionCalls(piece: Piece, from: number, names: Trusted): Calls {
  const tables = commonTables(piece, from)
  let unknown = false
  let volatile = false
  for (let at = from; at < piece.end; at++) {
    if (piece.sign(at + 1) !== '(' || piece.name(at) === undefined || tables.has(at)) continue
    const start = beginningOf(piece, at)
    if (!isCall(piece, start, at)) continue
    const name = builtInName(piece, start, at)
    const refusal = name === undefined ? undefined : functionRefusal(name)
    if (refusal !== undefined) return { refused: `${name}(): ${refusal}`, unknown, volatile }
    const kind = name === undefined ? 'unknown' : functionKind(name)
    if (kind === 'volatile') volatile = true
    if (kind !== 'unknown') continue
    if (isTrusted(fullName(piece, start, at), names)) volatile = true
    else unknown = true
  }
  return { refused: undefined, unknown, volatile }
}

/** Where `schema.name` begins. */
function beginningOf(piece: Piece, at: number): number {
  let start = at
  while (piece.sign(start - 1) === '.' && piece.name(start - 2) !== undefined) start -= 2
  return start
}

function isCall(piece: Piece, start: number, at: number): boolean {
  const before = start - 1
  if (start === at && !piece.isQuoted(at)) {
    const word = piece.word(at)
    if (isSyntax(word)) return false
    // OVER and FILTER follow a call's own parenthesis; elsewhere they may be functions.
    if ((word === 'over' || word === 'filter') && piece.sign(before) === ')') return false
    if (word === 'key' && KEYS.has(piece.word(before))) return false
  }
  if (piece.isQuoted(before)) return false
  const word = piece.word(before)
  if (word !== '') return opensExpression(word)
  const sign = piece.sign(before)
  // `x::vector(3)`
  if (sign === ':') return piece.sign(before - 1) !== ':'
  if (sign !== ')') return true
  // `f() AS x(…)` without its AS; but an expression follows DISTINCT ON (…) and OPERATOR(…).
  const opening = piece.opening(before)
  const opener = piece.word(opening - 1)
  return opener === 'operator' || (opener === 'on' && piece.word(opening - 2) === 'distinct')
}

/** The name of what may be a function of PostgreSQL's own. */
function builtInName(piece: Piece, start: number, at: number): string | undefined {
  if (start === at) return piece.name(at)
  return piece.name(at - 2) === 'pg_catalog' ? piece.name(at) : undefined
}

function fullName(piece: Piece, start: number, at: number): string {
  let name = piece.name(start) as string
  for (let index = start + 2; index <= at; index += 2) name += `.${piece.name(index)}`
  return name
}

function isTrusted(name: string, names: Trusted): boolean {
  return names.exact.has(name) || names.prefixes.some((prefix) => name.startsWith(prefix))
}

/** Where the names of common table expressions stand: `WITH a (x) AS (…), b (y) AS (…)`. */
function commonTables(piece: Piece, from: number): ReadonlySet<number> {
  const found = new Set<number>()
  for (let at = from; at < piece.end; at++) {
    if (piece.word(at) !== 'with') continue
    let next = piece.word(at + 1) === 'recursive' ? at + 2 : at + 1
    for (;;) {
      const after = commonTable(piece, next)
      if (after === undefined) break
      found.add(next)
      next = after
    }
  }
  return found
}

/** Behind the comma that ends the expression at `at`; the end behind the last; `undefined` where there is none. */
function commonTable(piece: Piece, at: number): number | undefined {
  if (piece.name(at) === undefined) return undefined
  let next = at + 1
  if (piece.sign(next) === '(') next = piece.closing(next) + 1
  if (piece.word(next) !== 'as') return undefined
  next++
  if (piece.word(next) === 'not') next++
  if (piece.word(next) === 'materialized') next++
  if (piece.sign(next) !== '(') return undefined
  next = piece.closing(next) + 1
  // SEARCH and CYCLE may stand before the comma; a verb ends the list.
  while (next < piece.end && piece.sign(next) !== ',') {
    if (VERBS.has(piece.word(next)) || piece.sign(next) === '(' || piece.sign(next) === ')') return piece.end
    next++
  }
  return next + 1
}

const KEYS: ReadonlySet<string> = new Set(['primary', 'foreign', 'no'])
const VERBS: ReadonlySet<string> = new Set(['select', 'values', 'table', 'insert', 'update', 'delete', 'merge', 'with'])
