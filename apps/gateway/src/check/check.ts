/**
 * `npm start -- --check`: a real gateway on a free port, real requests over HTTP to every backend, one line for each,
 * and one for the request that asks them all.
 *
 * Rules: it passes when every backend that could be had answers rightly and at least one could. A missing one is said,
 * with the way to get it, and fails the check where `mustHaveAll` is set. Everything is stopped again in any case.
 */
import type { Backend } from '../backends/backend.ts'
import { NoBackendError, startGateway } from '../gateway.ts'
import type { MissingBackend } from '../routes/about.ts'
import { Caller, type TimeParts } from './caller.ts'
import { checkOverview } from './overview.ts'

export interface CheckOptions {
  readonly backends: readonly Backend[]
  readonly thread: 'worker' | 'inline'
  readonly mustHaveAll: boolean
}

export interface CheckReport {
  readonly lines: readonly string[]
  readonly passed: boolean
  /** What was not as one might want it, in a sentence; undefined where all were there and answered rightly. */
  readonly remark: string | undefined
}

export async function runCheck(options: CheckOptions): Promise<CheckReport> {
  const { results, missing } = await checkAll(options)
  const lines = options.backends.map(({ name }) => {
    const result = results.get(name)
    if (result !== undefined) return line(name, result.passed ? 'ok' : 'FAILED', result.text)
    return line(name, 'skipped', missing.find((one) => one.name === name)?.reason ?? 'it was not tried')
  })
  const overview = results.get(OVERVIEW)
  if (overview !== undefined) lines.push(line(OVERVIEW, overview.passed ? 'ok' : 'FAILED', overview.text))
  const failed = [...results].filter(([, { passed }]) => !passed).map(([name]) => name)
  const passed = results.size > 0 && failed.length === 0 && (missing.length === 0 || !options.mustHaveAll)
  return { lines, passed, remark: remarkOn(failed, missing, options.mustHaveAll) }
}

function remarkOn(
  failed: readonly string[],
  missing: readonly MissingBackend[],
  mustHaveAll: boolean,
): string | undefined {
  const remarks: string[] = []
  if (failed.length > 0) remarks.push(`failed: ${failed.join(', ')}`)
  if (missing.length > 0) {
    const verdict = mustHaveAll ? 'which fails the check, because CI is set' : 'which a check by hand puts up with'
    remarks.push(`missing: ${missing.map(({ name }) => name).join(', ')}, ${verdict}`)
  }
  return remarks.length === 0 ? undefined : remarks.join('; ')
}

interface Result {
  readonly passed: boolean
  readonly text: string
}

async function checkAll(
  options: CheckOptions,
): Promise<{ results: ReadonlyMap<string, Result>; missing: readonly MissingBackend[] }> {
  const results = new Map<string, Result>()
  try {
    await using gateway = await startGateway({ ...options, host: '127.0.0.1', port: 0 })
    const { missing } = gateway
    for (const backend of options.backends) {
      if (missing.some(({ name }) => name === backend.name)) continue
      results.set(backend.name, await checkOne(new Caller(gateway.url), backend.check))
    }
    results.set(OVERVIEW, await checkOne(new Caller(gateway.url), (caller) => checkOverview(caller, gateway)))
    return { results, missing }
  } catch (error) {
    if (error instanceof NoBackendError) return { results, missing: error.missing }
    throw error
  }
}

async function checkOne(caller: Caller, check: Backend['check']): Promise<Result> {
  try {
    const whatCameBack = await check(caller)
    return { passed: true, text: `${whatCameBack}; ${median(caller.splits)}` }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return { passed: false, text: reason.replaceAll(/\s*\n\s*/g, ' ') }
  }
}

function line(name: string, verdict: string, text: string): string {
  return `${name.padEnd(12)} ${verdict.padEnd(8)} ${text}`
}

/** The middle answer of all that the check received: the first has compiled code, one has waited on purpose. */
function median(splits: readonly TimeParts[]): string {
  const middle = (part: string): string => {
    const sorted = splits.map((split) => split.get(part) ?? 0).sort((one, other) => one - other)
    return (sorted[Math.floor(sorted.length / 2)] ?? 0).toFixed(2)
  }
  const [queued, upstream, waiting, application] = ['queued', 'upstream', 'waiting', 'application'].map(middle)
  const inside = `waiting for the application ${waiting}, application ${application}`
  const many = splits.length === 1 ? 'of the answer' : `median of ${splits.length} answers`
  return `${many}, in ms: queued ${queued}, upstream ${upstream}, ${inside}`
}

/** No backend has this name. */
const OVERVIEW = 'overview'
