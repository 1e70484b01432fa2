/** Counting primes: the known numbers, whatever the slices are. */
import { expect, test } from 'vitest'
import { primesBelow } from './primes.ts'

test.each([
  [2, 0],
  [3, 1],
  [4, 2],
  [10, 4],
  [100, 25],
  [1_000, 168],
  [65_537, 6_542],
  [1_000_000, 78_498],
])('below %d there are %d', (below, count) => {
  for (const sliceNumbers of [below, 1_000_000, Math.ceil(below / 7)]) {
    const last = [...primesBelow(below, sliceNumbers)].at(-1)
    expect(last?.count ?? 0).toBe(count)
  }
})

test('every slice says how many there are up to its end, also slices of one number', () => {
  const slices = [...primesBelow(30, 1)]
  expect(slices.map(({ below }) => below)).toEqual(Array.from({ length: 28 }, (_, index) => index + 3))
  const primes = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]
  for (const { below, count } of slices) expect(count).toBe(primes.filter((prime) => prime < below).length)
})
