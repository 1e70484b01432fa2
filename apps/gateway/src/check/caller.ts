/**
 * A client of the gateway, for its check: requests over HTTP as anyone would send them, and the time split that comes
 * back with each.
 */
export interface Reply {
  readonly status: number
  readonly contentType: string
  readonly body: Buffer
  /** From sending to the last byte of the body, as the client saw it. */
  readonly elapsedMs: number
}

export type TimeParts = ReadonlyMap<string, number>

export interface EventReader extends AsyncDisposable {
  /** The next event's data. */
  next(): Promise<unknown>
}

export class Caller {
  readonly #origin: string
  readonly #splits: TimeParts[] = []

  constructor(origin: string) {
    this.#origin = origin
  }

  /** The time split of every answer so far. */
  get splits(): readonly TimeParts[] {
    return this.#splits
  }

  /** Throws unless the answer's status is `status`, or one of them. */
  async send(method: string, path: string, status: number | readonly number[], init: CallInit = {}): Promise<Reply> {
    const beganAtMs = performance.now()
    const response = await this.#fetch(method, path, init)
    const body = Buffer.from(await response.arrayBuffer())
    const elapsedMs = performance.now() - beganAtMs
    if (![status].flat().includes(response.status)) {
      throw new Error(`${method} ${path} was answered ${response.status} and not ${status}: ${start(body)}`)
    }
    return { status: response.status, contentType: response.headers.get('content-type') ?? '', body, elapsedMs }
  }

  async json(method: string, path: string, init: CallInit = {}): Promise<Readonly<Record<string, unknown>>> {
    const { body } = await this.send(method, path, 200, init)
    return JSON.parse(body.toString()) as Readonly<Record<string, unknown>>
  }

  /** The body as it arrives, at the pace of the loop. Leaving the loop leaves the gateway. */
  async *pieces(path: string): AsyncGenerator<Uint8Array, void, undefined> {
    const response = await this.#fetch('GET', path, {})
    if (response.status !== 200 || response.body === null)
      throw new Error(`GET ${path} was answered ${response.status}`)
    yield* response.body
  }

  /** Resolves when the stream is subscribed. */
  async events(path: string): Promise<EventReader> {
    const leaving = new AbortController()
    const response = await this.#fetch('GET', path, { signal: leaving.signal })
    if (response.status !== 200 || response.body === null)
      throw new Error(`GET ${path} was answered ${response.status}`)
    const data = eventData(response, response.body)
    return {
      next: async () => {
        const { value, done } = await data.next()
        if (done) throw new Error(`the stream ${path} ended`)
        return value
      },
      [Symbol.asyncDispose]: async () => {
        leaving.abort()
        await data.return(undefined)
      },
    }
  }

  async #fetch(method: string, path: string, init: CallInit): Promise<Response> {
    const signal = init.signal ?? AbortSignal.timeout(ANSWER_TIMEOUT_MS)
    const response = await fetch(`${this.#origin}${path}`, { ...init, method, signal, duplex: 'half' } as RequestInit)
    const split = parseServerTiming(response.headers.get('server-timing') ?? '')
    if (!split.has('upstream')) throw new Error(`${method} ${path} came without a time split`)
    this.#splits.push(split)
    return response
  }
}

export interface CallInit {
  /** A stream is sent as it comes. */
  readonly body?: Uint8Array | string | ReadableStream<Uint8Array>
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

export function parseServerTiming(header: string): TimeParts {
  const parts = [...header.matchAll(/([\w-]+);dur=([\d.]+)/g)]
  return new Map(parts.map(([, name, durationMs]) => [name as string, Number(durationMs)]))
}

/**
 * The `data:` lines of a stream; comments and the rest are passed over. It holds the response, because Node cancels a
 * body that nobody has begun to read when the response it came with is collected.
 */
async function* eventData(
  _response: Response,
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<unknown, void, undefined> {
  let rest = ''
  try {
    for await (const piece of body) {
      rest += Buffer.from(piece).toString('utf8')
      const lines = rest.split('\n')
      rest = lines.pop() as string
      for (const line of lines) {
        if (line.startsWith('data: ')) yield JSON.parse(line.slice('data: '.length))
      }
    }
  } catch (error) {
    // Our own leaving ends the body with an error.
    if ((error as Error).name !== 'AbortError') throw error
  }
}

function start(body: Buffer): string {
  return body.subarray(0, 300).toString('utf8').trim()
}

/** Longer than any deadline of the gateway's own calls. */
const ANSWER_TIMEOUT_MS = 70_000
