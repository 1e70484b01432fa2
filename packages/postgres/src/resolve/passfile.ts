/**
 * The password file (documentation, "The Password File"): `host:port:database:user:password`, first line that fits.
 *
 * Rules:
 * 1. It is read anew each time, so that a change is seen by the next connection.
 * 2. A file that others may read is not used, nor is one that is missing, as with libpq.
 * 3. A `*` fits everything; `\:` and `\\` stand for themselves. The socket of the default folder goes by `localhost`.
 */

import { readFile, stat } from 'node:fs/promises'
import { homedir, platform } from 'node:os'
import { join } from 'node:path'
import { addressText } from '@iokernel/core/toolkit'
import { endpointOf, type Place } from './places.ts'

export function defaultPassfile(environment: { readonly [name: string]: string | undefined }): string {
  const roaming = environment['APPDATA']
  if (platform() === 'win32' && roaming !== undefined) return join(roaming, 'postgresql', 'pgpass.conf')
  return join(environment['HOME'] ?? homedir(), '.pgpass')
}

/** The text of the file; empty where there is none to be used. */
export async function readPassfile(path: string): Promise<string> {
  try {
    const { mode } = await stat(path)
    if (platform() !== 'win32' && (mode & OTHERS) !== 0) return ''
    return await readFile(path, 'utf8')
  } catch {
    return ''
  }
}

export function passwordIn(text: string, place: Place, database: string, user: string): string | undefined {
  const wanted = [DEFAULT_FOLDERS.has(place.host) ? 'localhost' : place.host, String(place.port), database, user]
  for (const line of text.split(/\r?\n/)) {
    if (line === '' || line.startsWith('#')) continue
    const fields = fieldsOf(line)
    const fits =
      fields.length >= 5 && wanted.every((value, index) => fields[index] === '*' || same(fields, index, value))
    // A password may hold colons that nobody escaped.
    if (fits) return fields.slice(4).map(unescaped).join(':')
  }
  return undefined
}

/**
 * Passwords by address; undefined where the file has none. Under `*` stands the one that all places share: an address
 * that a name was found under is not known here.
 */
export async function passwordsFor(
  path: string,
  places: readonly Place[],
  database: string,
  user: string,
): Promise<{ readonly [address: string]: string } | undefined> {
  const text = await readPassfile(path)
  const passwords: { [address: string]: string } = {}
  for (const place of places) {
    const password = passwordIn(text, place, database, user)
    if (password !== undefined) passwords[addressText(endpointOf(place))] = password
  }
  const found = Object.values(passwords)
  const [first] = found
  if (first === undefined) return undefined
  const isShared = found.length === places.length && found.every((password) => password === first)
  return isShared ? { ...passwords, '*': first } : passwords
}

/** Where PostgreSQL puts its socket, as built from source and by distributions. */
const DEFAULT_FOLDERS: ReadonlySet<string> = new Set(['/tmp', '/var/run/postgresql', '/run/postgresql'])
/** Group and others. */
const OTHERS = 0o077

/** Fields with their escapes still in them: `\*` is a star and no pattern. */
function fieldsOf(line: string): readonly string[] {
  const fields: string[] = ['']
  for (let at = 0; at < line.length; at++) {
    const char = line[at] as string
    if (char === ':') fields.push('')
    else if (char === '\\' && at + 1 < line.length) fields[fields.length - 1] += char + (line[++at] as string)
    else fields[fields.length - 1] += char
  }
  return fields
}

function same(fields: readonly string[], index: number, value: string): boolean {
  return unescaped(fields[index] as string) === value
}

function unescaped(field: string): string {
  return field.replaceAll(/\\(.)/g, '$1')
}
