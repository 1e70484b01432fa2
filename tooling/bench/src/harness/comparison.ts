/**
 * The comparison: cell by cell, every subject in a process of its own, measured in turns.
 *
 * Rules:
 * 1. In a cell, rounds go round: each subject once, in an order shuffled by the seed, then all of them again. Whatever
 *    slows the machine down for a while slows down all of them. One measures at a time.
 * 2. A subject has a fresh process for each cell, so no cell inherits another's heap; a warm-up round comes first.
 * 3. A wrong or missing answer fails the run. The others are still measured.
 */
import type { Suite, SuiteServer, SuiteSubject } from '../suites/suite.ts'
import { type Cell, type Contestant, SkippedError } from './contestant.ts'
import type { Measured } from './messages.ts'
import { shuffled } from './random.ts'
import { type Row, rowOf } from './rows.ts'

export interface ComparisonOptions {
  readonly cells: readonly Cell[]
  readonly subjects: readonly SuiteSubject[]
  readonly rounds: number
  readonly roundDurationMs: number
  readonly warmUpDurationMs: number
  readonly random: () => number
  readonly say: (line: string) => void
}

export interface Comparison {
  readonly rows: readonly Row[]
  readonly skipped: ReadonlyMap<string, string>
  readonly failures: readonly string[]
}

export async function compare(suite: Suite, server: SuiteServer, options: ComparisonOptions): Promise<Comparison> {
  const results = new Results()
  const skipped = new Map<string, string>()
  const failures: string[] = []
  for (const [index, cell] of options.cells.entries()) {
    options.say(`${suite.name} ${index + 1}/${options.cells.length}: ${nameOf(cell)}`)
    await server.prepare(cell.operation, cell.bytes)
    const entrants = await openAll(server, cell, options, { skipped, failures })
    try {
      await playRounds(server, entrants, cell, options, { results, failures })
    } finally {
      await Promise.all(entrants.map(({ contestant }) => contestant.close()))
    }
  }
  return { rows: results.rows(options.subjects, options.cells), skipped, failures }
}

/** `get 64 B, 50 in flight`. */
export function nameOf({ operation, bytes, inFlight }: Cell): string {
  const size = bytes >= 1 << 20 ? `${bytes / (1 << 20)} MB` : bytes >= 1_024 ? `${bytes / 1_024} KB` : `${bytes} B`
  return `${operation} ${size}, ${inFlight} in flight`
}

interface Entrant {
  readonly subject: SuiteSubject
  readonly contestant: Contestant
  /** Made while it opened; undefined where the server does not count. */
  readonly connections: number | undefined
}

async function openAll(
  server: SuiteServer,
  cell: Cell,
  options: ComparisonOptions,
  notes: { readonly skipped: Map<string, string>; readonly failures: string[] },
): Promise<readonly Entrant[]> {
  const entrants: Entrant[] = []
  for (const subject of options.subjects) {
    if (!subject.joins(cell) || notes.skipped.has(subject.name)) continue
    try {
      const { result, connections } = await counted(server, () => subject.open(server, cell))
      entrants.push({ subject, contestant: result, connections })
    } catch (error) {
      // Ours is here: when it does not load, that is a failure.
      if (error instanceof SkippedError && subject.kind !== 'own') notes.skipped.set(subject.name, error.message)
      else notes.failures.push(`${subject.name}, ${nameOf(cell)}: could not begin: ${messageOf(error)}`)
    }
  }
  return entrants
}

/** One opens or measures at a time, so whatever connections are made meanwhile are its own. */
async function counted<Result>(
  server: SuiteServer,
  work: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly connections: number | undefined }> {
  const before = await server.connectionsMade?.()
  const result = await work()
  const after = await server.connectionsMade?.()
  return { result, connections: before === undefined || after === undefined ? undefined : after - before }
}

async function playRounds(
  server: SuiteServer,
  entrants: readonly Entrant[],
  cell: Cell,
  options: ComparisonOptions,
  notes: { readonly results: Results; readonly failures: string[] },
): Promise<void> {
  const failed = new Set<Entrant>()
  for (const { subject, connections } of entrants) {
    notes.results.addConnections(subject.name, { ...cell, inFlight: subject.inFlightIn(cell) }, connections)
  }
  for (let round = 0; round <= options.rounds; round++) {
    const isWarmUp = round === 0
    for (const entrant of shuffled(entrants, options.random)) {
      if (failed.has(entrant)) continue
      const { subject, contestant } = entrant
      try {
        const durationMs = isWarmUp ? options.warmUpDurationMs : options.roundDurationMs
        const { result: measured, connections } = await counted(server, () => contestant.round(durationMs))
        const own = { ...cell, inFlight: subject.inFlightIn(cell) }
        notes.results.addConnections(subject.name, own, connections)
        if (!isWarmUp) notes.results.add(subject.name, own, measured)
      } catch (error) {
        failed.add(entrant)
        notes.failures.push(`${subject.name}, ${nameOf(cell)}: ${messageOf(error)}`)
      }
    }
  }
}

/** Rounds by subject and cell. A program that takes part in two cells with the same number in flight has one row. */
class Results {
  readonly #rounds = new Map<string, Measured[]>()
  readonly #connections = new Map<string, number>()

  add(subject: string, cell: Cell, measured: Measured): void {
    const key = keyOf(subject, cell)
    const rounds = this.#rounds.get(key) ?? []
    this.#rounds.set(key, rounds)
    rounds.push(measured)
  }

  addConnections(subject: string, cell: Cell, connections: number | undefined): void {
    if (connections === undefined) return
    const key = keyOf(subject, cell)
    this.#connections.set(key, (this.#connections.get(key) ?? 0) + connections)
  }

  /** In the order of cells and subjects, not in that of the shuffle. */
  rows(subjects: readonly SuiteSubject[], cells: readonly Cell[]): readonly Row[] {
    const rows = new Map<string, Row>()
    for (const cell of cells) {
      for (const subject of subjects) {
        const own = { ...cell, inFlight: subject.inFlightIn(cell) }
        const key = keyOf(subject.name, own)
        const rounds = this.#rounds.get(key)
        if (rounds !== undefined) rows.set(key, rowOf(subject.name, own, rounds, this.#connections.get(key)))
      }
    }
    return [...rows.values()]
  }
}

function keyOf(subject: string, cell: Cell): string {
  return JSON.stringify([subject, cell.operation, cell.bytes, cell.inFlight])
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
