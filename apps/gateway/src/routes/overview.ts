/**
 * One request that asks every upstream at once, and shows where the time of each went.
 *
 * Rules: each backend answers for itself, within `partDeadlineMs`. One that fails, or that could not be had, has its
 * error in its place, and the others are answered: 200 with `partial`, 503 when nobody answered.
 */
import { type Answer, json } from '../http/answer.ts'
import { type Failure, failureOf } from '../http/failures.ts'
import type { GatewayRequest } from '../http/request.ts'
import type { Route } from '../http/router.ts'
import type { TimeParts } from '../http/time-split.ts'
import type { MissingBackend, OpenBackend } from './about.ts'

export interface OverviewSource {
  readonly open: readonly OpenBackend[]
  readonly missing: readonly MissingBackend[]
}

/** How a backend takes part: what it knows of a key. */
export type Part = NonNullable<OpenBackend['connection']['part']>

export function overviewRoutes(source: OverviewSource): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/overview/:key',
      summary: 'what every upstream knows of a key, asked at once, and the time of each',
      example: '%/overview/ada',
      handle: (request) => overview(source, request),
    },
  ]
}

async function overview({ open, missing }: OverviewSource, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const key = request.name('key')
  const asked = open.flatMap(({ name, connection: { part } }) => (part === undefined ? [] : [{ name, part }]))
  const answers = await Promise.all(asked.map(({ name, part }) => ask(name, part, key, request)))
  const parts: Record<string, unknown> = {}
  const timing: Record<string, TimeParts> = {}
  for (const { name, result, times } of answers) {
    parts[name] = result
    timing[name] = rounded(times)
  }
  for (const { name, reason } of missing) {
    const error: Failure = { code: 'BACKEND_MISSING', message: reason, sent: 'no' }
    parts[name] = { error }
  }
  const failed = answers.filter(({ hasFailed }) => hasFailed).length + missing.length
  const nobody = answers.every(({ hasFailed }) => hasFailed)
  const body = { parts, partial: failed > 0, timing: { ...timing, totalMs: milliseconds(request.times.totalMs) } }
  if (!nobody) return json(body)
  return json(body, 503, { 'retry-after': String(request.limits.retryAfterSeconds) })
}

interface PartAnswer {
  readonly name: string
  readonly result: unknown
  readonly hasFailed: boolean
  readonly times: TimeParts
}

async function ask(name: string, part: Part, key: Buffer, request: GatewayRequest): Promise<PartAnswer> {
  const split = request.times.upstream(name)
  const options = request.call({ deadlineMs: request.limits.partDeadlineMs, onTiming: split.add })
  try {
    const result = await part(key, options)
    return { name, result, hasFailed: false, times: split.parts }
  } catch (error) {
    return { name, result: { error: failureOf(error) }, hasFailed: true, times: split.parts }
  }
}

function rounded({ queuedMs, upstreamMs, waitingMs, applicationMs }: TimeParts): TimeParts {
  return {
    queuedMs: milliseconds(queuedMs),
    upstreamMs: milliseconds(upstreamMs),
    waitingMs: milliseconds(waitingMs),
    applicationMs: milliseconds(applicationMs),
  }
}

/** Microseconds are the clock's last digits that mean anything. */
function milliseconds(value: number): number {
  return Math.round(value * 1_000) / 1_000
}
