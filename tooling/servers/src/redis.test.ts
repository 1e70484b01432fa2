/**
 * Against real Redis servers. What is promised here is mostly about endings, so the tests look at the system: does
 * the process exist, is the folder there.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createConnection } from 'node:net'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { connect } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { type RedisOptions, type RedisServer, startRedis } from './redis.ts'
import { askRedis } from './redis-probe.ts'
import { type Surroundings, thisMachine } from './surroundings.ts'

const started: RedisServer[] = []
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()))
})

describe('a server of our own', () => {
  test('answers, and is gone with its folder after stop()', async () => {
    const server = await start()
    expect(server.version).toMatch(/^\d+\.\d+/)
    expect(await askRedis(addressOf(server))).toBe(server.version)
    const folder = dirname(server.socketPath as string)
    expect(existsSync(server.socketPath as string)).toBe(true)

    await server.stop()
    expect(isAlive(server.pid as number)).toBe(false)
    expect(existsSync(folder)).toBe(false)
    await server.stop()
  })

  test('comes back on the port it had', async () => {
    const first = await start()
    await first.stop()
    const second = await start({ port: first.port })
    expect(second.port).toBe(first.port)
  })

  test('is stopped although it was suspended', async () => {
    const server = await start()
    process.kill(server.pid as number, 'SIGSTOP')
    await server.stop()
    expect(isAlive(server.pid as number)).toBe(false)
  })

  test('speaks TLS with certificates of its own', async () => {
    const { tls } = await start({ tls: true })
    const { port, ca, clientCert, clientKey } = tls as NonNullable<RedisServer['tls']>
    const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca, cert: clientCert, key: clientKey })
    await once(socket, 'secureConnect')
    socket.write('PING\r\n')
    const [answer] = await once(socket, 'data')
    expect(String(answer)).toBe('+PONG\r\n')
    socket.destroy()
  })

  test('knows passwords and users', async () => {
    const server = await start({ password: 'sec"ret', users: ['app on >hunter2 ~* &* +@all'] })
    expect(server.url).toBe(`redis://:sec%22ret@127.0.0.1:${server.port}`)
    const asApp = { ...addressOf(server), user: 'app', password: 'hunter2' }
    expect(await askRedis(asApp)).toBe(server.version)
    expect(await askRedis(addressOf(server))).toBe('unknown')
  })

  test('follows a primary', async () => {
    const primary = await start()
    const replica = await start({ replicaOf: primary })
    await expect.poll(() => ask(replica, 'ROLE'), { timeout: 10_000 }).toMatch(/slave[\s\S]*connected/)
  })

  test('says why it did not start', async () => {
    await expect(start({ configLines: ['no-such-directive yes'] })).rejects.toThrow(/no-such-directive/)
  })
})

describe('whatever ends the parent', () => {
  test.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)('%s leaves no process and no folder', async (signal) => {
    const { parent, pid, folder } = await parentWithServer()
    expect(isAlive(pid)).toBe(true)
    parent.kill(signal)
    await untilGone(pid, folder)
  })

  test('Ctrl-C, which reaches the whole process group, leaves none either', async () => {
    const { parent, pid, folder } = await parentWithServer()
    process.kill(-(parent.pid as number), 'SIGINT')
    await untilGone(pid, folder)
  })

  test('a parent that forgets to stop the server can still end', async () => {
    const { parent, pid, folder } = await parentWithServer('process.exitCode = 7')
    const [code] = await once(parent, 'exit')
    expect(code).toBe(7)
    await untilGone(pid, folder)
  })
})

describe('a server of somebody else', () => {
  test('named by the environment is used, and never stopped', async () => {
    const theirs = await start()
    const surroundings = { ...thisMachine(), environment: { IOKERNEL_REDIS_URL: theirs.url } }
    const server = await startRedis({ surroundings })
    expect(server).toMatchObject({ url: theirs.url, port: theirs.port, source: 'environment', pid: undefined })
    await server.stop()
    expect(await askRedis(addressOf(theirs))).toBe(theirs.version)
  })

  test('is left alone where more than a plain server is wanted', async () => {
    const theirs = await start()
    const environment = { ...process.env, IOKERNEL_REDIS_URL: theirs.url }
    const own = await start({ password: 'x', surroundings: { ...thisMachine(), environment } })
    expect(own.port).not.toBe(theirs.port)
    await own.stop()
    expect(await askRedis(addressOf(theirs))).toBe(theirs.version)
  })

  test('that does not answer is named in the error', async () => {
    const gone = await start()
    await gone.stop()
    const surroundings = { ...thisMachine(), environment: { IOKERNEL_REDIS_URL: gone.url } }
    await expect(startRedis({ surroundings })).rejects.toThrow(/IOKERNEL_REDIS_URL names a server that does not answer/)
  })
})

describe('where there is no Redis', () => {
  const nothing: Surroundings = {
    environment: { PATH: '/no/such/folder' },
    mayInstall: false,
    mayUseContainers: true,
  }

  test('the error says what was tried and how to get it', async () => {
    await expect(startRedis({ surroundings: nothing })).rejects.toMatchObject({
      name: 'ServerUnavailableError',
      code: 'SERVER_UNAVAILABLE',
      message: expect.stringMatching(
        /no redis-server on the PATH.*may not install.*docker info.*IOKERNEL_REDIS_URL.*apt-get install redis-server/s,
      ),
    })
  })
})

async function start(options: RedisOptions = {}): Promise<RedisServer> {
  // The developer's own IOKERNEL_REDIS_URL must not decide what is tested here.
  const environment = { ...process.env, IOKERNEL_REDIS_URL: undefined }
  const server = await startRedis({ surroundings: { ...thisMachine(), environment }, ...options })
  started.push(server)
  return server
}

async function ask(server: RedisServer, command: string): Promise<string> {
  const socket = createConnection(server.port, server.host)
  socket.write(`${command}\r\n`)
  const [answer] = await once(socket, 'data')
  socket.destroy()
  return String(answer)
}

function addressOf(server: RedisServer) {
  return { host: server.host, port: server.port, secure: false, user: '', password: '' }
}

interface ParentWithServer {
  readonly parent: ChildProcess
  readonly pid: number
  readonly folder: string
}

/** A process of its own group that has started a server from `dist`, as a user's program would. */
async function parentWithServer(ending = 'setInterval(() => {}, 1000)'): Promise<ParentWithServer> {
  const entry = fileURLToPath(new URL('../dist/index.js', import.meta.url))
  const program = `
    import { startRedis } from ${JSON.stringify(entry)}
    const { pid, socketPath } = await startRedis()
    console.log(JSON.stringify({ pid, socketPath }))
    ${ending}`
  const environment: NodeJS.ProcessEnv = { ...process.env }
  delete environment['IOKERNEL_REDIS_URL']
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
    env: environment,
  })
  const [line] = await once(createInterface({ input: parent.stdout }), 'line')
  const { pid, socketPath } = JSON.parse(line)
  return { parent, pid, folder: dirname(socketPath) }
}

/** The end of another process announces itself to nobody: it has to be looked for, with a bound. */
async function untilGone(pid: number, folder: string): Promise<void> {
  const giveUpAt = Date.now() + 10_000
  while (isAlive(pid) || existsSync(folder)) {
    if (Date.now() > giveUpAt) throw new Error(`process ${pid} or folder ${folder} is still there`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
