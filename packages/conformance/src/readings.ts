/**
 * Fixtures as the suites use them: read in some way, and compared with what they should be.
 *
 * Rules: every reading has a connection of its own, prepared as the fixture says. What a fixture does not say it
 * expects is taken from one reading of the whole, which must leave nothing unanswered and no byte over.
 */
import assert from 'node:assert/strict'
import { IoKernelError } from '@iokernel/core/plugin'
import { expectedLines, linesOf } from './arrivals.ts'
import { type DriveInput, driveOn, type Prepared, prepare, type Reading } from './play.ts'
import { type Bytes, bytesOf, type Fixture, type Outstanding, type Subject } from './subject.ts'

/** What fixtures and hostile inputs have in common. */
export interface Input extends Prepared {
  readonly bytes: Bytes
  readonly requests?: readonly Outstanding[]
  readonly keys?: readonly string[]
  readonly ended?: boolean
}

export function read(subject: Subject, input: Input, chunks: Iterable<Uint8Array>): Reading {
  return driveOn(prepare(subject, input), inputOf(input, chunks))
}

export function readWhole(subject: Subject, input: Input): Reading {
  return read(subject, input, [bytesOf(input.bytes)])
}

export function inputOf({ requests, keys, ended }: Input, chunks: Iterable<Uint8Array>): DriveInput {
  return {
    chunks,
    ...(requests === undefined ? {} : { requests }),
    ...(keys === undefined ? {} : { keys }),
    ...(ended === undefined ? {} : { ended }),
  }
}

/** The lines that every reading of this fixture must give. */
export function wantedLines(subject: Subject, fixture: Fixture): readonly string[] {
  if (fixture.expected !== undefined) return expectedLines(fixture.expected, fixture.requests?.length ?? 0)
  const reading = readWhole(subject, fixture)
  rethrow(reading)
  assert.equal(reading.unanswered, 0, 'requests that the whole fixture leaves unanswered')
  return linesOf(reading.arrivals)
}

/** Asserts that a reading gave what was wanted, and that nothing of the bytes is left. */
export function assertReading(reading: Reading, wanted: readonly string[], how: string): void {
  rethrow(reading)
  assert.deepEqual(linesOf(reading.arrivals), wanted, how)
  if (!reading.closed) assert.equal(reading.bytesWaiting, 0, `${how}: bytes that the framer is not done with`)
}

/** Two readings of the same bytes, cut differently: what came before an error may be less, never something else. */
export function assertAlike(one: Reading, other: Reading, how: string): void {
  const failed = one.error !== undefined
  assert.equal(
    other.error === undefined ? 'accepted' : 'refused',
    failed ? 'refused' : 'accepted',
    `${how}: ${String(one.error ?? other.error)}`,
  )
  const [left, right] = [linesOf(one.arrivals), linesOf(other.arrivals)]
  const common = failed ? Math.min(left.length, right.length) : Math.max(left.length, right.length)
  assert.deepEqual(right.slice(0, common), left.slice(0, common), how)
}

/** Nothing, or an error that lays the fault on the peer. */
export function assertRemote(error: unknown, how: string): void {
  if (error === undefined) return
  if (error instanceof IoKernelError && (error as IoKernelError).side === 'remote') return
  const text = error instanceof Error ? (error.stack ?? String(error)) : String(error)
  assert.fail(`${how}: bytes that the protocol does not allow are a RemoteProtocolError, and this was thrown: ${text}`)
}

/** May more replies follow on the same connection? */
export function goesOn(subject: Subject, fixture: Fixture): boolean {
  return fixture.ended !== true && fixture.keys === undefined && !readWhole(subject, fixture).closed
}

function rethrow({ error }: Reading): void {
  if (error !== undefined) throw error
}
