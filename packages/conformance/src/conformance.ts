/**
 * The table of contents: every suite that a protocol plugin must pass.
 *
 * Rules: a suite is a function of the runner and the subject; it looks at the manifest and at nothing else to decide
 * what applies. What needs a kernel (a thread, a network, a clock) is added here as suites of its own and changes
 * none of these.
 */

import type { Cloneable } from '@iokernel/core/plugin'
import { seedOfRun } from './random.ts'
import type { Runner } from './runner.ts'
import type { Subject } from './subject.ts'
import { codecSuite } from './suites/codec.ts'
import { framerSuite } from './suites/framer.ts'
import { handshakeSuite } from './suites/handshake.ts'
import { packageSuite } from './suites/package.ts'

/** Registers the tests. `SEED` in the environment repeats what a run drew at random. */
export function conformance<Io extends Cloneable>(runner: Runner, subject: Subject<Io>): void {
  const seed = seedOfRun()
  runner.describe(`${subject.protocol.name} conforms`, () => {
    for (const suite of SUITES) suite(runner, subject as Subject, seed)
  })
}

type Suite = (runner: Runner, subject: Subject, seed: number) => void

const SUITES: readonly Suite[] = [packageSuite, framerSuite, handshakeSuite, codecSuite]
