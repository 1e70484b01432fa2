/**
 * A single-producer single-consumer ring of records in shared memory: one direction of a channel.
 *
 * Rules: the producer writes only HEAD, the consumer only TAIL; both keep private copies and read the other's word when
 * theirs says "full" or "empty". No function here waits, allocates or calls anything that might.
 *
 * Theory of operation. HEAD and TAIL count bytes since the beginning and wrap at 2^32, so `HEAD - TAIL` is what is in
 * the ring, and a full ring (`== capacity`) differs from an empty one (`== 0`):
 *
 *        TAIL                HEAD                      capacity (a power of two)
 *          |                   |                          |
 *   [......| record | record   |..........................]
 *          ^ the consumer      ^ the producer writes here, then moves HEAD
 *
 * A record is contiguous and begins at a multiple of 8:
 *
 *   byte  0        4                      8        12       16       20       24           32
 *         | length | kind flags target    | call   | a      | b      | c      | time (f64) | payload…, padded to 8
 *
 * One that does not fit before the end leaves a skip marker (kind 0; 8 bytes are always left) and starts at offset 0.
 *
 * Sleeping (the missed-wake-up race): the consumer raises its flag and *then* looks at HEAD again; the producer moves
 * HEAD and *then* looks at the flag. Both go through `Atomics`, which are sequentially consistent, so at least one of
 * them sees the other. The same holds, with the roles exchanged, for a producer that waits for room.
 *
 * Invariants (checked by `invariants()`):
 *   1. 0 <= HEAD - TAIL <= capacity.
 *   2. HEAD and TAIL are multiples of 8.
 *   3. A record lies wholly inside [TAIL, HEAD) and inside [0, capacity).
 *   4. What the producer believes of TAIL, and the consumer of HEAD, is never ahead of the truth.
 *
 * Limits: a record's payload is at most `payloadMax`: a quarter of the ring, less the header. Larger messages are
 * pieces.
 */
import { assert } from '../shared/assert.ts'

export const HEADER_BYTES = 32
/** Kind 0 is the skip marker: shared memory is zero when it is new, and no record has this kind. */
export const KIND_SKIP = 0

/** What the consumer is doing. BLOCKED is a thread inside `Atomics.wait`, which never reads a port. */
export const AWAKE = 0
export const SLEEPING = 1
export const BLOCKED = 2

/** Words of the control block, 64 bytes apart: the two threads write to different cache lines. */
const HEAD = 0
const TAIL = 16
const CONSUMER_STATE = 32
const PRODUCER_WAITS = 48
const CONTROL_BYTES = 256

export interface RingMemory {
  readonly control: SharedArrayBuffer
  readonly data: SharedArrayBuffer
}

export function ringMemory(capacityBytes: number): RingMemory {
  assert(
    capacityBytes >= 1024 && (capacityBytes & (capacityBytes - 1)) === 0,
    'a ring is a power of two of at least 1 KB',
  )
  assert(capacityBytes <= 1 << 30, 'positions are 32 bits, so a ring is at most 1 GB')
  return { control: new SharedArrayBuffer(CONTROL_BYTES), data: new SharedArrayBuffer(capacityBytes) }
}

export function payloadMaxOf(capacityBytes: number): number {
  return capacityBytes / 4 - HEADER_BYTES
}

function padded(length: number): number {
  return (length + 7) & ~7
}

export class RingProducer {
  readonly bytes: Buffer
  readonly words: Int32Array
  readonly times: Float64Array
  readonly capacity: number
  readonly payloadMax: number
  readonly #control: Int32Array
  #head: number
  #tailSeen: number
  /** Bytes to jump over before the record under way. */
  #skip = 0
  /** Offset of the record under way, -1 when there is none. */
  #open = -1

  constructor(memory: RingMemory) {
    this.#control = new Int32Array(memory.control)
    this.bytes = Buffer.from(memory.data)
    this.words = new Int32Array(memory.data)
    this.times = new Float64Array(memory.data)
    this.capacity = memory.data.byteLength
    this.payloadMax = payloadMaxOf(this.capacity)
    this.#head = Atomics.load(this.#control, HEAD)
    this.#tailSeen = Atomics.load(this.#control, TAIL)
  }

  /**
   * Finds room for a record with at least `payloadBytes`. Returns the offset of its header, or -1 when the ring is too
   * full. Nothing is visible to the consumer before `commit`; calling `begin` again forgets the record under way.
   */
  begin(payloadBytes: number): number {
    const need = padded(HEADER_BYTES + payloadBytes)
    const offset = this.#head & (this.capacity - 1)
    const untilEnd = this.capacity - offset
    const skip = need <= untilEnd ? 0 : untilEnd
    if (this.capacity - ((this.#head - this.#tailSeen) | 0) < skip + need) {
      this.#tailSeen = Atomics.load(this.#control, TAIL)
      if (this.capacity - ((this.#head - this.#tailSeen) | 0) < skip + need) {
        this.#open = -1
        return -1
      }
    }
    if (skip !== 0) {
      this.words[offset >> 2] = skip
      this.words[(offset >> 2) + 1] = KIND_SKIP
    }
    this.#skip = skip
    this.#open = skip === 0 ? offset : 0
    return this.#open
  }

  /** Where the payload of the record under way may end: an encoder that does not know its length writes up to here. */
  payloadLimit(): number {
    assert(this.#open >= 0, 'payloadLimit() outside a record')
    const room = this.capacity - ((this.#head + this.#skip - this.#tailSeen) | 0)
    const end = this.#open + Math.min(room, HEADER_BYTES + this.payloadMax)
    return Math.min(end, this.capacity)
  }

  /** Publishes the record under way. The caller has filled the header's words but the length. */
  commit(payloadBytes: number): void {
    const open = this.#open
    assert(open >= 0, 'commit() outside a record')
    this.words[open >> 2] = payloadBytes
    this.#head = (this.#head + this.#skip + padded(HEADER_BYTES + payloadBytes)) | 0
    this.#open = -1
    Atomics.store(this.#control, HEAD, this.#head)
  }

  /**
   * To be called after `commit`: what the consumer was doing. Anything but AWAKE must be answered with one ring of its
   * doorbell (or `unblock`), and counts as answered: the next call returns AWAKE.
   */
  takeConsumerState(): number {
    if (Atomics.load(this.#control, CONSUMER_STATE) === AWAKE) return AWAKE
    return Atomics.exchange(this.#control, CONSUMER_STATE, AWAKE)
  }

  /** Wakes a consumer that was found BLOCKED. */
  unblock(): void {
    Atomics.notify(this.#control, CONSUMER_STATE)
  }

  /**
   * Says that the doorbell shall be rung when room appears. Returns false when there is room for `payloadBytes`
   * already: the flag is raised first and TAIL read afterwards, so that room made in between is not missed.
   */
  waitForRoom(payloadBytes: number): boolean {
    Atomics.store(this.#control, PRODUCER_WAITS, 1)
    if (this.begin(payloadBytes) === -1) return true
    this.#open = -1
    Atomics.store(this.#control, PRODUCER_WAITS, 0)
    return false
  }

  /** True when the consumer has taken every record. */
  isEmpty(): boolean {
    return Atomics.load(this.#control, TAIL) === this.#head
  }

  /** Bytes the consumer has taken since the beginning, modulo 2^32: lets a watchdog see progress. */
  taken(): number {
    return Atomics.load(this.#control, TAIL)
  }

  invariants(): void {
    const tail = Atomics.load(this.#control, TAIL)
    const used = (this.#head - tail) | 0
    assert(used >= 0 && used <= this.capacity, `ring invariant 1 (producer): ${used} bytes in use of ${this.capacity}`)
    assert(this.#head % 8 === 0 && tail % 8 === 0, 'ring invariant 2 (producer)')
    assert(((tail - this.#tailSeen) | 0) >= 0, 'ring invariant 4 (producer)')
  }
}

export class RingConsumer {
  readonly bytes: Buffer
  readonly words: Int32Array
  readonly times: Float64Array
  readonly capacity: number
  readonly #control: Int32Array
  #tail: number
  #headSeen: number
  /** TAIL as last published. */
  #released: number

  constructor(memory: RingMemory) {
    this.#control = new Int32Array(memory.control)
    this.bytes = Buffer.from(memory.data)
    this.words = new Int32Array(memory.data)
    this.times = new Float64Array(memory.data)
    this.capacity = memory.data.byteLength
    this.#tail = Atomics.load(this.#control, TAIL)
    this.#released = this.#tail
    this.#headSeen = Atomics.load(this.#control, HEAD)
  }

  /** Offset of the oldest record's header, -1 when there is none. The record stays valid until `release`. */
  peek(): number {
    if (this.#tail === this.#headSeen) {
      this.#headSeen = Atomics.load(this.#control, HEAD)
      if (this.#tail === this.#headSeen) return -1
    }
    const offset = this.#tail & (this.capacity - 1)
    if (((this.words[(offset >> 2) + 1] as number) & 0xff) !== KIND_SKIP) return offset
    this.#tail = (this.#tail + (this.words[offset >> 2] as number)) | 0
    // A skip marker is published together with the record after it.
    return 0
  }

  /** Steps over the record that `peek` showed. Its memory is the producer's again after `release`. */
  next(offset: number): void {
    this.#tail = (this.#tail + padded(HEADER_BYTES + (this.words[offset >> 2] as number))) | 0
  }

  /**
   * Gives the memory of everything stepped over back. True when the producer waits for room: its doorbell must be rung.
   */
  release(): boolean {
    if (this.#released === this.#tail) return false
    this.#released = this.#tail
    Atomics.store(this.#control, TAIL, this.#tail)
    return Atomics.load(this.#control, PRODUCER_WAITS) === 1 && Atomics.exchange(this.#control, PRODUCER_WAITS, 0) === 1
  }

  /** Announces sleep. False when a record arrived meanwhile: do not sleep, drain again. */
  sleep(): boolean {
    Atomics.store(this.#control, CONSUMER_STATE, SLEEPING)
    if (Atomics.load(this.#control, HEAD) === this.#tail) return true
    Atomics.store(this.#control, CONSUMER_STATE, AWAKE)
    return false
  }

  /** Withdraws the announcement: the consumer is looking by itself. */
  wake(): void {
    Atomics.store(this.#control, CONSUMER_STATE, AWAKE)
  }

  /** Blocks the thread until a record arrives or the time is over. Never on an event loop that others depend on. */
  block(timeoutMs: number): void {
    Atomics.store(this.#control, CONSUMER_STATE, BLOCKED)
    if (Atomics.load(this.#control, HEAD) === this.#tail) {
      Atomics.wait(this.#control, CONSUMER_STATE, BLOCKED, timeoutMs)
    }
    Atomics.store(this.#control, CONSUMER_STATE, AWAKE)
  }

  isEmpty(): boolean {
    return Atomics.load(this.#control, HEAD) === this.#tail
  }

  invariants(): void {
    const head = Atomics.load(this.#control, HEAD)
    const used = (head - this.#released) | 0
    assert(used >= 0 && used <= this.capacity, `ring invariant 1 (consumer): ${used} bytes in use of ${this.capacity}`)
    assert(this.#tail % 8 === 0 && head % 8 === 0, 'ring invariant 2 (consumer)')
    assert(((head - this.#headSeen) | 0) >= 0, 'ring invariant 4 (consumer)')
    let at = this.#tail
    while (at !== head) {
      const offset = at & (this.capacity - 1)
      const length = this.words[offset >> 2] as number
      const skip = ((this.words[(offset >> 2) + 1] as number) & 0xff) === KIND_SKIP
      const end = skip ? offset + length : offset + padded(HEADER_BYTES + length)
      assert(length >= 0 && end <= this.capacity, `ring invariant 3: a record at ${offset} ends at ${end}`)
      at = (at + end - offset) | 0
      assert(((head - at) | 0) >= 0, 'ring invariant 3: a record ends behind HEAD')
    }
  }
}
