/** A Node client among a suite's subjects, by the name of its row. */
import { openInCell } from '../harness/subject-handle.ts'
import type { SuiteSubject } from './suite.ts'

/** In `subjects/table.ts` it is called `suite/name`. */
export function nodeClient(suite: string, name: string, kind: 'own' | 'peer'): SuiteSubject {
  const client = `${suite}/${name}`
  return {
    name,
    kind,
    client,
    joins: () => true,
    inFlightIn: (cell) => cell.inFlight,
    open: (server, cell) => openInCell(client, server.url, cell),
  }
}
