/**
 * The handshake suite: the scripts of a connection against peers that behave, refuse, and talk nonsense.
 *
 * Rules:
 * 1. A transcript ends as it says, however the peer's bytes arrive, and its result crosses the threads unchanged.
 * 2. In place of each of the peer's answers, garbage: the script waits for more or fails by the peer's fault. It does
 *    not finish. Nor does it when the reply of a sample answers everything. Against answers that are almost right it
 *    may finish, but every error is typed and every end is bounded.
 * 3. No error and no fact contains a secret.
 */
import assert from 'node:assert/strict'
import { deserialize, serialize } from 'node:v8'
import { type Cloneable, IoKernelError } from '@iokernel/core/plugin'
import { briefly } from '../arrivals.ts'
import { byteByByte, connectionOf, converse, endOf, playScript, prepare, receiveAll, scriptOf, whole } from '../play.ts'
import { POISON } from '../poison.ts'
import { type Random, seeded } from '../random.ts'
import { assertRemote } from '../readings.ts'
import type { Runner } from '../runner.ts'
import { assertNoSecret, holdsSecret } from '../secrets.ts'
import { bytesOf, type PeerStep, type ScriptName, type Subject, type Transcript } from '../subject.ts'

const GARBAGE_BYTES = 512
/** More answers than any handshake asks for. */
const ANSWERS_MAX = 32
/** Random garbage in place of each answer, beside the fixed kinds. */
const GARBAGE_ROUNDS = 8
/** Changed copies of each answer. */
const CHANGES = 64

export function handshakeSuite({ describe, test }: Runner, subject: Subject, seed: number): void {
  describe('handshake', () => {
    for (const script of ['handshake', 'probe', 'reset', 'audit'] as const)
      test(`${script}: ${SHOWN}`, () => show(subject, script))
    tlsTest({ describe, test }, subject)
    for (const transcript of subject.transcripts) {
      test(transcript.name, () => playInEveryWay(subject, transcript))
      test(`${transcript.name}: garbage in place of an answer`, () => {
        seeded(seed, transcript.name, (random) => playGarbage(subject, transcript, random))
      })
      test(`${transcript.name}: one answer to everything`, () => playUnasked(subject, transcript))
      test(`${transcript.name}: answers that are almost right`, () => {
        seeded(seed, transcript.name, (random) => playAlmost(subject, transcript, random))
      })
    }
    test('the secrets are in what the scripts are given', () => findSecrets(subject))
  })
}

const SHOWN = 'transcripts show it succeed and fail, or the connection has none'

function show(subject: Subject, script: ScriptName): void {
  const connection = connectionOf(subject.io, subject.options, {})
  const mine = subject.transcripts.filter((one) => (one.script ?? 'handshake') === script)
  if (connection[script] === undefined) {
    assert.equal(mine.length, 0, `the connection has no ${script}()`)
    return
  }
  const good = mine.filter(({ ends }) => 'result' in ends)
  assert(good.length > 0, `no transcript shows ${script}() succeed`)
  // Where nothing is asked, nobody can refuse.
  const asks = good.some(({ peer }) => peer.length > 0)
  assert(!asks || mine.some(({ ends }) => 'code' in ends), `no transcript shows ${script}() fail`)
}

function tlsTest({ test }: Runner, subject: Subject): void {
  const { tls } = subject.protocol.supports
  const upgrades = subject.transcripts.some(({ peer }) => peer.some((step) => 'upgrades' in step))
  if (tls === 'negotiated') test('TLS: a transcript negotiates it', () => assert(upgrades, 'no transcript does'))
  else if (tls === 'direct') {
    // A tunnel through a proxy is negotiated with the proxy, and TLS begins inside of it.
    test('TLS: skipped, for the manifest says that it is there before the handshake', () => assert.equal(tls, 'direct'))
  } else {
    test('TLS: skipped, for the manifest says that there is none', () => {
      assert(!upgrades, `a transcript upgrades to TLS, and supports.tls is ${tls}`)
    })
  }
}

function playInEveryWay(subject: Subject, transcript: Transcript): void {
  for (const cut of [whole, byteByByte]) {
    const { outcome } = converse(prepare(subject, transcript), transcript, cut)
    if (outcome.kind === 'failed') assertNoSecret(outcome.error, subject.secrets, `the error of ${transcript.name}`)
    if (outcome.kind !== 'finished') continue
    assertNoSecret(outcome.result, subject.secrets, `the result of ${transcript.name}`)
    const copy: unknown = deserialize(serialize(outcome.result))
    assert.deepEqual(copy, outcome.result, 'the result does not survive the way to another thread')
  }
}

function playGarbage(subject: Subject, transcript: Transcript, random: Random): void {
  for (const index of answersOf(transcript)) {
    const kinds = [...FIXED_GARBAGE, ...Array.from({ length: GARBAGE_ROUNDS }, (_, round) => noise(random, round))]
    for (const garbage of kinds) {
      const how = `${briefly(garbage)} in place of step ${index}`
      const attempt = playUpTo(subject, transcript, index, [garbage])
      assert(!attempt.content, `${how}: the script was content with it`)
      assertRemote(attempt.error, how)
      assertNoSecret(attempt.error, subject.secrets, `the error after ${how}`)
    }
  }
}

/**
 * One and the same answer to everything, which the framer takes and no transcript gives. A step may ignore what it is
 * told; the whole of a script may not.
 */
function playUnasked(subject: Subject, transcript: Transcript): void {
  const [first] = answersOf(transcript)
  if (first === undefined) return
  const known = new Set(subject.transcripts.flatMap(({ peer }) => peer.flatMap(bytesOfStep)).map(briefly))
  for (const answer of plainReplies(subject)) {
    if (known.has(briefly(answer))) continue
    const how = `${briefly(answer)} in answer to everything`
    const attempt = playUpTo(subject, transcript, first, new Array<Buffer>(ANSWERS_MAX).fill(answer))
    assert(!attempt.content, `${how}: the script was content with it`)
    assertRemote(attempt.error, how)
  }
}

/** What calls are answered with, errors apart: an error is an answer to everything. */
function plainReplies({ samples }: Subject): readonly Buffer[] {
  return samples.flatMap(({ reply, gives, after }) =>
    'value' in gives && after === undefined && reply.length <= GARBAGE_BYTES ? [bytesOf(reply)] : [],
  )
}

function playAlmost(subject: Subject, transcript: Transcript, random: Random): void {
  const answers = subject.transcripts.flatMap(({ peer }) => peer.flatMap(bytesOfStep))
  for (const index of answersOf(transcript)) {
    const own = bytesOfStep(transcript.peer[index] as PeerStep)[0]
    const changed = own === undefined ? [] : Array.from({ length: CHANGES }, () => oneBitChanged(own, random))
    for (const answer of [...answers, ...changed]) {
      const how = `${briefly(answer)} in place of step ${index}`
      const { error } = playUpTo(subject, transcript, index, [answer])
      if (error === undefined) continue
      assert(error instanceof IoKernelError, `${how}: ${error instanceof Error ? error.stack : String(error)}`)
      assertNoSecret(error, subject.secrets, `the error after ${how}`)
    }
  }
}

interface Attempt {
  /** The script has finished, and the connection would go on. */
  readonly content: boolean
  readonly error: unknown
}

/** Plays the steps before `index`, then these answers, one at a time, and then the end of the connection. */
function playUpTo(subject: Subject, transcript: Transcript, index: number, answers: readonly Buffer[]): Attempt {
  const driver = prepare(subject, transcript)
  const script = scriptOf(driver.connection, transcript)
  assert(script !== undefined, `${transcript.name}: the connection has no such script`)
  const { run } = playScript(driver, script, transcript.peer.slice(0, index), whole)
  for (const answer of answers) if (run.outcome.kind === 'waiting') receiveAll(driver, [answer])
  // What came behind the last answer may have closed it.
  const content = run.outcome.kind === 'finished' && !driver.closed
  endOf(driver)
  return { content, error: run.outcome.kind === 'failed' ? run.outcome.error : undefined }
}

/** The steps at which the peer answers. */
function answersOf({ peer }: Transcript): readonly number[] {
  return peer.flatMap((step, index) => ('sends' in step ? [index] : []))
}

function bytesOfStep(step: PeerStep): readonly Buffer[] {
  return 'sends' in step && typeof step.sends !== 'function' ? [bytesOf(step.sends)] : []
}

function oneBitChanged(bytes: Buffer, random: Random): Buffer {
  const changed = Buffer.from(bytes)
  const at = random.below(bytes.length)
  changed[at] = (changed[at] as number) ^ (1 << random.below(8))
  return changed
}

const FIXED_GARBAGE = [POISON, 0x00, 0xff, 0x0a].map((value) => Buffer.alloc(GARBAGE_BYTES, value))

/** Random bytes; every second time with line ends, for protocols that have lines. */
function noise(random: Random, round: number): Buffer {
  const bytes = random.bytes(GARBAGE_BYTES)
  if (round % 2 === 0) return bytes
  for (let at = 6; at < bytes.length; at += 8) bytes.write('\r\n', at, 'latin1')
  return bytes
}

/** A secret that is nowhere would prove nothing by not being found. */
function findSecrets(subject: Subject): void {
  const given: Cloneable[] = [subject.options]
  for (const { options, credentials } of subject.transcripts) given.push(options, credentials)
  for (const secret of subject.secrets) {
    const found = [...given, ...subject.targets].some((one) => holdsSecret(one, secret))
    assert(found, 'a secret of the subject occurs in no target, option or credential')
  }
}
