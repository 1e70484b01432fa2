/** The figure that is promised of several suites: so many times the calls a second of another. */
import type { Row } from '../harness/rows.ts'
import type { Target } from './suite.ts'

export function timesAsMany(operation: string, inFlight: number, other: string, factorMin: number): Target {
  const wanted = factorMin === 1 ? 'no slower than' : `at least ${factorMin} times`
  return {
    text: `${operation}, ${inFlight} in flight: ${wanted} ${other}`,
    judge: (rows) => {
      const [own, theirs] = ['iokernel', other].map((subject) => find(rows, subject, operation, inFlight))
      if (own === undefined || theirs === undefined) return undefined
      const factor = own.opsPerSecond / theirs.opsPerSecond
      return { found: `${factor.toFixed(2)} times`, isReached: factor >= factorMin }
    },
  }
}

/** Of several sizes, the first: the one that the suite has by itself. */
function find(rows: readonly Row[], subject: string, operation: string, inFlight: number): Row | undefined {
  return rows.find((row) => row.subject === subject && row.operation === operation && row.inFlight === inFlight)
}
