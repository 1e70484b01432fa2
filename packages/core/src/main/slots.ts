/**
 * The call table of one application thread: slots, not a map.
 *
 * Rules: a slot is freed only by the I/O thread's last record about its call (`Reply`, `Failed` without `Held`,
 * `Released`), or here when the call never left this thread. A call object is reused with its slot, so nobody may keep
 * one across a settlement.
 */

import { callIdOf, SLOTS_MAX, slotOf } from '../channel/records.ts'
import type { CallOptions, Operation } from '../plugin/protocol.ts'
import { assert } from '../shared/assert.ts'
import type { PieceSink, StreamOpener } from './incoming-stream.ts'

/** 12 bits beside the slot's 20. */
const GENERATION_MAX = 0xfff

export type AnyOperation = Operation<unknown, unknown>

/** One call in flight, as its own thread sees it. */
export class CallSlot {
  readonly slot: number
  id = 0
  generation = 0
  /** False once the caller has its answer; the slot may stay taken (a tombstone). */
  waiting = false
  taken = false
  operation: AnyOperation | undefined
  args: unknown
  resolve: ((value: unknown) => void) | undefined
  reject: ((error: unknown) => void) | undefined
  options: CallOptions | undefined
  /** In the context of the caller. */
  onTiming: CallOptions['onTiming'] | undefined
  /** Only kept where somebody asked for the timing; 0 otherwise. */
  submittedAtMs = 0
  /** Pieces of a reply that is longer than a record. */
  pieces: Buffer[] | undefined
  /** Somebody reads the reply as it arrives. */
  sink: PieceSink | undefined
  /** Where the operation takes replies of any size: makes the stream of one that does not come in one piece. */
  opener: StreamOpener | undefined

  constructor(slot: number) {
    this.slot = slot
  }
}

export class CallSlots {
  readonly #slots: CallSlot[] = []
  readonly #free: number[] = []
  readonly #max: number
  /** Calls whose caller still waits. */
  waiting = 0

  constructor(max: number) {
    this.#max = Math.min(max, SLOTS_MAX)
  }

  /** Slots taken, tombstones included. */
  get taken(): number {
    return this.#slots.length - this.#free.length
  }

  /** A slot for a new call, or undefined when the limit is reached. */
  take(): CallSlot | undefined {
    let call: CallSlot
    const free = this.#free.pop()
    if (free !== undefined) {
      call = this.#slots[free] as CallSlot
    } else {
      if (this.#slots.length >= this.#max) return undefined
      call = new CallSlot(this.#slots.length)
      this.#slots.push(call)
    }
    // From 1 to 4095: no call has the id 0, which control records carry.
    call.generation = (call.generation % GENERATION_MAX) + 1
    call.id = callIdOf(call.slot, call.generation)
    call.waiting = true
    call.taken = true
    this.waiting++
    return call
  }

  /** The call a record is about. Undefined for a stale generation, which only a defect of the other side could send. */
  find(callId: number): CallSlot | undefined {
    const call = this.#slots[slotOf(callId)]
    return call?.taken === true && call.id === callId ? call : undefined
  }

  /** The caller has its answer (or is about to be given it). Drops everything the slot holds for it. */
  settle(call: CallSlot): void {
    assert(call.waiting, 'a call settles once')
    call.waiting = false
    this.waiting--
    call.operation = undefined
    call.args = undefined
    call.resolve = undefined
    call.reject = undefined
    call.options = undefined
    call.onTiming = undefined
    call.pieces = undefined
    call.sink = undefined
    call.opener = undefined
  }

  free(call: CallSlot): void {
    assert(call.taken && !call.waiting, 'only a settled call gives its slot back')
    call.taken = false
    this.#free.push(call.slot)
  }

  /** Every call that is taken, oldest slot first: for a thread that is lost. */
  *all(): Generator<CallSlot> {
    for (const call of this.#slots) if (call.taken) yield call
  }
}
