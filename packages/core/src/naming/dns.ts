/**
 * Names watched by DNS: A and AAAA records, again and again, as long as somebody is interested.
 *
 * Rules:
 * 1. `/etc/hosts` first, then the search list, as the system's own resolver does.
 * 2. An answer is asked for again when its time to live is over, within `ttlMinMs` and `ttlMaxMs`, a little earlier by
 *    jitter so that a fleet does not ask in step.
 * 3. No address, or no answer, is never an empty set: the last good one stays in force, and the question is asked again
 *    soon.
 *
 * Several names in one target are watched side by side. Their first answers are held together for `CONVERGENCE_MS`, so
 * that the name that answers first does not get all the connections.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cloneable } from '../plugin/cloneable.ts'
import type { Endpoint, IoDiscovery } from '../plugin/discovery.ts'
import { LocalError } from '../plugin/errors.ts'
import { PLUGIN_API } from '../plugin/version.ts'
import { formatAddress, isAddress, parseAddress } from '../shared/address.ts'
import { dnsQuestions, type Questions } from './resolver.ts'
import { candidateNames, hostsAddresses, readSystemFile, searchRules } from './system-files.ts'

/** As ns-router's convergence delay. */
const CONVERGENCE_MS = 100

export interface DnsSettings {
  /** `host:port` of servers to ask instead of the system's. */
  readonly servers: readonly string[] | undefined
  readonly hostsFile: string
  readonly resolvConf: string
  readonly ttlMinMs: number
  readonly ttlMaxMs: number
  readonly randomUnit: () => number
  /** What became of a question, for the upstream's state. */
  readonly onTrouble: (reason: string) => void
}

export function dnsDiscovery(settings: DnsSettings): IoDiscovery<Cloneable> {
  return {
    name: 'dns',
    api: PLUGIN_API,
    watch: (target, _options, { signal, portDefault }) => watchAll(target, portDefault, settings, signal),
  }
}

async function* watchAll(
  target: string,
  portDefault: number,
  settings: DnsSettings,
  signal: AbortSignal,
): AsyncGenerator<readonly Endpoint[]> {
  const questions = dnsQuestions(settings.servers)
  signal.addEventListener('abort', () => questions.cancel(), { once: true })
  const names = target.split(',').map((text) => {
    const address = parseAddress(text.trim(), portDefault)
    if (address === undefined)
      throw new LocalError('TARGET', `'${text}' is no name or address: write host, host:port or [v6]:port`)
    return address
  })
  const sets: (readonly Endpoint[] | undefined)[] = names.map(() => undefined)
  let changed: () => void = () => undefined
  let change = new Promise<void>((resolve) => {
    changed = resolve
  })
  const watchers = names.map(async ({ host, port }, index) => {
    for await (const set of watchName(host, port, settings, questions, signal)) {
      sets[index] = set
      changed()
    }
  })
  for (const watcher of watchers) watcher.catch((error: unknown) => settings.onTrouble(String(error)))
  const stopped = aborted(signal)
  let converged = false
  while (!signal.aborted) {
    await Promise.race([change, stopped])
    if (signal.aborted) return
    if (!converged && sets.includes(undefined)) await quietSleep(CONVERGENCE_MS, signal)
    converged = true
    change = new Promise((resolve) => {
      changed = resolve
    })
    yield unique(sets.flatMap((set) => set ?? []))
  }
}

async function* watchName(
  host: string,
  port: number,
  settings: DnsSettings,
  questions: Questions,
  signal: AbortSignal,
): AsyncGenerator<readonly Endpoint[]> {
  if (port === 0 || isAddress(host)) {
    yield [{ id: formatAddress(host, port), host, port }]
    return
  }
  let last = ''
  while (!signal.aborted) {
    const answer = await resolve(host, settings, questions)
    let waitMs = settings.ttlMinMs
    if (answer.kind === 'bound') {
      const set = answer.addresses.map((address) => ({
        id: formatAddress(address, port),
        host: address,
        port,
        name: host,
      }))
      const text = set.map(({ id }) => id).join()
      if (text !== last) yield spread(set, settings.randomUnit)
      last = text
      waitMs = Math.min(Math.max(answer.ttlMs, settings.ttlMinMs), settings.ttlMaxMs)
    } else {
      settings.onTrouble(
        answer.kind === 'none'
          ? `the name ${host} has no address`
          : `the name ${host} could not be resolved (${answer.reason})`,
      )
    }
    await quietSleep(waitMs * (0.9 + 0.1 * settings.randomUnit()), signal)
  }
}

type HostAnswer =
  | { readonly kind: 'bound'; readonly addresses: readonly string[]; readonly ttlMs: number }
  | { readonly kind: 'none' }
  | { readonly kind: 'failed'; readonly reason: string }

async function resolve(host: string, settings: DnsSettings, questions: Questions): Promise<HostAnswer> {
  const inHosts = hostsAddresses(await readSystemFile(settings.hostsFile), host)
  if (inHosts.length > 0) return { kind: 'bound', addresses: sorted(inHosts), ttlMs: settings.ttlMinMs }
  // RFC 6761 section 6.3: localhost never leaves the machine.
  if (host === 'localhost') return { kind: 'bound', addresses: ['127.0.0.1', '::1'], ttlMs: settings.ttlMaxMs }
  const rules = searchRules(await readSystemFile(settings.resolvConf))
  let failure: string | undefined
  for (const name of candidateNames(host, rules)) {
    const answer = await questions.addresses(name)
    if (answer.kind === 'bound') {
      const ttlSeconds = Math.min(...answer.addresses.map((each) => each.ttlSeconds))
      return {
        kind: 'bound',
        addresses: sorted(answer.addresses.map(({ address }) => address)),
        ttlMs: ttlSeconds * 1000,
      }
    }
    // A name that nobody could tell about may exist: what comes later in the list must not take its place.
    if (answer.kind === 'failed') {
      failure = answer.reason
      break
    }
  }
  return failure === undefined ? { kind: 'none' } : { kind: 'failed', reason: failure }
}

/** IPv4 first, then by text: servers rotate their answers, and a rotation is no change. */
function sorted(addresses: readonly string[]): readonly string[] {
  return [...new Set(addresses)].sort(
    (one, other) => Number(one.includes(':')) - Number(other.includes(':')) || (one < other ? -1 : 1),
  )
}

/** A fleet must not all begin with the same address: each process starts at another one, IPv4 before IPv6. */
function spread(set: readonly Endpoint[], randomUnit: () => number): readonly Endpoint[] {
  const v4 = set.filter(({ host }) => !host.includes(':'))
  const v6 = set.filter(({ host }) => host.includes(':'))
  return [v4, v6].flatMap((family) => {
    const first = Math.floor(randomUnit() * family.length)
    return [...family.slice(first), ...family.slice(0, first)]
  })
}

function unique(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const byId = new Map(endpoints.map((endpoint) => [endpoint.id, endpoint]))
  return [...byId.values()]
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

async function quietSleep(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal, ref: false })
  } catch {
    // Aborted: the loop around sees it.
  }
}
