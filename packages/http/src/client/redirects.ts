/**
 * Where a redirect leads, by the rules of the Fetch standard ("HTTP-redirect fetch").
 *
 * Rules: a 303, and a 301 or 302 to a POST, goes on as GET without its body and what describes it. What is said to one
 * origin is not said to another: credentials and cookies are dropped on the way. A body that cannot be sent again ends
 * it. Credentials in a location are refused, whoever they are for.
 *
 * Limits: `REDIRECTS_MAX`.
 */
import { RemoteProtocolError } from '@iokernel/core/plugin'
import type { BodyGiven } from './contents.ts'

/** The standard's number. */
export const REDIRECTS_MAX = 20

/** One request of several. */
export interface Hop {
  readonly url: URL
  readonly method: string
  readonly headers: Headers
  readonly body: BodyGiven | undefined
  /** The body can be sent again. */
  readonly isRepeatable: boolean
}

export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308
}

/** The next hop; `undefined` where nothing says where to go, and the reply is the answer. */
export function nextHop(hop: Hop, status: number, locations: readonly string[]): Hop | undefined {
  if (locations.length === 0) return undefined
  if (locations.some((location) => location !== locations[0])) throw wrong('says two places')
  const url = locationFrom(locations[0] as string, hop.url)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw wrong('leads away from http: and https:')
  if (url.username !== '' || url.password !== '') throw wrong('has credentials in its location')
  if (status !== 303 && hop.body !== undefined && !hop.isRepeatable) {
    throw wrong('asks for a body again that was a stream and is gone')
  }
  const headers = new Headers(hop.headers)
  if (url.origin !== hop.url.origin) for (const name of ONE_ORIGINS) headers.delete(name)
  const isPost = (status === 301 || status === 302) && hop.method === 'POST'
  const isOther = status === 303 && hop.method !== 'GET' && hop.method !== 'HEAD'
  if (!isPost && !isOther) return { ...hop, url, headers }
  for (const name of ABOUT_BODIES) headers.delete(name)
  return { url, method: 'GET', headers, body: undefined, isRepeatable: true }
}

function locationFrom(location: string, base: URL): URL {
  // On the wire these are bytes, which browsers read as UTF-8.
  const text = Buffer.from(location, 'latin1').toString()
  let url: URL
  try {
    url = new URL(text, base)
  } catch {
    throw wrong('has a location that is no URL')
  }
  if (url.hash === '') url.hash = base.hash
  return url
}

function wrong(what: string): RemoteProtocolError {
  return new RemoteProtocolError(`a redirect ${what}`)
}

const ONE_ORIGINS = ['authorization', 'proxy-authorization', 'cookie', 'host']
const ABOUT_BODIES = ['content-encoding', 'content-language', 'content-location', 'content-type', 'content-length']
