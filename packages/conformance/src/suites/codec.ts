/**
 * The codec suite: requests are the same bytes every time, replies become values of their own.
 *
 * Rules:
 * 1. `encode` depends on its arguments alone, leaves them as they are, and stays inside the memory it was lent.
 * 2. `decode` reads bytes[start, end) of shared memory and nothing else; what it returns owns its bytes.
 * 3. A reply that fits another operation is a value or a typed error, never a `TypeError` out of a decoder.
 * 4. Nothing answers an operation that is only written: its sample has an empty reply.
 */
import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { ByteWriter, FrameFlag, IoKernelError, type Operation, type ReplyBytes } from '@iokernel/core/plugin'
import { briefly } from '../arrivals.ts'
import { POISON, poison } from '../poison.ts'
import type { Runner } from '../runner.ts'
import { readSample } from '../sample-readings.ts'
import { bytesOf, type Sample, type Subject } from '../subject.ts'

/** A byte each, and what lies between is the guard. */
const OFFSETS = [0, 1, 7, 64, 1_021]
const GUARD_BYTES = 256
/** Lent memory of every size up to here; larger requests spill at a sample of sizes. */
const LENT_BYTES_MAX = 128
const ENCODINGS = 4
const NAME = /^[A-Za-z][\w .:/-]{0,63}$/

export function codecSuite({ describe, test }: Runner, subject: Subject): void {
  describe('codec', () => {
    test('the corpus has samples of values and of errors', () => {
      assert(
        subject.samples.some(({ gives }) => 'value' in gives),
        'no sample gives a value',
      )
      assert(
        subject.samples.some(({ gives }) => 'code' in gives) || subject.samples.some((one) => isReported(subject, one)),
        'no sample gives an error, and none has a reply that the framer reports as one',
      )
    })
    test('operations are described soberly', () => checkOperations(subject))
    for (const [index, one] of subject.samples.entries()) {
      const name = `${index} ${one.operation.name}`
      // As they are now: other suites encode them too.
      const args = inspect(one.args, EVERYTHING)
      test(`${name}: a request is the same bytes every time`, () => encodeAgain(one, args))
      test(`${name}: a request stays inside the memory it is lent`, () => encodeIntoLent(one))
      test(`${name}: a reply becomes what it should, and owns it`, () => decodeEverywhere(one))
    }
    test('a reply of another operation is a value or a typed error', () => decodeOthers(subject.samples))
  })
}

/** A protocol may give what the peer reports as an error as a value: the status of a response. */
function isReported(subject: Subject, one: Sample): boolean {
  return readSample(subject, one).arrivals.some(
    (arrival) => arrival.kind === 'reply' && (arrival.flags & FrameFlag.Error) !== 0,
  )
}

function checkOperations({ samples, protocol }: Subject): void {
  const accesses = new Map<string, string>()
  for (const { operation } of samples) {
    const known = accesses.get(operation.name) ?? operation.access
    assert.equal(
      operation.access,
      known,
      `${operation.name} is the name of a read and of a write: one label, one thing`,
    )
    accesses.set(operation.name, operation.access)
  }
  for (const { operation, args, reply } of samples) {
    const { name, access, on, idempotent, deadlineMs, answer } = operation
    assert.match(name, NAME, 'a name becomes a label: a word or a few')
    for (const text of textsIn(args)) {
      assert(text.length < 3 || !name.includes(text), `the name ${name} holds an argument: one label for each value`)
    }
    assert(access === 'read' || access === 'write', `${name}: access`)
    assert(on === 'lane' || on === 'session', `${name}: on`)
    assert.equal(typeof idempotent, 'boolean', `${name}: idempotent`)
    assert(deadlineMs === undefined || (Number.isFinite(deadlineMs) && deadlineMs >= 0), `${name}: deadlineMs`)
    assert(answer === undefined || answer === 'reply' || answer === 'written', `${name}: answer`)
    assert(!isWritten(operation) || bytesOf(reply).length === 0, `${name} is written and nothing answers it: no reply`)
    assert(
      operation.open === undefined || on === 'session' || protocol.supports.lanes === 'pool',
      `${name}: open() is for calls that have their connection to themselves (lanes: 'pool', or a session)`,
    )
    const fingerprint = operation.fingerprint?.(args) ?? 0
    assert(Number.isInteger(fingerprint), `${name}: fingerprint() returned ${String(fingerprint)}: 32 bits`)
  }
}

interface Encoded {
  readonly hint: number
  readonly bytes: string
}

function encoded({ operation, args }: Sample, out: ByteWriter): Encoded {
  const hint = operation.encode(out, args)
  assert(Number.isInteger(hint), `${operation.name}: encode() returned ${String(hint)}; a hint is a whole number`)
  return { hint, bytes: briefly(Uint8Array.from(out.written())) }
}

function encodeAgain(one: Sample, args: string): void {
  const first = encoded(one, new ByteWriter())
  for (let count = 1; count < ENCODINGS; count++) {
    assert.deepEqual(
      encoded(one, new ByteWriter()),
      first,
      'the kernel may send the bytes again: they depend on nothing else',
    )
  }
  assert.equal(inspect(one.args, EVERYTHING), args, 'encode() changed its arguments')
  if (one.request !== undefined) assert.equal(first.bytes, briefly(one.request), 'the request on the wire')
}

/** Every size of memory, so that every `ensure` that is missing writes into the neighbour's. */
function encodeIntoLent(one: Sample): void {
  const out = new ByteWriter()
  const wanted = encoded(one, out)
  const { length } = out
  const step = Math.max(1, Math.floor(length / LENT_BYTES_MAX))
  for (let room = 0; room <= length + step; room += step) {
    const memory = Buffer.alloc(GUARD_BYTES + room + GUARD_BYTES, POISON)
    out.lend(memory, GUARD_BYTES, GUARD_BYTES + room)
    assert.deepEqual(encoded(one, out), wanted, `into ${room} bytes`)
    const outside = Buffer.concat([memory.subarray(0, GUARD_BYTES), memory.subarray(GUARD_BYTES + room)])
    assert(
      outside.equals(poison(outside.length)),
      `lent ${room} bytes, encode() wrote outside of them: it missed ensure()`,
    )
    // It may spill early, by asking for more room than it needs; it cannot fit where there is too little.
    assert(out.spilled || room >= length, `lent ${room} bytes, encode() wrote ${length} and did not spill`)
  }
}

function decodeEverywhere(one: Sample): void {
  for (const offset of OFFSETS) {
    const memory = lay(bytesOf(one.reply), offset)
    const { gives } = one
    if ('code' in gives) {
      const error = errorOf(one.operation, memory.reply, one)
      assert(error instanceof IoKernelError, `a server's error is thrown as a RemoteError, not ${inspect(error)}`)
      assert.equal((error as IoKernelError).side, 'remote', 'the side of a server error')
      assert.equal((error as IoKernelError).code, gives.code)
      continue
    }
    const value = one.operation.decode(memory.reply, one.args, one.facts)
    assert(!views(value, memory.shared), 'the value holds a view of the memory it was decoded from')
    assert.deepEqual(value, gives.value, `the value, decoded at offset ${offset}`)
    memory.ruin()
    assert.deepEqual(value, gives.value, 'the value changed when the memory did: copy what is kept')
    assert.deepEqual(
      one.operation.decode(lay(bytesOf(one.reply), offset).reply, one.args, one.facts),
      gives.value,
      'again',
    )
  }
}

function decodeOthers(samples: readonly Sample[]): void {
  const answered = samples.filter(({ operation }) => !isWritten(operation))
  for (const { operation, args, facts } of answered) {
    for (const { reply } of answered) {
      const error = errorOf(operation, lay(bytesOf(reply), 1).reply, { args, facts })
      if (error === undefined || error instanceof IoKernelError) continue
      assert.fail(
        `${operation.name} met the reply ${briefly(reply)}: ${error instanceof Error ? error.stack : inspect(error)}`,
      )
    }
  }
}

function isWritten({ answer }: Operation<unknown, unknown>): boolean {
  return answer === 'written'
}

function errorOf(
  operation: Operation<unknown, unknown>,
  reply: ReplyBytes,
  { args, facts }: Pick<Sample, 'args' | 'facts'>,
): unknown {
  try {
    operation.decode(reply, args, facts)
  } catch (error) {
    return error
  }
  return undefined
}

interface Laid {
  readonly shared: ArrayBufferLike
  readonly reply: ReplyBytes
  ruin(): void
}

/** A reply somewhere in the ring. */
function lay(bytes: Buffer, offset: number): Laid {
  const shared = new SharedArrayBuffer(offset + bytes.length + GUARD_BYTES)
  const memory = Buffer.from(shared)
  memory.fill(POISON)
  memory.set(bytes, offset)
  const reply = { bytes: memory, start: offset, end: offset + bytes.length }
  return { shared, reply, ruin: () => void memory.fill(POISON) }
}

/** Does anything in `value` lie in this memory? */
function views(value: unknown, memory: ArrayBufferLike, seen: Set<unknown> = new Set()): boolean {
  if (typeof value !== 'object' || value === null || seen.has(value)) return false
  seen.add(value)
  if (ArrayBuffer.isView(value)) return value.buffer === memory
  if (value === memory) return true
  const inside = value instanceof Map ? [...value].flat() : value instanceof Set ? [...value] : []
  const fields = Object.getOwnPropertyNames(value).map((name) => (value as Record<string, unknown>)[name])
  return [...inside, ...fields].some((one) => views(one, memory, seen))
}

function textsIn(args: unknown): readonly string[] {
  if (typeof args === 'string') return [args]
  if (typeof args !== 'object' || args === null || args instanceof Uint8Array) return []
  return Object.values(args).flatMap(textsIn)
}

const EVERYTHING = { depth: null, maxArrayLength: null, maxStringLength: null } as const
