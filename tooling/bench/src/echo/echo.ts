/**
 * The three echo servers of the msgpack-rpc suite, as the suite holds them: each in a process of its own, started,
 * named in one URL, stopped.
 *
 * Rules: all three are Node processes of one design: they find where the value lies in what came and send its bytes
 * back, and decode nothing. So what is compared is the clients and the protocols, and no server's library.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export type EchoKind = 'msgpack-rpc' | 'grpc' | 'json'

export const ECHO_KINDS: readonly EchoKind[] = ['msgpack-rpc', 'grpc', 'json']

/** What a server's process says when it listens. */
export interface EchoListening {
  readonly port: number
}

export interface EchoServers {
  /** `echo://127.0.0.1/?msgpack-rpc=1&grpc=2&json=3`. */
  readonly url: string
  stop(): Promise<void>
}

export async function startEchoServers(): Promise<EchoServers> {
  const children = ECHO_KINDS.map((kind) =>
    fork(echoProgram(), [kind], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
  )
  const stop = async (): Promise<void> => {
    await Promise.all(children.map(end))
  }
  try {
    const ports = await Promise.all(children.map(listening))
    const url = new URL('echo://127.0.0.1/')
    for (const [index, kind] of ECHO_KINDS.entries()) url.searchParams.set(kind, String(ports[index]))
    return { url: url.href, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** `127.0.0.1:4711`. */
export function echoAddress(url: string, kind: EchoKind): string {
  const { hostname, searchParams } = new URL(url)
  return `${hostname}:${searchParams.get(kind)}`
}

function listening(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('message', ({ port }: EchoListening) => resolve(port))
    child.once('error', reject)
    child.once('exit', (code, signal) => reject(new Error(`an echo server ended at once (${signal ?? code})`)))
  })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

/** Under a test runner this file is TypeScript, and the program beside it is what the build made of it. */
function echoProgram(): string {
  const beside = fileURLToPath(new URL('./echo-process.js', import.meta.url))
  return existsSync(beside) ? beside : fileURLToPath(new URL('../../dist/echo/echo-process.js', import.meta.url))
}
