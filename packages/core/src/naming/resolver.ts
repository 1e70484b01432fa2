/**
 * DNS questions: the only file that imports `node:dns`.
 *
 * Rules: c-ares (`dns.Resolver`) and not `getaddrinfo`, whose four threads the application shares with its files and
 * its zlib. `getaddrinfo` is the last resort, where c-ares has no server to ask (mDNS, NIS, a broken resolv.conf).
 */
import { lookup, Resolver } from 'node:dns/promises'

export interface ResolvedAddress {
  readonly address: string
  readonly ttlSeconds: number
}

/** `none`: the name does not exist or has no address. `failed`: nobody could tell. */
export type Answer =
  | { readonly kind: 'bound'; readonly addresses: readonly ResolvedAddress[] }
  | { readonly kind: 'none' }
  | { readonly kind: 'failed'; readonly reason: string }

export interface Questions {
  addresses(name: string): Promise<Answer>
  cancel(): void
}

/** Time for an answer: two tries of a second each, then the next poll asks again. */
const TIMEOUT_MS = 1_000
const TRIES = 2
/** What `getaddrinfo` does not tell: a time to live. */
const LOOKUP_TTL_SECONDS = 30

export function dnsQuestions(servers: readonly string[] | undefined): Questions {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES })
  if (servers !== undefined) resolver.setServers([...servers])
  const known: Known = new Map()
  return {
    cancel: () => resolver.cancel(),
    async addresses(name) {
      const [v4, v6] = await Promise.all([
        ask(`4 ${name}`, known, () => resolver.resolve4(name, { ttl: true })),
        ask(`6 ${name}`, known, () => resolver.resolve6(name, { ttl: true })),
      ])
      const addresses = [...v4.addresses, ...v6.addresses]
      const answered = v4.failure === undefined || v6.failure === undefined
      if (addresses.length > 0 && answered) return { kind: 'bound', addresses }
      const reason = v4.failure ?? v6.failure
      if (reason === undefined) return { kind: 'none' }
      return reason === 'ECONNREFUSED' && servers === undefined ? lastResort(name) : { kind: 'failed', reason }
    },
  }
}

/** The last good answer of each family: one that fails must not take its addresses away because the other answered. */
type Known = Map<string, readonly ResolvedAddress[]>

async function ask(
  key: string,
  known: Known,
  question: () => Promise<{ address: string; ttl: number }[]>,
): Promise<{ addresses: readonly ResolvedAddress[]; failure: string | undefined }> {
  try {
    const records = await question()
    const addresses = records.map(({ address, ttl }) => ({ address, ttlSeconds: ttl }))
    known.set(key, addresses)
    return { addresses, failure: undefined }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    if (code !== 'ENODATA' && code !== 'ENOTFOUND') return { addresses: known.get(key) ?? [], failure: code }
    known.delete(key)
    return { addresses: [], failure: undefined }
  }
}

async function lastResort(name: string): Promise<Answer> {
  try {
    const found = await lookup(name, { all: true, verbatim: true })
    return { kind: 'bound', addresses: found.map(({ address }) => ({ address, ttlSeconds: LOOKUP_TTL_SECONDS })) }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    return code === 'ENOTFOUND' ? { kind: 'none' } : { kind: 'failed', reason: code }
  }
}
