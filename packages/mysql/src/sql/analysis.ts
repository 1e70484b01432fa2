/**
 * What a statement may do to the connection it runs on, as far as its text says.
 *
 * Rules:
 * 1. `read`: it changes nothing, as far as anybody can see: it may share a connection and be sent twice. `write`: it
 *    changes the data and leaves the connection as it was. `taint`: nobody knows (CALL, stored functions, what is not
 *    understood): the connection is reset before anybody else uses it. `refused`: it is certain to leave something
 *    behind, or it asks what somebody else has left; a shared connection does not run it.
 * 2. In doubt the worse kind. What servers read in two ways (comments for some versions) is judged in both, and the
 *    worse counts. Where a backslash in a literal decides, the connection is told (`needsBackslashes`): it knows its
 *    sql_mode.
 * 3. Of several statements the worst is the kind of all.
 *
 * Theory of operation: the text is cut in tokens and in statements, and each is judged by its verb, then by the words
 * and calls that change the verdict. User variables (`@x`) are refused wherever they stand; system variables (`@@x`)
 * where they speak of the statement before.
 *
 * Limits: views and triggers may call anything and do not show; what of it the server reports (an open transaction,
 * changed variables) makes the connection's framer drop it.
 */
import { type Calls, functionCalls, type Trusted, trusted } from './calls.ts'
import { opensExpression } from './keywords.ts'
import { Piece } from './piece.ts'
import { areSame, type Tokens, tokensOf, USUAL_READING } from './tokens.ts'
import { byVerb, COMMITS, type Found, INFILE, READ, refused, SESSION, TAINT, TEMPORARY, WRITE } from './verbs.ts'

export type StatementKind = Found['kind']

export interface Analysis {
  readonly kind: StatementKind
  /** What to use instead, where a shared connection refuses it. */
  readonly refusal: string | undefined
  /** The same for what no connection takes this way: LOAD DATA LOCAL. */
  readonly refusalEverywhere: string | undefined
  readonly statements: number
  /** Where the placeholders stand in the text; undefined where that depends on how the server reads it. */
  readonly placeholders: readonly number[] | undefined
  /** Begins or ends a transaction, or would commit the one that is open. */
  readonly controlsTransaction: boolean
  /** Data and results: what every server prepares. The rest goes as text, unless it has placeholders. */
  readonly isPreparable: boolean
  /** It says something else to a server that takes no backslash for an escape: such a connection must not run it. */
  readonly needsBackslashes: boolean
  /** LOAD DATA LOCAL INFILE, alone. */
  readonly loadsLocal: boolean
}

/** `analyze` with names that are vouched for: `lower_name`, `schema.name`, and prefixes as `app_*`. */
export function analyzer(trustedFunctions: readonly string[]): (sql: string) => Analysis {
  const names = trusted(trustedFunctions)
  return (sql) => {
    const tokens = tokensOf(sql)
    const usual = analyze(tokens, names)
    if (!tokens.hasBackslash && !tokens.hasVersions) return usual
    const plain = tokensOf(sql, { ...USUAL_READING, backslashEscapes: false })
    const needsBackslashes = tokens.hasBackslash && !areSame(tokens, plain)
    let found = usual
    if (tokens.hasVersions) {
      found = worseOf(found, analyze(tokensOf(sql, { ...USUAL_READING, versionedComments: false }), names))
    }
    // Where double quotes hold a name, nobody is told; what it may do counts, and the placeholders stay the usual ones.
    if (needsBackslashes && tokens.hasBackslashInDoubleQuotes) {
      found = { ...worseOf(found, analyze(plain, names)), placeholders: found.placeholders }
    }
    return { ...found, needsBackslashes }
  }
}

const RANK = { read: 0, write: 1, taint: 2, refused: 3 } as const

function analyze(tokens: Tokens, names: Trusted): Analysis {
  const pieces = Piece.split(tokens)
  let kind: StatementKind = 'read'
  let refusal: string | undefined
  let everywhere: string | undefined
  let controlsTransaction = false
  let loadsLocal = false
  let isPreparable = pieces.length === 1
  for (const piece of pieces) {
    const found = judge(piece, piece.firstWord(), names)
    if (RANK[found.kind] > RANK[kind]) kind = found.kind
    refusal ??= found.refusal
    everywhere ??= found.everywhere
    controlsTransaction ||= found.controlsTransaction === true
    loadsLocal = found.everywhere === INFILE
    isPreparable &&= PREPARABLE.has(piece.word(piece.firstWord()))
  }
  // A server would not take it either; nobody knows what it might mean to another version.
  if (!tokens.complete && RANK[kind] < RANK.taint) kind = 'taint'
  return {
    kind,
    refusal,
    refusalEverywhere: everywhere,
    statements: pieces.length,
    placeholders: tokens.placeholders,
    controlsTransaction,
    isPreparable,
    needsBackslashes: false,
    loadsLocal: loadsLocal && pieces.length === 1,
  }
}

/** What holds however the server reads the text. */
function worseOf(first: Analysis, second: Analysis): Analysis {
  const worse = RANK[second.kind] > RANK[first.kind] ? second : first
  return {
    kind: worse.kind,
    refusal: first.refusal ?? second.refusal,
    refusalEverywhere: first.refusalEverywhere ?? second.refusalEverywhere,
    statements: Math.max(first.statements, second.statements),
    placeholders: same(first.placeholders, second.placeholders) ? first.placeholders : undefined,
    controlsTransaction: first.controlsTransaction || second.controlsTransaction,
    needsBackslashes: first.needsBackslashes || second.needsBackslashes,
    isPreparable: first.isPreparable && second.isPreparable,
    loadsLocal: first.loadsLocal && second.loadsLocal,
  }
}

function same(first: readonly number[] | undefined, second: readonly number[] | undefined): boolean {
  if (first === undefined || second === undefined || first.length !== second.length) return false
  return first.every((position, index) => position === second[index])
}

function judge(piece: Piece, at: number, names: Trusted): Found {
  // What a body says is not run by being defined.
  const verb = piece.word(at)
  if ((verb === 'create' || verb === 'alter') && piece.hasBody()) return COMMITS
  return variablesIn(piece, at) ?? byFirstWord(piece, at, names)
}

function byFirstWord(piece: Piece, at: number, names: Trusted): Found {
  const verb = piece.word(at)
  switch (verb) {
    case 'select':
    case 'with':
    case 'values':
    case 'table':
    case 'insert':
    case 'replace':
    case 'update':
    case 'delete':
    case 'do':
      return query(piece, at, names)
    case 'explain':
    case 'describe':
    case 'desc':
      return explain(piece, at + 1, names)
    case 'analyze':
      return analyzeStatement(piece, at + 1, names)
    case 'create':
    case 'drop':
    case 'alter':
      return definition(piece, at, names)
    case 'set':
      return set(piece, at, names)
    case 'call':
      return worse(TAINT, ofCalls(functionCalls(piece, at, names)))
    case 'load':
      return load(piece, at)
    case '':
      return at === piece.end ? READ : TAINT
    default:
      return byVerb(piece, at)
  }
}

/** `@x`, and the system variables that speak of the statement before. */
function variablesIn(piece: Piece, from: number): Found | undefined {
  for (let at = from; at < piece.end; at++) {
    const sign = piece.sign(at)
    if (sign.charCodeAt(0) !== AT || isAccount(piece, at)) continue
    if (sign.charCodeAt(1) !== AT) return refused(`@variables belong to one connection: ${SESSION}`)
    const name = sign.slice(2).replace(/^(session|local)\./, '')
    if (OF_THE_LAST_STATEMENT.has(name) || name === '') {
      return refused(`@@${name} is about what another caller did: use the result of the statement, or db.session()`)
    }
  }
  return undefined
}

/** `user@host` in GRANT, CREATE USER and DEFINER: a name stands before it, without which it would be a variable. */
function isAccount(piece: Piece, at: number): boolean {
  const verb = piece.word(piece.firstWord())
  if (!WITH_ACCOUNTS.has(verb)) return false
  const isAfterName = piece.name(at - 1) !== undefined && !opensExpression(piece.word(at - 1))
  return isAfterName || piece.isText(at - 1)
}

/** SELECT and its kin, INSERT and its kin. */
function query(piece: Piece, at: number, names: Trusted): Found {
  let found: Found = READ
  for (let index = at; index < piece.end; index++) {
    const word = piece.word(index)
    if (word === '' || piece.sign(index - 1) === '.') continue
    // A function may be called `insert` or `replace`: then a read is taken for a write.
    if (MODIFIES.has(word)) found = WRITE
    else if (word === 'sql_calc_found_rows') return refused(FOUND_ROWS)
    else if (word === 'for' && LOCKS.has(piece.word(index + 1))) found = WRITE
    else if (word === 'lock' && piece.word(index + 1) === 'in') found = WRITE
    else if (word === 'into') found = WRITE
    else if (word === 'value' && piece.word(index + 1) === 'for') {
      if (piece.word(index - 1) === 'previous') return refused(PREVIOUS_VALUE)
      found = WRITE
    }
  }
  return worse(found, ofCalls(functionCalls(piece, at, names)))
}

/** EXPLAIN t, EXPLAIN FORMAT = JSON SELECT …, EXPLAIN ANALYZE SELECT …, EXPLAIN FOR CONNECTION 5. */
function explain(piece: Piece, at: number, names: Trusted): Found {
  let index = at
  let runs = false
  while (index < piece.end && !EXPLAINED.has(piece.word(index))) {
    runs ||= piece.word(index) === 'analyze'
    // `DESC t`, `DESC t column`: nothing else is so short.
    index++
  }
  if (index >= piece.end) return READ
  const explained = judge(piece.from(index), index, names)
  return runs || explained.kind !== 'write' ? explained : READ
}

/** ANALYZE TABLE of both, and MariaDB's ANALYZE SELECT …, which runs what it explains. */
function analyzeStatement(piece: Piece, at: number, names: Trusted): Found {
  for (let index = at; index < piece.end; index++) {
    const word = piece.word(index)
    if (word === 'table' || word === 'tables') return COMMITS
    if (EXPLAINED.has(word)) return judge(piece.from(index), index, names)
  }
  return TAINT
}

/** What is made is harmless to the connection, unless it is temporary or made by running a query. */
function definition(piece: Piece, at: number, names: Trusted): Found {
  for (let index = at + 1; index < Math.min(piece.end, at + 4); index++) {
    if (piece.word(index) === 'temporary') return refused(TEMPORARY)
  }
  if (piece.word(at) !== 'create' || piece.find('table', at) < 0) return COMMITS
  const select = firstOf(piece, at, SELECTS)
  if (select < 0) return COMMITS
  const made = query(piece.from(select), select, names)
  return { ...worse(COMMITS, made), controlsTransaction: true }
}

function firstOf(piece: Piece, from: number, wanted: ReadonlySet<string>): number {
  for (let at = from; at < piece.end; at++) if (wanted.has(piece.word(at))) return at
  return -1
}

/** SET of any kind is everybody's, but MariaDB's SET STATEMENT x = 1 FOR SELECT …, which ends with its statement. */
function set(piece: Piece, at: number, names: Trusted): Found {
  if (piece.word(at + 1) === 'password') return COMMITS
  if (piece.word(at + 1) !== 'statement')
    return { ...byVerb(piece, at), controlsTransaction: setsAutocommit(piece, at) }
  const inner = piece.find('for', at)
  if (inner < 0) return TAINT
  const called = ofCalls(functionCalls(piece, at, names))
  return worse(judge(piece.from(inner + 1), inner + 1, names), called)
}

/** It would commit what is open, or leave what comes next uncommitted. */
function setsAutocommit(piece: Piece, at: number): boolean {
  for (let index = at; index < piece.end; index++) {
    if (piece.name(index) === 'autocommit' || piece.sign(index).endsWith('autocommit')) return true
  }
  return false
}

/** LOAD DATA of a file of the server's is an ordinary statement. */
function load(piece: Piece, at: number): Found {
  const what = piece.word(at + 1)
  if (what !== 'data' && what !== 'xml') return COMMITS
  for (let index = at + 2; index < piece.end && piece.word(index) !== 'into'; index++) {
    if (piece.word(index) === 'local') return { kind: 'refused', refusal: INFILE, everywhere: INFILE }
  }
  return WRITE
}

function ofCalls(called: Calls): Found {
  if (called.refused !== undefined) return refused(called.refused)
  if (called.unknown) return TAINT
  return called.volatile ? WRITE : READ
}

function worse(first: Found, second: Found): Found {
  return RANK[second.kind] > RANK[first.kind] ? second : first
}

const FOUND_ROWS = 'SQL_CALC_FOUND_ROWS is for FOUND_ROWS(), which needs db.session(): use count(*)'
const PREVIOUS_VALUE = 'the last value is that of another caller: use RETURNING, or db.session()'
const AT = 64

const OF_THE_LAST_STATEMENT: ReadonlySet<string> = new Set([
  'identity',
  'last_insert_id',
  'insert_id',
  'warning_count',
  'error_count',
  'rand_seed1',
  'rand_seed2',
  'last_gtid',
])

const PREPARABLE: ReadonlySet<string> = new Set([
  'select',
  'with',
  'values',
  'table',
  'insert',
  'replace',
  'update',
  'delete',
  'call',
  'do',
])

const MODIFIES: ReadonlySet<string> = new Set(['insert', 'replace', 'update', 'delete'])
/** FOR SHARE; FOR UPDATE shows by its own word. */
const LOCKS: ReadonlySet<string> = new Set(['share'])
const SELECTS: ReadonlySet<string> = new Set(['select', 'with', 'values'])
const EXPLAINED: ReadonlySet<string> = new Set([
  'select',
  'with',
  'values',
  'insert',
  'replace',
  'update',
  'delete',
  'set',
])
/** Statements that name accounts. */
const WITH_ACCOUNTS: ReadonlySet<string> = new Set(['create', 'alter', 'drop', 'grant', 'revoke', 'rename', 'show'])
