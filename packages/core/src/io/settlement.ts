/**
 * How a call ends on the I/O thread: the only place that says anything final about one.
 *
 * Rules: each call is finished exactly once, by `reply`, by `fail` or by `discard`; then its memory, its place on the
 * wheel and its object are given back. A call that was written and is settled before its reply came (`settleEarly`)
 * becomes a tombstone: it keeps its place in the connection's order, what comes for it is dropped, and
 * `finishTombstone` frees its slot. Where replies name what they answer, no place has to be kept: the list that it
 * stands in lets go of it at once.
 */
import type { ErrorDescription } from '../plugin/errors.ts'
import { assert } from '../shared/assert.ts'
import { type Call, CallPool, CallState } from './call.ts'
import type { Client } from './client.ts'
import type { DeadlineWheel } from './deadlines.ts'
import type { RequestStore } from './request-store.ts'

export class Settlement {
  readonly pool: CallPool = new CallPool()
  readonly #wheel: DeadlineWheel
  readonly #store: RequestStore

  constructor(wheel: DeadlineWheel, store: RequestStore) {
    this.#wheel = wheel
    this.#store = store
  }

  /** The whole reply, or its last piece. */
  reply(call: Call, factsId: number, bytes: Buffer, start: number, end: number, nowMs: number): void {
    if (call.state === CallState.Tombstone) return this.finishTombstone(call)
    const client = call.client as Client
    client.attachment.reply(call, factsId, bytes, start, end, nowMs)
    this.#finish(call, client)
  }

  fail(call: Call, error: ErrorDescription, nowMs: number): void {
    if (call.state === CallState.Tombstone) return this.finishTombstone(call)
    const client = call.client as Client
    client.attachment.failed(call, error, false, nowMs)
    this.#finish(call, client)
  }

  /** Settles a written call for its caller; the connection still owes the reply. */
  settleEarly(call: Call, error: ErrorDescription, nowMs: number): void {
    assert(call.state === CallState.Written, 'only a written call becomes a tombstone')
    const client = call.client as Client
    client.attachment.failed(call, error, true, nowMs)
    call.state = CallState.Tombstone
    this.#wheel.remove(call)
    // Nobody reads it any more: what is left of it is dropped as it comes.
    call.source?.resume()
    client.tombstones++
    call.list?.onTombstone?.(call)
    if (client.calls === client.tombstones) client.onIdle?.()
  }

  finishTombstone(call: Call): void {
    const client = call.client
    // A ghost: it kept the place of a call that went elsewhere, and nobody knows of it.
    if (client === undefined) return this.pool.give(call)
    client.attachment.released(call)
    client.tombstones--
    this.#finish(call, client)
  }

  /** What stands in a connection's order for a call that is sent again elsewhere: its late reply is dropped. */
  ghostOf(call: Call): Call {
    const ghost = this.pool.take()
    ghost.state = CallState.Tombstone
    ghost.hint = call.hint
    ghost.flags = 0
    ghost.id = 0
    ghost.writtenAtMs = call.writtenAtMs
    return ghost
  }

  #finish(call: Call, client: Client): void {
    assert(call.list === undefined, 'a finished call stands in no list')
    this.#wheel.remove(call)
    call.source?.resume()
    if (call.chunk !== undefined) this.#store.release(call.chunk)
    client.attachment.forget(call)
    this.pool.give(call)
    client.calls--
    if (client.calls === client.tombstones) client.onIdle?.()
  }
}
