/**
 * The framer suite, second part: the framer does what the manifest says and what the codec counts on.
 *
 * Rules: what the manifest denies is a test that says so, asserts the denial, and finds that the plugin keeps to it.
 */
import assert from 'node:assert/strict'
import { ByteWriter, type Connection } from '@iokernel/core/plugin'
import { type Arrival, expectedLines, linesOf } from '../arrivals.ts'
import { connectionOf } from '../play.ts'
import { assertReading, NOTHING_SAID, readWhole } from '../readings.ts'
import type { Runner } from '../runner.ts'
import { encodedSample, prepareSample, readSample } from '../sample-readings.ts'
import { callsIn, type Fixture, type Sample, type Subject } from '../subject.ts'

export function agreementTests(runner: Runner, subject: Subject): void {
  runner.test('the replies of the codec samples are one reply each', () => readSamples(subject))
  pushTests(runner, subject)
  requestTests(runner, subject)
  correlationTests(runner, subject)
}

function pushTests({ test }: Runner, subject: Subject): void {
  const { push } = subject.protocol.supports
  if (push === 'asked') {
    test('pushes: a push connection takes interests, and fixtures show pushes', () => {
      const connection = connectionOf(subject.io, subject.options, { purpose: 'push' })
      assert.equal(typeof connection.subscribe, 'function', 'subscribe()')
      assert.equal(typeof connection.unsubscribe, 'function', 'unsubscribe()')
      assert.equal(typeof connection.route, 'function', 'route()')
      assert(arrivalsOf(subject).some(isPush), 'no fixture yields a push')
    })
  } else if (push === 'lanes') {
    test('pushes: lanes and sessions route them unasked, and fixtures show them', () => {
      for (const purpose of ['lane', 'session'] as const) {
        const connection = connectionOf(subject.io, subject.options, { purpose })
        assert.equal(typeof connection.route, 'function', `route() of a ${purpose}`)
        assertUnasked(connection, "supports.push is 'lanes'")
      }
      const overCalls = subject.fixtures.filter(({ purpose = 'lane' }) => purpose === 'lane' || purpose === 'session')
      assert(arrivalsOf({ ...subject, fixtures: overCalls }).some(isPush), 'no fixture yields a push over a lane')
    })
  } else {
    test('pushes: skipped, for the manifest says that there are none', () => {
      assert.equal(push, 'none')
      assertUnasked(connectionOf(subject.io, subject.options, { purpose: 'push' }), "supports.push is 'none'")
      assert(!arrivalsOf(subject).some(isPush), 'a fixture yields a push, and the manifest says that there is none')
    })
  }
}

function assertUnasked({ subscribe, unsubscribe }: Connection, why: string): void {
  assert.equal(subscribe, undefined, `${why}, and there is subscribe()`)
  assert.equal(unsubscribe, undefined, `${why}, and there is unsubscribe()`)
}

/** Requests of a server's; a client that is served asks anyway. */
function requestTests({ test }: Runner, subject: Subject): void {
  const requests = (): readonly Arrival[] => arrivalsOf({ ...subject, fixtures: subject.fixtures.filter(isDialled) })
  const connection = connectionOf(subject.io, subject.options, {})
  if (subject.protocol.supports.push === 'lanes' && connection.refuse !== undefined) {
    test('requests of the peer: fixtures show them, and those that nobody takes are answered', () => {
      const refusals = requests().flatMap((one) => (one.kind === 'request' ? [one.refused?.length ?? 0] : []))
      assert(refusals.length > 0, 'no fixture yields a request, and there is refuse()')
      assert(Math.min(...refusals) > 0, 'refuse() has written nothing: the peer would wait for ever')
    })
  } else {
    test('requests of the peer: skipped, for nothing could refuse them', () => {
      assert.equal(connection.refuse, undefined, "supports.push is not 'lanes', and there is refuse()")
      assert(
        !requests().some(({ kind }) => kind === 'request'),
        "a fixture yields a request of the peer's: that takes push 'lanes', and refuse() for what nobody takes",
      )
    })
  }
}

function correlationTests({ test }: Runner, subject: Subject): void {
  if (subject.protocol.supports.replies === 'in-order') {
    test('correlation: skipped, for the manifest says that replies come in order', () => {
      assert.equal(subject.protocol.supports.replies, 'in-order')
    })
    return
  }
  test('correlation: a fixture is answered out of order', () => {
    const orders = subject.fixtures.map((fixture) => readWhole(subject, fixture).arrivals.flatMap(callOf))
    assert(
      orders.some((calls) => calls.some((call, index) => call < (calls[index - 1] ?? -1))),
      'every fixture is answered in order',
    )
  })
  test('correlation: a request carries its wire id', () => {
    for (const one of subject.samples) if (one.operation.answer !== 'written') compareWireIds(subject, one)
  })
  test('correlation: a reply to nobody is dropped', () => {
    for (const fixture of subject.fixtures) if (callsIn(fixture.requests) > 0) readToNobody(subject, fixture)
  })
}

function compareWireIds(subject: Subject, one: Sample): void {
  const { operation } = one
  const { payload, hint } = encodedSample(one)
  const [first, second] = [1, 2].map((wireId) => {
    const { connection } = prepareSample(subject, one)
    assert(connection.submit !== undefined, 'submit(), which writes the wire id into a request')
    const out = new ByteWriter()
    connection.submit(Uint8Array.from(payload), hint, wireId, out)
    return Buffer.from(out.written())
  })
  assert.notDeepEqual(first, second, `${operation.name}: two wire ids, and the same bytes`)
}

/** All calls were given up before their replies came. */
function readToNobody(subject: Subject, fixture: Fixture): void {
  const whole = readWhole(subject, fixture)
  const nobodys = readWhole(subject, { ...fixture, requests: [] })
  assert.equal(nobodys.error, undefined, `${fixture.name}: a reply that names nobody is dropped, and this was thrown`)
  const lines = linesOf(whole.arrivals.filter(({ kind }) => kind !== 'reply'))
  assertReading(nobodys, { lines, says: whole.said }, `${fixture.name}, when nobody waits any more`)
}

/** What `encode` hints, the framer must understand. */
function readSamples(subject: Subject): void {
  for (const one of subject.samples) {
    const reading = readSample(subject, one)
    // An error may be flagged as one; what matters is that it is the one reply.
    const flags = reading.arrivals.map((arrival) => (arrival.kind === 'reply' ? arrival.flags : 0))[0] ?? 0
    const { operation, reply } = one
    const lines = operation.answer === 'written' ? [] : expectedLines([{ reply, flags }], 1)
    assertReading(reading, { lines, says: NOTHING_SAID }, `the reply to ${operation.name}`)
  }
}

function arrivalsOf(subject: Subject): readonly Arrival[] {
  return subject.fixtures.flatMap((fixture) => readWhole(subject, fixture).arrivals)
}

/** The peer is a server. */
function isDialled({ side }: Fixture): boolean {
  return side !== 'server'
}

function isPush(arrival: Arrival): boolean {
  return arrival.kind === 'push'
}

function callOf(arrival: Arrival): readonly number[] {
  return arrival.kind === 'reply' ? [arrival.call] : []
}
