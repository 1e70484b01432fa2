/**
 * `fetch` by the Fetch standard, over upstreams of the kernel: the platform's own Request, Response and Headers.
 *
 * Rules:
 * 1. What was given is judged by the platform's `Request`. What it lets pass and makes no sense here is refused, or
 *    ignored where the README says so: there is no cache, no cookie jar, no page that asks.
 * 2. What fails rejects with a `TypeError` whose `cause` says why; a signal that fires, with its reason.
 * 3. A body flows at its reader's pace, up and down. Leaving it closes its connection.
 */
import type { ReadableByteStreamController, UnderlyingByteSource } from 'node:stream/web'
import { wrong } from '@iokernel/core/toolkit'
import type { HttpBody } from './body.ts'
import type { BodyGiven } from './contents.ts'
import { codingsOf, decoded } from './decoding.ts'
import type { Lease, Origins } from './origins.ts'
import { type Hop, isRedirect, nextHop, REDIRECTS_MAX } from './redirects.ts'
import type { HttpResponse } from './response.ts'

/** As the platform's. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

export async function fetchOver(
  origins: Origins,
  input: string | URL | Request,
  init?: RequestInit,
): Promise<Response> {
  if (!(input instanceof Request)) refusePlace(String(input))
  const request = new Request(input, init)
  const { signal } = request
  try {
    signal.throwIfAborted()
    refuseUnsupported(request, init)
    return await follow(origins, request.redirect, await firstHop(request, init), signal)
  } catch (error) {
    throw signal.aborted ? signal.reason : failed(error)
  }
}

async function follow(origins: Origins, mode: Request['redirect'], first: Hop, signal: AbortSignal): Promise<Response> {
  let hop = first
  for (let redirects = 0; ; redirects++) {
    const lease = origins.lease(hop.url.origin)
    let response: HttpResponse
    try {
      response = await send(lease, hop, signal)
    } catch (error) {
      lease.release()
      throw error
    }
    if (!isRedirect(response.status) || mode === 'manual') return respond(response, hop, redirects > 0, lease, signal)
    try {
      if (mode === 'error') throw new TypeError('the server redirects, and redirect is error')
      const next = nextHop(hop, response.status, response.headers.getAll('location'))
      if (next === undefined) return respond(response, hop, redirects > 0, lease, signal)
      if (redirects === REDIRECTS_MAX) throw new TypeError(`more than ${REDIRECTS_MAX} redirects`)
      hop = next
    } catch (error) {
      await discard(response, lease)
      throw error
    }
    await discard(response, lease)
  }
}

function send({ client }: Lease, { url, method, headers, body }: Hop, signal: AbortSignal): Promise<HttpResponse> {
  return client.request(method, url.pathname + url.search, {
    headers,
    signal,
    ...(body === undefined ? {} : { body }),
  })
}

async function discard({ body }: HttpResponse, lease: Lease): Promise<void> {
  await body.close().catch(() => undefined)
  lease.release()
}

async function firstHop(request: Request, init: RequestInit | undefined): Promise<Hop> {
  const headers = new Headers(request.headers)
  // A part of a coded body cannot be decoded.
  const codings = headers.has('range') ? 'identity' : 'gzip, deflate, br'
  const defaults = { accept: '*/*', 'accept-encoding': codings, 'user-agent': 'iokernel' }
  for (const [name, value] of Object.entries(defaults)) if (!headers.has(name)) headers.set(name, value)
  const hop = { url: new URL(request.url), method: request.method, headers }
  if (request.body === null) return { ...hop, body: undefined, isRepeatable: true }
  const source = await sourceOf(request, init?.body)
  return { ...hop, body: source ?? request.body, isRepeatable: source !== undefined }
}

/** What a body can be made of again; undefined where it is a stream. */
async function sourceOf(request: Request, given: unknown): Promise<BodyGiven | undefined> {
  if (typeof given === 'string' || given instanceof Blob) return given
  if (given instanceof URLSearchParams) return given.toString()
  if (ArrayBuffer.isView(given) || given instanceof ArrayBuffer) return await request.arrayBuffer()
  // Its boundary is in the request's content-type already.
  if (given instanceof FormData) return await request.blob()
  return undefined
}

/** The platform refuses these too, but shows what was given. */
function refusePlace(input: string): void {
  let url: URL
  try {
    url = new URL(input)
  } catch {
    throw new TypeError('fetch takes a whole URL: https://api.internal/path')
  }
  if (url.username !== '' || url.password !== '') {
    throw new TypeError('credentials do not go into a URL: give headers: { authorization }')
  }
}

function refuseUnsupported(request: Request, init: RequestInit | null | undefined): void {
  const { protocol } = new URL(request.url)
  if (protocol !== 'http:' && protocol !== 'https:') throw wrong(`fetch knows http: and https:, not ${protocol}`)
  if (request.integrity !== '') throw wrong('integrity is not supported: compare a digest of the body')
  if (request.cache === 'only-if-cached') throw wrong("there is no cache: 'only-if-cached' can find nothing")
  if (init !== undefined && init !== null && 'dispatcher' in init && init.dispatcher !== undefined) {
    throw wrong('a dispatcher is of another client: options go into createFetch()')
  }
}

/** RFC 9110, and the standard's "null body status". */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304])

function respond(
  response: HttpResponse,
  { url, method }: Hop,
  redirected: boolean,
  lease: Lease,
  signal: AbortSignal,
): Response {
  const headers = new Headers()
  try {
    for (const [name, value] of response.headers) headers.append(name, value)
    const isEmpty = method === 'HEAD' || WITHOUT_BODY.has(response.status)
    const codings = isEmpty ? [] : codingsOf(response.headers.get('content-encoding'))
    const body = isEmpty ? null : readable(response.body, codings, lease, signal)
    const { status, statusText } = response
    const made = new Response(body, { status, statusText, headers })
    if (isEmpty) void discard(response, lease)
    const place = new URL(url)
    place.hash = ''
    return dressed(made, { url: place.href, redirected })
  } catch (error) {
    void discard(response, lease)
    throw error
  }
}

interface Facts {
  readonly url: string
  readonly redirected: boolean
}

/** The constructor of Response takes none of these: only the platform's own fetch can say them. */
function dressed(response: Response, facts: Facts): Response {
  const clone = (): Response => dressed(Response.prototype.clone.call(response), facts)
  const values = { url: facts.url, redirected: facts.redirected, type: 'basic', clone }
  for (const [name, value] of Object.entries(values)) {
    Object.defineProperty(response, name, { value, configurable: true })
  }
  return response
}

/** Gives back the leases of bodies that nobody can read any more. */
const forgotten = new FinalizationRegistry<Lease>((lease) => lease.release())

function readable(
  body: HttpBody,
  codings: readonly string[],
  lease: Lease,
  signal: AbortSignal,
): ReadableStream<Uint8Array> {
  const pieces = decoded(body, codings)[Symbol.asyncIterator]()
  const source: UnderlyingByteSource = {
    type: 'bytes',
    async pull(controller) {
      try {
        // A body that came with its head is no call any more that the signal would end.
        signal.throwIfAborted()
        let { done, value } = await pieces.next()
        while (done !== true && value.length === 0) ({ done, value } = await pieces.next())
        // A byte stream takes the memory it is given away from everybody else.
        if (done !== true) return controller.enqueue(new Uint8Array(value))
        lease.release()
        controller.close()
        ;(controller as ReadableByteStreamController).byobRequest?.respond(0)
      } catch (error) {
        lease.release()
        pieces.return?.().catch(() => undefined)
        controller.error(signal.aborted ? signal.reason : failed(error))
      }
    },
    async cancel() {
      // First the body: whoever waits for its next piece would wait on.
      await body.close()
      lease.release()
      await pieces.return?.().catch(() => undefined)
    },
  }
  const stream = new ReadableStream(source, { highWaterMark: 0 })
  forgotten.register(stream, lease)
  return stream
}

function failed(error: unknown): unknown {
  if (error instanceof TypeError) return error
  return new TypeError('fetch failed', { cause: error })
}
