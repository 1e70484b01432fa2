/**
 * The I/O half: what the kernel's thread loads for MySQL and MariaDB.
 *
 * Rules: one `MysqlConnection` per socket; it holds the framer's state, what was agreed on, the statements that it has
 * prepared, and nothing else. Bytes in, bytes out.
 */
import type {
  ByteWriter,
  Cloneable,
  Connection,
  FrameSink,
  IoProtocol,
  Place,
  Script,
  Verdict,
} from '@iokernel/core/plugin'
import { LocalError, PLUGIN_API } from '@iokernel/core/plugin'
import { audit } from './audit.ts'
import { classify } from './codec/errors.ts'
import { type MysqlFacts, Status } from './codec/facts.ts'
import { Framer } from './framer.ts'
import { cancelHandshake, type Greeted, handshake } from './handshake.ts'
import type { FramerLimits } from './limits.ts'
import { probe } from './probe.ts'
import { reset } from './reset.ts'
import { Statements } from './statements.ts'

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
  readonly #place: Place
  readonly #statements: Statements
  readonly #framer: Framer
  #greeted: Greeted | undefined
  /** A lane or monitor was a primary when it began: an error that says otherwise is news. */
  #wasPrimary = false

  constructor(options: MysqlIo, place: Place) {
    if (place.side === 'server') throw new LocalError('UNSUPPORTED', '@iokernel/mysql has no serving side')
    this.#options = options
    this.#place = place
    const max = options.prepare ? options.statementsMax : 0
    this.#statements = new Statements({ max, isSession: place.purpose === 'session' })
    this.#framer = new Framer(options.limits, this.#statements)
  }

  *handshake(): Script<Cloneable> {
    if (this.#place.purpose === 'cancel') return yield* cancelHandshake(this.#options, this.#place)
    const greeted = yield* handshake(this.#options, this.#place)
    this.#greeted = greeted
    this.#wasPrimary = greeted.facts.role === 'primary'
    this.#statements.noBackslashEscapes = greeted.noBackslashEscapes
    this.#statements.requestBytesMax = greeted.facts.maxAllowedPacket
    this.#framer.begin(greeted.facts.deprecateEof)
    return greeted.facts
  }

  scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    return this.#framer.scan(bytes, start, end, sink)
  }

  closed(): void {
    this.#framer.closed()
  }

  submit(payload: Uint8Array, hint: number, _wireId: number, out: ByteWriter): void {
    this.#statements.submit(payload, hint, out)
  }

  /** One behind another only where that reaches the server as it is, and where nothing waits for an answer first. */
  callsMax(): number {
    return this.#isPipelined && !this.#statements.isWaiting ? Number.MAX_SAFE_INTEGER : 1
  }

  probe(): Script<Cloneable> {
    return probe(this.#options.targetRole, this.#facts)
  }

  *reset(): Script<void> {
    if (this.#statements.isWaiting) throw new LocalError('STATE', 'a request is under way: the connection is closed')
    const { server, version, deprecateEof, sessionTrack } = this.#facts
    const kind = { server, version, deprecateEof, sessionTrack }
    const pipelined = this.#isPipelined
    const status = yield* reset({ ...kind, options: this.#options, pipelined, multi: this.#statements.isMulti })
    this.#statements.renewed((status & Status.NoBackslashEscapes) !== 0)
    this.#framer.inTransaction = false
  }

  *audit(): Script<string | undefined> {
    const { seen } = this.#greeted as Greeted
    // What did not show itself when the connection began does not now.
    return seen.length === 0 ? undefined : yield* audit(this.#facts, seen, this.#facts)
  }

  /** For KILL QUERY. */
  cancel(): Cloneable {
    return this.#greeted === undefined ? undefined : { connectionId: this.#facts.connectionId }
  }

  classify(bytes: Buffer, start: number, end: number): Verdict {
    if (this.#framer.isStale) return 'stale'
    const verdict = classify(bytes, start, end)
    // A session may have asked for a transaction that takes no writes, and so may a server that is known for a replica.
    const isNews = this.#wasPrimary && this.#place.purpose !== 'session'
    return verdict === 'role-lost' && !isNews ? 'call' : verdict
  }

  get #facts(): MysqlFacts {
    return (this.#greeted as Greeted).facts
  }

  get #isPipelined(): boolean {
    const { pipelining } = this.#options
    return pipelining === 'always' || (pipelining === 'auto' && this.#greeted?.isDirect === true)
  }
}
