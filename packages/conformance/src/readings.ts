/**
 * Fixtures as the suites use them: read in some way, and compared with what they should be.
 *
 * Rules: every reading has a connection of its own, prepared as the fixture says. What a fixture does not say it
 * expects is taken from one reading of the whole, which must leave nothing unanswered and no byte over.
 */
import assert from 'node:assert/strict'
import { IoKernelError } from '@iokernel/core/plugin'
import { type Arrival, briefly, expectedLines, linesOf } from './arrivals.ts'
import { type DriveInput, driveOn, type Prepared, prepare, type Reading } from './play.ts'
import { type Bytes, bytesOf, callsIn, type Fixture, type Outstanding, type Subject } from './subject.ts'

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

/** What every reading of a fixture must give. */
export interface Wanted {
  readonly lines: readonly string[]
  /** What the connection says by itself. */
  readonly says: Buffer
}

export const NOTHING_SAID: Buffer = Buffer.alloc(0)

export function wantedOf(subject: Subject, fixture: Fixture): Wanted {
  return { lines: wantedLines(subject, fixture), says: bytesOf(fixture.says ?? NOTHING_SAID) }
}

function wantedLines(subject: Subject, fixture: Fixture): readonly string[] {
  if (fixture.expected !== undefined) return expectedLines(fixture.expected, callsIn(fixture.requests))
  const reading = readWhole(subject, fixture)
  rethrow(reading)
  assert.equal(reading.unanswered, 0, 'requests that the whole fixture leaves unanswered')
  return linesOf(reading.arrivals)
}

/** Asserts that a reading gave what was wanted, and that nothing of the bytes is left. */
export function assertReading(reading: Reading, wanted: Wanted, how: string): void {
  rethrow(reading)
  assert.deepEqual(linesOf(reading.arrivals), wanted.lines, how)
  assertSaid(reading.said, wanted.says, how)
  if (!reading.closed) assert.equal(reading.bytesWaiting, 0, `${how}: bytes that the framer is not done with`)
}

export function assertSaid(said: Buffer, says: Bytes, how: string): void {
  assert.equal(briefly(said), briefly(says), `${how}: what the connection says by itself`)
}

/** Whom pushes and requests are for, in their order. */
export function routesOf(arrivals: readonly Arrival[]): readonly unknown[] {
  return arrivals.flatMap((one) => ('route' in one ? [one.route] : []))
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
  const said = failed ? Math.min(one.said.length, other.said.length) : Math.max(one.said.length, other.said.length)
  assertSaid(other.said.subarray(0, said), one.said.subarray(0, said), how)
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
  if (fixture.ended === true || fixture.last === true || fixture.keys !== undefined) return false
  const { closed, unanswered } = readWhole(subject, fixture)
  return !closed && unanswered === 0
}

function rethrow({ error }: Reading): void {
  if (error !== undefined) throw error
}
