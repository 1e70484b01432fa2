/**
 * What a session is told when it begins, and again after a reset: its character set, what it has to report of itself,
 * and the variables of the target.
 *
 * Theory of operation: one SET.
 *
 *   SET NAMES utf8mb4 [COLLATE ...]          what HandshakeResponse said is ignored by servers with
 *                                            skip-character-set-client-handshake, and forgotten by a reset
 *   autocommit = 1                           where a server has it off, every statement would leave a transaction open
 *   session_track_schema                     OK packets say what a statement has changed: this is how a lane that a
 *   session_track_system_variables = '*'     caller has left changed is found at once (session-state.ts)
 *   session_track_state_change
 *   the target's own                         time_zone, sql_mode, ...
 *
 * Rules: values are quoted here, and hold no backslash: whether it would be one depends on sql_mode. The target's
 * variables come last, so that they win.
 *
 * Limits: servers without CLIENT_SESSION_TRACK (before MySQL 5.7 and MariaDB 10.2) report nothing; the audit looks
 * there. Where a proxy refuses the reporting, it is done without.
 */
import { LocalError, type Script } from '@iokernel/core/plugin'
import { type Dialect, queryPacket, tell } from './ask.ts'
import { refusal } from './handshake/refusal.ts'
import type { MysqlIo } from './io.ts'

export type SettingOptions = Pick<MysqlIo, 'collation' | 'variables'>

export interface SettingTerms extends Dialect {
  readonly sessionTrack: boolean
}

/** Throws where the server does not accept them. */
export function* applySettings(options: SettingOptions, terms: SettingTerms): Script<void> {
  let { failed } = yield* tell(queryPacket(settings(options, terms.sessionTrack)), terms)
  if (failed === UNKNOWN_VARIABLE && terms.sessionTrack) {
    failed = (yield* tell(queryPacket(settings(options, false)), terms)).failed
  }
  if (failed !== 0) throw refusal(failed, 'settings')
}

export function settings({ collation, variables }: SettingOptions, sessionTrack: boolean): string {
  const names = collation === 'binary' ? 'NAMES binary' : `NAMES utf8mb4${collate(collation)}`
  const own = Object.entries(variables).map(([name, value]) => `${variableName(name)} = ${literal(name, value)}`)
  return `SET ${[names, AUTOCOMMIT, ...(sessionTrack ? TRACK : []), ...own].join(', ')}`
}

const AUTOCOMMIT = 'autocommit = 1'
const TRACK = ['session_track_schema = 1', "session_track_system_variables = '*'", 'session_track_state_change = 1']
const UNKNOWN_VARIABLE = 1193

function collate(collation: string): string {
  if (collation === '') return ''
  if (!/^\w+$/.test(collation)) throw new LocalError('ARGUMENT', 'a collation whose name is no identifier')
  return ` COLLATE ${collation}`
}

function variableName(name: string): string {
  if (!/^[A-Za-z_]\w*(?:\.\w+)?$/.test(name)) throw new LocalError('ARGUMENT', 'a variable whose name is no identifier')
  return name
}

function literal(name: string, value: string | number): string {
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return String(value)
  } else if (!/[\\\0]/.test(value)) return `'${value.replaceAll("'", "''")}'`
  throw new LocalError('ARGUMENT', `the variable ${name} has a value that cannot be written without a backslash`)
}
