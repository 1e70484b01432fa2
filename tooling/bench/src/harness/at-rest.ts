/**
 * What a subject costs while it does nothing: processor time and memory, connected, with nothing in flight.
 *
 * Rules: the processes rest at the same time, for each has its own clock; each number is the median of several fresh
 * processes. Memory is the resident set, to be compared with `nothing`, the same process without a client.
 */
import { SkippedError } from './contestant.ts'
import { MB, type RestRow } from './rows.ts'
import { median } from './statistics.ts'
import { SubjectHandle } from './subject-handle.ts'

export interface AtRestOptions {
  readonly repetitions: number
  readonly settleDurationMs: number
  readonly durationMs: number
  readonly say: (line: string) => void
}

export interface RestSubject {
  readonly name: string
  /** Its name in `subjects/table.ts`. */
  readonly client: string
}

/** Compared with everybody. */
export const WITHOUT_CLIENT: readonly RestSubject[] = ['nothing', 'an empty worker'].map((name) => ({
  name,
  client: name,
}))

export async function atRest(
  subjects: readonly RestSubject[],
  url: string,
  options: AtRestOptions,
): Promise<{ readonly rows: readonly RestRow[]; readonly failures: readonly string[] }> {
  const failures = new Set<string>()
  const seen = new Map<string, { readonly cpuPercent: number[]; readonly rssMb: number[] }>()
  for (let repetition = 1; repetition <= options.repetitions; repetition++) {
    options.say(`at rest ${repetition}/${options.repetitions}`)
    const handles = await openAll([...WITHOUT_CLIENT, ...subjects], url, failures)
    try {
      await Promise.all(handles.map(({ handle }) => handle.rest(options.settleDurationMs)))
      const rests = handles.map(async ({ subject, handle }) => ({
        subject,
        rest: await handle.rest(options.durationMs),
      }))
      for (const { subject, rest } of await Promise.all(rests)) {
        const entry = seen.get(subject) ?? { cpuPercent: [], rssMb: [] }
        seen.set(subject, entry)
        entry.cpuPercent.push(rest.cpuUs / rest.elapsedMs / 10)
        entry.rssMb.push(rest.rssBytes / MB)
      }
    } finally {
      await Promise.all(handles.map(({ handle }) => handle.close()))
    }
  }
  const rows = [...seen].map(([subject, { cpuPercent, rssMb }]) => ({
    subject,
    cpuPercent: median(cpuPercent),
    rssMb: median(rssMb),
  }))
  return { rows, failures: [...failures] }
}

async function openAll(
  subjects: readonly RestSubject[],
  url: string,
  failures: Set<string>,
): Promise<readonly { readonly subject: string; readonly handle: SubjectHandle }[]> {
  const handles: { readonly subject: string; readonly handle: SubjectHandle }[] = []
  for (const { name, client } of subjects) {
    try {
      handles.push({ subject: name, handle: await SubjectHandle.open(client, url) })
    } catch (error) {
      // Who was skipped has been said by the comparison.
      if (!(error instanceof SkippedError)) failures.add(`${name} at rest: could not begin: ${String(error)}`)
    }
  }
  return handles
}
