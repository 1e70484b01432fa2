/**
 * The jobs and their lives: counted, perhaps confirmed, ended.
 *
 *   running ──▶ asking ──▶ done
 *      │           ├─────▶ refused     whoever submitted it has said no
 *      │           └─────▶ failed      or could not be asked
 *      └─────────────────▶ cancelled, done (nobody wanted to be asked)
 *
 * Rules: of ended jobs the youngest are kept, `JOBS_MAX` with those that run. Everybody who watches is told of each
 * change. A job is shown as a copy: what was shown does not change.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { primesBelow } from './primes.ts'

export type JobState = 'running' | 'asking' | 'done' | 'refused' | 'failed' | 'cancelled'

export interface Job {
  readonly id: string
  readonly below: number
  readonly state: JobState
  /** Numbers looked at so far. */
  readonly done: number
  /** Primes found so far. */
  readonly primes: number
  /** Why it failed. */
  readonly reason?: string
}

export interface Order {
  readonly id: string
  /** Primes below this are counted. */
  readonly below: number
  /** Between two slices: a job that is slow on purpose. */
  readonly pauseMs: number
  /** Asks before the job is done. Absent: it is done without. */
  readonly confirm?: (job: Job) => Promise<boolean>
}

export type Watcher = (job: Job) => void

interface Entry {
  job: Job
  readonly cancelling: AbortController
  /** Resolve when it has ended. */
  readonly waiters: Set<() => void>
}

export class Jobs {
  readonly #entries = new Map<string, Entry>()
  readonly #watchers = new Set<Watcher>()
  #running = 0

  get isFull(): boolean {
    return this.#running >= RUNNING_MAX
  }

  find(id: string): Job | undefined {
    return this.#entries.get(id)?.job
  }

  /** In the order in which they were submitted. */
  list(): readonly Job[] {
    return [...this.#entries.values()].map(({ job }) => job)
  }

  submit(order: Order): Job {
    const { id, below } = order
    const job: Job = { id, below, state: 'running', done: 0, primes: 0 }
    const entry: Entry = { job, cancelling: new AbortController(), waiters: new Set() }
    this.#forgetOldest()
    this.#entries.set(id, entry)
    this.#running++
    void this.#run(entry, order).finally(() => {
      this.#running--
      for (const ended of entry.waiters) ended()
    })
    return job
  }

  /** False if it has ended before. */
  cancel(id: string): boolean {
    const entry = this.#entries.get(id)
    if (entry === undefined || hasEnded(entry.job)) return false
    entry.cancelling.abort()
    this.#change(entry, { state: 'cancelled' })
    return true
  }

  /** Resolves when it has ended, or the time is over. */
  async ended(id: string, timeoutMs: number): Promise<void> {
    const entry = this.#entries.get(id)
    if (entry === undefined || hasEnded(entry.job)) return
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        clearTimeout(timer)
        entry.waiters.delete(finish)
        resolve()
      }
      const timer = setTimeout(finish, timeoutMs)
      entry.waiters.add(finish)
    })
  }

  watch(watcher: Watcher): void {
    this.#watchers.add(watcher)
  }

  unwatch(watcher: Watcher): void {
    this.#watchers.delete(watcher)
  }

  /** Never rejects. */
  async #run(entry: Entry, { below, pauseMs, confirm }: Order): Promise<void> {
    const { signal } = entry.cancelling
    const sliceNumbers = Math.min(SLICE_NUMBERS_MAX, Math.ceil(below / SLICES_MIN))
    for (const slice of primesBelow(below, sliceNumbers)) {
      // Others get their turn here, however short the pause is.
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return
      this.#change(entry, { done: slice.below, primes: slice.count })
    }
    if (confirm === undefined) return this.#change(entry, { state: 'done', done: below })
    // Asked first and told then: who is told finds the question.
    const confirmed = confirm({ ...entry.job, state: 'asking' })
    this.#change(entry, { state: 'asking', done: below })
    try {
      const isConfirmed = await confirmed
      if (!signal.aborted) this.#change(entry, { state: isConfirmed ? 'done' : 'refused' })
    } catch (error) {
      if (!signal.aborted) this.#change(entry, { state: 'failed', reason: (error as Error).message })
    }
  }

  #change(entry: Entry, change: Partial<Job>): void {
    entry.job = { ...entry.job, ...change }
    for (const watcher of this.#watchers) watcher(entry.job)
    if (hasEnded(entry.job)) for (const ended of entry.waiters) ended()
  }

  #forgetOldest(): void {
    if (this.#entries.size < JOBS_MAX) return
    for (const [id, { job }] of this.#entries) {
      if (!hasEnded(job)) continue
      this.#entries.delete(id)
      return
    }
  }
}

function hasEnded({ state }: Job): boolean {
  return state !== 'running' && state !== 'asking'
}

/** Some 100 bytes each. */
const JOBS_MAX = 1_000
/** All share one thread. Fewer than are kept, so that there is always one to forget. */
const RUNNING_MAX = 32
/** A few milliseconds of work. */
const SLICE_NUMBERS_MAX = 1_000_000
/** Even a short job shows that it goes on. */
const SLICES_MIN = 10
