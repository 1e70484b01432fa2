/**
 * What is known of a connection once its handshake is over. Replies are decoded with it.
 *
 * Rules: plain data, for it crosses the threads; taken once, at the end of the handshake. What the server reports later
 * (a parameter that changed) is for the I/O half to see.
 */
import type { Cloneable } from '@iokernel/core/plugin'

export interface PostgresFacts {
  readonly [name: string]: Cloneable
  /** `server_version` as the server says it: `15.20 (Debian 15.20-0+deb12u1)`. Empty where a proxy says nothing. */
  readonly version: string
  /** ParameterStatus by name: `server_encoding`, `TimeZone`, `DateStyle`, ... */
  readonly parameters: { readonly [name: string]: string }
  readonly role: PostgresRole
  /** What was agreed on. */
  readonly protocol: '3.0' | '3.2'
  /** Of BackendKeyData; 0 where a proxy sends none. */
  readonly processId: number
}

/** A `primary` takes writes unless it is told not to; a `replica` is in recovery. */
export type PostgresRole = 'primary' | 'replica' | 'unknown'
