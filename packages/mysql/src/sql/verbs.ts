/**
 * What a statement does by its first words alone.
 *
 * Rules: a verb that is not here is one that nobody knows, and taints. What makes a transaction end (`BEGIN`, DDL, LOCK
 * TABLES) says so: inside `transaction()` it is refused, for the server would commit and go on.
 *
 * Source: chapters "SQL Statements" of the MySQL 9 and MariaDB 11 manuals, and their lists of statements that cause an
 * implicit commit.
 */
import type { Piece } from './piece.ts'

export interface Found {
  readonly kind: 'read' | 'write' | 'taint' | 'refused'
  readonly refusal?: string
  readonly everywhere?: string
  readonly controlsTransaction?: boolean
}

export const READ: Found = { kind: 'read' }
export const WRITE: Found = { kind: 'write' }
export const TAINT: Found = { kind: 'taint' }
/** It changes the data, and commits what was open. */
export const COMMITS: Found = { kind: 'write', controlsTransaction: true }

export const SESSION: string = 'use db.session()'
export const TEMPORARY: string = `what is temporary belongs to one connection: ${SESSION}`
/** For `simple()` and `query()` of a session, too. */
export const INFILE: string = 'use session.loadLocal(statement, source)'
const TRANSACTION = 'use db.transaction(async (tx) => { … }), or db.session() to do it by hand'
const PREPARED = `statements are prepared by themselves; to do it by hand ${SESSION}`
const SETTINGS = `a setting would be everybody's: ${SESSION}, or variables of the target`
const SAVEPOINT = 'use tx.savepoint() inside db.transaction()'
const DATABASE = `the database would be everybody's: write database.table, connect to it, or ${SESSION}`
const LAST = `it would be that of another caller: use warnings of the result, or ${SESSION}`

export function refused(refusal: string): Found {
  return { kind: 'refused', refusal }
}

function control(refusal: string): Found {
  return { kind: 'refused', refusal, controlsTransaction: true }
}

export function byVerb(piece: Piece, at: number): Found {
  const verb = piece.word(at)
  const next = piece.word(at + 1)
  switch (verb) {
    case 'show':
      return show(piece, at)
    case 'start':
      return next === 'transaction' ? control(TRANSACTION) : control(SESSION)
    case 'begin':
      return next === 'not' ? control(`a block may do anything: ${SESSION}`) : control(TRANSACTION)
    case 'rollback':
      return isToSavepoint(piece, at) ? refused(SAVEPOINT) : control(TRANSACTION)
    case 'flush':
      return flush(piece, at)
    default:
      break
  }
  if (piece.hasBody()) return control(`a block may do anything: ${SESSION}`)
  if (READS.has(verb)) return READ
  if (WRITES.has(verb)) return WRITE
  if (COMMITTING.has(verb)) return COMMITS
  return REFUSED.get(verb) ?? TAINT
}

/** SHOW WARNINGS, SHOW COUNT(*) ERRORS and SHOW PROFILES tell of the statement before. */
function show(piece: Piece, at: number): Found {
  const last = piece.word(at + 1) === 'count' ? piece.word(piece.closing(at + 2) + 1) : piece.word(at + 1)
  return OF_THE_LAST_STATEMENT.has(last) ? refused(LAST) : READ
}

/** ROLLBACK [WORK] TO goes on with the transaction there is. */
function isToSavepoint(piece: Piece, at: number): boolean {
  const after = piece.word(at + 1) === 'work' ? piece.word(at + 2) : piece.word(at + 1)
  return after === 'to'
}

/** FLUSH TABLES … WITH READ LOCK, FOR EXPORT: the lock is the connection's. */
function flush(piece: Piece, at: number): Found {
  for (let index = at + 1; index < piece.end; index++) {
    const locks = piece.word(index) === 'with' && piece.word(index + 1) === 'read'
    if (locks || piece.word(index) === 'export') return control(`a lock belongs to one connection: ${SESSION}`)
  }
  return COMMITS
}

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/))

const OF_THE_LAST_STATEMENT = words('warnings errors profile profiles')
const READS = words('help checksum')
/** They change the data, or the server, and nothing else. */
const WRITES = words('clone import purge signal')
/** The same, and they commit what was open. */
const COMMITTING = words(`
  cache check grant install optimize rename repair reset restart revoke shutdown truncate uninstall
`)

const REFUSED: ReadonlyMap<string, Found> = new Map([
  ['use', refused(DATABASE)],
  ['set', refused(SETTINGS)],
  ['commit', control(TRANSACTION)],
  ['savepoint', refused(SAVEPOINT)],
  ['release', refused(SAVEPOINT)],
  ['lock', control(`a lock belongs to one connection: ${SESSION}`)],
  ['unlock', control(`a lock belongs to one connection: ${SESSION}`)],
  ['backup', control(`a lock belongs to one connection: ${SESSION}`)],
  ['xa', control(`a distributed transaction belongs to one connection: ${SESSION}`)],
  ['prepare', refused(PREPARED)],
  ['execute', refused(PREPARED)],
  ['deallocate', refused(PREPARED)],
  ['handler', refused(`an open handler belongs to one connection: ${SESSION}, or db.stream()`)],
  ['get', refused(`diagnostics are those of another caller: ${SESSION}`)],
  ['resignal', refused(SESSION)],
  ['kill', refused(`it may end a connection of the kernel's own: ${SESSION}`)],
  ['change', refused(SESSION)],
  ['stop', refused(SESSION)],
  ['binlog', refused(SESSION)],
])
