/**
 * Calls that wait for a lane, in a fair order. Sans-clock.
 *
 * Rules:
 * 1. Calls of one client and one priority leave in the order they came.
 * 2. Between priorities turns are weighted, 16 to 4 to 1: a batch of low priority goes on, slowly, while others wait.
 * 3. Between clients of one priority turns go round, one call each: a batch of 100 000 does not starve a user who asks
 *    through a client of their own.
 * 4. A call that goes back (its lane was lost) is the first of its client again.
 *
 * Theory of operation: for each priority a ring of the clients that have calls waiting; the client at the head gives
 * one call and goes to the tail. Which priority is next is stride scheduling: each has a pass that grows by its stride
 * with every call it gives, and the lowest pass is next. Time in it is the pass that was served last; one that was
 * empty comes back at that time, at most its own stride later: it has neither saved up turns nor used them up.
 *
 *   high    [client A: c c c] -> [client B: c]          stride  1
 *   normal  [client A: c] -> [client C: c c c c]        stride  4
 *   low     [client D: c c c c c c c c c]               stride 16
 */
import { type Call, CallList } from './call.ts'
import type { Client } from './client.ts'

/** By the index of a call's priority: high, normal, low. */
const STRIDES = [1, 4, 16] as const

/** The calls of one client at one priority. */
class ClientQueue extends CallList {
  readonly client: Client | undefined
  readonly level: Level
  /** It stands in the level's ring. */
  standing = false

  constructor(client: Client | undefined, level: Level) {
    super()
    this.client = client
    this.level = level
  }
}

class Level {
  readonly stride: number
  pass = 0
  readonly clients = new Map<Client | undefined, ClientQueue>()
  /** Queues with calls in them, the next first. Emptied ones are dropped when they come to the head. */
  ring: ClientQueue[] = []

  constructor(stride: number) {
    this.stride = stride
  }

  queueOf(client: Client | undefined): ClientQueue {
    let queue = this.clients.get(client)
    if (queue === undefined) {
      queue = new ClientQueue(client, this)
      this.clients.set(client, queue)
    }
    return queue
  }

  /** The queue whose turn it is; queues that have run empty (calls expire in them) leave the ring. */
  head(): ClientQueue | undefined {
    for (;;) {
      const queue = this.ring[0]
      if (queue === undefined || queue.count > 0) return queue
      this.ring.shift()
      queue.standing = false
      this.clients.delete(queue.client)
    }
  }
}

export class FairQueue {
  readonly #levels: readonly Level[] = STRIDES.map((stride) => new Level(stride))
  /** The pass that was served last: never goes back. */
  #servedPass = 0

  get count(): number {
    let count = 0
    for (const level of this.#levels) for (const queue of level.ring) count += queue.count
    return count
  }

  get isEmpty(): boolean {
    for (const level of this.#levels) if (level.head() !== undefined) return false
    return true
  }

  push(call: Call): void {
    this.#standing(call).push(call)
  }

  /** It had its turn and comes back: it is the first of its client. */
  unshift(call: Call): void {
    this.#standing(call).unshift(call)
  }

  /** The call that `shift` would take. */
  peek(): Call | undefined {
    return this.#next()?.head()?.first
  }

  shift(): Call | undefined {
    const level = this.#next()
    const queue = level?.head()
    const call = queue?.shift()
    if (level === undefined || queue === undefined || call === undefined) return undefined
    this.#servedPass = Math.max(this.#servedPass, level.pass)
    level.pass += level.stride
    if (level.ring.length > 1) {
      level.ring.shift()
      level.ring.push(queue)
    }
    return call
  }

  #standing(call: Call): ClientQueue {
    const level = this.#levels[call.priority] as Level
    const queue = level.queueOf(call.client)
    if (queue.standing) return queue
    if (level.head() === undefined) {
      level.pass = Math.min(Math.max(level.pass, this.#servedPass), this.#servedPass + level.stride)
    }
    queue.standing = true
    level.clients.set(call.client, queue)
    level.ring.push(queue)
    return queue
  }

  #next(): Level | undefined {
    let best: Level | undefined
    for (const level of this.#levels) {
      if (level.head() === undefined) continue
      if (best === undefined || level.pass < best.pass) best = level
    }
    return best
  }
}
