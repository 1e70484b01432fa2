/**
 * The life of a service: a program of our own that the gateway starts as a process of its own.
 *
 * Rules:
 * 1. It listens on a free port of the loopback interface, says so in one line of JSON on stdout, and says nothing
 *    there afterwards.
 * 2. It ends when its stdin does. The system closes a pipe whatever has ended its owner, SIGKILL included, so no
 *    service outlives its gateway.
 * 3. What it is in the middle of is cut: whoever stops a service has stopped asking it.
 */
import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'

/** What it says when it listens. */
export interface Listening {
  /** Its name and the version of what it speaks: `files/1`. */
  readonly version: string
  readonly port: number
}

export async function live(version: string, server: Server): Promise<void> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const listening: Listening = { version, port }
  process.stdout.write(`${JSON.stringify(listening)}\n`)
  // Whoever reads the line may read no further.
  process.stdout.on('error', () => undefined)
  process.stdin.resume()
  await once(process.stdin, 'end')
  process.exit(0)
}
