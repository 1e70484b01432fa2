/**
 * The framer suite, first part: right bytes are read alike however they arrive.
 *
 * Rules: every fixture is read whole, byte by byte, at every split in two, in random pieces, with the beginning of
 * the next reply behind it, in a crowd, and beside another connection. All of it through the driver, which poisons
 * what it showed and refuses frames out of range or order. Where a connection bounds its calls (`callsMax`), a fixture
 * is asked for when the one before is answered. The other parts are `agreement.ts`, `hostile.ts` and `growth.ts`.
 */
import assert from 'node:assert/strict'
import { linesOf } from '../arrivals.ts'
import type { Driver } from '../driver.ts'
import { inPieces, slowly, splitAt, splitPoints } from '../pieces.ts'
import { prepare } from '../play.ts'
import { type Random, seeded } from '../random.ts'
import { assertReading, assertSaid, goesOn, read, readWhole, routesOf, type Wanted, wantedOf } from '../readings.ts'
import type { Runner } from '../runner.ts'
import { bytesOf, callsIn, type Fixture, type Subject } from '../subject.ts'
import { agreementTests } from './agreement.ts'
import { growthTests } from './growth.ts'
import { hostileTests } from './hostile.ts'

/** Readings in random pieces of each fixture. */
const RANDOM_READINGS = 32
/** More than a framer's threshold for passing on parts, and many times 4 KB. */
const CROWD_BYTES = 24_000
const CROWDS = 4

export function framerSuite({ describe, test }: Runner, subject: Subject, seed: number): void {
  describe('framer', () => {
    test('the corpus has fixtures, and their names differ', () => {
      assert(subject.fixtures.length > 0)
      assert.equal(new Set(subject.fixtures.map(({ name }) => name)).size, subject.fixtures.length)
    })
    describe('fixtures', () => {
      for (const fixture of subject.fixtures) {
        const { name } = fixture
        test(name, () => seeded(seed, name, (random) => readInEveryWay(subject, fixture, random)))
        test(`${name}, with the next reply behind it`, () => {
          seeded(seed, name, (random) => readWithTrailing(subject, fixture, random))
        })
      }
    })
    test('replies in a crowd', () => seeded(seed, 'crowd', (random) => readCrowds(subject, random)))
    test('two connections share nothing', () => seeded(seed, 'pairs', (random) => readPairs(subject, random)))
    agreementTests({ describe, test }, subject)
    hostileTests({ describe, test }, subject, seed)
    growthTests({ describe, test }, subject)
  })
}

function readInEveryWay(subject: Subject, fixture: Fixture, random: Random): void {
  const bytes = bytesOf(fixture.bytes)
  const wanted = wantedOf(subject, fixture)
  const whole = readWhole(subject, fixture)
  assertReading(whole, wanted, 'whole')
  const routes = routesOf(whole.arrivals)
  for (const [index, one] of (fixture.expected ?? []).entries()) {
    const arrival = whole.arrivals[index]
    if ('verdict' in one && arrival?.kind === 'reply')
      assert.equal(arrival.verdict, one.verdict, 'what classify() says')
    if ('route' in one && arrival !== undefined && 'route' in arrival)
      assert.deepEqual(arrival.route, one.route, 'what route() says')
  }
  const check = (pieces: readonly Buffer[], how: string): void => {
    const reading = read(subject, fixture, pieces)
    assertReading(reading, wanted, how)
    assert.deepEqual(routesOf(reading.arrivals), routes, `${how}: what route() says`)
  }
  check(slowly(bytes, random), 'byte by byte')
  for (const point of splitPoints(bytes.length, random)) check(splitAt(bytes, point), `split after byte ${point}`)
  for (let round = 0; round < RANDOM_READINGS; round++) {
    const pieces = inPieces(bytes, 1 + random.below(bytes.length + 1), random)
    check(pieces, `in pieces of ${pieces.map(({ length }) => length).join(', ')} bytes`)
  }
}

/** The same fixture twice; the second one's first bytes come with the first one. Nothing follows a last word. */
function readWithTrailing(subject: Subject, fixture: Fixture, random: Random): void {
  if (!goesOn(subject, fixture)) return
  const bytes = bytesOf(fixture.bytes)
  const wanted = wantedOf(subject, fixture)
  const twice = inTurn([wanted, wanted], callsIn(fixture.requests))
  if (!mayStand(prepare(subject, fixture), [fixture, fixture])) return readTwice(subject, fixture, twice)
  for (const point of splitPoints(bytes.length, random)) {
    const driver = prepare(subject, fixture)
    for (const { requests } of [fixture, fixture]) driver.ask(requests)
    const how = `${fixture.name}, with ${point} bytes behind it`
    driver.receive(Buffer.concat([bytes, bytes.subarray(0, point)]))
    assert.deepEqual(linesOf(driver.arrivals).slice(0, wanted.lines.length), wanted.lines, how)
    driver.receive(bytes.subarray(point))
    assertArrived(driver, twice, how)
  }
}

/** The second is not asked for before the first is answered. */
function readTwice(subject: Subject, fixture: Fixture, twice: Wanted): void {
  const driver = prepare(subject, fixture)
  for (const { requests, bytes } of [fixture, fixture]) {
    driver.ask(requests)
    driver.receive(bytesOf(bytes))
  }
  assertArrived(driver, twice, `${fixture.name}, and again`)
}

/** Many fixtures one after another, over one connection. */
function readCrowds(subject: Subject, random: Random): void {
  for (const group of companions(subject)) {
    const wantedOfOne = new Map(group.map((fixture) => [fixture, wantedOf(subject, fixture)]))
    for (let round = 0; round < CROWDS; round++) {
      const driver = prepare(subject, group[0] as Fixture)
      const crowd: Fixture[] = []
      for (let length = 0; length < CROWD_BYTES && crowd.length < CROWD_BYTES / 10; ) {
        const fixture = random.pick(group)
        crowd.push(fixture)
        length += bytesOf(fixture.bytes).length
      }
      // In one piece the first time: whatever fits is there at once.
      const piecesOf = (bytes: Buffer): readonly Buffer[] =>
        round === 0 ? [bytes] : inPieces(bytes, 2 ** (1 + random.below(15)), random)
      for (const batch of mayStand(driver, crowd) ? [crowd] : crowd.map((fixture) => [fixture])) {
        for (const { requests } of batch) driver.ask(requests)
        const bytes = Buffer.concat(batch.map((fixture) => bytesOf(fixture.bytes)))
        for (const piece of piecesOf(bytes)) driver.receive(piece)
      }
      let calls = 0
      const wanted = crowd.map((fixture) => {
        const one = shifted(wantedOfOne.get(fixture) as Wanted, calls)
        calls += callsIn(fixture.requests)
        return one
      })
      assertArrived(driver, joined(wanted), 'one after another')
      assert.equal(driver.bytesWaiting, 0, 'bytes left at the end')
    }
  }
}

/** May all these be unanswered at once? */
function mayStand(driver: Driver, fixtures: readonly Fixture[]): boolean {
  return fixtures.reduce((calls, { requests }) => calls + callsIn(requests), 0) <= driver.callsMax
}

function assertArrived(driver: Driver, wanted: Wanted, how: string): void {
  assert.deepEqual(linesOf(driver.arrivals), wanted.lines, how)
  assertSaid(driver.said.written(), wanted.says, how)
}

/** Fixtures that may follow one another on one connection. */
function companions(subject: Subject): readonly (readonly Fixture[])[] {
  const groups: Fixture[][] = []
  for (const fixture of subject.fixtures) {
    if (!goesOn(subject, fixture)) continue
    const group = groups.find(([first]) => first !== undefined && sameConnection(first, fixture))
    if (group === undefined) groups.push([fixture])
    else group.push(fixture)
  }
  return groups
}

function sameConnection(one: Fixture, other: Fixture): boolean {
  const names = ['after', 'options', 'side', 'purpose', 'encrypted', 'credentials'] as const
  return names.every((name) => one[name] === other[name])
}

function readPairs(subject: Subject, random: Random): void {
  for (const [index, left] of subject.fixtures.entries()) {
    const right = subject.fixtures[(index + 1) % subject.fixtures.length] as Fixture
    const halves = [left, right].map((fixture) => begin(subject, fixture, random))
    while (halves.some(({ pieces }) => pieces.length > 0)) {
      const half = random.pick(halves.filter(({ pieces }) => pieces.length > 0))
      half.driver.receive(half.pieces.shift() as Buffer)
    }
    for (const { driver, fixture, wanted } of halves) {
      if (fixture.ended === true) driver.end()
      assertArrived(driver, wanted, `"${left.name}" and "${right.name}" on two connections at once`)
    }
  }
}

interface Half {
  readonly driver: Driver
  readonly fixture: Fixture
  readonly wanted: Wanted
  readonly pieces: Buffer[]
}

function begin(subject: Subject, fixture: Fixture, random: Random): Half {
  const wanted = wantedOf(subject, fixture)
  const bytes = bytesOf(fixture.bytes)
  const driver = prepare(subject, fixture)
  for (const key of fixture.keys ?? []) driver.subscribe(key)
  driver.ask(fixture.requests)
  return { driver, fixture, wanted, pieces: [...inPieces(bytes, 1 + Math.ceil(bytes.length / 8), random)] }
}

/** What is wanted of the same fixture when so many calls came before it. */
function shifted({ lines, says }: Wanted, calls: number): Wanted {
  return {
    lines: lines.map((line) => line.replace(/^reply (\d+)/, (_, call) => `reply ${Number(call) + calls}`)),
    says,
  }
}

/** One after another, each with so many calls. */
function inTurn(wanted: readonly Wanted[], calls: number): Wanted {
  return joined(wanted.map((one, index) => shifted(one, index * calls)))
}

function joined(wanted: readonly Wanted[]): Wanted {
  return { lines: wanted.flatMap(({ lines }) => lines), says: Buffer.concat(wanted.map(({ says }) => says)) }
}
