/**
 * Counts primes, a slice at a time: work that takes as long as one likes and has one right answer.
 *
 * Theory of operation: a sieve over a window. The primes up to the root of the end cross out their multiples in each
 * slice; what is left is counted. A slice costs a few milliseconds, and between two of them others get their turn.
 */

/** Yields how many there are below the end of each slice; the last is the answer: all primes below `end`. */
export function* primesBelow(end: number, sliceNumbers: number): Generator<{ readonly below: number; count: number }> {
  const small = smallPrimes(Math.ceil(Math.sqrt(end)))
  let count = 0
  for (let from = 2; from < end; from += sliceNumbers) {
    const to = Math.min(from + sliceNumbers, end)
    count += countBetween(from, to, small)
    yield { below: to, count }
  }
}

function countBetween(from: number, to: number, small: readonly number[]): number {
  const crossedOut = new Uint8Array(to - from)
  for (const prime of small) {
    if (prime * prime >= to) break
    const first = Math.max(prime * prime, Math.ceil(from / prime) * prime)
    for (let multiple = first; multiple < to; multiple += prime) crossedOut[multiple - from] = 1
  }
  let count = 0
  for (const one of crossedOut) count += 1 - one
  return count
}

/** All up to `last`. */
function smallPrimes(last: number): readonly number[] {
  const primes: number[] = []
  for (let number = 2; number <= last; number++) {
    if (primes.every((prime) => number % prime !== 0 || prime * prime > number)) primes.push(number)
  }
  return primes
}
