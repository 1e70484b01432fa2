/**
 * A call as the I/O thread sees it, and the lists calls stand in.
 *
 * Rules: call objects are pooled and linked through themselves: no promise, closure, timer or map entry per call. A
 * call is in at most one `CallList` (waiting in a queue, or unanswered on a connection) and at most one slot of the
 * deadline wheel.
 */
import type { Client } from './client.ts'
import type { Chunk } from './request-store.ts'
import type { ServiceTime } from './service-times.ts'

export const CallState = {
  Free: 0,
  /** Its pieces are still arriving from the application. */
  Arriving: 1,
  /** Waits for a connection. */
  Queued: 2,
  /** Handed to a connection. */
  Written: 3,
  /** Settled for its caller; stands in the connection's order until the late reply has passed. */
  Tombstone: 4,
} as const
export type CallStateNumber = (typeof CallState)[keyof typeof CallState]

/** A connection whose reading follows its reader. */
export interface StreamSource {
  readonly isPaused: boolean
  resume(): void
}

export class Call {
  client: Client | undefined
  /** (slot, generation) of the application thread. */
  id = 0
  state: CallStateNumber = CallState.Free
  flags = 0
  hint = 0
  /** What names its reply on its connection, where replies are correlated. */
  wireId = 0
  /** Of the statement, for what is learned about it; 0 when nothing can be. */
  fingerprint = 0
  /** Index into `PRIORITIES`. */
  priority = 1
  /** What is known of calls like this one, once a scheduler has looked it up. */
  service: ServiceTime | undefined
  /** Upstream or session it is meant for, as the application numbers them. */
  target = 0
  chunk: Chunk | undefined
  offset = 0
  length = 0
  /** Bytes still to arrive from the application. */
  missing = 0
  /** Cancelled while its pieces were still arriving. */
  cancelled = false
  arrivedAtMs = 0.5
  writtenAtMs = 0.5
  /** 0: none. */
  deadlineAtMs = 0.5
  /** Bytes of the reply passed on so far: more than 0 means the reply has begun. */
  replyBytes = 0
  /** Of a streamed reply: bytes passed on that its reader has not taken. */
  unread = 0
  /** Of a streamed reply: the connection that waits for the reader, or would. */
  source: StreamSource | undefined
  /** Of a streamed reply: how long the peer may keep the reader waiting. */
  patienceMs = 0
  /** The reply so far is an error that makes it worth sending again. */
  stale = false
  /** It was sent again because preparations for it were out of date: that happens once. */
  renewed = false
  /** Times it was sent again for other reasons. */
  retries = 0
  previous: Call | undefined
  next: Call | undefined
  list: CallList | undefined
  wheelPrevious: Call | undefined
  wheelNext: Call | undefined
  wheelSlot = -1
}

/** A first-in first-out list that lets go of any member. */
export class CallList {
  first: Call | undefined
  last: Call | undefined
  count = 0
  /** Told of a member that has become a tombstone, where it need not keep its place. */
  onTombstone: ((call: Call) => void) | undefined

  /** Everybody in it has given up. */
  get isForsaken(): boolean {
    // The newest first: of many, the last is the likeliest to wait still.
    let call = this.last
    while (call?.state === CallState.Tombstone) call = call.previous
    return call === undefined
  }

  push(call: Call): void {
    call.list = this
    call.previous = this.last
    call.next = undefined
    if (this.last === undefined) this.first = call
    else this.last.next = call
    this.last = call
    this.count++
  }

  unshift(call: Call): void {
    call.list = this
    call.next = this.first
    call.previous = undefined
    if (this.first === undefined) this.last = call
    else this.first.previous = call
    this.first = call
    this.count++
  }

  remove(call: Call): void {
    if (call.previous === undefined) this.first = call.next
    else call.previous.next = call.next
    if (call.next === undefined) this.last = call.previous
    else call.next.previous = call.previous
    call.previous = undefined
    call.next = undefined
    call.list = undefined
    this.count--
  }

  /** Puts another call in the place of one. */
  replace(call: Call, by: Call): void {
    by.list = this
    by.previous = call.previous
    by.next = call.next
    if (call.previous === undefined) this.first = by
    else call.previous.next = by
    if (call.next === undefined) this.last = by
    else call.next.previous = by
    call.previous = undefined
    call.next = undefined
    call.list = undefined
  }

  shift(): Call | undefined {
    const call = this.first
    if (call !== undefined) this.remove(call)
    return call
  }
}

/** Free calls kept; more are left to the garbage collector after a peak. */
const POOL_MAX = 16_384

export class CallPool {
  readonly #free: Call[] = []

  take(): Call {
    return this.#free.pop() ?? new Call()
  }

  give(call: Call): void {
    call.client = undefined
    call.state = CallState.Free
    call.chunk = undefined
    call.missing = 0
    call.cancelled = false
    call.replyBytes = 0
    call.retries = 0
    call.fingerprint = 0
    call.priority = 1
    call.service = undefined
    call.unread = 0
    call.source = undefined
    call.stale = false
    call.renewed = false
    if (this.#free.length < POOL_MAX) this.#free.push(call)
  }
}
