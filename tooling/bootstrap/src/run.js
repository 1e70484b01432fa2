/**
 * Runs the tools of the workspace. A tool that fails ends the whole command with its exit code: what it had to say is
 * already on the screen.
 */
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))))

/**
 * @param {string} program
 * @param {readonly string[]} args
 */
export function run(program, args) {
  const status = statusOf(program, args)
  if (status !== 0) process.exit(status)
}

/**
 * @param {readonly string[]} tasks
 * @param {readonly string[]} flags
 */
export function turbo(tasks, flags) {
  run('turbo', ['run', ...tasks, ...TURBO_FLAGS, ...flags])
}

/**
 * @param {string} program
 * @param {readonly string[]} args
 * @returns {number}
 */
export function statusOf(program, args) {
  const result = spawnSync(program, args, { cwd: ROOT, stdio: 'inherit', env: toolEnvironment() })
  if (result.error) {
    console.error(`${program} could not be run: ${result.error.message}`)
    return 1
  }
  // A child that a signal ended has no status; 130 is what a shell says after Ctrl-C.
  return result.status ?? 130
}

/** turbo looks for the package manager on the PATH, where a machine with only npm has none. */
function toolEnvironment() {
  const path = `${join(ROOT, 'node_modules', '.bin')}:${process.env.PATH ?? ''}`
  return { ...process.env, PATH: path, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' }
}

const TURBO_FLAGS = ['--output-logs=new-only', '--log-order=grouped', '--no-update-notifier']
