/**
 * For the tests of servers: is a process there, and a parent that can be ended in any way.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

export interface ParentOfServer {
  readonly parent: ChildProcess
  readonly pid: number
  /** A file of the server's folder. */
  readonly file: string
}

/** A process that has started a server from `dist`, as a user's program would, and then carries out `ending`. */
export async function parentOf(
  start: 'startMariadb' | 'startNginx' | 'startNeovim',
  ending = 'setInterval(() => {}, 1000)',
): Promise<ParentOfServer> {
  const entry = fileURLToPath(new URL('../dist/index.js', import.meta.url))
  const program = `
    import { ${start} } from ${JSON.stringify(entry)}
    const { pid, socketPath: file } = await ${start}()
    console.log(JSON.stringify({ pid, file }))
    ${ending}`
  const environment: NodeJS.ProcessEnv = { ...process.env }
  delete environment['IOKERNEL_MARIADB_URL']
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: environment,
  })
  const [line] = await once(createInterface({ input: parent.stdout }), 'line')
  return { parent, ...(JSON.parse(line) as { pid: number; file: string }) }
}
