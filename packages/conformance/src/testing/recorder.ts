/**
 * A test runner that remembers: for running the suites where they are expected to fail.
 *
 * Rules: tests run in the order in which they were registered, one at a time. Names are joined by ` > `.
 */
import type { Runner } from '../runner.ts'

export interface Outcome {
  readonly name: string
  /** `undefined` for a test that passed. */
  readonly error: unknown
}

/** Runs what `register` registers. */
export async function record(register: (runner: Runner) => void): Promise<readonly Outcome[]> {
  const path: string[] = []
  const tests: { readonly name: string; readonly body: () => void | Promise<void> }[] = []
  register({
    describe(name, body) {
      path.push(name)
      body()
      path.pop()
    },
    test(name, body) {
      tests.push({ name: [...path, name].join(' > '), body })
    },
  })
  const outcomes: Outcome[] = []
  for (const { name, body } of tests) outcomes.push({ name, error: await failureOf(body) })
  return outcomes
}

async function failureOf(body: () => void | Promise<void>): Promise<unknown> {
  try {
    await body()
  } catch (error) {
    return error ?? new Error('a test threw nothing')
  }
  return undefined
}
