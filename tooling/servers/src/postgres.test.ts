/**
 * Against real PostgreSQL servers. As with Redis, the endings are looked up in the system: does the process exist, is
 * the folder there. What the servers let in is seen by the probe, which gives no password, and by `psql`.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect as connectPlainly } from 'node:net'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { connect } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { type PostgresOptions, type PostgresServer, startPostgres } from './postgres.ts'
import { packageFolder } from './postgres-from-npm.ts'
import { askPostgres, type PostgresAddress } from './postgres-probe.ts'
import { findPostgres } from './postgres-program.ts'
import { type Surroundings, thisMachine } from './surroundings.ts'

const started: PostgresServer[] = []
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()))
})

describe('a server of our own', () => {
  test('answers on its port and its socket, and is gone with its folder after stop()', async () => {
    const server = await start()
    expect(server.version).toMatch(/^\d+\.\d+$/)
    expect(server.major).toBe(Number(server.version.split('.')[0]))
    expect(server.url).toBe(`postgres://postgres@127.0.0.1:${server.port}/postgres`)
    expect(await askPostgres(addressOf(server))).toMatchObject({ version: server.version, wants: 0 })
    const bySocket = { ...addressOf(server), host: server.socketPath as string }
    expect((await askPostgres(bySocket, 'SELECT 1, NULL')).rows).toEqual([['1', null]])

    await server.stop()
    expect(isAlive(server.pid as number)).toBe(false)
    expect(existsSync(server.socketFolder as string)).toBe(false)
    await server.stop()
  })

  test('stands beside another, and comes back on the port it had', async () => {
    const [first, other] = await Promise.all([start(), start()])
    expect(first.port).not.toBe(other.port)
    await first.stop()
    expect((await start({ port: first.port })).port).toBe(first.port)
  })

  test('ends while a client is in a session, and although it was suspended', async () => {
    const server = await start()
    const session = askPostgres(addressOf(server), 'SELECT pg_sleep(60)')
    const cut = expect(session).rejects.toThrow(/terminating connection/)
    await untilTrue(server, "SELECT count(*) = 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'")
    process.kill(server.pid as number, 'SIGSTOP')
    await server.stop()
    expect(isAlive(server.pid as number)).toBe(false)
    await cut
  })

  test.each(['SIGQUIT', 'SIGKILL'] as const)('dies of %s at once', async (signal) => {
    const server = await start()
    await server.kill(signal)
    expect(isAlive(server.pid as number)).toBe(false)
    expect(existsSync(server.socketFolder as string)).toBe(true)
    await expect(askPostgres(addressOf(server))).rejects.toThrow(/ECONNREFUSED/)
    await Promise.all([server.kill(signal), server.stop()])
    expect(existsSync(server.socketFolder as string)).toBe(false)
  })

  test('speaks TLS to those who ask, with certificates of its own', async () => {
    const server = await start({ tls: true })
    const { ca, clientCert, clientKey, url } = server.tls as NonNullable<PostgresServer['tls']>
    const plain = connectPlainly(server.port, server.host)
    plain.write(Buffer.from('0000000804d2162f', 'hex'))
    expect(String((await once(plain, 'data'))[0])).toBe('S')
    const socket = connect({ socket: plain, servername: 'localhost', ca, cert: clientCert, key: clientKey })
    await once(socket, 'secureConnect')
    expect(socket.authorized).toBe(true)
    socket.destroy()
    const question = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'
    expect((await askPostgres({ ...addressOf(server), secure: true }, question)).rows).toEqual([['t']])
    expect((await askPostgres(addressOf(server), question)).rows).toEqual([['f']])
    expect(url).toContain('sslmode=verify-full')
  })

  test('knows passwords, users and databases', async () => {
    const users = [
      { name: 'new', password: 'a b' },
      { name: 'ol"d', password: "it's", encryption: 'md5', superuser: true },
    ] as const
    const server = await start({ user: 'the owner', password: 'sec\\ret\n', users, databases: ['shop'] })
    expect(server.url).toBe(`postgres://the%20owner:sec%5Cret%0A@127.0.0.1:${server.port}/postgres`)
    const wants = async (user: string) => (await askPostgres({ ...addressOf(server), user })).wants
    expect([await wants('the owner'), await wants('new'), await wants('ol"d')]).toEqual([10, 10, 5])

    const asUser = (name: string, password: string) =>
      `postgres://${encodeURIComponent(name)}:${encodeURIComponent(password)}@127.0.0.1:${server.port}/shop`
    const who = "SELECT current_user || ' ' || current_setting('is_superuser')"
    expect(await psql(server, server.url, who)).toBe('the owner on')
    expect(await psql(server, asUser('new', 'a b'), who)).toBe('new off')
    expect(await psql(server, asUser('ol"d', "it's"), who)).toBe('ol"d on')
    await expect(psql(server, asUser('new', 'wrong'), who)).rejects.toThrow(/password authentication failed/)
  })

  test('obeys lines of its configuration', async () => {
    const server = await start({ configLines: ['max_connections = 7'], hbaLines: ['host shop all all reject'] })
    expect((await askPostgres(addressOf(server), 'SHOW max_connections')).rows).toEqual([['7']])
    const refused = askPostgres({ ...addressOf(server), database: 'shop' })
    await expect(refused).rejects.toMatchObject({ name: 'PostgresRefusal', code: '28000' })
  })

  test('says why it did not start', async () => {
    await expect(start({ configLines: ['no_such_directive = on'] })).rejects.toThrow(/no_such_directive/)
    await expect(start({ databases: ['postgres'] })).rejects.toThrow(/database "postgres" already exists/)
  })
})

describe('a standby', () => {
  test('follows its primary, is let go by promote(), and takes writes then', async () => {
    const primary = await start({ password: "pa'ss" })
    const standby = await start({ standbyOf: primary })
    expect(standby).toMatchObject({ version: primary.version, user: primary.user, password: primary.password })
    await psql(primary, primary.url, 'CREATE TABLE followed (n int)')
    await expect.poll(() => psql(standby, standby.url, "SELECT to_regclass('followed')")).toBe('followed')
    await expect(psql(standby, standby.url, 'DROP TABLE followed')).rejects.toThrow(/read-only/)

    await standby.promote()
    expect(await psql(standby, standby.url, 'SELECT pg_is_in_recovery()')).toBe('f')
    await psql(standby, standby.url, 'DROP TABLE followed')
    await expect(primary.promote()).rejects.toThrow(/not in standby mode/)
  })

  test('needs an installed PostgreSQL of the same version', async () => {
    const primary = { port: 1, host: '127.0.0.1', user: 'postgres', major: 18 } as PostgresServer
    const missing = { code: 'SERVER_UNAVAILABLE', message: expect.stringMatching(/no pg_basebackup.*installed/) }
    await expect(start({ standbyOf: primary, version: 18 })).rejects.toMatchObject(missing)
    const different = { code: 'SERVER_UNAVAILABLE', message: expect.stringMatching(/standby of PostgreSQL 18/) }
    await expect(start({ standbyOf: primary, version: 17 })).rejects.toMatchObject(different)
  })

  test('cannot be given users of its own', async () => {
    const primary = { port: 1, host: '127.0.0.1', user: 'postgres' } as PostgresServer
    await expect(start({ standbyOf: primary, databases: ['x'] })).rejects.toThrow(TypeError)
  })
})

describe('whatever ends the parent', () => {
  test('SIGKILL leaves no process and no folder', async () => {
    const { parent, lines } = parentWith(`
      const { pid, socketFolder } = await startPostgres()
      console.log(JSON.stringify({ pid, socketFolder }))`)
    const [line] = await once(lines, 'line')
    const { pid, socketFolder } = JSON.parse(line) as { pid: number; socketFolder: string }
    expect(isAlive(pid)).toBe(true)
    parent.kill('SIGKILL')
    await expect.poll(() => isAlive(pid) || existsSync(socketFolder), { timeout: 10_000 }).toBe(false)
  })

  test('a parent that forgets to stop the server can still end', async () => {
    const { parent, lines } = parentWith('console.log((await startPostgres()).socketFolder); process.exit(7)')
    const exited = once(parent, 'exit')
    const [socketFolder] = (await once(lines, 'line')) as [string]
    expect((await exited)[0]).toBe(7)
    await expect.poll(() => existsSync(socketFolder), { timeout: 10_000 }).toBe(false)
  })
})

describe('from npm', () => {
  test.each([17, 18] as const)('%i answers, with TLS and passwords', async (version) => {
    const users = [{ name: 'app', password: 'hunter2' }]
    const server = await start({ version, tls: true, users })
    expect(server).toMatchObject({ major: version, source: 'npm' })
    const secure = { ...addressOf(server), secure: true }
    expect(await askPostgres(secure)).toMatchObject({ version: server.version, wants: 0 })
    expect((await askPostgres({ ...secure, user: 'app' })).wants).toBe(10)
  })

  test('comes the newest where the machine has none', async () => {
    const nothing = { environment: { PATH: '/no/such/folder' }, mayInstall: false, mayUseContainers: false }
    const program = findPostgres('system', nothing, [])
    expect(await program).toMatchObject({ source: 'npm', version: expect.stringMatching(/^18\./) })
  })

  test('the error for a platform without a package says so', () => {
    expect(() => packageFolder(18, 'plan9-mips')).toThrow(
      expect.objectContaining({ code: 'SERVER_UNAVAILABLE', message: expect.stringMatching(/18 .*plan9-mips/) }),
    )
  })
})

describe('a server of somebody else', () => {
  test('named by the environment is used, and never stopped', async () => {
    const theirs = await start()
    const surroundings = { ...thisMachine(), environment: { IOKERNEL_POSTGRES_URL: theirs.url } }
    const server = await startPostgres({ surroundings })
    expect(server).toMatchObject({ url: theirs.url, version: theirs.version, source: 'environment', pid: undefined })
    await expect(server.kill()).rejects.toThrow(/somebody else/)
    await server.stop()
    expect(await askPostgres(addressOf(theirs))).toMatchObject({ version: theirs.version })

    const own = await start({ databases: ['x'], surroundings: { ...thisMachine(), ...withUrl(theirs.url) } })
    expect(own.port).not.toBe(theirs.port)
  })

  test('that does not answer is named in the error', async () => {
    const gone = await start()
    await gone.stop()
    const surroundings = { ...thisMachine(), environment: { IOKERNEL_POSTGRES_URL: gone.url } }
    await expect(startPostgres({ surroundings })).rejects.toThrow(/IOKERNEL_POSTGRES_URL names a server that does not/)
  })
})

async function start(options: PostgresOptions = {}): Promise<PostgresServer> {
  // The developer's own IOKERNEL_POSTGRES_URL must not decide what is tested here.
  const surroundings: Surroundings = { ...thisMachine(), ...withUrl(undefined) }
  const server = await startPostgres({ surroundings, ...options })
  started.push(server)
  return server
}

function withUrl(url: string | undefined): Pick<Surroundings, 'environment'> {
  return { environment: { ...process.env, IOKERNEL_POSTGRES_URL: url } }
}

function addressOf(server: PostgresServer): PostgresAddress {
  return { host: server.host, port: server.port, secure: false, user: server.user, database: 'postgres' }
}

async function untilTrue(server: PostgresServer, question: string): Promise<void> {
  await expect.poll(async () => (await askPostgres(addressOf(server), question)).rows[0]?.[0]).toBe('t')
}

/** The client that comes with the server: it gives passwords. */
async function psql(server: PostgresServer, url: string, statement: string): Promise<string> {
  const beside = `/usr/lib/postgresql/${server.major}/bin`
  const environment = { ...process.env, PATH: `${process.env['PATH']}:${beside}`, LC_ALL: 'C' }
  const { stdout } = await promisify(execFile)('psql', [url, '-AtXc', statement], { env: environment })
  return stdout.trim()
}

/** A process that uses `dist`, as a user's program would. */
function parentWith(statements: string) {
  const entry = join(dirname(fileURLToPath(import.meta.url)), '../dist/index.js')
  const program = `
    import { startPostgres } from ${JSON.stringify(entry)}
    setInterval(() => {}, 1000)
    ${statements}`
  const environment: NodeJS.ProcessEnv = { ...process.env }
  delete environment['IOKERNEL_POSTGRES_URL']
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: environment,
  })
  return { parent, lines: createInterface({ input: parent.stdout }) }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
