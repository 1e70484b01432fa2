/**
 * The figures that were promised for Redis, on a machine with two cores. All are about GET of 64 bytes.
 */
import type { RestRow, Row } from '../harness/rows.ts'
import type { Judgement, Target } from './suite.ts'

export const REDIS_TARGETS: readonly Target[] = [
  throughput(500, 3),
  {
    text: '500 in flight: at least 70 % of redis-benchmark -P 50',
    judge: (rows) => {
      const own = find(rows, 'iokernel', 500)
      const limit = find(rows, 'redis-benchmark -P 50', 50)
      if (own === undefined || limit === undefined) return undefined
      const percent = (own.opsPerSecond / limit.opsPerSecond) * 100
      return { found: `${percent.toFixed(0)} %`, isReached: percent >= 70 }
    },
  },
  throughput(50, 2),
  {
    text: '1 in flight: p50 no worse than the best Node peer',
    judge: (rows) =>
      againstPeers(rows, 1, (own, peers) => {
        const best = smallest(peers, (row) => row.p50Us)
        const found = `${own.p50Us.toFixed(0)} µs, ${best.subject} ${best.p50Us.toFixed(0)} µs`
        return { found, isReached: own.p50Us <= best.p50Us }
      }),
  },
  processorTime(50),
  processorTime(500),
  {
    text: 'idle: below 0.5 % of a core',
    judge: (_, rest) => {
      const own = rest.find(({ subject }) => subject === 'iokernel')
      return own && { found: `${own.cpuPercent.toFixed(2)} %`, isReached: own.cpuPercent < 0.5 }
    },
  },
  {
    text: 'a kernel costs at most 20 MB',
    judge: (_, rest) => {
      const costMb = costOf(rest, 'iokernel')
      return costMb === undefined ? undefined : { found: `${costMb.toFixed(1)} MB`, isReached: costMb <= 20 }
    },
  },
]

/** Memory of a subject's process beyond that of the same process without it. */
export function costOf(rest: readonly RestRow[], subject: string): number | undefined {
  const own = rest.find((row) => row.subject === subject)
  const without = rest.find((row) => row.subject === 'nothing')
  return own && without && own.rssMb - without.rssMb
}

function throughput(inFlight: number, factorMin: number): Target {
  return {
    text: `${inFlight} in flight: at least ${factorMin} times the best Node peer`,
    judge: (rows) =>
      againstPeers(rows, inFlight, (own, peers) => {
        const best = smallest(peers, (row) => -row.opsPerSecond)
        const factor = own.opsPerSecond / best.opsPerSecond
        return { found: `${factor.toFixed(2)} times ${best.subject}`, isReached: factor >= factorMin }
      }),
  }
}

function processorTime(inFlight: number): Target {
  return {
    text: `${inFlight} in flight: processor time per operation at most half of the best peer's`,
    judge: (rows) =>
      againstPeers(rows, inFlight, (own, peers) => {
        const best = smallest(peers, (row) => row.cpuUsPerOp)
        const share = own.cpuUsPerOp / best.cpuUsPerOp
        const found = `${own.cpuUsPerOp.toFixed(2)} µs, ${best.subject} ${best.cpuUsPerOp.toFixed(2)} µs`
        return { found: `${found} (${(share * 100).toFixed(0)} %)`, isReached: share <= 0.5 }
      }),
  }
}

function againstPeers(
  rows: readonly Row[],
  inFlight: number,
  judge: (own: Row, peers: readonly [Row, ...Row[]]) => Judgement,
): Judgement | undefined {
  const own = find(rows, 'iokernel', inFlight)
  const [first, ...others] = PEERS.flatMap((peer) => find(rows, peer, inFlight) ?? [])
  return own && first && judge(own, [first, ...others])
}

function find(rows: readonly Row[], subject: string, inFlight: number): Row | undefined {
  return rows.find(
    (row) => row.subject === subject && row.operation === 'get' && row.bytes === 64 && row.inFlight === inFlight,
  )
}

function smallest(rows: readonly [Row, ...Row[]], by: (row: Row) => number): Row {
  return rows.reduce((best, row) => (by(row) < by(best) ? row : best))
}

const PEERS = ['ioredis', 'ioredis auto-pipelining', 'node-redis', 'valkey-glide']
