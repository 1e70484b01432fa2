/**
 * What a statement may do to the connection it runs on, judged by its text alone.
 *
 * Rules:
 * 1. `read`: it changes nothing and may be sent twice. `write`: it may change the database, or differs each time, but
 *    leaves the connection as it was. `taint`: nobody can tell from the text (a function of the user's, DO, CALL).
 *    `refused`: it changes the connection, or needs one to itself, and a shared one must not run it.
 * 2. In doubt the worse. What is taken for worse than it is costs time; the other way round costs another caller his
 *    data.
 * 3. Of several statements the worst counts.
 *
 * Theory of operation: the scanner has told words from literals; a statement is judged by the word it begins with (for
 * EXPLAIN by what it explains) and by the functions it calls (calls.ts).
 *
 * Limits: what a text does not show is not seen here: views, operators, casts, triggers and defaults may call any
 * function, and so may a function that is vouched for. That is looked for on the connection itself (`audit`).
 */
import { functionCalls, type Trusted, trusted } from './calls.ts'
import { Piece } from './piece.ts'
import { tokensOf } from './tokens.ts'

export type StatementKind = 'read' | 'write' | 'taint' | 'refused'

export interface Analysis {
  readonly kind: StatementKind
  /** What to use instead, where a shared connection refuses it. */
  readonly refusal: string | undefined
  /** The same for what no connection takes this way: COPY, LISTEN. */
  readonly refusalEverywhere: string | undefined
  readonly statements: number
  /** Begins or ends a transaction. */
  readonly controlsTransaction: boolean
  /** COPY over the connection, alone: where the data goes. */
  readonly copy: 'in' | 'out' | undefined
}

/** `analyze` with names that are vouched for: `lower_name`, `schema.name`, and prefixes as `st_*`. */
export function analyzer(trustedFunctions: readonly string[]): (sql: string) => Analysis {
  const names = trusted(trustedFunctions)
  return (sql) => analyze(sql, names)
}

function analyze(sql: string, names: Trusted): Analysis {
  const tokens = tokensOf(sql)
  const pieces = Piece.split(tokens)
  const found: Found = { kind: 'read' }
  let controlsTransaction = false
  let copy: Analysis['copy']
  for (const piece of pieces) {
    const one = judge(piece, names)
    if (RANK[one.kind] > RANK[found.kind]) found.kind = one.kind
    found.refusal ??= one.refusal
    found.everywhere ??= one.everywhere
    controlsTransaction ||= one.controlsTransaction === true
    copy = one.copy
  }
  // A server would not take it either; nobody knows what it might mean to another version.
  if (!tokens.complete && RANK[found.kind] < RANK.taint) found.kind = 'taint'
  return {
    kind: found.kind,
    refusal: found.refusal,
    refusalEverywhere: found.everywhere,
    statements: pieces.length,
    controlsTransaction,
    copy: pieces.length === 1 ? copy : undefined,
  }
}

const RANK = { read: 0, write: 1, taint: 2, refused: 3 } as const

interface Found {
  kind: StatementKind
  refusal?: string | undefined
  everywhere?: string | undefined
  controlsTransaction?: boolean
  copy?: 'in' | 'out'
}

const READ: Found = { kind: 'read' }
const WRITE: Found = { kind: 'write' }
const TAINT: Found = { kind: 'taint' }

function refused(refusal: string): Found {
  return { kind: 'refused', refusal }
}

function judge(piece: Piece, names: Trusted): Found {
  if (piece.mentionsTemporarySchema()) return refused(`pg_temp belongs to one connection: ${SESSION}`)
  const at = piece.firstWord()
  const verb = piece.word(at)
  switch (verb) {
    case 'select':
    case 'with':
    case 'values':
    case 'table':
    case 'insert':
    case 'update':
    case 'delete':
    case 'merge':
      return query(piece, at, names)
    case 'show':
      return READ
    case 'explain':
      return explain(piece, at, names)
    case 'do':
    case 'call':
      return worse(TAINT, calls(piece, at, names))
    case 'create':
      return create(piece, at, names)
    case 'alter':
      return worse(WRITE, calls(piece, at, names))
    case 'copy':
      return copyStatement(piece, at)
    case 'prepare':
      return piece.word(at + 1) === 'transaction' ? control(TRANSACTION) : refused(PREPARED)
    case 'commit':
    case 'rollback':
      return endOf(piece, at)
    default:
      return byVerb(verb)
  }
}

function byVerb(verb: string): Found {
  if (WRITES.has(verb)) return WRITE
  if (CONTROLS.has(verb)) return control(TRANSACTION)
  if (verb === 'listen' || verb === 'unlisten') return { kind: 'refused', refusal: LISTEN, everywhere: LISTEN }
  const refusal = REFUSED.get(verb)
  return refusal === undefined ? TAINT : refused(refusal)
}

function control(refusal: string): Found {
  return { kind: 'refused', refusal, controlsTransaction: true }
}

/** COMMIT PREPARED ends a transaction of nobody's; ROLLBACK TO goes on with the one there is. */
function endOf(piece: Piece, at: number): Found {
  const next = piece.word(at + 1)
  if (next === 'prepared') return WRITE
  const after = next === 'work' || next === 'transaction' ? piece.word(at + 2) : next
  return after === 'to' ? refused(TRANSACTION) : control(TRANSACTION)
}

/** SELECT and its kin, INSERT and its kin. */
function query(piece: Piece, at: number, names: Trusted): Found {
  const called = calls(piece, at, names)
  let found: Found = READ
  for (let index = at; index < piece.end; index++) {
    const word = piece.word(index)
    if (word === '' || piece.sign(index - 1) === '.') continue
    // A column may be called `update`: then a read is taken for a write.
    if (MODIFIES.has(word)) found = WRITE
    else if (word === 'for' && LOCKS.has(piece.word(index + 1))) found = WRITE
    else if (word === 'into' && !MODIFIES.has(piece.word(index - 1))) {
      if (piece.isTemporary(index + 1)) return refused(TEMPORARY)
      found = WRITE
    } else if (word === 'tablesample') found = worse(found, WRITE)
  }
  return worse(found, called)
}

function explain(piece: Piece, at: number, names: Trusted): Found {
  let index = at + 1
  let runs = false
  if (piece.sign(index) === '(') {
    const close = piece.closing(index)
    for (let option = index + 1; option < close; option++) {
      if (ANALYZE.has(piece.word(option)) && !OFF.has(piece.word(option + 1))) runs = true
    }
    index = close + 1
  }
  while (ANALYZE.has(piece.word(index)) || piece.word(index) === 'verbose') {
    runs ||= piece.word(index) !== 'verbose'
    index++
  }
  const explained = judge(piece.from(index), names)
  if (runs || explained.kind !== 'write') return explained
  return READ
}

/** What is made is harmless to the connection, unless it is temporary or made by running a query. */
function create(piece: Piece, at: number, names: Trusted): Found {
  let index = at + 1
  if (piece.word(index) === 'or') index += 2
  if (piece.isTemporary(index)) return refused(TEMPORARY)
  while (MODIFIERS.has(piece.word(index))) index++
  if (piece.word(index) !== 'table' && piece.word(index) !== 'view') return WRITE
  const isTable = piece.word(index) === 'table' || piece.word(index - 1) === 'materialized'
  if (!isTable) return WRITE
  const as = piece.find('as', index)
  if (as < 0) return WRITE
  const made = judge(piece.from(as + 1), names)
  return worse(WRITE, made)
}

/** COPY from and to files of the server is an ordinary statement. */
function copyStatement(piece: Piece, at: number): Found {
  for (let index = at + 1; index < piece.end; index++) {
    const word = piece.word(index)
    if (piece.depth(index) > 0 || (word !== 'from' && word !== 'to')) continue
    const next = piece.word(index + 1)
    if (next !== 'stdin' && next !== 'stdout') return WRITE
    const copy = word === 'from' ? 'in' : 'out'
    const instead = copy === 'in' ? COPY_IN : COPY_OUT
    return { kind: 'refused', refusal: instead, everywhere: instead, copy }
  }
  return TAINT
}

function calls(piece: Piece, at: number, names: Trusted): Found {
  const called = functionCalls(piece, at, names)
  if (called.refused !== undefined) return refused(called.refused)
  if (called.unknown) return TAINT
  return called.volatile ? WRITE : READ
}

function worse(first: Found, second: Found): Found {
  return RANK[second.kind] > RANK[first.kind] ? second : first
}

const SESSION = 'use db.session()'
const TEMPORARY = `what is temporary belongs to one connection: ${SESSION}, or db.transaction()`
const TRANSACTION = 'use db.transaction(async (tx) => { … }), or db.session() to do it by hand'
const PREPARED = `statements are prepared by themselves; to do it by hand ${SESSION}`
const CURSOR = 'use db.stream(), or tx.cursor() inside db.transaction()'
const LISTEN = 'use db.listen(), which is heard again after a reconnect'
const COPY_IN = 'use copyFrom(statement, source)'
const COPY_OUT = 'use copyTo(statement)'
const SETTINGS = `a setting would be everybody's: ${SESSION}, or SET LOCAL inside db.transaction()`

const CONTROLS: ReadonlySet<string> = new Set(['begin', 'start', 'end', 'abort'])

const REFUSED: ReadonlyMap<string, string> = new Map([
  ['set', SETTINGS],
  ['reset', SETTINGS],
  ['discard', SESSION],
  ['load', SESSION],
  ['lock', 'a lock ends with its transaction: use db.transaction()'],
  ['savepoint', 'use tx.savepoint() inside db.transaction()'],
  ['release', 'use tx.savepoint() inside db.transaction()'],
  ['execute', PREPARED],
  ['deallocate', PREPARED],
  ['declare', CURSOR],
  ['fetch', CURSOR],
  ['move', CURSOR],
  ['close', CURSOR],
])

/** They change the database and nothing else. An empty statement has no verb and does nothing. */
const WRITES: ReadonlySet<string> = new Set([
  '',
  'analyse',
  'analyze',
  'checkpoint',
  'cluster',
  'comment',
  'drop',
  'grant',
  'import',
  'notify',
  'reassign',
  'refresh',
  'reindex',
  'revoke',
  'security',
  'truncate',
  'vacuum',
])

const MODIFIES: ReadonlySet<string> = new Set(['insert', 'update', 'delete', 'merge'])
/** FOR SHARE, FOR NO KEY UPDATE, FOR KEY SHARE; FOR UPDATE shows by its own word. */
const LOCKS: ReadonlySet<string> = new Set(['share', 'no', 'key'])
const ANALYZE: ReadonlySet<string> = new Set(['analyze', 'analyse'])
const OFF: ReadonlySet<string> = new Set(['false', 'off'])
/** What stands between CREATE and what is made. */
const MODIFIERS: ReadonlySet<string> = new Set(['unlogged', 'recursive', 'materialized', 'global', 'local'])
