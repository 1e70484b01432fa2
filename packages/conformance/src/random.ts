/**
 * Random numbers that can be replayed, and what is drawn with them.
 *
 * Rules: one seed for a run, drawn fresh or taken from `SEED`; each test derives its own stream from the seed and its
 * name, so tests do not depend on each other's order. Whoever fails says the seed (`seeded`).
 */
import { randomInt } from 'node:crypto'

const SEED_MAX = 2 ** 32

export interface Random {
  /** A whole number in [0, below). */
  below(below: number): number
  bytes(length: number): Buffer
  pick<Item>(items: readonly Item[]): Item
}

/** The seed of this run: `SEED=17 npm test` repeats another's. */
export function seedOfRun(environment: NodeJS.ProcessEnv = process.env): number {
  const given = environment['SEED']
  if (given === undefined || given === '') return randomInt(SEED_MAX - 1)
  const seed = Number(given)
  if (!Number.isInteger(seed) || seed < 0) throw new RangeError(`SEED is ${given}: a whole number from 0 on is meant`)
  return seed % SEED_MAX
}

/** Runs `body` with random numbers of its own; a failure names the seed that brings it back. */
export function seeded(seed: number, name: string, body: (random: Random) => void): void {
  try {
    body(randomFrom(seed, name))
  } catch (error) {
    if (error instanceof Error) error.message = `${error.message}\n(SEED=${seed} replays this)`
    throw error
  }
}

export function randomFrom(seed: number, name: string): Random {
  const next = mulberry32((seed ^ hashOf(name)) >>> 0)
  const below = (bound: number): number => Math.floor((next() / SEED_MAX) * bound)
  return {
    below,
    bytes: (length) => Buffer.from(Uint8Array.from({ length }, () => below(256))),
    pick: (items) => items[below(items.length)] as (typeof items)[number],
  }
}

/** Tommy Ettinger's generator: 32 bits of state are enough for test data. */
function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash >>> 0
}
