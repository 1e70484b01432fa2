/**
 * Signs that something stands between us and the server.
 *
 * Theory of operation: proxies read one command at a time and pass on the next when the answer has come; some lose
 * their place when several commands come at once. None says so. But they introduce themselves in the version, or in
 * `@@version_comment`; and one that speaks for itself greets with a connection number of its own, while CONNECTION_ID()
 * is the server's.
 *
 * Limits: a proxy that hides all three is not found; `pipelining: 'never'` is for those.
 */
import type { Greeting } from './handshake/greeting.ts'

export interface Introduction {
  readonly greeting: Greeting
  /** CONNECTION_ID(), where it was answered. */
  readonly id: string | undefined
  /** @@version_comment. */
  readonly comment: string | undefined
}

export function looksProxied({ greeting, id, comment }: Introduction): boolean {
  if (NAMES.test(greeting.version) || NAMES.test(comment ?? '')) return true
  // A greeting has room for 32 bits.
  return Number(id) % 0x1_0000_0000 !== greeting.connectionId
}

const NAMES = /proxysql|maxscale|vitess|planetscale|tidb|mariadb cloud|skysql|haproxy|router|proxy/i
