/**
 * The figures that were promised for Postgres, on a machine with two cores, with rows of 100 bytes. The best peer is
 * the Node client with the most calls a second.
 */
import type { Row } from '../harness/rows.ts'
import type { Judgement, Target } from './suite.ts'

export const ROW_BYTES = 100

export const POSTGRES_TARGETS: readonly Target[] = [
  ...[50, 200].flatMap((inFlight) => [throughput('select', inFlight, 2), shareOfPgbench(inFlight)]),
  ...[1, 2].map((inFlight) => throughput('rows-10000', inFlight, 1)),
  ...[50, 200].map((inFlight) => throughput('insert', inFlight, 1)),
  ...[50, 200].map((inFlight) => processorTime('select', inFlight)),
  ...[1, 2].map((inFlight) => processorTime('rows-10000', inFlight)),
  ...[50, 200].map((inFlight) => processorTime('insert', inFlight)),
]

function throughput(operation: string, inFlight: number, factorMin: number): Target {
  const wanted = factorMin === 1 ? 'no slower than' : `at least ${factorMin} times`
  return {
    text: `${operation}, ${inFlight} in flight: ${wanted} the best Node peer`,
    judge: (rows) =>
      againstBestPeer(rows, operation, inFlight, (own, best) => {
        const factor = own.opsPerSecond / best.opsPerSecond
        return { found: `${factor.toFixed(2)} times ${best.subject}`, isReached: factor >= factorMin }
      }),
  }
}

function shareOfPgbench(inFlight: number): Target {
  return {
    text: `select, ${inFlight} in flight: at least 80 % of pgbench pipeline 20`,
    judge: (rows) => {
      const own = find(rows, 'iokernel', 'select', inFlight)
      const limit = find(rows, 'pgbench pipeline 20', 'select', 20)
      if (own === undefined || limit === undefined) return undefined
      const percent = (own.opsPerSecond / limit.opsPerSecond) * 100
      return { found: `${percent.toFixed(0)} %`, isReached: percent >= 80 }
    },
  }
}

function processorTime(operation: string, inFlight: number): Target {
  return {
    text: `${operation}, ${inFlight} in flight: processor time per call at most 60 % of the best Node peer's`,
    judge: (rows) =>
      againstBestPeer(rows, operation, inFlight, (own, best) => {
        const share = own.cpuUsPerOp / best.cpuUsPerOp
        const found = `${own.cpuUsPerOp.toFixed(2)} µs, ${best.subject} ${best.cpuUsPerOp.toFixed(2)} µs`
        return { found: `${found} (${(share * 100).toFixed(0)} %)`, isReached: share <= 0.6 }
      }),
  }
}

function againstBestPeer(
  rows: readonly Row[],
  operation: string,
  inFlight: number,
  judge: (own: Row, best: Row) => Judgement,
): Judgement | undefined {
  const own = find(rows, 'iokernel', operation, inFlight)
  const [first, ...others] = PEERS.flatMap((peer) => find(rows, peer, operation, inFlight) ?? [])
  if (own === undefined || first === undefined) return undefined
  return judge(
    own,
    others.reduce((best, row) => (row.opsPerSecond > best.opsPerSecond ? row : best), first),
  )
}

function find(rows: readonly Row[], subject: string, operation: string, inFlight: number): Row | undefined {
  return rows.find(
    (row) =>
      row.subject === subject && row.operation === operation && row.bytes === ROW_BYTES && row.inFlight === inFlight,
  )
}

const PEERS = ['pg Pool(10)', 'pg pipeline', 'postgres.js(1)', 'postgres.js(10)']
