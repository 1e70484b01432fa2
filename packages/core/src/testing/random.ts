/**
 * Random numbers that can be replayed.
 *
 * Rules: a test that draws numbers draws them here. What fails names its seed, and `SEED=… npx vitest run` draws the
 * same again.
 */

export class Random {
  readonly seed: number
  #state: number

  constructor(seed: number) {
    this.seed = seed
    this.#state = seed | 0
  }

  /** In [0, 1). Mulberry32: 32 bits of state are plenty for a test. */
  unit(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from 0 to `below - 1`. */
  below(below: number): number {
    return Math.floor(this.unit() * below)
  }

  /** A whole number from `from` to `to`, both included. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1)
  }

  chance(probability: number): boolean {
    return this.unit() < probability
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length)
    for (let index = 0; index < length; index++) bytes[index] = this.below(256)
    return bytes
  }

  /** Cuts `bytes` into pieces of random lengths, at least one byte each. */
  pieces(bytes: Uint8Array, bytesMax: number): Uint8Array[] {
    const pieces: Uint8Array[] = []
    let at = 0
    while (at < bytes.length) {
      const to = Math.min(bytes.length, at + this.between(1, bytesMax))
      pieces.push(bytes.subarray(at, to))
      at = to
    }
    return pieces
  }
}

/** The seed from the environment, or a new one. */
export function seedOfRun(): number {
  const given = Number(process.env['SEED'])
  return Number.isSafeInteger(given) && given > 0 ? given : 1 + (Number(process.hrtime.bigint() % 0x7fffffffn) | 0)
}

/** Runs a random test; when it fails, the error says by which seed it can be had again. */
export async function withSeed(
  run: (random: Random) => void | Promise<void>,
  seed: number = seedOfRun(),
): Promise<void> {
  try {
    await run(new Random(seed))
  } catch (error) {
    if (error instanceof Error) error.message = `${error.message}\n(seed ${seed}: replay with SEED=${seed})`
    throw error
  }
}
