/**
 * Connections, readings and conversations: the kit's verbs, for authors' own tests too.
 *
 * Rules: nothing here judges. `drive` and `playScript` say what happened, an error of the plugin included; only a
 * breach of the contract is thrown (an `AssertionError`). Nonces are the bytes 0, 1, 2, ... so that conversations
 * repeat.
 */
import assert, { AssertionError } from 'node:assert/strict'
import {
  type Cloneable,
  type Connection,
  IoKernelError,
  type IoProtocol,
  type Place,
  RefusedError,
  type Script,
} from '@iokernel/core/plugin'
import { type Arrival, briefly } from './arrivals.ts'
import { Driver, type DriverOptions } from './driver.ts'
import type { ScriptOutcome, ScriptRun } from './script-run.ts'
import { bytesOf, type Outstanding, type PeerStep, type Setting, type Subject, type Transcript } from './subject.ts'

/** What came of feeding bytes to a connection. */
export interface Reading {
  readonly arrivals: readonly Arrival[]
  /** Requests that are not completely answered. */
  readonly unanswered: number
  /** Bytes that the framer is not done with. */
  readonly bytesWaiting: number
  /** What the connection has said by itself. */
  readonly said: Buffer
  readonly closed: boolean
  /** What the plugin threw. */
  readonly error: unknown
}

export interface DriveInput extends DriverOptions {
  readonly requests?: readonly Outstanding[]
  readonly keys?: readonly string[]
  /** Bytes as they arrive: one scan for each. */
  readonly chunks: Iterable<Uint8Array>
  readonly ended?: boolean
}

/** What came of a conversation. */
export interface Conversation {
  readonly run: ScriptRun
  readonly outcome: ScriptOutcome
  /** What the script has sent after the last step that looked at it. */
  readonly unread: Buffer
}

/** Feeds `chunks` to a connection and says what the kernel would have passed on. */
export function drive(connection: Connection, input: DriveInput): Reading {
  return driveOn(new Driver(connection, input), input)
}

export function driveOn(driver: Driver, input: DriveInput): Reading {
  let error: unknown
  try {
    for (const key of input.keys ?? []) driver.subscribe(key)
    driver.ask(input.requests)
    for (const chunk of input.chunks) driver.receive(chunk)
    if (input.ended === true) driver.end()
  } catch (thrown) {
    if (thrown instanceof AssertionError) throw thrown
    error = thrown
  }
  const { arrivals, unanswered, bytesWaiting, closed } = driver
  return { arrivals, unanswered, bytesWaiting, said: Buffer.from(driver.said.written()), closed, error }
}

/** How a peer's bytes are cut before they are fed. */
export type Cut = (bytes: Buffer) => Iterable<Uint8Array>

/** Plays a script against a peer. Stops at the step at which the script has ended. */
export function playScript(
  driver: Driver,
  script: Script<unknown>,
  peer: readonly PeerStep[],
  cut: Cut = whole,
): Conversation {
  const run = driver.start(script)
  const seen = { sent: 0 }
  for (const [index, step] of peer.entries()) playStep(driver, run, step, index, seen, cut)
  return { run, outcome: run.outcome, unread: run.sent.subarray(seen.sent) }
}

/** What is done with a connection before the bytes that matter. */
export interface Prepared extends Setting {
  readonly after?: Transcript
}

/**
 * A new connection of the subject, after the conversations that come first. Settings that are not named are those of
 * the conversation before.
 */
export function prepare(subject: Subject, prepared: Prepared = {}): Driver {
  const setting = settingOf(prepared)
  const purpose = setting.purpose ?? 'lane'
  const connection = connectionOf(subject.io, setting.options ?? subject.options, setting)
  const driver = new Driver(connection, { purpose, correlated: subject.protocol.supports.replies === 'correlated' })
  if (prepared.after !== undefined) converse(driver, prepared.after, whole, 'with those before it')
  return driver
}

/** Plays a transcript on a connection and asserts that it ends as it says. */
export function converse(driver: Driver, transcript: Transcript, cut: Cut, how?: 'with those before it'): Conversation {
  if (how !== undefined && transcript.after !== undefined) converse(driver, transcript.after, whole, how)
  const script = scriptOf(driver.connection, transcript)
  assert(script !== undefined, `${transcript.name}: the connection has no such script`)
  const conversation = playScript(driver, script, transcript.peer, cut)
  assertEnd(transcript, conversation)
  return conversation
}

export function scriptOf(connection: Connection, transcript: Transcript): Script<unknown> | undefined {
  return connection[transcript.script ?? 'handshake']?.()
}

export function connectionOf<Io extends Cloneable>(io: IoProtocol<Io>, options: Io, setting: Setting): Connection {
  return io.connection(options, placeOf(setting))
}

export function placeOf(setting: Setting): Place {
  return {
    side: setting.side ?? 'client',
    purpose: setting.purpose ?? 'lane',
    endpoint: { id: '192.0.2.1:7', host: '192.0.2.1', port: 7 },
    encrypted: setting.encrypted ?? false,
    credentials: setting.credentials,
    ...(setting.cancels === undefined ? {} : { cancels: setting.cancels }),
    random: (length) => Uint8Array.from({ length }, (_, index) => index & 255),
  }
}

/** What is not named is as in the conversation that comes first. */
export function settingOf(prepared: Prepared): Setting {
  const { options, side, purpose, encrypted, credentials, cancels } = prepared
  return {
    ...(prepared.after === undefined ? {} : settingOf(prepared.after)),
    ...(options === undefined ? {} : { options }),
    ...(side === undefined ? {} : { side }),
    ...(purpose === undefined ? {} : { purpose }),
    ...(encrypted === undefined ? {} : { encrypted }),
    ...(credentials === undefined ? {} : { credentials }),
    ...(cancels === undefined ? {} : { cancels }),
  }
}

export function* whole(bytes: Buffer): Iterable<Uint8Array> {
  yield bytes
}

export function* byteByByte(bytes: Buffer): Iterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at++) yield bytes.subarray(at, at + 1)
}

/** Plays one step of the peer's. */
function playStep(
  driver: Driver,
  run: ScriptRun,
  step: PeerStep,
  index: number,
  seen: { sent: number },
  cut: Cut,
): void {
  if ('receives' in step) {
    const sent = run.sent.subarray(seen.sent)
    seen.sent = run.sent.length
    if (typeof step.receives === 'function') assert(step.receives(sent), `step ${index}: sent ${briefly(sent)}`)
    else assert.equal(briefly(sent), briefly(step.receives), `step ${index}: what the script has sent`)
    return
  }
  if (run.outcome.kind !== 'waiting') {
    const end = run.outcome.kind === 'failed' ? `failed with ${String(run.outcome.error)}` : 'finished'
    assert.fail(`step ${index}: the script has ${end} before the peer was through`)
  }
  if ('upgrades' in step) return driver.upgraded(bytesOf(step.upgrades))
  if ('ends' in step) {
    receiveAll(driver, cut(bytesOf(step.ends)))
    return endOf(driver)
  }
  const bytes = bytesOf(typeof step.sends === 'function' ? step.sends(run.sent) : step.sends)
  receiveAll(driver, cut(bytes))
}

/** The peer half-closes; what the plugin thinks of it ends the script. */
export function endOf(driver: Driver): void {
  try {
    driver.end()
  } catch (error) {
    if (error instanceof AssertionError) throw error
  }
}

/** What the plugin throws ends the script, as in the kernel. */
export function receiveAll(driver: Driver, chunks: Iterable<Uint8Array>): void {
  for (const chunk of chunks) {
    try {
      driver.receive(chunk)
    } catch (error) {
      if (error instanceof AssertionError) throw error
      return
    }
  }
}

function assertEnd({ name, ends }: Transcript, { outcome, unread }: Conversation): void {
  assert.equal(briefly(unread), briefly(''), `${name}: the script has sent more than the peer read`)
  if ('result' in ends) {
    if (outcome.kind === 'failed') throw outcome.error
    assert.equal(outcome.kind, 'finished', `${name}: the script still waits`)
    if (outcome.kind === 'finished') assert.deepEqual(outcome.result, ends.result, `${name}: the facts`)
    return
  }
  assert.equal(outcome.kind, 'failed', `${name}: the script was to fail with ${ends.code}`)
  if (outcome.kind !== 'failed') return
  const { error } = outcome
  if (!(error instanceof IoKernelError)) throw error
  assert.equal(error.code, ends.code, `${name}: the code of ${String(error)}`)
  const refused = error instanceof RefusedError
  if (ends.refused !== undefined) assert.equal(refused, ends.refused, `${name}: is it a RefusedError?`)
}
