/**
 * What a plugin's author hands to the kit: the two halves, and bytes that are known to be right or wrong.
 *
 * Rules:
 * 1. Bytes are a `Uint8Array`, or text with one byte in each character (latin1), so that text protocols can be read.
 * 2. A fixture names what is outstanding when its bytes arrive; what a reply is cannot always be told from its bytes.
 * 3. The manifest (`protocol.supports`) decides which suites apply. There is no other way to leave one out.
 *
 * Limits: a fixture of more than 64 KB is read at a sample of its splits; keep a few of every kind below 4 KB.
 */
import type { Cloneable, IoProtocol, Operation, Place, Protocol, PushRoute, Verdict } from '@iokernel/core/plugin'

export type Bytes = string | Uint8Array

export interface Subject<Io extends Cloneable = Cloneable> {
  /** The folder of the package's `package.json`: `new URL('../', import.meta.url)` from a test in `src`. */
  readonly root: URL
  readonly protocol: Protocol<never, Cloneable, unknown, unknown>
  /** The default export of the package's `./io`. */
  readonly io: IoProtocol<Io>
  /** What `resolve` gives to connections. Fixtures and transcripts may name their own. */
  readonly options: Io
  /** Targets of `connect()` that name different upstreams. */
  readonly targets: readonly string[]
  /** Targets that `resolve` refuses. */
  readonly badTargets: readonly string[]
  /** Passwords and tokens that occur in the targets, the options or the credentials above and below. */
  readonly secrets: readonly string[]
  readonly fixtures: readonly Fixture<Io>[]
  readonly hostile: readonly HostileInput<Io>[]
  /** Frames that can be made as long as one likes: one for each way in which a frame of this protocol can be long. */
  readonly large: readonly LargeFrame<Io>[]
  readonly transcripts: readonly Transcript<Io>[]
  readonly samples: readonly Sample[]
}

/** A connection to be made. */
export interface Setting<Io extends Cloneable = Cloneable> {
  readonly options?: Io
  /** Default `client`: the peer is a server. */
  readonly side?: Place['side']
  /** Default `lane`. */
  readonly purpose?: Place['purpose']
  readonly encrypted?: boolean
  readonly credentials?: Cloneable
  /** With purpose `cancel`: what `Connection.cancel` of the other connection gave. */
  readonly cancels?: Cloneable
}

/**
 * A request that is outstanding: the hint alone, or all of it where the connection looks at the bytes (`submit`).
 * `silent`: one that nothing answers (`answer: 'written'`); it has no wire id.
 */
export type Outstanding = number | { readonly hint: number; readonly payload?: Bytes; readonly silent?: boolean }

/** Bytes from the peer, and what they are. */
export interface Fixture<Io extends Cloneable = Cloneable> extends Setting<Io> {
  readonly name: string
  readonly bytes: Bytes
  /** Oldest first. Default: none. Where replies are correlated, their wire ids are 1, 2, 3, ... */
  readonly requests?: readonly Outstanding[]
  /** Keys that a push connection has been asked to subscribe to. */
  readonly keys?: readonly string[]
  /** A script that comes first, on the same connection: usually the handshake. */
  readonly after?: Transcript<Io>
  /** The peer half-closes after the bytes. */
  readonly ended?: boolean
  /** The peer's last word, though no frame says `Close`: what comes behind it on this connection is nobody's. */
  readonly last?: boolean
  /**
   * What the kernel makes of it, in order. Absent: what one reading of the whole gives, which must answer every request
   * and leave nothing over.
   */
  readonly expected?: readonly Expected[]
  /** What the connection answers by itself (`FrameSink.out`), all of it. Default: nothing. */
  readonly says?: Bytes
}

export type Expected =
  /**
   * All bytes of one reply. `call` counts the requests that are answered from 0; absent: the oldest that is unanswered.
   * A reply whose wire id nobody has is dropped, and nothing is expected of it.
   */
  | { readonly reply: Bytes; readonly flags?: number; readonly call?: number; readonly verdict?: Verdict }
  | { readonly push: Bytes; readonly route?: PushRoute }
  /** All bytes of a request of the peer's, and what answers it when nobody takes it (where there is `refuse`). */
  | { readonly request: Bytes; readonly route?: PushRoute; readonly refused?: Bytes }
  /** On a push connection: a frame that answers no request. */
  | { readonly stray: Bytes; readonly flags?: number }

/** Bytes that the framer must refuse with `RemoteProtocolError`. */
export interface HostileInput<Io extends Cloneable = Cloneable> extends Setting<Io> {
  readonly name: string
  readonly bytes: Bytes
  readonly requests?: readonly Outstanding[]
  readonly keys?: readonly string[]
  readonly after?: Transcript<Io>
  /** The peer half-closes after the bytes, and only that is wrong. */
  readonly ended?: boolean
  /** For what the protocol allows the peer to say before it goes: a `RemoteError` with this code instead. */
  readonly code?: string
  /** What the connection says by itself before it refuses. Default: nothing. */
  readonly says?: Bytes
}

export interface LargeFrame<Io extends Cloneable = Cloneable> {
  readonly name: string
  /** A fixture of one frame, of about so many bytes. */
  make(bytesTotal: number): Fixture<Io>
}

/** A conversation between one of the connection's scripts and a peer. */
export interface Transcript<Io extends Cloneable = Cloneable> extends Setting<Io> {
  readonly name: string
  /** Default `handshake`. */
  readonly script?: ScriptName
  /** Another conversation that comes first on the same connection. */
  readonly after?: Transcript<Io>
  readonly peer: readonly PeerStep[]
  readonly ends:
    | { readonly result: unknown }
    /** `RefusedError` where `refused`: nobody will be let in until a person has done something. */
    | { readonly code: string; readonly refused?: boolean }
}

export type ScriptName = 'handshake' | 'probe' | 'reset' | 'audit'

export type PeerStep =
  /** What the script must have sent since the last step, to the byte; or a check of it. */
  | { readonly receives: Bytes | ((sent: Buffer) => boolean) }
  /** What the peer says; or a function of everything the script has sent, for proofs and nonces. */
  | { readonly sends: Bytes | ((sentSoFar: Buffer) => Bytes) }
  /** The same, and then the end of the connection. */
  | { readonly ends: Bytes }
  /** Accepts TLS; the bytes are the peer's certificate. */
  | { readonly upgrades: Bytes }

/** One call: its arguments, its bytes, and what comes back. */
export interface Sample<Args = unknown, Reply = unknown> {
  readonly operation: Operation<Args, Reply>
  readonly args: Args
  /** The whole reply, as the kernel hands it over. */
  readonly reply: Bytes
  /** Of the connection that the reply came over. */
  readonly facts: Cloneable
  /** The value, compared deeply; or the code of the error that is thrown. */
  readonly gives: { readonly value: Reply } | { readonly code: string }
  /** The request on the wire, where it is worth saying. */
  readonly request?: Bytes
  /** What brings a connection to the point where it reads such a reply. */
  readonly after?: Transcript
}

/** Lets the compiler compare arguments and value with the operation's own. */
export function sample<Args, Reply>(one: Sample<Args, Reply>): Sample {
  return one as Sample
}

export function isSilent(outstanding: Outstanding): boolean {
  return typeof outstanding !== 'number' && outstanding.silent === true
}

/** How many of these a reply answers. */
export function callsIn(requests: readonly Outstanding[] = []): number {
  return requests.filter((one) => !isSilent(one)).length
}

export function bytesOf(bytes: Bytes): Buffer {
  if (typeof bytes === 'string') return Buffer.from(bytes, 'latin1')
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}
