/**
 * The author's test runner, as little of it as the kit needs.
 *
 * Rules: every assertion of the kit is `node:assert`'s, so a runner only has to name tests and report what they
 * throw. vitest, Jest, Mocha and `node:test` all fit. Nothing is skipped through the runner: what does not apply is a
 * test that says so and asserts that the manifest agrees.
 */
export interface Runner {
  describe(name: string, body: () => void): unknown
  test(name: string, body: () => void | Promise<void>): unknown
  /** Accepted so that the usual triple can be handed over as it is; not used. */
  readonly expect?: unknown
}
