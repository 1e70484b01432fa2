/**
 * A program for CI runs: looks for every server and peer that tests start, installs what is missing where it may, and
 * says where each lies. Tests would install it themselves, but with a test's time running.
 *
 * Rules: what cannot be had is said and is no failure here; the test that needs it is the one that fails.
 */
import { spawnSync } from 'node:child_process'
import { MARIADB } from './mariadb.ts'
import { NEOVIM } from './neovim.ts'
import { NGINX } from './nginx.ts'
import { POSTGRES } from './postgres-program.ts'
import { REDIS } from './redis.ts'
import { findProgram, type ProgramNeed, ServerUnavailableError, thisMachine } from './surroundings.ts'

/** Languages whose libraries speak msgpack-rpc with us. Debian's come with its own interpreter. */
const PYTHON: ProgramNeed = {
  name: 'python3',
  folders: ['/usr/bin'],
  debianPackages: ['python3', 'python3-msgpack'],
  library: { name: 'msgpack', isThere: (path) => spawnSync(path, ['-c', 'import msgpack']).status === 0 },
}
const RUBY: ProgramNeed = {
  name: 'ruby',
  folders: ['/usr/bin'],
  debianPackages: ['ruby', 'ruby-msgpack'],
  library: { name: 'msgpack', isThere: (path) => spawnSync(path, ['-e', 'require "msgpack"']).status === 0 },
}

for (const need of [REDIS, POSTGRES, MARIADB, NGINX, NEOVIM, PYTHON, RUBY]) {
  try {
    const found = await findProgram(need, thisMachine())
    console.log(`${need.name}: ${found.source === 'container' ? found.image : found.path} (${found.source})`)
  } catch (error) {
    if (!(error instanceof ServerUnavailableError)) throw error
    console.log(error.message)
  }
}
