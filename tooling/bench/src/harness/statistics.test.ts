/** Percentiles, medians, samples, shuffles: the arithmetic behind every number. */
import { describe, expect, test } from 'vitest'
import { randomFrom, shuffled } from './random.ts'
import { SAMPLES_MAX, Samples } from './samples.ts'
import { median, percentile } from './statistics.ts'

describe('percentile', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1)
  test.each([
    [0.5, 50],
    [0.99, 99],
    [0.999, 100],
    [0.501, 51],
    [0, 1],
    [1, 100],
  ])('of 1 to 100 at %d is %d', (share, wanted) => {
    expect(percentile(hundred, share)).toBe(wanted)
  })

  test('is a value that was seen, however few there are', () => {
    expect(percentile([7], 0.99)).toBe(7)
    expect(percentile([1, 9], 0.5)).toBe(1)
    expect(percentile([], 0.5)).toBeNaN()
  })
})

test.each([
  [[3, 1, 2], 2],
  [[4, 1, 2, 3], 2.5],
  [[10, 9, 100], 10],
  [[], Number.NaN],
])('the median of %j is %d', (values, wanted) => {
  expect(median(values)).toBe(wanted)
})

describe('samples', () => {
  test('come back sorted, and are forgotten by clear()', () => {
    const samples = new Samples()
    for (const value of [3, 1, 2]) samples.add(value)
    expect([...samples.sorted()]).toEqual([1, 2, 3])
    samples.clear()
    samples.add(5)
    expect([...samples.sorted()]).toEqual([5])
  })

  test('keep the last ones when there are too many', () => {
    const samples = new Samples()
    for (let index = 0; index < SAMPLES_MAX + 10; index++) samples.add(index)
    const sorted = samples.sorted()
    expect([sorted.length, sorted[0], sorted.at(-1)]).toEqual([SAMPLES_MAX, 10, SAMPLES_MAX + 9])
  })
})

describe('shuffled', () => {
  const items = ['a', 'b', 'c', 'd', 'e', 'f']

  test('is the same for the same seed, and loses nothing', () => {
    const orders = [1, 1, 2].map((seed) => shuffled(items, randomFrom(seed)).join(''))
    expect(orders[0]).toBe(orders[1])
    expect(orders[0]).not.toBe(orders[2])
    expect([...(orders[2] as string)].sort()).toEqual(items)
  })

  test('prefers nobody', () => {
    const random = randomFrom(42)
    const first = new Map<string, number>()
    for (let round = 0; round < 6_000; round++) {
      const [leader] = shuffled(items, random) as [string]
      first.set(leader, (first.get(leader) ?? 0) + 1)
    }
    for (const item of items) expect(first.get(item)).toBeGreaterThan(850)
  })
})
