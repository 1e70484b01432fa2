/**
 * From a method and a path to a row of the table of routes.
 *
 * Rules: a path is split before it is decoded, so `%2F` is part of a key and `/` never is. Parameters are bytes,
 * because keys are: `%FF` is a key of one byte, and no text. What a route writes out wins over what another takes for
 * a parameter: `/accounts/export` is no account.
 */
import type { Answer } from './answer.ts'
import { RequestError, type StatusOf } from './failures.ts'
import type { GatewayRequest } from './request.ts'

export interface Route {
  readonly method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'
  /** `/kv/:key`. */
  readonly path: string
  /** What it does, for the list of endpoints. */
  readonly summary: string
  /** The example call: what follows `curl` and stands around the address, `%` in its place. */
  readonly example: string
  /** What its backend's errors mean over HTTP. */
  readonly statusOf?: StatusOf
  handle(request: GatewayRequest): Promise<Answer> | Answer
}

export interface Found {
  readonly route: Route
  readonly parameters: ReadonlyMap<string, Buffer>
}

export class Router {
  readonly #rows: readonly { readonly route: Route; readonly segments: readonly string[] }[]

  constructor(routes: readonly Route[]) {
    this.#rows = routes.map((route) => ({ route, segments: route.path.split('/') }))
  }

  /** Throws `RequestError`: 404, 405 with Allow, 400 for a path that is not percent-encoded. */
  find(method: string, pathname: string): Found {
    const given = pathname.split('/')
    const all = this.#rows.filter(({ segments }) => matches(segments, given))
    const fewest = Math.min(...all.map(({ segments }) => parameterCount(segments)))
    const matching = all.filter(({ segments }) => parameterCount(segments) === fewest)
    const row = matching.find(({ route }) => route.method === method)
    if (row !== undefined) return { route: row.route, parameters: parametersOf(row.segments, given) }
    if (matching.length === 0) throw new RequestError(404, 'NO_ROUTE', `nothing is at ${pathname}: GET / lists what is`)
    const allow = matching.map(({ route }) => route.method).join(', ')
    throw new RequestError(405, 'METHOD', `${pathname} knows ${allow}`, { allow })
  }
}

export function percentDecode(segment: string): Buffer {
  if (/%(?![0-9A-Fa-f]{2})/.test(segment)) {
    throw new RequestError(400, 'ARGUMENT', 'a % in a path is written %25, and two hexadecimal digits follow any other')
  }
  const latin1 = segment.replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 16)))
  return Buffer.from(latin1, 'latin1')
}

function matches(segments: readonly string[], given: readonly string[]): boolean {
  if (segments.length !== given.length) return false
  return segments.every((segment, index) => (segment.startsWith(':') ? given[index] !== '' : segment === given[index]))
}

function parameterCount(segments: readonly string[]): number {
  return segments.filter((segment) => segment.startsWith(':')).length
}

function parametersOf(segments: readonly string[], given: readonly string[]): ReadonlyMap<string, Buffer> {
  const parameters = new Map<string, Buffer>()
  for (const [index, segment] of segments.entries()) {
    if (segment.startsWith(':')) parameters.set(segment.slice(1), percentDecode(given[index] as string))
  }
  return parameters
}
