/**
 * The I/O half of a protocol: what a plugin author writes for the thread that owns the sockets.
 *
 * Rules:
 * 1. Sans-I/O and sans-clock: bytes in, bytes out. Nothing here opens a socket, starts a timer or draws a random
 *    number.
 * 2. One `Connection` object per socket; two of them share no state.
 * 3. `scan` copies nothing and keeps nothing: the memory it is shown is overwritten when it returns.
 * 4. What throws costs the connection it was thrown on, never the thread. Throw `RemoteProtocolError` for bytes that
 *    the protocol does not allow.
 *
 * Theory of operation: requests arrive encoded by the application half. The kernel chooses a connection, writes the
 * request (through `submit`, where there is one) and remembers it in order. `scan` delimits what comes back and says
 * what each frame is by flags; the kernel matches frames with requests and copies them to the caller's thread
 * undecoded.
 *
 * What is asked of a connection, by its purpose (A: `push: 'asked'`, L: `push: 'lanes'`):
 *
 *             handshake  submit  reset, audit  cancel  subscribe  route  refuse  probe
 *   lane          x        x          x                             L      L
 *   session       x        x       reset         x                  L      L
 *   push          x                                        A        A
 *   monitor       x                                                               x
 *   cancel        x
 */

import type { ByteWriter } from './byte-writer.ts'
import type { Cloneable } from './cloneable.ts'
import type { Endpoint } from './discovery.ts'
import type { Script } from './script.ts'

/** The default export of the module that `Protocol.io` points at. */
export interface IoProtocol<Io extends Cloneable> {
  readonly name: string
  readonly api: number
  connection(io: Io, place: Place): Connection
}

/** Where a connection stands, and what it may use. */
export interface Place {
  readonly side: 'client' | 'server'
  /**
   * What the kernel wants it for. A `push` connection carries interests and nothing else; a `monitor` carries probes;
   * a `session` is lent to one caller at a time. A `cancel` connection lives for its handshake alone, which asks the
   * peer to give up what runs on another one.
   */
  readonly purpose: 'lane' | 'session' | 'push' | 'monitor' | 'cancel'
  /** For purpose `cancel`: what `Connection.cancel` of the other connection returned. */
  readonly cancels?: Cloneable
  readonly endpoint: Endpoint
  /** True when TLS is established before the handshake begins. */
  readonly encrypted: boolean
  /** What the credentials callback returned last, where the protocol resolved to one. */
  readonly credentials: Cloneable
  /** Random bytes for nonces. */
  random(length: number): Uint8Array
}

/** Bits of `FrameSink.frame`. A frame without `Final` belongs to the oldest unanswered request, which goes on. */
export const FrameFlag = {
  /** Completes the oldest unanswered request, or the one with this wire id. */
  Final: 1,
  /** Belongs to no request: NOTIFY, a RESP3 push, a notification. May lie in the middle of another frame's pieces. */
  Push: 2,
  /** The peer reported an error: counted, and given to `classify`. */
  Error: 4,
  /** The connection must not be used after this frame, of whatever kind it is. */
  Close: 8,
  /**
   * A piece of a frame whose end is not in yet: passed on so that nobody has to hold the whole. The pieces of one
   * frame, in order, with the `Final` one are the frame.
   */
  Part: 16,
  /**
   * A request from the other side. It goes to the handler of the key that `route` names; where there is none, `refuse`
   * answers it. Never `Final`, which is about our own. A client's connection reports it whole, as it does a push; the
   * serving side may report it in parts, as replies are, of which the first begins it.
   */
  Request: 32,
  /**
   * The caller left state behind (an open transaction, a changed parameter): a session is reset before anyone else uses
   * it; a lane is drained, dropped and reported.
   */
  Dirty: 64,
  /**
   * With `Close`: the peer has promised to look at nothing that was written behind the request which this answers (RFC
   * 9112, section 9.6). All of that goes elsewhere, as if it had not been written.
   */
  Unread: 128,
} as const

export interface FrameSink {
  /**
   * Reports bytes[start, end). Frames are reported in the order of their bytes; pushes inside a frame split it in
   * parts. `wireId` names the request where replies are correlated and not in order.
   */
  frame(start: number, end: number, flags: number, wireId?: number): void
  /**
   * The hint of the oldest unanswered request: what `encode` returned. `0` while a script runs; `-1` when nothing is
   * outstanding, so that a frame which is no push would be unsolicited. Where replies name what they answer, neither
   * says much: the call may have been given up.
   */
  hint(): number
  /**
   * For what the protocol itself says to bytes it has just read: an acknowledgement, a pong, the second half of a
   * request that needed an answer first. Written after this `scan`, behind what is written already; lost where the
   * connection is closed meanwhile. Ask for it each time: others may write between two frames.
   */
  out(): ByteWriter
}

/** What an error frame means to the kernel. */
export type Verdict =
  /** This call only. */
  | 'call'
  /**
   * The peer is not what it was (primary became replica): the call fails, and another address is tried if there is one.
   */
  | 'role-lost'
  /** The call fails and the connection is drained and replaced. */
  | 'retire'
  /** The peer asks for less. Today this is `call`. */
  | 'overloaded'
  /**
   * The peer says it did nothing: an idempotent call goes out again, within its deadline and the retry budget; any
   * other gets the error, because a script of the peer's may have made it up.
   */
  | 'not-executed'
  /**
   * What the connection had prepared for this call is out of date, and the peer has undone or not begun the call: it is
   * sent again, once, whatever it is. On a session the caller gets the error.
   */
  | 'stale'

/** What a push is to the interests of this upstream. */
export interface PushRoute {
  /** The interest's key, as the application half named it; `undefined` when the push concerns nobody. */
  readonly key: string | undefined
  /**
   * `message`: deliver it. `confirmed`: the peer has registered the key. `ended`: the peer has dropped it. `all`: every
   * interest with this prefix (Redis: all keys are invalid).
   */
  readonly kind: 'message' | 'confirmed' | 'ended' | 'all'
}

/** A plugin's state for one socket. It knows what it negotiated, what it has prepared and what was sent. */
export interface Connection {
  /**
   * Reads like the specification's chapter. Its result is the facts of the connection: version, role, parameters,
   * capabilities; the application half decodes replies with them. Throw `RefusedError` when the peer will not let us
   * in.
   */
  handshake?(): Script<Cloneable>
  /** The framer. Reports what is complete in bytes[start, end) and returns how many bytes are done with. */
  scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number
  /** The peer half-closed: report the frame that only this completes, an empty one, or throw. */
  closed?(sink: FrameSink): void
  /**
   * May add to a request what depends on this connection (Parse, stmt_id, wire id). Absent: the payload goes out as it
   * is. `wireId` is 0 where replies come in order, and for a call that nothing answers. `payload` is overwritten when
   * this returns. Throwing fails this call alone, unsent.
   */
  submit?(payload: Uint8Array, hint: number, wireId: number, out: ByteWriter): void
  /**
   * How many calls may be unanswered here at once; asked again and again, for it may change. Absent or undefined:
   * `pipelineMax`. 1 gives each call the connection to itself.
   */
  callsMax?(): number | undefined
  /** Asks the peer for pushes of one more key, on a connection whose purpose is `push`. */
  subscribe?(key: string, out: ByteWriter): void
  /**
   * Asks the peer to end them. What answers this must be reported as a push: a frame that is none answers the oldest
   * `subscribe`.
   */
  unsubscribe?(key: string, out: ByteWriter): void
  /**
   * Which interest a push, or a request of the peer's (whose `kind` is always `message`), belongs to. Absent: pushes
   * are dropped.
   */
  route?(bytes: Buffer, start: number, end: number): PushRoute
  /** Answers a request of the peer's that nobody takes: there is no handler, or its thread does not keep up. */
  refuse?(bytes: Buffer, start: number, end: number, out: ByteWriter): void
  /**
   * Is the peer there, and still what the target asks for? Runs on the monitor connection. Throws `RoleError` when the
   * peer has become something else: lanes go to another address, if there is one.
   */
  probe?(): Script<Cloneable>
  /**
   * Makes a connection as good as new: after a session, and after a call that may leave state behind. Throwing means
   * that the connection is closed instead.
   */
  reset?(): Script<void>
  /**
   * Looks on an idle lane for state that some call left behind. Names what it found (never a value), or returns
   * `undefined`.
   */
  audit?(): Script<string | undefined>
  /**
   * What a connection of purpose `cancel` needs to know to stop what runs on this one. Asked only where the call has
   * the connection to itself. Absent: a call that is given up costs its connection.
   */
  cancel?(): Cloneable
  classify?(bytes: Buffer, start: number, end: number): Verdict
}
