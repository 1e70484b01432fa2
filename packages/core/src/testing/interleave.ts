/**
 * Runs two programs that share memory in every order their atomic operations can take.
 *
 * Rules: it runs the code under test itself, not a model of it. A program is deterministic but for what its atomic
 * operations return, and touches nothing outside the shared memory but objects that it makes itself.
 *
 * Theory of operation. One thread cannot stop in the middle of a function, so a program is run again from the start for
 * each of its steps: operations that happened before get the result they had, one more is carried out, and the next
 * throws. `wait` on a word that has the expected value blocks the program until the other one notifies; if nobody does,
 * that schedule lost a wake-up.
 */

export interface Program {
  /** Makes the objects. Its operations are no steps: they happen before everything else. */
  prepare(): void
  run(): unknown
}

export interface Outcome {
  /** What each program returned; undefined for one that never ended. */
  readonly results: readonly unknown[]
  /** Programs that wait for a notification nobody will send. */
  readonly stuck: readonly number[]
  /** Which program made each step. */
  readonly schedule: readonly number[]
}

const OPERATIONS = ['load', 'store', 'exchange', 'add', 'notify', 'wait'] as const
const STOP = Symbol('the next step is another turn')
/** More steps than any of the programs has: a program that never ends is a mistake in the test. */
const STEPS_MAX = 2_000

type Operation = (array: Int32Array, index: number, value?: number, extra?: number) => unknown
type Operations = Record<(typeof OPERATIONS)[number], Operation>

class Stepped {
  readonly #program: Program
  readonly #log: unknown[] = []
  done = false
  result: unknown
  /** Where it waits. */
  blockedOn: { readonly array: Int32Array; readonly index: number } | undefined

  constructor(program: Program) {
    this.#program = program
    this.#replay(0)
  }

  step(notified: (array: Int32Array, index: number) => void): void {
    this.#replay(1, notified)
  }

  /** The other program notified: `wait` returns. */
  wakeUp(): void {
    this.blockedOn = undefined
    this.#log.push('ok')
  }

  #replay(steps: number, notified: (array: Int32Array, index: number) => void = () => undefined): void {
    const atomics = Atomics as unknown as Operations
    const real = { ...pick(atomics) }
    let at = 0
    let left = steps
    let preparing = true
    for (const name of OPERATIONS) {
      atomics[name] = (array, index, value, extra) => {
        if (at < this.#log.length) return this.#log[at++]
        if (!preparing && left-- === 0) throw STOP
        if (name === 'wait' && real.load(array, index) === value) {
          this.blockedOn = { array, index }
          throw STOP
        }
        const result = name === 'wait' ? 'not-equal' : real[name](array, index, value, extra)
        if (name === 'notify') notified(array, index)
        at++
        this.#log.push(result)
        return result
      }
    }
    try {
      this.#program.prepare()
      preparing = false
      if (steps === 0) return
      this.result = this.#program.run()
      this.done = true
    } catch (thrown) {
      if (thrown !== STOP) throw thrown
    } finally {
      Object.assign(atomics, real)
    }
  }
}

function pick(atomics: Operations): Operations {
  const { load, store, exchange, add, notify, wait } = atomics
  return { load, store, exchange, add, notify, wait }
}

/** Runs the programs once; `choose` says which of those that can go on makes the next step. */
export function runSchedule(programs: readonly Program[], choose: (able: readonly number[]) => number): Outcome {
  const threads = programs.map((program) => new Stepped(program))
  const schedule: number[] = []
  const notified = (array: Int32Array, index: number): void => {
    for (const thread of threads) {
      if (thread.blockedOn?.array.buffer === array.buffer && thread.blockedOn.index === index) thread.wakeUp()
    }
  }
  for (;;) {
    const able = threads.flatMap((thread, index) => (thread.done || thread.blockedOn !== undefined ? [] : [index]))
    if (able.length === 0) break
    if (schedule.length > STEPS_MAX) throw new Error('a program of this test never ends')
    const chosen = able.length === 1 ? (able[0] as number) : choose(able)
    schedule.push(chosen)
    threads[chosen]?.step(notified)
  }
  const stuck = threads.flatMap((thread, index) => (thread.done ? [] : [index]))
  return { results: threads.map(({ result }) => result), stuck, schedule }
}

/**
 * Every schedule there is. `begin` makes fresh memory and the programs over it. Returns how many schedules were run.
 */
export function everySchedule(
  begin: () => readonly Program[],
  check: (outcome: Outcome) => void,
  schedulesMax: number = 200_000,
): number {
  let prefix: number[] = []
  for (let count = 1; ; count++) {
    if (count > schedulesMax) throw new Error(`more than ${schedulesMax} schedules: make the programs smaller`)
    const taken: number[] = []
    const widths: number[] = []
    const outcome = runSchedule(begin(), (able) => {
      const choice = prefix[taken.length] ?? 0
      taken.push(choice)
      widths.push(able.length)
      return able[choice] as number
    })
    check(outcome)
    let last = taken.length - 1
    while (last >= 0 && (taken[last] as number) + 1 >= (widths[last] as number)) last--
    if (last < 0) return count
    prefix = [...taken.slice(0, last), (taken[last] as number) + 1]
  }
}
