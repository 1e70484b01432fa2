/**
 * A target written as a URL, taken apart.
 *
 *   redis://[user[:password]@]host[:port][,host[:port]...][/database][?options]
 *   rediss://...                     the same over TLS
 *   unix:///path/of.sock[?options]   also redis+unix:
 *   redis+<discovery>://what/the/discovery/understands[?options]
 *
 * Rules: user and password are percent-encoded; an `@` in a password that is not is still understood, for the last
 * one before the path counts. IPv6 stands in brackets. Options: `database`, `protocol` (2 or 3), `clientName`. What
 * is not understood is an error, never ignored. No message holds a password.
 */
import {
  type Address,
  badTarget,
  type DiscoveryTarget,
  decoded,
  discoveryIn,
  takeAddress,
  takeSocket,
  takeUrl,
} from '@iokernel/core/toolkit'

export interface ParsedUrl {
  readonly encrypted: boolean
  /** Hosts, or one socket; empty where a discovery finds them. */
  readonly addresses: readonly Address[]
  readonly discovery: DiscoveryTarget | undefined
  readonly username: string | undefined
  readonly password: string | undefined
  readonly database: number | undefined
  readonly protocolVersion: 2 | 3 | undefined
  readonly clientName: string | undefined
}

/** Redis's port since 2009, after the word MERZ on a telephone's keys. */
export const PORT_DEFAULT = 6379

/** What to write, for messages. */
export const URL_LIKE = 'redis://host:6379/0'

export function parseUrl(text: string): ParsedUrl {
  const url = takeUrl(text, URL_LIKE)
  const { scheme, base, extension, place, path } = url
  const identity = { username: url.identity?.user, password: url.identity?.password }
  const options = parseOptions(url.query)
  if (scheme === 'unix' || scheme === 'redis+unix') {
    if (place !== '' || path.length < 2) throw badTarget('a socket is written unix:///path/of.sock')
    return { ...NOWHERE, ...identity, ...options, addresses: [takeSocket(decoded(path, 'path'))] }
  }
  if (base !== 'redis' && base !== 'rediss')
    throw badTarget(`'${scheme}:' is no scheme of Redis: redis:, rediss:, unix:, redis+<discovery>:`)
  const encrypted = base === 'rediss'
  if (extension === 'unix') throw badTarget('TLS over a unix socket is not supported')
  const discovery = discoveryIn(url)
  if (discovery !== undefined) return { ...NOWHERE, ...identity, ...options, encrypted, discovery }
  const addresses = (place === '' ? 'localhost' : place).split(',').map((host) => takeAddress(host, PORT_DEFAULT))
  const database = parseDatabase(path.slice(1))
  if (database !== undefined && options.database !== undefined) throw badTarget('the database is given twice')
  return { ...NOWHERE, ...identity, ...options, encrypted, addresses, database: database ?? options.database }
}

const NOWHERE = { encrypted: false, addresses: [], discovery: undefined, database: undefined } as const

type Options = Pick<ParsedUrl, 'database' | 'protocolVersion' | 'clientName'>

function parseOptions(query: string | undefined): Options {
  const options: { -readonly [Name in keyof Options]: Options[Name] } = {
    database: undefined,
    protocolVersion: undefined,
    clientName: undefined,
  }
  for (const [name, value] of new URLSearchParams(query ?? '')) {
    if (name === 'database' || name === 'db') options.database = parseDatabase(value)
    else if (name === 'clientName') options.clientName = value
    else if (name === 'protocol') {
      if (value !== '2' && value !== '3') throw badTarget('protocol is 2 or 3')
      options.protocolVersion = value === '2' ? 2 : 3
    } else
      throw badTarget(
        `'${name}' is no option of a Redis URL: database, protocol, clientName. Others go into the object form`,
      )
  }
  return options
}

function parseDatabase(text: string): number | undefined {
  if (text === '') return undefined
  if (!/^\d{1,9}$/.test(text)) throw badTarget('a database is a whole number: redis://host/3')
  return Number(text)
}
