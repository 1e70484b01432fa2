/**
 * The I/O half: what the kernel's thread loads for Postgres.
 *
 * Rules: one `PostgresConnection` per socket. Bytes in, bytes out.
 */
import type { Cloneable } from '@iokernel/core/plugin'
import type { FramerLimits } from './limits.ts'

/** What crosses from `resolve` to the I/O thread. */
export interface PostgresIo {
  readonly [name: string]: Cloneable
  readonly user: string
  /** `undefined`: the credentials say it, or none is needed. */
  readonly password: string | undefined
  readonly database: string
  /** Further parameters of the StartupMessage, by name: `application_name`, `options`, `search_path`, ... */
  readonly parameters: { readonly [name: string]: string }
  readonly protocolVersion: '3.0' | '3.2' | 'latest'
  readonly sslMode: SslMode
  readonly channelBinding: 'disable' | 'prefer' | 'require'
  /** As libpq's `require_auth`; undefined allows every method that is safe where it is used. */
  readonly requireAuth: readonly string[] | undefined
  readonly targetSessionAttrs: TargetSessionAttrs
  readonly prepare: boolean
  readonly statementsMax: number
  readonly limits: FramerLimits & { readonly [name: string]: Cloneable }
}

/** As libpq's. `allow` behaves as `prefer`. */
export type SslMode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full'

/** As libpq's. `prefer-standby` takes what it finds. */
export type TargetSessionAttrs = 'any' | 'read-write' | 'read-only' | 'primary' | 'standby' | 'prefer-standby'
