/**
 * A world without clock, sockets and chance: what the I/O side is given in tests.
 *
 * Rules: time moves only in `run` and `runAsync`, from one event to the next. Events that are due at the same time
 * happen in the order in which they were asked for. After each event the check phase runs, then whatever the test
 * registered to happen at the end of a turn.
 */
import type { IoEnvironment, Timer } from '../io/environment.ts'
import { FakeNetwork } from './fake-network.ts'
import { Random } from './random.ts'

interface Event {
  readonly atMs: number
  readonly sequence: number
  readonly action: () => void
  /** Comes from a socket and not from a timer. */
  readonly isRead: boolean
  cancelled: boolean
}

export class VirtualWorld implements IoEnvironment {
  readonly network: FakeNetwork
  readonly random: (length: number) => Uint8Array
  readonly randomUnit: () => number
  readonly dial: IoEnvironment['dial']
  /** What was logged for people. */
  readonly lines: string[] = []
  /** Happens at the end of each turn: the flush of gathered writes. */
  endOfTurn: () => void = () => undefined
  #nowMs: number
  #events: Event[] = []
  #sequence = 0
  #checks: (() => void)[] = []

  constructor(random: Random = new Random(1), startMs: number = 1_000.25) {
    this.#nowMs = startMs
    this.random = (length) => random.bytes(length)
    this.randomUnit = () => random.unit()
    this.network = new FakeNetwork(this, random)
    this.dial = (request) => this.network.dial(request)
  }

  nowMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, action: () => void): Timer {
    return this.#add(delayMs, action, false)
  }

  /** For the network: a read, which the event loop gets to after its timers. */
  read(delayMs: number, action: () => void): void {
    this.#add(delayMs, action, true)
  }

  #add(delayMs: number, action: () => void, isRead: boolean): Timer {
    const event: Event = { atMs: this.#nowMs + delayMs, sequence: this.#sequence++, action, isRead, cancelled: false }
    let at = this.#events.length
    while (at > 0 && (this.#events[at - 1] as Event).atMs > event.atMs) at--
    this.#events.splice(at, 0, event)
    return {
      cancel: () => {
        event.cancelled = true
      },
    }
  }

  afterReads(action: () => void): void {
    this.#checks.push(action)
    this.after(0, () => undefined)
  }

  log(level: 'warn' | 'debug', line: string): void {
    this.lines.push(`${level}: ${line}`)
  }

  /** Events that will happen. */
  get pending(): number {
    return this.#events.filter(({ cancelled }) => !cancelled).length
  }

  /** Does something now, as one turn. */
  turn(action: () => void): void {
    action()
    const checks = this.#checks
    this.#checks = []
    for (const check of checks) check()
    this.endOfTurn()
  }

  run(ms: number): void {
    const untilMs = this.#nowMs + ms
    for (let event = this.#next(untilMs); event !== undefined; event = this.#next(untilMs)) this.turn(event.action)
    this.#nowMs = untilMs
  }

  /** As `run`, with the microtasks and immediates of the real event loop between the events. */
  async runAsync(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    await immediates()
    for (let event = this.#next(untilMs); event !== undefined; event = this.#next(untilMs)) {
      this.turn(event.action)
      await immediates()
    }
    this.#nowMs = untilMs
  }

  /**
   * The thread stood still for so long; then one turn of the event loop: the timers that are due, the reads that have
   * come, the check phase.
   */
  lateTurn(ms: number): void {
    this.#nowMs += ms
    const due = this.#events.filter(({ atMs }) => atMs <= this.#nowMs)
    this.#events = this.#events.filter(({ atMs }) => atMs > this.#nowMs)
    const reads = due.filter(({ isRead }) => isRead)
    const timers = due.filter(({ isRead }) => !isRead)
    this.turn(() => {
      for (const event of [...timers, ...reads]) if (!event.cancelled) event.action()
    })
  }

  /** Nothing happens, but it is later. */
  elapse(ms: number): void {
    this.#nowMs += ms
  }

  #next(untilMs: number): Event | undefined {
    for (;;) {
      const event = this.#events[0]
      if (event === undefined || event.atMs > untilMs) return undefined
      this.#events.shift()
      if (event.cancelled) continue
      this.#nowMs = Math.max(this.#nowMs, event.atMs)
      return event
    }
  }
}

/** Lets promises and the immediates that are scheduled now run. */
async function immediates(): Promise<void> {
  for (let round = 0; round < 2; round++) await new Promise((resolve) => setImmediate(resolve))
}
