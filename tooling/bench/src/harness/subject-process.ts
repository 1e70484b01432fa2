/**
 * The process in which one subject is measured, alone: its processor time, its memory and its garbage are its own.
 *
 * Rules: it does what it is told over IPC, one thing at a time, and ends when its parent does. Garbage of one round is
 * collected before the next begins. Nothing of the bench's other subjects is loaded.
 */
import type { Subject, SubjectClient } from '../subjects/subject.ts'
import { loadSubject } from '../subjects/table.ts'
import { closedLoop } from './closed-loop.ts'
import { cpuSince, cpuTimes } from './cpu.ts'
import type { Measured, Rest, SubjectAnswer, SubjectRequest } from './messages.ts'
import { MixedLoop } from './mixed-loop.ts'
import { openLoop } from './open-loop.ts'
import type { Operation } from './operation.ts'
import { Samples } from './samples.ts'
import { percentile } from './statistics.ts'

const samples = new Samples()
let client: SubjectClient | undefined
let operation: Operation | undefined
let mixedLoop: MixedLoop | undefined

process.on('message', (request: SubjectRequest) => {
  carryOut(request)
    .catch((error: unknown): SubjectAnswer => ({ did: 'fail', reason: reasonOf(error) }))
    .then((answer) => process.send?.(answer, () => request.do === 'close' && process.disconnect()))
})
process.on('disconnect', () => process.exit())

async function carryOut(request: SubjectRequest): Promise<SubjectAnswer> {
  switch (request.do) {
    case 'open':
      return open(request.subject, request.url)
    case 'prepare':
      operation = client?.operation(request.operation, request.bytes)
      return { did: 'prepare' }
    case 'closed':
      return measure((wanted) => closedLoop(wanted, request.inFlight, request.durationMs, samples))
    case 'open loop':
      return measure((wanted) => openLoop(wanted, request, samples))
    case 'mixture':
      if (client === undefined) throw new Error('no subject was opened')
      mixedLoop ??= new MixedLoop(client, request.streams, request.bytes)
      return { did: 'mixture', measured: await mixedLoop.round(request) }
    case 'rest':
      return { did: 'rest', rest: await rest(request.durationMs) }
    case 'close':
      await client?.close()
      return { did: 'close' }
  }
}

/** What does not load cannot take part; what loads and does not connect has failed. */
async function open(name: string, url: string): Promise<SubjectAnswer> {
  let connect: Subject
  try {
    connect = await loadSubject(name)
  } catch (error) {
    return { did: 'skip', reason: `it does not load here: ${reasonOf(error)}` }
  }
  client = await connect(url)
  return { did: 'open' }
}

async function measure(
  run: (operation: Operation) => Promise<{ readonly operations: number; readonly elapsedMs: number }>,
): Promise<SubjectAnswer> {
  if (operation === undefined) throw new Error('no operation was prepared')
  samples.clear()
  globalThis.gc?.()
  const before = cpuTimes()
  const result = await run(operation)
  const cpu = cpuSince(before)
  const rssBytes = process.memoryUsage.rss()
  if (operation.settle && !(await operation.settle())) throw new Error('what was written is not there')
  const sorted = samples.sorted()
  const measured: Measured = {
    operations: result.operations,
    elapsedMs: result.elapsedMs,
    p50Us: percentile(sorted, 0.5),
    p99Us: percentile(sorted, 0.99),
    p999Us: percentile(sorted, 0.999),
    cpuUs: cpu.processUs,
    mainCpuUs: Number.isNaN(cpu.mainThreadUs) ? null : cpu.mainThreadUs,
    rssBytes,
  }
  return { did: 'measure', measured }
}

async function rest(durationMs: number): Promise<Rest> {
  globalThis.gc?.()
  const before = cpuTimes()
  const beganAtMs = performance.now()
  await new Promise((resolve) => setTimeout(resolve, durationMs))
  const elapsedMs = performance.now() - beganAtMs
  return { elapsedMs, cpuUs: cpuSince(before).processUs, rssBytes: process.memoryUsage.rss() }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as { code?: string }
  return code === undefined ? error.message : `${code}: ${error.message}`
}
