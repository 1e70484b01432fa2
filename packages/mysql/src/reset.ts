/**
 * Makes a connection as good as new: after a session, and after a call that may have left something behind.
 *
 * Theory of operation: RESET_CONNECTION rolls back, unlocks, drops temporary tables, user variables and prepared
 * statements, and sets every variable back to what the server has for new sessions. It does not forget the database,
 * nor what SET_OPTION has allowed. So:
 *
 *   RESET_CONNECTION
 *   [SET_OPTION off]        where several statements in one query were allowed
 *   INIT_DB                 where the target has a database
 *   SET                     settings.ts
 *   [SELECT DATABASE()]     where it has none: one that was chosen cannot be left
 *
 * Where pipelining is safe, all but the last is one round trip.
 *
 * Rules: whatever fails closes the connection. Servers without RESET_CONNECTION (before MySQL 5.7.3 and MariaDB 10.2.4)
 * are never good as new.
 */
import { RemoteError, type Script, send } from '@iokernel/core/plugin'
import { type Answer, acknowledgement, ask, commandPacket, type Dialect, queryPacket, tell } from './ask.ts'
import { Command } from './codec/command.ts'
import { type SettingOptions, settings } from './settings.ts'
import { isSince, type ServerVersion } from './version.ts'

export interface ResetTerms extends Dialect, ServerVersion {
  readonly options: SettingOptions & { readonly database: string }
  readonly sessionTrack: boolean
  readonly pipelined: boolean
  /** SET_OPTION has allowed several statements. */
  readonly multi: boolean
}

/** Returns the status of the connection: bits of `Status`. */
export function* reset(terms: ResetTerms): Script<number> {
  const { options } = terms
  if (!isSince(terms, SINCE_RESET_CONNECTION)) {
    throw new RemoteError('NOT_CLEAN', 'the server cannot make a connection as good as new: it is closed')
  }
  const hasDatabase = options.database !== ''
  const packets = [
    RESET,
    ...(terms.multi ? [MULTI_OFF] : []),
    ...(hasDatabase ? [queryPacket(options.database, Command.InitDb)] : []),
    queryPacket(settings(options, terms.sessionTrack)),
  ]
  const answers = yield* terms.pipelined ? together(packets, terms) : oneByOne(packets, terms)
  const failed = answers.find((one) => one.failed !== 0)?.failed
  if (failed !== undefined) throw notClean(`error ${failed}`, String(failed))
  if (!hasDatabase) {
    const chosen = yield* ask(DATABASE, terms)
    if (chosen.failed !== 0 || chosen.rows[0]?.[0] !== undefined)
      throw notClean('a database was chosen, and cannot be left')
  }
  return (answers.at(-1) as Answer).status
}

const SINCE_RESET_CONNECTION = { mysql: [5, 7, 3], mariadb: [10, 2, 4] } as const
const RESET = commandPacket(Command.ResetConnection)
const DATABASE = queryPacket('SELECT DATABASE()')
const MULTI_OFF = commandPacket(Command.SetOption, 1, 0)

function* together(packets: readonly Uint8Array[], dialect: Dialect): Script<readonly Answer[]> {
  const answers: Answer[] = []
  yield* send(Buffer.concat(packets))
  for (let left = packets.length; left > 0; left--) answers.push(yield* acknowledgement(dialect))
  return answers
}

function* oneByOne(packets: readonly Uint8Array[], dialect: Dialect): Script<readonly Answer[]> {
  const answers: Answer[] = []
  for (const packet of packets) answers.push(yield* tell(packet, dialect))
  return answers
}

function notClean(why: string, code: string = 'NOT_CLEAN'): RemoteError {
  return new RemoteError(code, `the connection could not be made as good as new (${why}): it is closed`)
}
