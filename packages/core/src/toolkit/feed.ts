/**
 * A bounded queue between pushes, which come when they come, and a loop that takes them when it can: for client halves
 * that give interests as async iterables.
 *
 * Rules:
 * 1. Nothing is lost silently: what does not fit is dropped, and one `gap` stands where it was.
 * 2. Events come in order. A gap of the kernel's (a reconnect, a full channel) stands where it happened.
 * 3. Once ended, what is queued is still delivered; then the iterator ends, or throws what ended it.
 * 4. One consumer: two loops over one feed would share its events between them.
 *
 * Limits: `eventsMax` events of `bytesMax` bytes wait, a larger one alone; the gap that says so is one more.
 */
import type { GapReason } from '../plugin/protocol.ts'

/** Something may have been missed here. */
export interface Gap {
  readonly type: 'gap'
  /** `reconnected`: the connection was replaced. `overflow`: this program did not take events as fast as they came. */
  readonly reason: GapReason
}

export class Feed<Event> {
  readonly #eventsMax: number
  readonly #bytesMax: number
  #queue: (Event | Gap)[] = []
  /** What each of the queue weighed on the wire. */
  #weights: number[] = []
  #bytes = 0
  #taken = 0
  #overflowing = false
  #ended = false
  #failure: Error | undefined
  #waiting: { resolve: (result: IteratorResult<Event | Gap>) => void; reject: (error: Error) => void }[] = []

  constructor(eventsMax: number, bytesMax: number = Number.POSITIVE_INFINITY) {
    this.#eventsMax = eventsMax
    this.#bytesMax = bytesMax
  }

  get length(): number {
    return this.#queue.length - this.#taken
  }

  /** `bytes`: what the event weighed on the wire. */
  push(event: Event, bytes: number = 0): void {
    if (this.#ended) return
    const tooHeavy = this.length > 0 && this.#bytes + bytes > this.#bytesMax
    if (this.length >= this.#eventsMax || tooHeavy) {
      if (!this.#overflowing) this.#enqueue({ type: 'gap', reason: 'overflow' }, 0)
      this.#overflowing = true
      return
    }
    this.#overflowing = false
    this.#add(event, bytes)
  }

  gap(reason: GapReason): void {
    if (this.#ended || this.#overflowing) return
    this.#add({ type: 'gap', reason }, 0)
    // A stream of gaps alone must not grow without end either.
    this.#overflowing = this.length > this.#eventsMax
  }

  end(failure?: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#failure = failure
    for (const { resolve, reject } of this.#waiting) {
      if (this.#failure === undefined) resolve({ done: true, value: undefined })
      else reject(this.#takeFailure() as Error)
    }
    this.#waiting = []
  }

  next(): Promise<IteratorResult<Event | Gap>> {
    if (this.length > 0) return Promise.resolve({ done: false, value: this.#take() })
    if (this.#failure !== undefined) return Promise.reject(this.#takeFailure())
    if (this.#ended) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  #add(event: Event | Gap, bytes: number): void {
    const first = this.#waiting.shift()
    if (first === undefined) this.#enqueue(event, bytes)
    else first.resolve({ done: false, value: event })
  }

  #enqueue(event: Event | Gap, bytes: number): void {
    this.#queue.push(event)
    this.#weights.push(bytes)
    this.#bytes += bytes
  }

  #take(): Event | Gap {
    this.#bytes -= this.#weights[this.#taken] as number
    const event = this.#queue[this.#taken++] as Event | Gap
    // Shifting each time would move the rest each time.
    if (this.#taken === this.#queue.length || this.#taken >= COMPACT_AFTER) {
      this.#queue = this.#queue.slice(this.#taken)
      this.#weights = this.#weights.slice(this.#taken)
      this.#taken = 0
    }
    return event
  }

  /** Thrown once; after it the iterator is simply done. */
  #takeFailure(): Error | undefined {
    const failure = this.#failure
    this.#failure = undefined
    return failure
  }
}

/** Taken events that may lie at the front of the queue before it is cut. */
const COMPACT_AFTER = 1024
