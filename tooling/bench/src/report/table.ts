/** Results as text: columns for people, in the order in which they were measured. */
import { nameOf } from '../harness/comparison.ts'
import type { Cell } from '../harness/contestant.ts'
import type { MixtureRow, OpenLoopRow, RestRow, Row } from '../harness/rows.ts'
import type { Mixture, Suite } from '../suites/suite.ts'

/** One table for each cell, with the ratios to the best peer and to the limit. */
export function comparisonText(suite: Suite, cells: readonly Cell[], rows: readonly Row[]): string {
  return cells.map((cell) => cellText(suite, cell, rows)).join('\n\n')
}

export function openLoopText(
  { operation, bytes, ratePerSecond }: NonNullable<Suite['openLoop']>,
  rows: readonly OpenLoopRow[],
): string {
  const title = `${operation} ${bytes} B at ${ratePerSecond} a second in bursts, latency from when each was due`
  const head = ['subject', 'per second', 'p50 µs', 'p99 µs', 'p99.9 µs', 'CPU µs']
  const lines = rows.map((row) => [
    row.subject,
    whole(row.ratePerSecond),
    whole(row.p50Us),
    whole(row.p99Us),
    whole(row.p999Us),
    row.cpuUsPerOp.toFixed(1),
  ])
  return `${title}\n${columns([head, ...lines])}`
}

/** One table for each stream. The processor time is the whole mixture's, the same in each. */
export function mixtureText({ streams }: Mixture, rows: readonly MixtureRow[]): string {
  const all = streams.map(({ name, ratePerSecond }) => `${whole(ratePerSecond)} ${name}`).join(', ')
  const title = `${all} a second, all at once, latency from when each was due`
  const head = ['p50 µs', 'p99 µs', 'max µs', 'errors', 'CPU µs', 'RSS MB']
  const tables = streams.map(({ name }) => {
    const lines = rows
      .filter(({ operation }) => operation === name)
      .map((row) => [
        row.subject,
        ...[row.p50Us, row.p99Us, row.maxUs, row.errors].map(whole),
        row.cpuUsPerOp.toFixed(1),
        whole(row.rssMb),
      ])
    return columns([[name, ...head], ...lines])
  })
  return [title, tables.join('\n\n')].join('\n')
}

export function restText(rows: readonly RestRow[]): string {
  const without = rows.find(({ subject }) => subject === 'nothing')?.rssMb
  const head = ['subject', 'CPU % of a core', 'RSS MB', 'more than nothing']
  const lines = rows.map(({ subject, cpuPercent, rssMb }) => [
    subject,
    cpuPercent.toFixed(2),
    rssMb.toFixed(1),
    without === undefined ? '' : (rssMb - without).toFixed(1),
  ])
  return `connected, nothing in flight\n${columns([head, ...lines])}`
}

export function targetsText(
  suite: Suite,
  rows: readonly Row[],
  rest: readonly RestRow[],
  mixture: readonly MixtureRow[],
): string {
  const lines = suite.targets.map(({ text, judge }) => {
    const judgement = judge(rows, rest, mixture)
    if (judgement === undefined) return `  not measured  ${text}`
    return `  ${judgement.isReached ? 'reached     ' : 'MISSED      '}  ${text}: ${judgement.found}`
  })
  return ['targets', ...lines].join('\n')
}

/** The first column to the left, the others to the right. */
export function columns(lines: readonly (readonly string[])[]): string {
  const count = Math.max(...lines.map((line) => line.length))
  const widths = Array.from({ length: count }, (_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? '').length)),
  )
  const pad = (text: string, column: number): string =>
    column === 0 ? text.padEnd(widths[0] as number) : text.padStart(widths[column] as number)
  return lines.map((line) => `  ${line.map(pad).join('  ')}`.trimEnd()).join('\n')
}

function cellText(suite: Suite, cell: Cell, rows: readonly Row[]): string {
  const inCell = suite.subjects.flatMap((subject) => {
    if (!subject.joins(cell)) return []
    const inFlight = subject.inFlightIn(cell)
    const row = rows.find(
      (one) =>
        one.subject === subject.name &&
        one.operation === cell.operation &&
        one.bytes === cell.bytes &&
        one.inFlight === inFlight,
    )
    return row === undefined ? [] : [{ row, kind: subject.kind }]
  })
  const fastest = (kind: string): number | undefined => {
    const rates = inCell.filter((one) => one.kind === kind).map(({ row }) => row.opsPerSecond)
    return rates.length === 0 ? undefined : Math.max(...rates)
  }
  const [peer, limit] = [fastest('peer'), fastest('limit')]
  const head = ['subject', 'per second', '× best peer', '% of limit', 'p50 µs', 'p99 µs', 'CPU µs', 'main', 'RSS MB']
  const isCounted = inCell.some(({ row }) => row.connections !== undefined)
  const lines = inCell.map(({ row }) => [
    row.subject,
    whole(row.opsPerSecond),
    peer === undefined ? '' : (row.opsPerSecond / peer).toFixed(2),
    limit === undefined ? '' : whole((row.opsPerSecond / limit) * 100),
    whole(row.p50Us),
    whole(row.p99Us),
    row.cpuUsPerOp.toFixed(2),
    row.mainCpuUsPerOp?.toFixed(2) ?? '?',
    whole(row.rssMb),
    ...(isCounted ? [row.connections === undefined ? '?' : whole(row.connections)] : []),
  ])
  return `${nameOf(cell)}\n${columns([[...head, ...(isCounted ? ['connections'] : [])], ...lines])}`
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en').replaceAll(',', ' ')
}
