/** The request that asks every upstream at once: each has its part, and the time of each is its own. */
import { randomUUID } from 'node:crypto'
import type { MissingBackend, OpenBackend } from '../routes/about.ts'
import type { Caller } from './caller.ts'
import { expectEqual } from './expect-equal.ts'

interface Overview {
  readonly parts: Readonly<Record<string, { readonly found?: boolean; readonly error?: { readonly code: string } }>>
  readonly partial: boolean
  readonly timing: Readonly<Record<string, { readonly queuedMs: number; readonly upstreamMs: number }>> & {
    readonly totalMs: number
  }
}

export interface OverviewOf {
  readonly open: readonly OpenBackend[]
  readonly missing: readonly MissingBackend[]
}

export async function checkOverview(caller: Caller, { open, missing }: OverviewOf): Promise<string> {
  const { body } = await caller.send('GET', `/overview/gateway-check-${randomUUID()}`, 200)
  const { parts, partial, timing } = JSON.parse(body.toString()) as Overview
  const split = caller.splits.at(-1)
  const asked = open.filter(({ connection }) => connection.part !== undefined)
  const texts = asked.map(({ name }) => {
    expectEqual(parts[name]?.found, false, `whether ${name} has found what nobody has stored`)
    const times = timing[name]
    if (times === undefined || !(times.upstreamMs > 0)) throw new Error(`${name} has no time of its own`)
    expectEqual(split?.has(`${name}-upstream`), true, `whether Server-Timing names ${name}`)
    return `${name} queued ${times.queuedMs.toFixed(2)}, upstream ${times.upstreamMs.toFixed(2)}`
  })
  for (const { name } of missing) {
    expectEqual(parts[name]?.error?.code, 'BACKEND_MISSING', `what is said of ${name}`)
    texts.push(`${name} missing`)
  }
  expectEqual(partial, missing.length > 0, 'whether something is missing')
  return `asked ${asked.length} at once in ${timing.totalMs.toFixed(2)} ms: ${texts.join('; ')}`
}
