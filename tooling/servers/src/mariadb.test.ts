/**
 * Against real MariaDB servers. The endings are looked up in the system: does the process exist, is the folder there.
 * Who is let in, and as whom, is seen by the client that comes with the server.
 */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { findMariadb, type MariadbOptions, type MariadbServer, startMariadb } from './mariadb.ts'
import { askMariadb } from './mariadb-probe.ts'
import { type Surroundings, thisMachine } from './surroundings.ts'
import { isAlive, parentOf } from './testing.ts'

const started: MariadbServer[] = []
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()))
})

describe('a server of our own', () => {
  test('answers on its port and its socket, and is gone with its folder after stop()', async () => {
    const server = await start()
    expect(server.version).toMatch(/^\d+\.\d+\.\d+$/)
    expect(server.url).toBe(`mysql://root@127.0.0.1:${server.port}/`)
    expect(await askMariadb(server)).toBe(server.version)
    expect(await askMariadb({ path: server.socketPath as string })).toBe(server.version)
    expect(await ask(server, 'SELECT CURRENT_USER()', 'root')).toBe('root@%')

    await server.stop()
    expect(isAlive(server.pid as number)).toBe(false)
    expect(existsSync(dirname(server.socketPath as string))).toBe(false)
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
    const session = ask(server, 'SELECT SLEEP(60)', 'root')
    const cut = expect(session).rejects.toThrow()
    const sleeping = "SELECT COUNT(*) FROM information_schema.processlist WHERE info = 'SELECT SLEEP(60)'"
    await expect.poll(() => ask(server, sleeping, 'root'), { timeout: 10_000 }).toBe('1')
    process.kill(server.pid as number, 'SIGSTOP')
    await server.stop()
    expect(isAlive(server.pid as number)).toBe(false)
    await cut
  })

  test('dies of kill() at once, and leaves its folder to stop()', async () => {
    const server = await start()
    await server.kill()
    expect(isAlive(server.pid as number)).toBe(false)
    await expect(askMariadb(server)).rejects.toThrow(/ECONNREFUSED/)
    expect(existsSync(dirname(server.socketPath as string))).toBe(true)
    await Promise.all([server.kill(), server.stop()])
    expect(existsSync(dirname(server.socketPath as string))).toBe(false)
  })

  test('speaks TLS to those who ask, with certificates of its own', async () => {
    const users = [
      { name: 'secure', password: 'x', tls: 'required' },
      { name: 'certified', password: 'x', tls: 'certificate' },
    ] as const
    const server = await start({ tls: true, users })
    const { ca, clientCert, clientKey } = (server.tls as NonNullable<MariadbServer['tls']>).files
    const verified = [`--ssl-ca=${ca}`, '--ssl-verify-server-cert', '--host=localhost']
    const certified = [...verified, `--ssl-cert=${clientCert}`, `--ssl-key=${clientKey}`]
    const question = 'SHOW STATUS LIKE "Ssl_version"'
    expect(await ask(server, question, 'secure', 'x', verified)).toMatch(/TLSv1\.[23]/)
    expect(await ask(server, question, 'certified', 'x', certified)).toMatch(/TLSv1\.[23]/)
    await expect(ask(server, question, 'certified', 'x', verified)).rejects.toThrow(/Access denied/)
    await expect(ask(server, question, 'secure', 'x', ['--skip-ssl'])).rejects.toThrow(/Access denied/)
    expect(await ask(server, question, 'root', '', ['--skip-ssl'])).toBe('Ssl_version')
  })

  test('knows passwords, accounts and databases', async () => {
    const users = [
      { name: 'new`', password: 'a;\nb', plugin: 'ed25519' },
      { name: "it's", password: '\\', superuser: true },
    ] as const
    const server = await start({ user: 'the owner', password: "s'ec\\ret", users, databases: ['shop`s'] })
    expect(server.url).toBe(`mysql://the%20owner:s'ec%5Cret@127.0.0.1:${server.port}/shop%60s`)
    const plugin = "SELECT CONCAT(user, ' ', plugin) FROM mysql.user WHERE user = SUBSTRING_INDEX(USER(), '@', 1)"
    expect(await ask(server, plugin, 'the owner', "s'ec\\ret")).toBe('the owner mysql_native_password')
    expect(await ask(server, plugin, "it's", '\\')).toBe("it's mysql_native_password")
    await ask(server, 'CREATE TABLE `shop``s`.t (n int)', 'new`', 'a;\nb')
    await expect(ask(server, plugin, 'new`', 'a;\nb')).rejects.toThrow(/denied to user/)
    await expect(ask(server, 'SELECT 1', 'new`', 'wrong')).rejects.toThrow(/Access denied/)
    await expect(ask(server, 'SELECT 1', 'root')).rejects.toThrow(/Access denied/)
  })

  test('obeys lines of its configuration', async () => {
    const server = await start({ configLines: ['max_connections = 17', 'sql_mode = ANSI_QUOTES'] })
    expect(await ask(server, 'SELECT CONCAT(@@max_connections, @@sql_mode)', 'root')).toBe('17ANSI_QUOTES')
  })

  test('says why it did not start', async () => {
    await expect(start({ configLines: ['no_such_directive = 1'] })).rejects.toThrow(/no_such_directive/)
    await expect(start({ databases: ['mysql'] })).rejects.toThrow(/database 'mysql'; database exists/)
  })
})

describe('whatever ends the parent', () => {
  test('SIGKILL leaves no process and no folder', async () => {
    const { parent, pid, file } = await parentOf('startMariadb')
    expect(isAlive(pid)).toBe(true)
    parent.kill('SIGKILL')
    await expect.poll(() => isAlive(pid) || existsSync(dirname(file)), { timeout: 10_000 }).toBe(false)
  })

  test('a parent that forgets to stop the server can still end', async () => {
    const { parent, pid, file } = await parentOf('startMariadb', 'process.exitCode = 7')
    expect((await once(parent, 'exit'))[0]).toBe(7)
    await expect.poll(() => isAlive(pid) || existsSync(dirname(file)), { timeout: 10_000 }).toBe(false)
  })
})

describe('a server of somebody else', () => {
  test('named by the environment is used, and never stopped', async () => {
    const theirs = await start()
    const surroundings = { ...thisMachine(), environment: { IOKERNEL_MARIADB_URL: theirs.url } }
    const server = await startMariadb({ surroundings })
    expect(server).toMatchObject({ url: theirs.url, port: theirs.port, source: 'environment', pid: undefined })
    await expect(server.kill()).rejects.toThrow(/somebody else/)
    await server.stop()
    expect(await askMariadb(theirs)).toBe(theirs.version)

    const own = await start({ databases: ['x'], surroundings: { ...thisMachine(), ...withUrl(theirs.url) } })
    expect(own.port).not.toBe(theirs.port)
  })

  test('that does not answer is named in the error', async () => {
    const gone = await start()
    await gone.stop()
    const surroundings = { ...thisMachine(), environment: { IOKERNEL_MARIADB_URL: gone.url } }
    await expect(startMariadb({ surroundings })).rejects.toThrow(/IOKERNEL_MARIADB_URL names a server that does not/)
  })
})

test('where there is none, the error says what was tried and how to get it', async () => {
  const nothing = { environment: { PATH: '/no/such/folder' }, mayInstall: false, mayUseContainers: false }
  await expect(findMariadb(nothing, [])).rejects.toMatchObject({
    code: 'SERVER_UNAVAILABLE',
    message: expect.stringMatching(
      /no mariadbd on the PATH.*may not install.*IOKERNEL_MARIADB_URL.*apt-get install mariadb-server/,
    ),
  })
})

async function start(options: MariadbOptions = {}): Promise<MariadbServer> {
  // The developer's own IOKERNEL_MARIADB_URL must not decide what is tested here.
  const surroundings: Surroundings = { ...thisMachine(), ...withUrl(undefined) }
  const server = await startMariadb({ surroundings, ...options })
  started.push(server)
  return server
}

function withUrl(url: string | undefined): Pick<Surroundings, 'environment'> {
  return { environment: { ...process.env, IOKERNEL_MARIADB_URL: url } }
}

/** The client that comes with the server: it gives passwords. The last of the same options counts. */
async function ask(
  server: MariadbServer,
  statement: string,
  user: string,
  password = '',
  options: readonly string[] = [],
): Promise<string> {
  const place = ['--protocol=tcp', '--host=127.0.0.1', `--port=${server.port}`, `--user=${user}`]
  const args = ['--no-defaults', ...place, `--password=${password}`, ...options]
  const { stdout } = await promisify(execFile)('mariadb', [...args, '-BNe', statement])
  return stdout.trim()
}
