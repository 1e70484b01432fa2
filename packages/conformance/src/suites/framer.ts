/**
 * The framer suite, first part: right bytes are read alike however they arrive.
 *
 * Rules: every fixture is read whole, byte by byte, at every split in two, in random pieces, with the beginning of
 * the next reply behind it, in a crowd, and beside another connection. All of it through the driver, which poisons
 * what it showed and refuses frames out of range or order. The other parts are `agreement.ts`, `hostile.ts` and
 * `growth.ts`.
 */
import assert from 'node:assert/strict'
import { linesOf } from '../arrivals.ts'
import type { Driver } from '../driver.ts'
import { inPieces, slowly, splitAt, splitPoints } from '../pieces.ts'
import { prepare } from '../play.ts'
import { type Random, seeded } from '../random.ts'
import { assertReading, goesOn, read, readWhole, wantedLines } from '../readings.ts'
import type { Runner } from '../runner.ts'
import { bytesOf, type Fixture, type Subject } from '../subject.ts'
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
  const wanted = wantedLines(subject, fixture)
  const whole = readWhole(subject, fixture)
  assertReading(whole, wanted, 'whole')
  for (const [index, one] of (fixture.expected ?? []).entries()) {
    const arrival = whole.arrivals[index]
    if ('verdict' in one && arrival?.kind === 'reply')
      assert.equal(arrival.verdict, one.verdict, 'what classify() says')
    if ('route' in one && arrival?.kind === 'push') assert.deepEqual(arrival.route, one.route, 'what route() says')
  }
  assertReading(read(subject, fixture, slowly(bytes, random)), wanted, 'byte by byte')
  for (const point of splitPoints(bytes.length, random)) {
    assertReading(read(subject, fixture, splitAt(bytes, point)), wanted, `split after byte ${point}`)
  }
  for (let round = 0; round < RANDOM_READINGS; round++) {
    const pieces = inPieces(bytes, 1 + random.below(bytes.length + 1), random)
    const how = `in pieces of ${pieces.map(({ length }) => length).join(', ')} bytes`
    assertReading(read(subject, fixture, pieces), wanted, how)
  }
}

/** The same fixture twice; the second one's first bytes come with the first one. Nothing follows a last word. */
function readWithTrailing(subject: Subject, fixture: Fixture, random: Random): void {
  if (!goesOn(subject, fixture)) return
  const bytes = bytesOf(fixture.bytes)
  const wanted = wantedLines(subject, fixture)
  const requests = fixture.requests ?? []
  for (const point of splitPoints(bytes.length, random)) {
    const driver = prepare(subject, fixture)
    for (const request of [...requests, ...requests]) driver.request(request)
    const how = `${fixture.name}, with ${point} bytes behind it`
    driver.receive(Buffer.concat([bytes, bytes.subarray(0, point)]))
    assert.deepEqual(linesOf(driver.arrivals).slice(0, wanted.length), wanted, how)
    driver.receive(bytes.subarray(point))
    assert.deepEqual(linesOf(driver.arrivals), [...wanted, ...shifted(wanted, requests.length)], how)
  }
}

/** Many fixtures one after another, over one connection. */
function readCrowds(subject: Subject, random: Random): void {
  for (const group of companions(subject)) {
    const linesOfOne = new Map(group.map((fixture) => [fixture, wantedLines(subject, fixture)]))
    for (let round = 0; round < CROWDS; round++) {
      const driver = prepare(subject, group[0] as Fixture)
      const wanted: string[] = []
      const stream: Buffer[] = []
      let calls = 0
      for (let length = 0; length < CROWD_BYTES && stream.length < CROWD_BYTES / 10; ) {
        const fixture = random.pick(group)
        const bytes = bytesOf(fixture.bytes)
        for (const request of fixture.requests ?? []) driver.request(request)
        wanted.push(...shifted(linesOfOne.get(fixture) as readonly string[], calls))
        calls += fixture.requests?.length ?? 0
        stream.push(bytes)
        length += bytes.length
      }
      const bytes = Buffer.concat(stream)
      // The first round in one piece: whatever fits is there at once.
      const pieces = round === 0 ? [bytes] : inPieces(bytes, 2 ** (1 + random.below(15)), random)
      for (const piece of pieces) driver.receive(piece)
      assert.deepEqual(linesOf(driver.arrivals), wanted, 'one after another')
      assert.equal(driver.bytesWaiting, 0, 'bytes left at the end')
    }
  }
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
  const names = ['after', 'options', 'purpose', 'encrypted', 'credentials'] as const
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
      assert.deepEqual(
        linesOf(driver.arrivals),
        wanted,
        `"${left.name}" and "${right.name}" on two connections at once`,
      )
    }
  }
}

interface Half {
  readonly driver: Driver
  readonly fixture: Fixture
  readonly wanted: readonly string[]
  readonly pieces: Buffer[]
}

function begin(subject: Subject, fixture: Fixture, random: Random): Half {
  const wanted = wantedLines(subject, fixture)
  const bytes = bytesOf(fixture.bytes)
  const driver = prepare(subject, fixture)
  for (const key of fixture.keys ?? []) driver.subscribe(key)
  for (const request of fixture.requests ?? []) driver.request(request)
  return { driver, fixture, wanted, pieces: [...inPieces(bytes, 1 + Math.ceil(bytes.length / 8), random)] }
}

/** The lines of the same fixture when so many requests came before it. */
function shifted(lines: readonly string[], calls: number): readonly string[] {
  return lines.map((line) => line.replace(/^reply (\d+)/, (_, call) => `reply ${Number(call) + calls}`))
}
