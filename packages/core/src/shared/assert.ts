/**
 * Assertions: for what only a mistake in this repository can break. The network and the user get typed errors instead.
 */

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`iokernel: invariant broken: ${message}`)
}
