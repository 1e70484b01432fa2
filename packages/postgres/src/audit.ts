/**
 * Looks on an idle lane for state that a call has left behind, and names it.
 *
 * Theory of operation: one query of catalogue functions; on version 15 about a millisecond, most of it for the
 * settings.
 *
 *   settings             pg_settings with the source `session`: what SET left. What the startup message said has the
 *                        source `client`, what ALTER ROLE and the like say have others.
 *   role                 SET ROLE, where no ALTER ROLE ... SET role explains it
 *   advisory locks       held by this process outside of a transaction: there is none on an idle lane
 *   temporary objects    in this process's temporary schema
 *   prepared statements  by name in SQL; those of the protocol are ours
 *   cursors              WITH HOLD
 *   channels             LISTEN
 *
 * Rules: names, never values. One `Query`, in a transaction of its own, which nothing can leave open.
 *
 * Limits: settings of the application's own (`app.tenant`) cannot be listed: the server does not show what it has no
 * definition of. So RESET ALL comes after the look: what cannot be seen lasts until the next audit at most. Nothing
 * looks into the variables of procedural languages.
 */
import { RemoteError, RemoteProtocolError, type Script } from '@iokernel/core/plugin'
import { ask, queryMessage } from './ask.ts'

/** What was found, by name: `settings: statement_timeout; advisory locks: 1`. Undefined where there is nothing. */
export function* audit(): Script<string | undefined> {
  const { rows, completed, failed, status } = yield* ask(AUDIT)
  if (failed === undefined && completed !== 2) throw new RemoteProtocolError('an audit was answered by something else')
  if (failed !== undefined) throw new RemoteError(failed, `a lane could not be looked through (SQLSTATE ${failed})`)
  const findings = (rows[0] ?? []).map((value, index) => finding(value, index)).filter((one) => one !== undefined)
  if (status !== 'I') findings.push('an open transaction')
  return findings.length === 0 ? undefined : findings.join('; ')
}

/**
 * One column each, in order: what is said of a value that is not null. Every name is qualified: a temporary table may
 * be called pg_settings.
 */
const LOOKS: readonly (readonly [what: string, sql: string])[] = [
  [
    'settings',
    "SELECT pg_catalog.string_agg(name, ', ' ORDER BY name) FROM pg_catalog.pg_settings WHERE source = 'session'",
  ],
  [
    'role',
    "SELECT 'changed' WHERE current_user <> session_user AND NOT EXISTS (SELECT FROM pg_catalog.pg_db_role_setting, " +
      "pg_catalog.unnest(setconfig) AS setting WHERE setting LIKE 'role=%')",
  ],
  ['advisory locks', counted("pg_locks WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid()")],
  [
    'temporary objects',
    counted("pg_class WHERE relnamespace = nullif(pg_catalog.pg_my_temp_schema(), 0) AND relkind <> 'i'"),
  ],
  ['prepared statements', counted('pg_prepared_statements WHERE from_sql')],
  ['cursors', counted('pg_cursors')],
  ['channels', counted('pg_listening_channels()')],
]

const AUDIT = queryMessage(`SELECT ${LOOKS.map(([, sql]) => `(${sql})`).join(', ')}; RESET ALL`)

function counted(from: string): string {
  return `SELECT nullif(pg_catalog.count(*), 0) FROM pg_catalog.${from}`
}

function finding(value: string | undefined, index: number): string | undefined {
  return value === undefined ? undefined : `${LOOKS[index]?.[0]}: ${value}`
}
