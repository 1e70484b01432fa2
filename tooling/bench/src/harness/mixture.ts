/**
 * The comparison in a mixture: what do quick calls wait for, when slow ones and writes go on beside them?
 *
 * Rules: as in the comparison, each subject has a process of its own, rounds go round in a shuffled order, one measures
 * at a time, and a round of warming up comes first. Rejected calls are counted; a wrong answer fails the run.
 */
import type { Suite, SuiteServer, SuiteSubject } from '../suites/suite.ts'
import type { ComparisonOptions } from './comparison.ts'
import { SkippedError } from './contestant.ts'
import type { MixtureMeasured } from './messages.ts'
import { shuffled } from './random.ts'
import { type MixtureRow, mixtureRowOf } from './rows.ts'
import { SubjectHandle } from './subject-handle.ts'

export interface MixtureComparison {
  readonly rows: readonly MixtureRow[]
  readonly skipped: ReadonlyMap<string, string>
  readonly failures: readonly string[]
}

interface Entrant {
  readonly subject: SuiteSubject
  readonly handle: SubjectHandle
  readonly rounds: MixtureMeasured[]
}

export async function compareInMixture(
  suite: Suite,
  server: SuiteServer,
  options: Omit<ComparisonOptions, 'cells'>,
): Promise<MixtureComparison> {
  const skipped = new Map<string, string>()
  const failures: string[] = []
  if (suite.mixture === undefined) return { rows: [], skipped, failures }
  const { streams, bytes } = suite.mixture
  for (const { operation } of streams) await server.prepare(operation, bytes)
  const entrants: Entrant[] = []
  const failed = new Set<Entrant>()
  try {
    for (const subject of options.subjects) {
      const handle = await open(subject, server.url, { skipped, failures })
      if (handle !== undefined) entrants.push({ subject, handle, rounds: [] })
    }
    for (let round = 0; round <= options.rounds; round++) {
      const isWarmUp = round === 0
      options.say(`${suite.name}: ${isWarmUp ? 'warming up' : `round ${round}/${options.rounds}`}`)
      const durationMs = isWarmUp ? options.warmUpDurationMs : options.roundDurationMs
      const leadInDurationMs = isWarmUp ? 0 : LEAD_IN_DURATION_MS
      const loop = { streams, bytes, leadInDurationMs, durationMs, unansweredMax: UNANSWERED_MAX }
      for (const entrant of shuffled(entrants, options.random)) {
        if (failed.has(entrant)) continue
        try {
          const measured = await entrant.handle.mixture(loop)
          if (!isWarmUp) entrant.rounds.push(measured)
          for (const { name, errors, firstError } of measured.streams) {
            if (errors > 0) options.say(`${entrant.subject.name}: ${errors} ${name} rejected, the first: ${firstError}`)
          }
        } catch (error) {
          failed.add(entrant)
          failures.push(`${entrant.subject.name}: ${String(error)}`)
        }
      }
    }
  } finally {
    await Promise.all(entrants.map(({ handle }) => handle.close()))
  }
  const measured = entrants.filter(({ rounds }) => rounds.length > 0)
  const rows = streams.flatMap((stream) =>
    measured.map(({ subject, rounds }) => mixtureRowOf(subject.name, stream, bytes, rounds)),
  )
  return { rows, skipped, failures }
}

async function open(
  subject: SuiteSubject,
  url: string,
  notes: { readonly skipped: Map<string, string>; readonly failures: string[] },
): Promise<SubjectHandle | undefined> {
  if (subject.client === undefined) return undefined
  try {
    return await SubjectHandle.open(subject.client, url)
  } catch (error) {
    // Ours is here: when it does not load, that is a failure.
    if (error instanceof SkippedError && subject.kind !== 'own') notes.skipped.set(subject.name, error.message)
    else notes.failures.push(`${subject.name}: could not begin: ${String(error)}`)
    return undefined
  }
}

/** Two calls of the rarest stream, and as long as connecting and authenticating ten times takes, several times over. */
const LEAD_IN_DURATION_MS = 500
/** Half a minute of the quick calls, which is as long as any client lets a call wait. */
const UNANSWERED_MAX = 100_000
