/**
 * What the environment says of targets that leave something out: the variables of the servers' own clients.
 *
 * Rules: a variable that is empty says nothing. Those that are not in the list are not looked at, and neither are
 * option files (`~/.my.cnf`): they are the command line's, and mean something else in each of its programs.
 */
import type { Settings } from '../target.ts'

const VARIABLES: readonly (readonly [variable: string, name: string])[] = [
  ['MYSQL_HOST', 'host'],
  ['MYSQL_TCP_PORT', 'port'],
  ['MYSQL_UNIX_PORT', 'socket'],
  ['MYSQL_PWD', 'password'],
]

export type Environment = { readonly [name: string]: string | undefined }

export function environmentSettings(environment: Environment): Settings {
  const settings: Settings = new Map()
  for (const [variable, name] of VARIABLES) {
    const value = environment[variable]
    if (value !== undefined && value !== '') settings.set(name, value)
  }
  return settings
}
