/**
 * Looks on an idle lane for state that a call has left behind, and names it.
 *
 * Theory of operation: what a session shows of itself is asked for when the connection begins, and again now; what
 * differs was left by somebody.
 *
 *   variables            those that change what a statement does
 *   user variables       how many there are (MariaDB lists them)
 *   temporary tables, prepared statements, locked tables
 *                        statements of the session that made such (MariaDB counts them)
 *   locks                RELEASE_ALL_LOCKS() says how many there were; a lane holds none, and what is found ends it
 *
 * Most of it has been found before: statements that change a session say so in their OK packet (session-state.ts). But
 * what a stored function does, called by a SELECT, MariaDB does not report.
 *
 * Rules: names, never values. One query.
 *
 * Limits: MySQL shows user variables and temporary tables to nobody but administrators; it reports both as they are
 * made, in functions as well. Nothing shows what LAST_INSERT_ID(), FOUND_ROWS() and SHOW WARNINGS would say next.
 */
import { RemoteError, type Script } from '@iokernel/core/plugin'
import { ask, type Dialect, queryPacket } from './ask.ts'
import { Status } from './codec/facts.ts'
import { isSince, type ServerVersion } from './version.ts'

/** What a session showed, in the order of `looksAt`. */
export type Seen = readonly (string | undefined)[]

interface Look {
  readonly what: string
  readonly sql: string
}

/** Columns of the question, for this server. */
export function lookColumns(version: ServerVersion): readonly string[] {
  return looksAt(version).map(({ sql }) => sql)
}

/** What was found, by name: `sql_mode; user variables`. Undefined where there is nothing. */
export function* audit(version: ServerVersion, before: Seen, dialect: Dialect): Script<string | undefined> {
  const looks = looksAt(version)
  const question = `SELECT ${looks.map(({ sql }) => sql).join(', ')}`
  const { rows, failed, status } = yield* ask(queryPacket(question), dialect)
  const [now] = rows
  if (failed !== 0 || now === undefined || now.length !== looks.length) {
    throw new RemoteError(String(failed), `a lane could not be looked through (error ${failed})`)
  }
  const found = looks.filter((_, index) => now[index] !== before[index]).map(({ what }) => what)
  if ((status & Status.InTransaction) !== 0) found.push('an open transaction')
  return found.length === 0 ? undefined : found.join('; ')
}

function looksAt(version: ServerVersion): readonly Look[] {
  const isMariadb = version.server === 'mariadb'
  const isolation = isMariadb || !isSince(version, SINCE_TRANSACTION_ISOLATION) ? 'tx' : 'transaction'
  return [
    { what: 'the database', sql: 'DATABASE()' },
    ...[...VARIABLES, `${isolation}_isolation`, `${isolation}_read_only`].map(variable),
    ...(isMariadb ? MARIADB : []),
    ...(isSince(version, SINCE_RELEASE_ALL_LOCKS) ? [{ what: 'locks', sql: 'RELEASE_ALL_LOCKS()' }] : []),
  ]
}

function variable(name: string): Look {
  return { what: name, sql: `@@session.${name}` }
}

function counter(what: string, name: string): Look {
  return { what, sql: `(SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = '${name}')` }
}

/** On every server since 5.7 and 10.2. */
const VARIABLES = [
  'autocommit',
  'sql_mode',
  'time_zone',
  'character_set_client',
  'character_set_connection',
  'character_set_results',
  'collation_connection',
  'foreign_key_checks',
  'unique_checks',
  'sql_safe_updates',
  'sql_select_limit',
  'max_join_size',
  'lock_wait_timeout',
  'innodb_lock_wait_timeout',
  'group_concat_max_len',
  'div_precision_increment',
  'auto_increment_increment',
  'lc_time_names',
]

const MARIADB: readonly Look[] = [
  variable('max_statement_time'),
  { what: 'user variables', sql: '(SELECT COUNT(*) FROM information_schema.USER_VARIABLES)' },
  counter('temporary tables', 'COM_CREATE_TEMPORARY_TABLE'),
  counter('prepared statements', 'COM_PREPARE_SQL'),
  counter('locked tables', 'COM_LOCK_TABLES'),
]

const SINCE_TRANSACTION_ISOLATION = { mysql: [5, 7, 20], mariadb: [11, 1, 1] } as const
const SINCE_RELEASE_ALL_LOCKS = { mysql: [5, 7, 5], mariadb: [10, 5, 2] } as const
