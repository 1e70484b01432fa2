/** What `kernel.describe()` tells: plain data, and a text of it for people. No values, parameters or passwords. */
import type { UpstreamState } from '../plugin/protocol.ts'
import type { KernelLimits, UpstreamLimits } from '../shared/limits.ts'

export interface KernelDescription {
  readonly mode: 'worker' | 'inline'
  readonly plugins: readonly string[]
  readonly callsInFlight: number
  /** Times the I/O thread was replaced within the restart window. */
  readonly restarts: number
  readonly limits: KernelLimits
  /** Defaults of `connect()`. */
  readonly upstreamLimits: UpstreamLimits
  readonly upstreams: readonly UpstreamDescription[]
  toString(): string
}

export interface UpstreamDescription {
  readonly authority: string
  readonly protocol: string
  readonly state: UpstreamState
  readonly limits: UpstreamLimits
}

export function describeKernel(source: {
  readonly mode: 'worker' | 'inline'
  readonly plugins: readonly string[]
  readonly callsInFlight: number
  readonly restarts: number
  readonly limits: KernelLimits
  readonly upstreamLimits: UpstreamLimits
  readonly upstreams: readonly {
    readonly authority: string
    readonly state: UpstreamState
    readonly configuration: { readonly protocol: string; readonly limits: UpstreamLimits }
  }[]
}): KernelDescription {
  const upstreams = source.upstreams.map(({ authority, state, configuration }) => ({
    authority,
    state,
    protocol: configuration.protocol,
    limits: configuration.limits,
  }))
  const description = { ...source, upstreams }
  return { ...description, toString: () => textOf(description) }
}

function textOf(description: Omit<KernelDescription, 'toString'>): string {
  const lines = [
    `iokernel (${description.mode}), plugins: ${description.plugins.join(', ') || 'none'}`,
    `calls in flight: ${description.callsInFlight}, I/O thread replaced: ${description.restarts} times`,
    'limits of the kernel:',
    ...numbers(description.limits, description.limits),
    'limits of an upstream, unless connect() says otherwise:',
    ...numbers(description.upstreamLimits, description.upstreamLimits),
  ]
  for (const upstream of description.upstreams) {
    const { status, endpoints, reason } = upstream.state
    lines.push(`${upstream.authority} (${upstream.protocol}): ${status}${reason === undefined ? '' : `, ${reason}`}`)
    lines.push(`  addresses: ${endpoints.join(', ') || 'none known'}`)
    lines.push(...numbers(upstream.limits, description.upstreamLimits, true))
  }
  return lines.join('\n')
}

function numbers(limits: object, defaults: object, changedOnly = false): string[] {
  const known = defaults as { readonly [name: string]: number }
  return Object.entries(limits)
    .filter(([name, value]) => !changedOnly || known[name] !== value)
    .map(([name, value]) => `  ${name}: ${String(value)}`)
}
