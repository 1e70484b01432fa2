/**
 * Makes a connection as good as new: after a session, and after a call that may have left something behind.
 *
 * Theory of operation: one round trip, a Query of several statements. They run as one transaction: all of them hold, or
 * there is an error and the connection is closed.
 *
 *   ROLLBACK                         where a transaction is open (the last ReadyForQuery says so)
 *   RESET SESSION AUTHORIZATION, RESET ROLE, RESET ALL
 *                                    before everything else: what follows must not run as somebody else, nor find a
 *                                    function of somebody's own by `search_path`
 *   CLOSE ALL, UNLISTEN *            cursors WITH HOLD, channels
 *   pg_advisory_unlock_all()
 *   DISCARD TEMP, DISCARD SEQUENCES  temporary tables and functions; currval() and lastval()
 *   DEALLOCATE ALL                   only where a statement was prepared or deallocated by name in SQL. It takes our
 *                                    own with it, so they are parsed again; elsewhere they stay, which is the reason
 *                                    not to use DISCARD ALL
 *   SELECT from pg_prepared_statements   says whether a function has prepared some where no command tag showed it
 *
 * Settings of the application's own (`set_config('app.tenant', ...)`) are set back to the empty string: once they were
 * named, a connection cannot forget that they exist.
 *
 * Limits: what a procedural language keeps in a variable of its own (PL/Perl's %_SHARED, PL/Python's GD), libraries
 * that were loaded (LOAD), and the seed of random() stay.
 */
import { RemoteError, type Script } from '@iokernel/core/plugin'
import { ask, queryMessage } from './ask.ts'

/** What is known of the connection before. */
export interface Left {
  /** A transaction is open, or has failed. */
  readonly inTransaction: boolean
  /** Statements were prepared or deallocated by name, in SQL. */
  readonly tampered: boolean
}

/** Returns true when the server has dropped every prepared statement. */
export function* reset(left: Left): Script<boolean> {
  const statements = [
    ...(left.inTransaction ? ['ROLLBACK'] : []),
    ...CLEAN,
    ...(left.tampered ? ['DEALLOCATE ALL'] : []),
    FOREIGN,
  ]
  const { rows, completed, failed, status } = yield* ask(queryMessage(statements.join('; ')))
  if (failed !== undefined || completed !== statements.length || status !== 'I') throw notClean(failed)
  // One row is pg_advisory_unlock_all(), which returns nothing; each other is a statement that is not ours.
  if (rows.length <= 1) return left.tampered
  const answer = yield* ask(queryMessage('DEALLOCATE ALL'))
  if (answer.failed !== undefined || answer.status !== 'I') throw notClean(answer.failed)
  return true
}

const CLEAN = [
  'RESET SESSION AUTHORIZATION',
  'RESET ROLE',
  'RESET ALL',
  'CLOSE ALL',
  'UNLISTEN *',
  'SELECT pg_catalog.pg_advisory_unlock_all()',
  'DISCARD TEMP',
  'DISCARD SEQUENCES',
]

const FOREIGN = 'SELECT 1 FROM pg_catalog.pg_prepared_statements WHERE from_sql LIMIT 1'

function notClean(code: string | undefined): RemoteError {
  const why = code === undefined ? 'the server did not do all of it' : `SQLSTATE ${code}`
  return new RemoteError(code ?? 'NOT_CLEAN', `the connection could not be made as good as new (${why}): it is closed`)
}
