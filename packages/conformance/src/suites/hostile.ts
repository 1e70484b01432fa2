/**
 * The framer suite, third part: wrong bytes.
 *
 * Rules:
 * 1. A hostile input of the corpus is refused, wherever it is split, and costs no memory to speak of.
 * 2. Bytes that nobody has looked at (random, spliced from the corpus, one bit changed) give frames, a wait for more,
 *    or an error that lays the fault on the peer: never another error, and the same however they are split.
 *
 * Limits: a framer in an endless loop that reports nothing cannot be stopped from here; the test runner hangs in the
 * test that names the input. The kernel's watchdog is for that.
 */
import assert from 'node:assert/strict'
import { type IoKernelError, RemoteProtocolError } from '@iokernel/core/plugin'
import { inPieces, splitAt, splitPoints } from '../pieces.ts'
import type { Reading } from '../play.ts'
import { type Random, seeded } from '../random.ts'
import { assertAlike, assertRemote, assertSaid, type Input, read, readWhole } from '../readings.ts'
import type { Runner } from '../runner.ts'
import { bytesOf, type Fixture, type HostileInput, type Subject } from '../subject.ts'

/** For inputs of at most a few hundred KB: an array or a buffer of the claimed size is larger than this. */
const MEMORY_BYTES_MAX = 64 << 20
const RANDOM_STREAMS = 256
const RANDOM_BYTES_MAX = 600
/** One-bit changes in all, shared among the fixtures; each has at least a few. */
const CHANGES_MAX = 3_000
const CHANGES_EACH_MIN = 64
/** Longer fixtures are left to shorter ones of their kind. */
const CHANGED_BYTES_MAX = 8_192

export function hostileTests({ describe, test }: Runner, subject: Subject, seed: number): void {
  describe('hostile inputs are refused', () => {
    test('the corpus has some', () => assert(subject.hostile.length > 0))
    for (const input of subject.hostile) {
      test(input.name, () => seeded(seed, input.name, (random) => refuse(subject, input, random)))
    }
  })
  for (const [name, make] of Object.entries(STREAMS)) {
    test(`${name} give frames, a wait or a protocol error`, () => {
      seeded(seed, name, (random) => {
        for (let round = 0; round < RANDOM_STREAMS; round++) {
          const like = random.pick(subject.fixtures)
          readNoise(subject, { ...inputLike(like, 16), bytes: make(subject, random) }, random)
        }
      })
    })
  }
  test('one bit changed gives frames, a wait or a protocol error', () => {
    seeded(seed, 'one bit', (random) => {
      for (const fixture of subject.fixtures) changeBits(subject, fixture, random)
    })
  })
}

function refuse(subject: Subject, input: HostileInput, random: Random): void {
  const bytes = bytesOf(input.bytes)
  const before = memoryBytes()
  const whole = readWhole(subject, input)
  const cost = memoryBytes() - before
  assertRefused(input, whole, 'whole')
  assertSaid(whole.said, input.says ?? '', 'whole')
  assert(
    cost < MEMORY_BYTES_MAX,
    `${bytes.length} bytes cost ${cost} bytes of memory: nothing is reserved on a claim alone`,
  )
  const single = inPieces(bytes, 1, random)
  assertRefused(input, read(subject, input, single), 'byte by byte')
  for (const point of splitPoints(bytes.length, random)) {
    const split = read(subject, input, splitAt(bytes, point))
    assertRefused(input, split, `split after byte ${point}`)
    assertAlike(whole, split, `split after byte ${point}`)
  }
}

function assertRefused({ code }: HostileInput, { error, bytesWaiting }: Reading, how: string): void {
  assert(error !== undefined, `${how}: it was accepted (${bytesWaiting} bytes are waited with)`)
  assertRemote(error, how)
  if (code !== undefined) assert.equal((error as IoKernelError).code, code, how)
  else assert(error instanceof RemoteProtocolError, `${how}: ${String(error)} is no RemoteProtocolError`)
}

function memoryBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** What bytes without meaning are made of. */
const STREAMS: { readonly [name: string]: (subject: Subject, random: Random) => Buffer } = {
  'random bytes': (_, random) => random.bytes(1 + random.below(RANDOM_BYTES_MAX)),
  'random bytes of the alphabet of the corpus': (subject, random) => {
    const alphabet = bytesOf(random.pick(subject.fixtures).bytes)
    const length = 1 + random.below(RANDOM_BYTES_MAX)
    return Buffer.from(Uint8Array.from({ length }, () => alphabet[random.below(alphabet.length)] as number))
  },
  'pieces of the corpus': (subject, random) => {
    const pieces = Array.from({ length: 1 + random.below(8) }, () => {
      const bytes = bytesOf(random.pick(subject.fixtures).bytes)
      const from = random.below(2) === 0 ? 0 : random.below(bytes.length)
      return bytes.subarray(from, Math.min(bytes.length, from + 1 + random.below(RANDOM_BYTES_MAX)))
    })
    return Buffer.concat(pieces)
  },
}

function changeBits(subject: Subject, fixture: Fixture, random: Random): void {
  const bytes = bytesOf(fixture.bytes)
  if (bytes.length > CHANGED_BYTES_MAX) return
  const bits = 8 * bytes.length
  const count = Math.min(bits, Math.max(CHANGES_EACH_MIN, Math.floor(CHANGES_MAX / subject.fixtures.length)))
  for (let index = 0; index < count; index++) {
    const bit = bits === count ? index : random.below(bits)
    const changed = Buffer.from(bytes)
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
    readNoise(subject, { ...inputLike(fixture, 1), bytes: changed }, random)
  }
}

/** Read whole and in pieces: each may only fail by the peer's fault, and both alike. */
function readNoise(subject: Subject, input: Input, random: Random): void {
  const bytes = bytesOf(input.bytes)
  const how = `the bytes ${bytes.toString('hex')}`
  const whole = readWhole(subject, input)
  assertRemote(whole.error, how)
  const pieces = inPieces(bytes, 1 + random.below(bytes.length), random)
  const cut = `${how}, in pieces of ${pieces.map(({ length }) => length).join(', ')}`
  const split = read(subject, input, pieces)
  assertRemote(split.error, cut)
  assertAlike(whole, split, cut)
}

/** The setting of a fixture, with its requests several times over, so that noise that looks like replies is read on. */
function inputLike(fixture: Fixture, times: number): Input {
  const { after, options, side, purpose, encrypted, credentials, keys, requests } = fixture
  const many = Array.from({ length: times }, () => requests ?? []).flat()
  return {
    bytes: '',
    requests: many,
    ...(after === undefined ? {} : { after }),
    ...(options === undefined ? {} : { options }),
    ...(side === undefined ? {} : { side }),
    ...(purpose === undefined ? {} : { purpose }),
    ...(encrypted === undefined ? {} : { encrypted }),
    ...(credentials === undefined ? {} : { credentials }),
    ...(keys === undefined ? {} : { keys }),
  }
}
