/**
 * Runs a suite against the built kernel in both modes: `worker` and `inline` promise the same.
 *
 * Rules: integration tests import the package by its name, so that they run what is published (a worker on Node 20
 * cannot load TypeScript). What only one mode has is tested in `threads.test.ts`, and named there.
 */
import { createKernel, type Kernel, type KernelOptions } from '@iokernel/core'
import { lines } from '@iokernel/core/testing'
import { afterEach, describe } from 'vitest'

export type Mode = 'worker' | 'inline'

export interface Suite {
  readonly mode: Mode
  /** A kernel that is closed after the test. */
  kernel(options?: Partial<KernelOptions>): Promise<Kernel>
}

export function inBothModes(name: string, suite: (tools: Suite) => void): void {
  for (const mode of ['worker', 'inline'] as const) {
    describe(`${name} (${mode})`, () => {
      const kernels: Kernel[] = []
      afterEach(async () => {
        await Promise.all(kernels.splice(0).map((kernel) => kernel.close({ deadlineMs: 0 })))
      })
      suite({
        mode,
        async kernel(options = {}) {
          const kernel = await createKernel({ protocols: [lines], thread: mode, logger: () => undefined, ...options })
          kernels.push(kernel)
          return kernel
        },
      })
    })
  }
}
