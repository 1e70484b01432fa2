/**
 * Against real nginx servers. The endings are looked up in the system: does the process exist, is the folder there.
 */
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { Agent, get, type IncomingMessage } from 'node:http'
import { get as getSecurely } from 'node:https'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { findNginx, type NginxOptions, type NginxServer, startNginx } from './nginx.ts'
import { isAlive, parentOf } from './testing.ts'

const started: NginxServer[] = []
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()))
})

describe('a server of our own', () => {
  test('serves files and locations, and is gone with its folder after stop()', async () => {
    const files = { 'a.json': '{"n":1}', 'deep/er/b.txt': new Uint8Array([104, 105]) }
    const server = await start({ files, serverLines: ['location /made { return 201 "made"; }'] })
    expect(server.version).toMatch(/^\d+\.\d+\.\d+$/)
    expect(await read(`${server.url}/a.json`)).toEqual([200, 'application/json', '{"n":1}'])
    expect(await read(`${server.url}/deep/er/b.txt`)).toEqual([200, 'text/plain', 'hi'])
    expect(await read(`${server.url}/made`)).toEqual([201, 'application/octet-stream', 'made'])
    const [response] = (await once(get({ socketPath: server.socketPath, path: '/a.json' }), 'response')) as [
      IncomingMessage,
    ]
    expect(await response.setEncoding('utf8').toArray()).toEqual(['{"n":1}'])

    await server.stop()
    expect(isAlive(server.pid)).toBe(false)
    expect(existsSync(dirname(server.socketPath))).toBe(false)
    await server.stop()
  })

  test('stands beside another, and comes back on the port it had', async () => {
    const [first, other] = await Promise.all([start(), start()])
    expect(first.port).not.toBe(other.port)
    await first.stop()
    expect((await start({ port: first.port })).port).toBe(first.port)
  })

  test('serves what is written into its folder while it runs', async () => {
    const server = await start()
    expect((await read(`${server.url}/late.txt`))[0]).toBe(404)
    writeFileSync(join(server.filesFolder, 'late.txt'), 'late')
    expect(await read(`${server.url}/late.txt`)).toEqual([200, 'text/plain', 'late'])
  })

  test('counts connections, and closes them when it is told to', async () => {
    const server = await start({ files: { a: 'a' }, keepalive: { requests: 2 } })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    for (let request = 0; request < 5; request++) await read(`${server.url}/a`, agent)
    agent.destroy()
    expect(await server.accepted()).toBe(3)
    expect(await server.accepted()).toBe(3)
  })

  test('closes connections that are idle for as long as it is told', async () => {
    const server = await start({ files: { a: 'a' }, keepalive: { timeoutMs: 50 } })
    const socket = connect(server.port, server.host)
    socket.write('GET /a HTTP/1.1\r\nHost: a\r\n\r\n')
    await once(socket.resume(), 'end')
  })

  test('is stopped although it was suspended', async () => {
    const server = await start()
    process.kill(server.pid, 'SIGSTOP')
    await server.stop()
    expect(isAlive(server.pid)).toBe(false)
  })

  test.each([1, 2])('with %i workers, dies of kill() with every connection', async (workers) => {
    const server = await start({ workers })
    const socket = connect(server.port, server.host)
    await once(socket, 'connect')
    const closed = once(
      socket.resume().on('error', () => {}),
      'close',
    )
    await server.kill()
    await closed
    expect(isAlive(server.pid)).toBe(false)
    await expect(read(server.url)).rejects.toThrow(/ECONNREFUSED/)
    expect(existsSync(dirname(server.socketPath))).toBe(true)
  })

  test('speaks TLS with certificates of its own', async () => {
    const server = await start({
      tls: true,
      files: { a: 'a' },
      serverLines: ['add_header verified $ssl_client_verify;'],
    })
    const { url, ca, clientCert, clientKey } = server.tls as NonNullable<NginxServer['tls']>
    const [response] = (await once(getSecurely(`${url}/a`, { ca, cert: clientCert, key: clientKey }), 'response')) as [
      IncomingMessage,
    ]
    expect(response.resume().headers['verified']).toBe('SUCCESS')
  })

  test('says why it did not start', async () => {
    await expect(start({ serverLines: ['no_such_directive on;'] })).rejects.toThrow(/no_such_directive/)
    await expect(start({ files: { '../a': '' } })).rejects.toThrow(TypeError)
  })
})

describe('whatever ends the parent', () => {
  test('SIGKILL leaves no process and no folder', async () => {
    const { parent, pid, file } = await parentOf('startNginx')
    expect(isAlive(pid)).toBe(true)
    parent.kill('SIGKILL')
    await expect.poll(() => isAlive(pid) || existsSync(dirname(file)), { timeout: 10_000 }).toBe(false)
  })

  test('a parent that forgets to stop the server can still end', async () => {
    const { parent, pid, file } = await parentOf('startNginx', 'process.exitCode = 7')
    expect((await once(parent, 'exit'))[0]).toBe(7)
    await expect.poll(() => isAlive(pid) || existsSync(dirname(file)), { timeout: 10_000 }).toBe(false)
  })
})

test('where there is none, the error says what was tried and how to get it', async () => {
  const nothing = { environment: { PATH: '/no/such/folder' }, mayInstall: false, mayUseContainers: false }
  await expect(findNginx(nothing, [])).rejects.toMatchObject({
    code: 'SERVER_UNAVAILABLE',
    message: expect.stringMatching(/no nginx on the PATH.*may not install.*apt-get install nginx-light/),
  })
})

async function start(options: NginxOptions = {}): Promise<NginxServer> {
  const server = await startNginx(options)
  started.push(server)
  return server
}

/** Status, media type, body. */
async function read(url: string, agent?: Agent): Promise<readonly unknown[]> {
  const [response] = (await once(get(url, { agent }), 'response')) as [IncomingMessage]
  const body = (await response.setEncoding('utf8').toArray()).join('')
  return [response.statusCode, response.headers['content-type'], body]
}
