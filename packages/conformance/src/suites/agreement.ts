/**
 * The framer suite, second part: the framer does what the manifest says and what the codec counts on.
 *
 * Rules: what the manifest denies is a test that says so, asserts the denial, and finds that the plugin keeps to it.
 */
import assert from 'node:assert/strict'
import { ByteWriter, type Connection } from '@iokernel/core/plugin'
import { type Arrival, expectedLines } from '../arrivals.ts'
import { connectionOf, driveOn, prepare } from '../play.ts'
import { assertReading, readWhole } from '../readings.ts'
import type { Runner } from '../runner.ts'
import { bytesOf, type Subject } from '../subject.ts'

export function agreementTests({ test }: Runner, subject: Subject): void {
  const { push, replies } = subject.protocol.supports
  test('the replies of the codec samples are one reply each', () => readSamples(subject))
  if (push === 'asked') {
    test('pushes: a push connection takes interests, and fixtures show pushes', () => {
      const connection = pushConnection(subject)
      assert.equal(typeof connection.subscribe, 'function', 'subscribe()')
      assert.equal(typeof connection.unsubscribe, 'function', 'unsubscribe()')
      assert.equal(typeof connection.route, 'function', 'route()')
      assert(arrivalsOf(subject).some(isPush), 'no fixture yields a push')
    })
  } else if (push === 'lanes') {
    test('pushes: lanes route them, and fixtures show them', () => {
      assert.equal(typeof pushConnection(subject).route, 'function', 'route()')
      assert(arrivalsOf(subject).some(isPush), 'no fixture yields a push')
    })
  } else {
    test('pushes: skipped, for the manifest says that there are none', () => {
      assert.equal(push, 'none')
      assert.equal(pushConnection(subject).subscribe, undefined, 'subscribe()')
      assert(!arrivalsOf(subject).some(isPush), 'a fixture yields a push, and the manifest says that there is none')
    })
  }
  if (replies === 'correlated') {
    test('correlation: a fixture is answered out of order', () => {
      const orders = subject.fixtures.map((fixture) => readWhole(subject, fixture).arrivals.flatMap(callOf))
      assert(
        orders.some((calls) => calls.some((call, index) => call < (calls[index - 1] ?? -1))),
        'every fixture is answered in order',
      )
    })
  } else {
    test('correlation: skipped, for the manifest says that replies come in order', () => {
      assert.equal(replies, 'in-order')
    })
  }
}

/** What `encode` hints, the framer must understand. */
function readSamples(subject: Subject): void {
  for (const { operation, args, reply, after } of subject.samples) {
    const driver = prepare(subject, {
      ...(after === undefined ? {} : { after }),
      ...(operation.on === 'session' ? { purpose: 'session' } : {}),
    })
    const out = new ByteWriter()
    const hint = operation.encode(out, args)
    const payload = Uint8Array.from(out.written())
    const reading = driveOn(driver, { requests: [{ hint, payload }], chunks: [bytesOf(reply)] })
    // An error may be flagged as one; what matters is that it is the one reply.
    const flags = reading.arrivals.map((one) => (one.kind === 'reply' ? one.flags : 0))[0] ?? 0
    assertReading(reading, expectedLines([{ reply, flags }], 1), `the reply to ${operation.name}`)
  }
}

function arrivalsOf(subject: Subject): readonly Arrival[] {
  return subject.fixtures.flatMap((fixture) => readWhole(subject, fixture).arrivals)
}

function pushConnection(subject: Subject): Connection {
  return connectionOf(subject.io, subject.options, { purpose: 'push' })
}

function isPush(arrival: Arrival): boolean {
  return arrival.kind === 'push'
}

function callOf(arrival: Arrival): readonly number[] {
  return arrival.kind === 'reply' ? [arrival.call] : []
}
