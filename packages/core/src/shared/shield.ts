/**
 * Runs code that is not ours from inside a loop that must go on.
 *
 * Rules: what it throws becomes an uncaught exception in a turn of its own, as from any callback: neither swallowed nor
 * able to break the drain it was called from.
 */
export function shielded(action: () => void): void {
  try {
    action()
  } catch (error) {
    process.nextTick(() => {
      throw error
    })
  }
}
