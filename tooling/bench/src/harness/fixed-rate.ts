/** The same comparison under a fixed rate: how late is each, when calls come whether it is ready or not? */
import type { Suite, SuiteServer, SuiteSubject } from '../suites/suite.ts'
import type { ComparisonOptions } from './comparison.ts'
import { SkippedError } from './contestant.ts'
import type { Measured } from './messages.ts'
import { shuffled } from './random.ts'
import { type OpenLoopRow, openLoopRowOf } from './rows.ts'
import { SubjectHandle } from './subject-handle.ts'

export async function compareAtFixedRate(
  suite: Suite,
  server: SuiteServer,
  options: Omit<ComparisonOptions, 'cells'>,
): Promise<{ readonly rows: readonly OpenLoopRow[]; readonly failures: readonly string[] }> {
  if (suite.openLoop === undefined) return { rows: [], failures: [] }
  const { operation, bytes, ratePerSecond } = suite.openLoop
  options.say(`${suite.name}: ${operation} at ${ratePerSecond} a second`)
  await server.prepare(operation, bytes)
  const entrants: { readonly subject: SuiteSubject; readonly handle: SubjectHandle; readonly rounds: Measured[] }[] = []
  const failures: string[] = []
  const play = async (entrant: (typeof entrants)[number], durationMs: number, isWarmUp: boolean): Promise<void> => {
    try {
      const measured = await entrant.handle.openLoop({ ratePerSecond, durationMs, unansweredMax: UNANSWERED_MAX })
      if (!isWarmUp) entrant.rounds.push(measured)
    } catch (error) {
      failures.push(`${entrant.subject.name} at ${ratePerSecond} a second: ${String(error)}`)
    }
  }
  try {
    for (const subject of options.subjects) {
      try {
        const handle = await open(subject, server.url)
        if (handle === undefined) continue
        entrants.push({ subject, handle, rounds: [] })
        await handle.prepare(operation, bytes)
      } catch (error) {
        failures.push(`${subject.name} at ${ratePerSecond} a second: could not begin: ${String(error)}`)
      }
    }
    for (const entrant of entrants) await play(entrant, options.warmUpDurationMs, true)
    for (let round = 0; round < options.rounds; round++) {
      for (const entrant of shuffled(entrants, options.random)) await play(entrant, options.roundDurationMs, false)
    }
  } finally {
    await Promise.all(entrants.map(({ handle }) => handle.close()))
  }
  const measured = entrants.filter(({ rounds }) => rounds.length > 0)
  return { rows: measured.map(({ subject, rounds }) => openLoopRowOf(subject.name, rounds)), failures }
}

/** Undefined for a program, and for who was skipped, which has been said by the comparison. */
async function open({ client }: SuiteSubject, url: string): Promise<SubjectHandle | undefined> {
  if (client === undefined) return undefined
  try {
    return await SubjectHandle.open(client, url)
  } catch (error) {
    if (error instanceof SkippedError) return undefined
    throw error
  }
}

/** Ten seconds of the rate that is used here. */
const UNANSWERED_MAX = 100_000
