/**
 * The test configuration that every package shares.
 *
 * Rules: a package adds to it (a global setup, say) but never loosens it. Retries are off: a test that passes at
 * the second try has found something. Reports go to `.reports/`, where `.ci/run` counts them.
 */
import { defineConfig, mergeConfig, type ViteUserConfig } from 'vitest/config'

export function packageTests(additions: ViteUserConfig = {}): ViteUserConfig {
  return mergeConfig(shared, additions)
}

const shared = defineConfig({
  test: {
    include: ['src/**/*.test.{ts,js}'],
    // Forks, not threads: the tests start worker threads of their own, and some kill them.
    pool: 'forks',
    // Two: the smallest machine that has to pass has two cores, and real servers run beside the tests.
    maxWorkers: 2,
    testTimeout: 20_000,
    // A hook may install and start a real server.
    hookTimeout: 60_000,
    retry: 0,
    passWithNoTests: true,
    reporters: ['default', 'json'],
    outputFile: { json: '.reports/vitest.json' },
  },
})
