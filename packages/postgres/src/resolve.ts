/**
 * From what an application wrote to what the kernel needs: where, as whom, how.
 */
import type { Resolved, TlsOptions } from '@iokernel/core/plugin'
import { LocalError } from '@iokernel/core/plugin'
import type { PostgresApp, TypeParsers } from './app.ts'
import type { PostgresIo, TargetSessionAttrs } from './io.ts'
import type { FramerLimits } from './limits.ts'

/** Who to be: a password, or a user and a password. */
export type PostgresCredentials = string | { readonly user?: string; readonly password: string }

/** Everything is optional; what is not named comes from `url`, then from the environment (PG...), then from defaults. */
export interface PostgresTarget {
  /** The rest of this object adds to it. */
  readonly url?: string
  /** A name, an address, or the folder of a unix socket (`/var/run/postgresql`). */
  readonly host?: string
  readonly port?: number
  /** Several: `['10.0.0.1:5432', 'b.internal', '/var/run/postgresql']`. */
  readonly hosts?: readonly string[]
  /** A registered discovery, and what it understands. */
  readonly discovery?: { readonly name: string; readonly target: string }
  readonly user?: string
  /** A function is asked before each handshake, for passwords that expire. */
  readonly password?: string | (() => PostgresCredentials | Promise<PostgresCredentials>)
  readonly database?: string
  /** `true` is `verify-full`; options are as in `node:tls`. Wins over `sslMode`. */
  readonly tls?: boolean | TlsOptions
  readonly targetSessionAttrs?: TargetSessionAttrs
  /** Run-time parameters that hold from the start: `{ statement_timeout: '5s' }`. */
  readonly parameters?: { readonly [name: string]: string }
  /** What pg_stat_activity shows. Default `iokernel`. */
  readonly applicationName?: string
  readonly protocolVersion?: '3.0' | '3.2' | 'latest'
  /** False for what stands between and knows no prepared statements. Default true. */
  readonly prepare?: boolean
  /** Statements that a connection keeps prepared. */
  readonly statementsMax?: number
  readonly types?: TypeParsers
  readonly trustedFunctions?: readonly string[]
  readonly insideTransaction?: 'refuse' | 'join'
  /** Bounds on what the server may send. */
  readonly limits?: Partial<FramerLimits>
}

export function resolve(_target: string | PostgresTarget): Resolved<PostgresIo, PostgresApp> {
  throw new LocalError('TARGET', 'not yet')
}
