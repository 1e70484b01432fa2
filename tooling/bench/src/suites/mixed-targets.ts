/** The figures that were promised for quick calls beside slow ones. */
import type { MixtureRow } from '../harness/rows.ts'
import type { Target } from './suite.ts'

export const MIXED_TARGETS: readonly Target[] = [
  fastAgainst('pg Pool(10)', 'no worse than', 1),
  fastAgainst('iokernel one lane', 'at most a tenth of', 0.1),
  {
    text: 'no call of iokernel is rejected',
    judge: (_, __, mixture) => {
      const own = mixture.filter(({ subject }) => subject === 'iokernel')
      if (own.length === 0) return undefined
      const errors = own.reduce((sum, row) => sum + row.errors, 0)
      return { found: `${errors}`, isReached: errors === 0 }
    },
  },
]

function fastAgainst(other: string, wanted: string, shareMax: number): Target {
  return {
    text: `fast: p99 ${wanted} ${other}'s`,
    judge: (_, __, mixture) => {
      const own = fastOf(mixture, 'iokernel')
      const theirs = fastOf(mixture, other)
      if (own === undefined || theirs === undefined) return undefined
      const found = `${own.p99Us.toFixed(0)} µs, ${other} ${theirs.p99Us.toFixed(0)} µs`
      return { found, isReached: own.p99Us <= theirs.p99Us * shareMax }
    },
  }
}

function fastOf(mixture: readonly MixtureRow[], subject: string): MixtureRow | undefined {
  return mixture.find((row) => row.subject === subject && row.operation === 'fast')
}
