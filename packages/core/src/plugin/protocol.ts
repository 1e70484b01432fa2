/**
 * The application half of a protocol: what a plugin author writes for the thread that runs the user's code.
 *
 * Rules:
 * 1. It never sees a socket. Everything it does goes through its `Link`.
 * 2. An `Operation` is a module constant; nothing is allocated per call but the arguments.
 * 3. `encode` runs once per call and depends on its arguments alone: the kernel may send the bytes again.
 * 4. `decode` copies what it keeps: the bytes it is shown lie in shared memory and are overwritten when it returns.
 */
import type { ByteWriter } from './byte-writer.ts'
import type { Cloneable } from './cloneable.ts'
import type { Discovery } from './discovery.ts'

/** What an application imports and hands to `createKernel({ protocols: [redis] })`. */
export interface Protocol<Target, Io extends Cloneable, App, Client> {
  readonly kind: 'protocol'
  readonly name: string
  /** `PLUGIN_API` of the contract it was written against. */
  readonly api: number
  /** Always `new URL('./io.js', import.meta.url)`: only the package itself knows where its I/O half lies. */
  readonly io: URL
  readonly supports: Supports
  /** Options of `connect()` whose defaults differ here, by name: what servers of this kind bear. The user's win. */
  readonly limits?: { readonly [option: string]: number }
  /** Parses URL, object, environment and defaults. Throws `LocalError` for what it does not understand. */
  resolve(target: string | Target): Resolved<Io, App>
  client(link: Link, app: App): Client
}

/** The manifest. Users read it, the kernel obeys it, the conformance kit tests it or skips by it. */
export interface Supports {
  readonly replies: 'in-order' | 'correlated'
  /**
   * `one`: a single command lane per endpoint, because callers rely on the order of calls they do not await.
   * `elastic`: lanes open and close with the work, and calls known to be quick reads share them. `pool`: one call at a
   * time on each connection, as many as there is work for, over all addresses; where `Connection.callsMax` allows it,
   * reads with a fingerprint stand behind others when there is no connection left to open.
   */
  readonly lanes: 'one' | 'elastic' | 'pool'
  /**
   * `asked`: pushes are asked for key by key (`subscribe`), on a connection that carries nothing else. `lanes`: the
   * peer sends them unasked, and requests of its own as well, over the connections that calls go over.
   */
  readonly push: 'none' | 'asked' | 'lanes'
  readonly serve: boolean
  readonly tls: 'none' | 'direct' | 'negotiated'
}

export interface Resolved<Io extends Cloneable, App> {
  /**
   * Threads and calls to `connect` that resolve to one key share one upstream. Contains whatever makes two of them
   * differ.
   */
  readonly upstreamKey: string
  /** For people: what it is, without credentials. `redis://cache.internal:6379/0`. */
  readonly authority: string
  readonly name: NameTarget
  readonly tls?: TlsOptions
  /** Options of `connect()` that the target itself names (`connect_timeout` in a URL). The user's win. */
  readonly limits?: { readonly [option: string]: number }
  /** What crosses to the I/O half. */
  readonly io: Io
  /** What stays: type parsers, callbacks. */
  readonly app: App
  /** Asked before each handshake; its last value serves reconnects while the application is busy. */
  credentials?(): Cloneable | Promise<Cloneable>
}

/** What to watch. `static` targets are `host:port` (numeric host) or `/path`, separated by commas. */
export interface NameTarget {
  /** `dns`, `static`, or the name of a registered discovery. */
  readonly discovery: string
  /** `cache.internal:6379`; several by commas; what a discovery plugin understands. */
  readonly target: string
  readonly portDefault: number
}

/** As in `node:tls`. Certificates and keys are PEM text or bytes. */
export interface TlsOptions {
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[]
  readonly cert?: string | Uint8Array
  readonly key?: string | Uint8Array
  readonly passphrase?: string
  /** Sent as SNI and checked against the certificate. Default: the host of the target. */
  readonly servername?: string
  /** Default true. */
  readonly rejectUnauthorized?: boolean
  /** Whether the certificate must be for the name as well. Default true; false checks the chain alone. */
  readonly verifyName?: boolean
  readonly alpnProtocols?: readonly string[]
  /** The peer must choose one of `alpnProtocols`, or the connection ends. Default false. */
  readonly alpnRequired?: boolean
  /** Default: Node's, TLS 1.2. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'
  /** `negotiated`: the handshake script asks for it by `upgradeTls()`. Default `direct`. */
  readonly mode?: 'direct' | 'negotiated'
}

/** One kind of request. */
export interface Operation<Args, Reply> {
  /** Low cardinality: metric label, span name, what the debug endpoint shows. */
  readonly name: string
  readonly access: 'read' | 'write'
  /** `session`: the call takes a connection to itself for as long as it lasts, without the caller asking. */
  readonly on: 'lane' | 'session'
  /** May the kernel send it again when it cannot know whether the first one was executed? */
  readonly idempotent: boolean
  /**
   * `written`: nothing answers it; the call settles when the operating system has taken its bytes, and `decode` is
   * given none. Default `reply`. On a session it goes out at once, whatever waits there: what belongs behind a request
   * is sent when that is on its way.
   */
  readonly answer?: 'reply' | 'written'
  /** May leave state behind that others must not see: the connection is reset before anyone else uses it. */
  readonly taints?: boolean
  /** Default deadline of this operation; 0 for none. Absent: `callDeadlineMs` of the upstream. */
  readonly deadlineMs?: number
  /** Writes the request. The hint reaches `FrameSink.hint` and `Connection.submit`; 0 where there is nothing to say. */
  encode(out: ByteWriter, args: Args): number
  /**
   * Calls with the same number (a hash of the statement, 32 bits) take about as long: elastic lanes learn by it which
   * calls may share one. Absent, or 0: nothing is known, and the call has its lane to itself.
   */
  fingerprint?(args: Args): number
  /** `facts` are those of the connection the reply came over. Throw the server's error. Copy what is kept. */
  decode(reply: ReplyBytes, args: Args, facts: Cloneable): Reply
  /**
   * For replies that may be of any size: one that does not come in one piece is given here, as a stream, and `decode`
   * sees only those that do. Only where a call has its connection to itself (`lanes: 'pool'`, sessions). From here on
   * the stream's pace holds: see `Link.stream`.
   */
  open?(reply: ReplyStream, args: Args): Reply | Promise<Reply>
}

/** All frames of one reply: bytes[start, end). One object is used for every reply: do not keep it. */
export interface ReplyBytes {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
}

export interface CallOptions {
  readonly signal?: AbortSignal
  /** From the call to its reply's arrival, by the I/O thread's clock. 0 for none. */
  readonly deadlineMs?: number
  /** Overrides the operation's. */
  readonly idempotent?: boolean
  /**
   * While calls wait, those of higher priority get more of the turns (16 to 4 to 1); none is starved. Ignored where
   * callers rely on the order of their calls (`lanes: 'one'`). Default `normal`.
   */
  readonly priority?: Priority
  /**
   * Called once, before the promise is settled: when the reply is here, or its first piece where it becomes a stream;
   * of `Link.stream` when it has ended. A call that fails on the way has no split to tell.
   */
  readonly onTiming?: (timing: CallTiming) => void
}

export type Priority = 'high' | 'normal' | 'low'

/** Where the time of one call went, in milliseconds. */
export interface CallTiming {
  /** Call made until written to a socket. */
  readonly queuedMs: number
  /** Written until the last byte of the reply had arrived. */
  readonly upstreamMs: number
  /** Arrived until the application thread looked. */
  readonly waitingForApplicationMs: number
  /** Decoding on the application thread. */
  readonly applicationMs: number
}

/** Everything a client half gets. */
export interface Link {
  readonly upstream: UpstreamHandle
  request<Args, Reply>(operation: Operation<Args, Reply>, args: Args, options?: CallOptions): Promise<Reply>
  /**
   * A reply that is read as it arrives, on a connection of its own (on a session: on the session's; of a `pool`: on a
   * lane, which nobody shares). The reader sets the pace: what it has not taken is bounded by `streamBytesMax`, and
   * beyond that the peer waits. `deadlineMs` is how long the peer may keep a reader waiting; `operation.decode` is not
   * called.
   */
  stream<Args>(operation: Operation<Args, unknown>, args: Args, options?: CallOptions): ReplyStream
  /**
   * Pushes for a key (channel, LISTEN name, method), kept across reconnects. Resolves when the peer has registered the
   * key (where pushes come unasked: when there is a lane); rejects, and gives the interest up, when that has not
   * happened by the deadline (default: `callDeadlineMs`).
   */
  interest(key: string, on: InterestHandler, options?: WaitOptions): Promise<Interest>
  /** A connection lent to one caller until it is closed. */
  session(options?: CallOptions): Promise<SessionLink>
}

/** The reply's bytes, in order, cut anywhere. Iterate once; leaving the loop early gives the rest up. */
export interface ReplyStream extends AsyncIterable<ReplyPiece>, AsyncDisposable {
  /** Gives up what has not been read. Idempotent. */
  close(): Promise<void>
}

export interface ReplyPiece {
  /** The reader's own. */
  readonly bytes: Buffer
  /** Of the connection it came over. */
  readonly facts: Cloneable
}

export interface WaitOptions {
  readonly signal?: AbortSignal
  /** 0 for none. */
  readonly deadlineMs?: number
}

export interface SessionLink extends Link {
  /** Gives the connection back; it is reset before anyone else uses it. Idempotent. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
  /** True once the connection is lost: every further call fails with `SESSION_LOST`, `sent: 'no'`. */
  readonly lost: boolean
}

export interface InterestHandler {
  /** The frame is overwritten when this returns: copy what is kept. */
  push?(frame: ReplyBytes, facts: Cloneable): void
  /**
   * The peer asks. `answer` is called once, whenever that is: its bytes go out over the connection that the request
   * came over. Absent: the peer is told that nobody takes its requests. Of several handlers for a key the oldest is
   * asked.
   */
  request?(frame: ReplyBytes, facts: Cloneable, answer: Answer): void
  /** Some pushes may have been missed: the connection was replaced, or this thread did not keep up. */
  gap(reason: GapReason): void
  /** Makes the error of what the peer answered instead of registering the key. */
  refused?(frame: ReplyBytes): Error
  /** The peer refused or ended it; nothing comes after this. */
  failed(error: Error): void
}

/**
 * Answers a request of the peer's, with finished bytes that go out as they are. Resolves when the operating system has
 * them; rejects when the connection that the request came over is gone.
 */
export type Answer = (encode: (out: ByteWriter) => void) => Promise<void>

export type GapReason = 'reconnected' | 'overflow'

export interface Interest {
  /** No push comes after this; a request that was on its way may still be asked. */
  close(): Promise<void>
}

export type UpstreamStatus = 'connecting' | 'ready' | 'down' | 'closed'

export interface UpstreamState {
  readonly status: UpstreamStatus
  /** Addresses that the name stands for at the moment. */
  readonly endpoints: readonly string[]
  /** Why it is not ready; the last failure otherwise. */
  readonly reason: string | undefined
}

/** A lane that was dropped, so that nobody sees what some call left on it. */
export interface Pollution {
  readonly endpoint: string
  /** What was found, by name: `settings: search_path`, `an open transaction`. Never a value. */
  readonly found: string
}

export interface UpstreamHandle {
  readonly authority: string
  readonly state: UpstreamState
  /** Resolves when calls can be answered; rejects with `DeadlineError` that says what stands in the way. */
  ready(options?: WaitOptions): Promise<void>
  /** Calls `listener` at each change, with the AsyncLocalStorage context of this call. */
  onState(listener: (state: UpstreamState) => void): Disposable
  /** Calls `listener` when a shared connection was dropped because a call had left state behind on it. */
  onPolluted(listener: (pollution: Pollution) => void): Disposable
  /** Lets what is in flight finish, then closes this client's use of the upstream. */
  close(options?: { readonly deadlineMs?: number }): Promise<void>
}

export type AnyProtocol = Protocol<never, Cloneable, unknown, unknown>
export type AnyDiscovery = Discovery<Cloneable>
