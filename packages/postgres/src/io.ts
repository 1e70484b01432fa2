/**
 * The I/O half: what the kernel's thread loads for Postgres.
 *
 * Rules: one `PostgresConnection` per socket; it holds the framer's state, what the server has reported, the statements
 * that it has prepared, what a push connection has been asked for, and nothing else. Bytes in, bytes out.
 */
import type {
  ByteWriter,
  Cloneable,
  Connection,
  FrameSink,
  IoProtocol,
  Place,
  PushRoute,
  Script,
  Verdict,
} from '@iokernel/core/plugin'
import { LocalError, PLUGIN_API } from '@iokernel/core/plugin'
import { audit } from './audit.ts'
import { classify } from './codec/errors.ts'
import { Framer } from './framer.ts'
import type { BackendKey } from './handshake/messages.ts'
import { cancelHandshake, handshake } from './handshake.ts'
import type { FramerLimits } from './limits.ts'
import { Parameters } from './parameters.ts'
import { probe } from './probe.ts'
import { PushLedger } from './push.ts'
import { reset } from './reset.ts'
import { Statements } from './statements.ts'

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

const io: IoProtocol<PostgresIo> = {
  name: 'postgres',
  api: PLUGIN_API,
  connection: (options, place) => new PostgresConnection(options, place),
}
export default io

const NOBODY: PushRoute = { key: undefined, kind: 'message' }

class PostgresConnection implements Connection {
  readonly #options: PostgresIo
  readonly #place: Place
  readonly #parameters = new Parameters()
  readonly #statements: Statements
  readonly #ledger: PushLedger | undefined
  readonly #framer: Framer
  #key: BackendKey | undefined
  /** A lane or monitor was a primary that takes writes when it began: an error that says otherwise is news. */
  #wasWritable = false

  constructor(options: PostgresIo, place: Place) {
    if (place.side === 'server') throw new LocalError('UNSUPPORTED', '@iokernel/postgres has no serving side')
    this.#options = options
    this.#place = place
    this.#statements = new Statements(options.statementsMax, options.prepare)
    this.#ledger = place.purpose === 'push' ? new PushLedger() : undefined
    this.#framer = new Framer(options.limits, this.#parameters, this.#statements, this.#ledger)
  }

  *handshake(): Script<Cloneable> {
    if (this.#place.purpose === 'cancel') return yield* cancelHandshake(this.#options, this.#place)
    const { facts, key, writable } = yield* handshake(this.#options, this.#place, this.#parameters)
    this.#key = key
    this.#wasWritable = writable === true
    this.#framer.begin()
    if (this.#ledger !== undefined) this.#ledger.active = true
    return facts
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

  subscribe(key: string, out: ByteWriter): void {
    this.#ledger?.subscribe(key, out)
  }

  unsubscribe(key: string, out: ByteWriter): void {
    this.#ledger?.unsubscribe(key, out)
  }

  /** Elsewhere than on a push connection nobody has asked for pushes. */
  route(bytes: Buffer, start: number, end: number): PushRoute {
    return this.#ledger?.route(bytes, start, end) ?? NOBODY
  }

  probe(): Script<Cloneable> {
    return probe(this.#options.targetSessionAttrs, this.#parameters)
  }

  *reset(): Script<void> {
    const inTransaction = this.#framer.inTransaction
    const dropped = yield* reset({ inTransaction, tampered: this.#statements.tampered })
    if (dropped) this.#statements.forgetAll()
  }

  audit(): Script<string | undefined> {
    return audit()
  }

  /** Undefined where the server has given no key: then there is nothing to cancel with. */
  cancel(): Cloneable {
    return this.#key === undefined ? undefined : { processId: this.#key.processId, key: this.#key.key }
  }

  classify(bytes: Buffer, start: number, end: number): Verdict {
    if (this.#framer.errorInParts) return 'call'
    if (this.#statements.isStale) return 'stale'
    const verdict = classify(bytes, start, end)
    // A session may have asked for a transaction that takes no writes, and so may a server that is known to be a
    // replica.
    const isNews = this.#wasWritable && this.#place.purpose !== 'session'
    return verdict === 'role-lost' && !isNews ? 'call' : verdict
  }
}
