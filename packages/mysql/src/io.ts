/**
 * The I/O half: what the kernel's thread loads for MySQL and MariaDB.
 *
 * Rules: one `MysqlConnection` per socket; it holds the framer's state, what was agreed on, the statements that it has
 * prepared, and nothing else. Bytes in, bytes out.
 */
import type { Cloneable, Connection, FrameSink, IoProtocol, Place } from '@iokernel/core/plugin'
import { LocalError, PLUGIN_API } from '@iokernel/core/plugin'
import type { FramerLimits } from './limits.ts'

/** What crosses from `resolve` to the I/O thread. */
export interface MysqlIo {
  readonly [name: string]: Cloneable
  readonly user: string
  /** `undefined`: the credentials say it, or none is needed. */
  readonly password: string | undefined
  /** Empty: none is chosen. */
  readonly database: string
  /** Name of a collation of utf8mb4 (or `binary`) for SET NAMES ... COLLATE; empty for the server's of utf8mb4. */
  readonly collation: string
  /** Session variables set when the connection begins, and again after a reset: `time_zone`, `sql_mode`, ... */
  readonly variables: { readonly [name: string]: string | number }
  /** Connection attributes (performance_schema.session_connect_attrs): `program_name`, ... */
  readonly attributes: { readonly [name: string]: string }
  readonly sslMode: SslMode
  /** Names of authentication plugins that may be used; undefined allows every one that is safe where it is used. */
  readonly requireAuth: readonly string[] | undefined
  /** The server's RSA key (PEM), for caching_sha2_password and sha256_password without TLS. */
  readonly serverPublicKey: string | undefined
  /** Ask the server for that key, which whoever stands between may answer. */
  readonly allowPublicKeyRetrieval: boolean
  /** mysql_clear_password, and only over TLS or a unix socket. */
  readonly allowClearText: boolean
  readonly targetRole: TargetRole
  /** `affectedRows` of an UPDATE counts the rows that were found, and not those that were changed. */
  readonly foundRows: boolean
  /** LOAD DATA LOCAL INFILE on sessions. */
  readonly localInfile: boolean
  readonly pipelining: Pipelining
  readonly prepare: boolean
  readonly statementsMax: number
  readonly limits: FramerLimits & { readonly [name: string]: Cloneable }
}

/** As libpq's, which the clients of MySQL name DISABLED, PREFERRED, REQUIRED, VERIFY_CA and VERIFY_IDENTITY. */
export type SslMode = 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full'

/** `primary`: takes writes. `replica`: does not. */
export type TargetRole = 'any' | 'primary' | 'replica'

/** `auto`: where the server is a MariaDB and nothing looks like a proxy. */
export type Pipelining = 'auto' | 'never' | 'always'

const io: IoProtocol<MysqlIo> = {
  name: 'mysql',
  api: PLUGIN_API,
  connection: (options, place) => new MysqlConnection(options, place),
}
export default io

class MysqlConnection implements Connection {
  readonly #options: MysqlIo

  constructor(options: MysqlIo, place: Place) {
    if (place.side === 'server') throw new LocalError('UNSUPPORTED', '@iokernel/mysql has no serving side')
    this.#options = options
  }

  scan(_bytes: Buffer, _start: number, _end: number, _sink: FrameSink): number {
    throw new LocalError('UNSUPPORTED', `no framer yet for ${this.#options.database}`)
  }
}
