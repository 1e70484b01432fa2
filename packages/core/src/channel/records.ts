/**
 * What lies in the records of the two rings. See `ring.ts` for the header's layout.
 *
 * Rules: everything that has an order is a record (calls, configuration, errors, closing); doorbells and transferred
 * objects are the only things that go over the port, which has no order with the rings. Control records carry
 * `v8.serialize`d plain data (`messages.ts`); calls and replies carry the protocol's own bytes.
 *
 *   kind      | target            | call    | a          | b            | c              | time, or d and e
 *   ----------+-------------------+---------+------------+--------------+----------------+----------------------
 *   Request   | upstream, session | call id | hint       | deadline ms  | total bytes    | fingerprint, priority
 *   Piece     |                   | call id |            |              |                |
 *   Cancel    |                   | call id |            |              |                |
 *   Credit    |                   | call id | bytes read |              |                |
 *   Control   |                   |         |            |              |                |
 *   ----------+-------------------+---------+------------+--------------+----------------+----------------------
 *   Reply     |                   | call id | facts      | queued µs    | upstream µs    | completed, ms
 *   ReplyPiece|                   | call id | facts      |              | upstream µs    | arrived, ms
 *   Failed    |                   | call id |            | queued µs    | upstream µs    |
 *   Released  |                   | call id |            |              |                |
 *   Push      |                   | interest| facts      |              |                |
 *   Event     |                   |         |            |              |                |
 *
 * `Failed` with `CallFlag.Held` settles the call and keeps its slot: a tombstone stands in the connection's order until
 * `Released`. A `Request` whose total is larger than its payload goes on in `Piece`s; so does a `Push` with
 * `CallFlag.More`. A `ReplyPiece` with `CallFlag.Restart` takes back the pieces before it: the call was sent again.
 */

/** Words of the header, as indexes into the Int32Array from the header's offset. */
export const WORD_LENGTH = 0
export const WORD_KIND = 1
export const WORD_CALL = 2
export const WORD_A = 3
export const WORD_B = 4
export const WORD_C = 5
/** Of a `Request`, in the place of the time. */
export const WORD_D = 6
export const WORD_E = 7
/** Index into the Float64Array from the header's offset / 8. */
export const TIME = 3

export const Submission = { Request: 1, Piece: 2, Cancel: 3, Control: 4, Credit: 5 } as const
export const Completion = { Reply: 1, ReplyPiece: 2, Failed: 3, Released: 4, Push: 5, Event: 6 } as const

/**
 * Flags of a record, in the second byte of WORD_KIND. The same bit means one thing in a request and another in a reply.
 */
export const CallFlag = {
  /** The target is a session and not an upstream. */
  Session: 1,
  /** The call takes a connection to itself (`Operation.on === 'session'`). */
  Exclusive: 2,
  Idempotent: 4,
  /** It may leave state behind: the connection is reset after it. */
  Taints: 8,
  /** The reply is read as it arrives, against credit. */
  Stream: 16,
  /** The operation only reads. */
  Read: 32,
  /** Nothing answers it: it is settled when its bytes have left. */
  Silent: 64,
  /** It answers a request of the peer's: it goes to the connection that the fingerprint's word names. */
  Answer: 128,
  /** Of `Failed`: the slot is not free yet. */
  Held: 8,
  /** Of `ReplyPiece`: what came before it is void. */
  Restart: 8,
  /** Of `Push`: the frame goes on in the next record of this interest. */
  More: 16,
  /** Of `Push`: the peer asks, and wants an answer. */
  Asks: 32,
} as const

/** Priorities as they cross; the order is that of `FairQueue`. */
export const PRIORITIES = ['high', 'normal', 'low'] as const

export function packKind(kind: number, flags: number, target: number): number {
  return kind | (flags << 8) | (target << 16)
}

export function kindOf(word: number): number {
  return word & 0xff
}

export function flagsOf(word: number): number {
  return (word >> 8) & 0xff
}

export function targetOf(word: number): number {
  return word >>> 16
}

/**
 * A call id is a slot and a generation. The slot is reused only after the I/O thread's last record about it, so that
 * the generation merely proves the rule; 12 bits are enough for that.
 */
export const SLOT_BITS = 20
export const SLOTS_MAX: number = 1 << SLOT_BITS
const SLOT_MASK = SLOTS_MAX - 1

export function slotOf(callId: number): number {
  return callId & SLOT_MASK
}

export function callIdOf(slot: number, generation: number): number {
  return slot | (generation << SLOT_BITS)
}

/** Upstreams and sessions are numbered by the application thread; the header has 16 bits for them. */
export const TARGETS_MAX = 0xffff
