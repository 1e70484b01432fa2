/**
 * Deadlines of all calls: a wheel of time, one timer for everybody.
 *
 * Rules: sans-clock. `add` and `remove` are O(1) and allocate nothing. A deadline expires when `expire` is told a time
 * at or after it: never early, at most a tick late by the wheel's own doing.
 *
 * Theory of operation: 1024 slots of one millisecond. A call stands in the slot of its deadline modulo the wheel; one
 * that is due in a later revolution is passed over. `expire` visits the slots between the last visit and now.
 *
 *   slot  0   1   2  …  1023
 *        [ ] [c] [ ]    [c-c]        c: calls, doubly linked
 */
import type { Call } from './call.ts'

/** A second in a revolution: the usual deadlines (50 ms to 30 s) are passed over at most 30 times. */
const SLOTS = 1024
/** Places of a call that stands in no slot: none, or taken off to be handed over. */
const OFF = -1
const DUE = -2

export class DeadlineWheel {
  readonly #slots: (Call | undefined)[] = new Array<Call | undefined>(SLOTS).fill(undefined)
  readonly #due: Call[] = []
  #count = 0
  #visitedTick: number

  constructor(nowMs: number) {
    this.#visitedTick = Math.floor(nowMs)
  }

  get isEmpty(): boolean {
    return this.#count === 0
  }

  add(call: Call, deadlineAtMs: number): void {
    // Rounded up, so that the slot is visited when the deadline has passed and not in the millisecond before.
    const tick = Math.max(Math.ceil(deadlineAtMs), this.#visitedTick + 1)
    const slot = tick % SLOTS
    const head = this.#slots[slot]
    call.deadlineAtMs = deadlineAtMs
    call.wheelSlot = slot
    call.wheelPrevious = undefined
    call.wheelNext = head
    if (head !== undefined) head.wheelPrevious = call
    this.#slots[slot] = call
    this.#count++
  }

  remove(call: Call): void {
    if (call.wheelSlot === OFF) return
    if (call.wheelSlot === DUE) {
      call.wheelSlot = OFF
      return
    }
    if (call.wheelPrevious === undefined) this.#slots[call.wheelSlot] = call.wheelNext
    else call.wheelPrevious.wheelNext = call.wheelNext
    if (call.wheelNext !== undefined) call.wheelNext.wheelPrevious = call.wheelPrevious
    call.wheelPrevious = undefined
    call.wheelNext = undefined
    call.wheelSlot = OFF
    this.#count--
  }

  /** Takes every call whose deadline is at or before `nowMs` off the wheel and hands it over. */
  expire(nowMs: number, expired: (call: Call) => void): void {
    const nowTick = Math.floor(nowMs)
    const first = Math.max(this.#visitedTick + 1, nowTick - SLOTS + 1)
    this.#visitedTick = Math.max(this.#visitedTick, nowTick)
    const due = this.#due
    for (let tick = first; tick <= nowTick; tick++) {
      let call = this.#slots[tick % SLOTS]
      while (call !== undefined) {
        const following: Call | undefined = call.wheelNext
        if (call.deadlineAtMs <= nowMs) {
          this.remove(call)
          call.wheelSlot = DUE
          due.push(call)
        }
        call = following
      }
    }
    // Settling one call may settle others: those have been removed, and are not due any more.
    for (const call of due) {
      if (call.wheelSlot !== DUE) continue
      call.wheelSlot = OFF
      expired(call)
    }
    due.length = 0
  }

  /** When `expire` is worth calling next: the first slot that is not empty. Undefined when the wheel is. */
  nextVisitMs(nowMs: number): number | undefined {
    if (this.#count === 0) return undefined
    const nowTick = Math.floor(nowMs)
    for (let ahead = 1; ahead <= SLOTS; ahead++) {
      if (this.#slots[(nowTick + ahead) % SLOTS] !== undefined) return nowTick + ahead
    }
    return nowTick + SLOTS
  }
}
