/** Seeds are taken, kept apart and said. */
import { expect, test } from 'vitest'
import { randomFrom, seeded, seedOfRun } from './random.ts'

test('one seed and name give the same numbers, another name others', () => {
  const draw = (seed: number, name: string): readonly number[] => {
    const random = randomFrom(seed, name)
    return Array.from({ length: 8 }, () => random.below(1_000_000))
  }
  expect(draw(1, 'a')).toEqual(draw(1, 'a'))
  expect(draw(1, 'a')).not.toEqual(draw(1, 'b'))
  expect(draw(1, 'a')).not.toEqual(draw(2, 'a'))
})

test('the environment may name the seed', () => {
  expect(seedOfRun({ SEED: '17' })).toBe(17)
  expect(() => seedOfRun({ SEED: 'x' })).toThrow(RangeError)
})

test('a failure says how to bring it back', () => {
  const fail = (): never => {
    throw new Error('no')
  }
  expect(() => seeded(17, 'a', fail)).toThrow(/SEED=17/)
})
