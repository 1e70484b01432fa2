/**
 * Many requests of every kind at once to a server of many moods: every one settles, and whoever is answered is answered
 * with what he asked for.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { IoKernelError } from '@iokernel/core/plugin'
import type { BodyGiven, HttpClient } from '@iokernel/http'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { inEveryMode } from '../../fixtures/world.ts'

const REQUESTS = 1500

/** What the server does with one request; the query says it, so that the caller knows what to expect. */
const KIND = ['whole', 'chunked', 'large', 'slow', 'hints'] as const
/** They end their connection, and what stands behind them with it. */
const UNKIND = ['close', 'early'] as const

function bodyOf(id: string, mood: string): Buffer {
  return Buffer.alloc(mood === 'large' ? 200_000 : 20 + Number(id), `${id};`)
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  const query = new URL(request.url as string, 'http://x').searchParams
  const id = query.get('id') as string
  const mood = query.get('mood') as string
  const body = bodyOf(id, mood)
  request.resume().on('error', () => undefined)
  response.setHeader('x-id', id)
  if (mood === 'early') return void response.writeHead(413).end(body)
  request.on('end', () => {
    if (mood === 'hints') response.writeEarlyHints({ link: '</a>; rel=preload' })
    if (mood === 'close') response.setHeader('connection', 'close')
    if (mood === 'whole' || mood === 'large') response.setHeader('content-length', body.length)
    else response.write(body.subarray(0, 7))
    if (mood === 'slow') setTimeout(() => response.end(body.subarray(7)), 5)
    else response.end(mood === 'whole' || mood === 'large' ? body : body.subarray(7))
  })
}

interface Plan {
  readonly mood: string
  readonly method: string
  readonly body: BodyGiven | undefined
  /** The body is not read. */
  readonly isGivenUp: boolean
  readonly abortMs: number | null
}

function plansOf(moods: readonly string[]): fc.Arbitrary<Plan> {
  return fc.record({
    mood: fc.constantFrom(...moods),
    method: fc.constantFrom('GET', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE'),
    body: fc.constantFrom(undefined, 'small', ['in', 'pieces'], new Blob(['known'])),
    isGivenUp: fc.integer({ min: 0, max: 9 }).map((number) => number === 0),
    // One in ten.
    abortMs: fc.integer({ min: 0, max: 150 }).map((ms) => (ms > 15 ? null : ms)),
  })
}

async function ask(api: HttpClient, plan: Plan, id: string): Promise<'answered' | 'failed'> {
  const { mood, method, body, isGivenUp, abortMs } = plan
  const signal = abortMs === null ? {} : { signal: AbortSignal.timeout(abortMs) }
  try {
    const response = await api.request(method, `/?id=${id}&mood=${mood}`, {
      ...signal,
      ...(body === undefined || method === 'GET' || method === 'HEAD' ? {} : { body }),
    })
    expect(response.headers.get('x-id')).toBe(id)
    if (isGivenUp) {
      await response.body.close()
      return 'answered'
    }
    const bytes = await response.body.bytes()
    expect(bytes.equals(method === 'HEAD' ? Buffer.alloc(0) : bodyOf(id, mood))).toBe(true)
    return 'answered'
  } catch (error) {
    // Nobody fails here but by his own signal.
    if (abortMs === null || !(error instanceof IoKernelError) || error.code !== 'ABORTED') throw error
    return 'failed'
  }
}

inEveryMode('a storm', (world) => {
  it.each([
    [1, [...KIND, ...UNKIND]],
    [8, KIND],
  ])(
    'leaves nobody without an answer, and nobody with another’s (%i behind each other)',
    async (pipelining, moods) => {
      const { url } = await world.serve(serve)
      const options = { lanesMax: 8, sessionsMax: 8 }
      const api = world.connect({ origin: url, pipelining }, options)
      const run = async (seed: number): Promise<void> => {
        const drawn = fc.sample(plansOf(moods), { seed, numRuns: REQUESTS })
        let next = 0
        let answered = 0
        const worker = async (): Promise<void> => {
          while (next < REQUESTS) {
            const id = next++
            if ((await ask(api, drawn[id] as Plan, String(id))) === 'answered') answered++
          }
        }
        await Promise.all(Array.from({ length: 50 }, worker))
        expect(answered).toBeGreaterThan(REQUESTS / 3)
      }
      // One run; what fails names its seed.
      await fc.assert(fc.asyncProperty(fc.integer(), run), { numRuns: 1, endOnFailure: true })
      await api.close()
    },
    60_000,
  )
})
