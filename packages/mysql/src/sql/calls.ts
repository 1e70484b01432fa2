/**
 * Which functions a statement calls, as far as its text says.
 *
 * Rules: a call is a name before a parenthesis, unless the grammar makes it something else there: a keyword of the
 * statement's form, a type with a length, a table or an alias with its columns, a common table expression. Where both
 * are possible it is a call. A name with a schema before it is never one of the server's own.
 */
import { functionKind, functionRefusal } from './functions.ts'
import { isSyntax, namesFollow, opensExpression } from './keywords.ts'
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
    const name = start === at ? foldCase(piece.name(at) as string) : undefined
    const refusal = name === undefined ? undefined : refusalOf(piece, at, name)
    if (refusal !== undefined) return { refused: `${name}(): ${refusal}`, unknown, volatile }
    const kind = name === undefined ? 'unknown' : functionKind(name)
    if (kind === 'volatile' || name === 'last_insert_id') volatile = true
    else if (kind === 'unknown') {
      if (isTrusted(fullName(piece, start, at), names)) volatile = true
      else unknown = true
    }
  }
  return { refused: undefined, unknown, volatile }
}

/** LAST_INSERT_ID(expression) says what the next result's `insertId` is, and asks nothing of the one before. */
function refusalOf(piece: Piece, at: number, name: string): string | undefined {
  const hasArgument = piece.closing(at + 1) > at + 2
  return name === 'last_insert_id' && hasArgument ? undefined : functionRefusal(name)
}

/** Where `schema.name` begins. */
function beginningOf(piece: Piece, at: number): number {
  let start = at
  while (piece.sign(start - 1) === '.' && piece.name(start - 2) !== undefined) start -= 2
  return start
}

function isCall(piece: Piece, start: number, at: number): boolean {
  const before = start - 1
  if (start === at && !piece.isQuoted(at) && isSyntax(piece.word(at))) return false
  if (piece.isQuoted(before)) return false
  const word = piece.word(before)
  if (word !== '') {
    if (namesFollow(word) || isNameOfTarget(piece, before)) return false
    return opensExpression(word)
  }
  // `f() x(…)`: an alias without its AS.
  return piece.sign(before) !== ')'
}

/** `INSERT t (…)`, `INSERT IGNORE t (…)`, `REPLACE t (…)`: the table needs no INTO. */
function isNameOfTarget(piece: Piece, before: number): boolean {
  const word = piece.word(before)
  const verb = word === 'ignore' || word === 'delayed' ? piece.word(before - 1) : word
  return verb === 'insert' || (verb === 'replace' && before === piece.firstWord())
}

function fullName(piece: Piece, start: number, at: number): string {
  let name = foldCase(piece.name(start) as string)
  for (let index = start + 2; index <= at; index += 2) name += `.${foldCase(piece.name(index) as string)}`
  return name
}

function isTrusted(name: string, names: Trusted): boolean {
  return names.exact.has(name) || names.prefixes.some((prefix) => name.startsWith(prefix))
}

/** Where the names of common table expressions and of windows stand: `WITH a (x) AS (…), b (y) AS (…)`. */
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
  if (piece.sign(next) !== '(') return undefined
  next = piece.closing(next) + 1
  // MariaDB's CYCLE … RESTRICT may stand before the comma.
  if (piece.word(next) === 'cycle') while (next < piece.end && piece.word(next) !== 'restrict') next++
  if (piece.word(next) === 'restrict') next++
  return piece.sign(next) === ',' ? next + 1 : piece.end
}
