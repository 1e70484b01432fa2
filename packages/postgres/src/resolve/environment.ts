/**
 * What the environment says of targets that leave something out: libpq's variables.
 *
 * Rules: a variable that is empty says nothing. Those that are not in the list are not looked at.
 */
import type { Settings } from '../target.ts'

const VARIABLES: readonly (readonly [variable: string, keyword: string])[] = [
  ['PGHOST', 'host'],
  ['PGPORT', 'port'],
  ['PGDATABASE', 'dbname'],
  ['PGUSER', 'user'],
  ['PGPASSWORD', 'password'],
  ['PGPASSFILE', 'passfile'],
  ['PGAPPNAME', 'application_name'],
  ['PGOPTIONS', 'options'],
  ['PGTARGETSESSIONATTRS', 'target_session_attrs'],
  ['PGREQUIREAUTH', 'require_auth'],
  ['PGCHANNELBINDING', 'channel_binding'],
  ['PGMAXPROTOCOLVERSION', 'max_protocol_version'],
  ['PGCONNECT_TIMEOUT', 'connect_timeout'],
  ['PGSSLMODE', 'sslmode'],
  ['PGSSLNEGOTIATION', 'sslnegotiation'],
  ['PGSSLROOTCERT', 'sslrootcert'],
  ['PGSSLCERT', 'sslcert'],
  ['PGSSLKEY', 'sslkey'],
  ['PGSSLMINPROTOCOLVERSION', 'ssl_min_protocol_version'],
]

export type Environment = { readonly [name: string]: string | undefined }

export function environmentSettings(environment: Environment): Settings {
  const settings: Settings = new Map()
  for (const [variable, keyword] of VARIABLES) {
    const value = environment[variable]
    if (value !== undefined && value !== '') settings.set(keyword, value)
  }
  return settings
}
