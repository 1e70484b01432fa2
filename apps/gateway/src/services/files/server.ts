/**
 * The HTTP service: a store of files, over `node:http`. A real server, though a small one, so that the gateway has
 * somebody to speak HTTP with on a machine that has nothing but Node.
 *
 *   PUT    /files/:name          stores the body as it comes; 201, or 200 where there was one; its digest
 *   GET    /files/:name          the bytes, streamed; `ETag` is the digest
 *   GET    /files/:name/about    { name, contentType, bytes, sha256, storedAt }
 *   DELETE /files/:name          204
 *   GET    /files                all of them, as `about` shows them
 *   GET    /changes              JSON lines, one for each change, as they happen
 *   GET    /slow?ms=             answers after that time
 *
 * Rules: a failure is `{ code, message }`. A path is split before it is decoded. What a client can make grow is bounded
 * below.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { Changes } from './changes.ts'
import { FileStore, type StoredFile, StoreError } from './store.ts'

export function fileServer(): Server {
  const service = new FileService()
  const server = createServer((request, response) => void service.serve(request, response))
  server.maxConnections = CONNECTIONS_MAX
  return server
}

class Refusal extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

class FileService {
  readonly #store = new FileStore({
    fileBytesMax: FILE_BYTES_MAX,
    totalBytesMax: TOTAL_BYTES_MAX,
    filesMax: FILES_MAX,
  })
  readonly #changes = new Changes()

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => undefined)
    try {
      await this.#answer(request, response)
    } catch (error) {
      // Whoever has left is told nothing, and a body that has begun can only be cut.
      if (request.destroyed && !request.complete) return
      if (response.headersSent) response.destroy()
      else refuse(request, response, error)
    }
  }

  #answer(request: IncomingMessage, response: ServerResponse): Promise<void> | void {
    const { pathname, searchParams } = urlOf(request)
    const [, collection, segment, part, ...more] = pathname.split('/')
    if (more.length > 0) throw nothingThere()
    if (collection === 'slow' && segment === undefined) return this.#slow(searchParams, response)
    if (collection === 'changes' && segment === undefined) return this.#follow(response)
    if (collection !== 'files') throw nothingThere()
    if (segment === undefined) return this.#list(request, response)
    const name = nameIn(segment)
    if (part === 'about') return this.#about(name, response)
    if (part !== undefined) throw nothingThere()
    if (request.method === 'PUT') return this.#put(name, request, response)
    if (request.method === 'GET') return this.#get(name, response)
    if (request.method === 'DELETE') return this.#remove(name, response)
    throw new Refusal(405, 'METHOD', 'a file knows GET, PUT and DELETE')
  }

  async #put(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const wasThere = this.#store.find(name) !== undefined
    const type = request.headers['content-type'] ?? 'application/octet-stream'
    // Left early, the usual iterator would end the connection, and the answer with it.
    const content: AsyncIterable<Buffer> = {
      [Symbol.asyncIterator]: () => request.iterator({ destroyOnReturn: false }),
    }
    const file = await this.#store.put(name, type, content)
    this.#changes.tell({ change: 'stored', ...shown(file) })
    sendJson(response, wasThere ? 200 : 201, shown(file))
  }

  async #get(name: string, response: ServerResponse): Promise<void> {
    const { pieces, bytes, contentType, sha256 } = this.#found(name)
    response.writeHead(200, { 'content-type': contentType, 'content-length': bytes, etag: `"${sha256}"` })
    // A piece is what one read brought when it was stored: at most 64 KB, so a slow reader holds no more than that.
    await pipeline(Readable.from(pieces, { objectMode: true, highWaterMark: 1 }), response)
  }

  #about(name: string, response: ServerResponse): void {
    sendJson(response, 200, shown(this.#found(name)))
  }

  #remove(name: string, response: ServerResponse): void {
    if (!this.#store.remove(name)) throw noFile()
    this.#changes.tell({ change: 'removed', name })
    response.writeHead(204).end()
  }

  #list(request: IncomingMessage, response: ServerResponse): void {
    if (request.method !== 'GET') throw new Refusal(405, 'METHOD', 'the list of files knows GET')
    sendJson(response, 200, { files: this.#store.list().map(shown) })
  }

  async #follow(response: ServerResponse): Promise<void> {
    if (!this.#changes.hasRoom) throw new Refusal(503, 'FULL', 'nobody else can listen to changes at the moment')
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    using _listener = this.#changes.add(response)
    await once(response, 'close')
  }

  async #slow(query: URLSearchParams, response: ServerResponse): Promise<void> {
    const ms = Number(query.get('ms') ?? Number.NaN)
    if (!(ms >= 0 && ms <= SLOW_MS_MAX)) throw new Refusal(400, 'ARGUMENT', `ms is between 0 and ${SLOW_MS_MAX}`)
    const left = new AbortController()
    response.once('close', () => left.abort())
    await sleep(ms, undefined, { signal: left.signal }).catch(() => undefined)
    if (!left.signal.aborted) sendJson(response, 200, { ms })
  }

  #found(name: string): StoredFile {
    const file = this.#store.find(name)
    if (file === undefined) throw noFile()
    return file
  }
}

function shown({ name, contentType, bytes, sha256, storedAt }: StoredFile): Readonly<Record<string, unknown>> {
  return { name, contentType, bytes, sha256, storedAt }
}

function refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  // The rest of a body that is not wanted is read and dropped: who is cut off in mid-sentence does not read why.
  request.resume()
  if (error instanceof Refusal) return sendJson(response, error.status, failure(error))
  if (error instanceof StoreError) {
    return sendJson(response, error.code === 'FILE_TOO_LARGE' ? 413 : 507, failure(error))
  }
  console.error('the file service failed:', error)
  sendJson(response, 500, { code: 'INTERNAL', message: 'the file service failed' })
}

function failure({ code, message }: Refusal | StoreError): Readonly<Record<string, string>> {
  return { code, message }
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = Buffer.from(JSON.stringify(value))
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length })
  response.end(body)
}

/** By hand, because `URL` would take the name `..` for a step upwards. */
function urlOf({ url = '' }: IncomingMessage): { readonly pathname: string; readonly searchParams: URLSearchParams } {
  const mark = url.indexOf('?')
  if (mark < 0) return { pathname: url, searchParams: new URLSearchParams() }
  return { pathname: url.slice(0, mark), searchParams: new URLSearchParams(url.slice(mark + 1)) }
}

function nameIn(segment: string): string {
  let name = ''
  try {
    name = decodeURIComponent(segment)
  } catch {
    // No UTF-8.
  }
  if (name !== '' && name.length <= NAME_CHARACTERS_MAX) return name
  throw new Refusal(400, 'ARGUMENT', `a name has 1 to ${NAME_CHARACTERS_MAX} characters, percent-encoded UTF-8`)
}

function noFile(): Refusal {
  return new Refusal(404, 'NO_FILE', 'there is no file of this name')
}

function nothingThere(): Refusal {
  return new Refusal(404, 'NO_ROUTE', 'there is /files, /files/:name, /files/:name/about, /changes and /slow')
}

/** What one looks at on a laptop; all of it is in memory. */
const FILE_BYTES_MAX = 64 << 20
const TOTAL_BYTES_MAX = 256 << 20
const FILES_MAX = 1_000
/** As long as the gateway's keys. */
const NAME_CHARACTERS_MAX = 1_024
const SLOW_MS_MAX = 60_000
/** The kernel's pool for one upstream has 129 at most; a few gateways. */
const CONNECTIONS_MAX = 1_000
