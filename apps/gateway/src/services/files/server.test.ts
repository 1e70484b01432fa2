/** The HTTP service by itself: files whole or not at all, within bounds, under any name. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { until } from '../../testing/until.ts'
import { fileServer } from './server.ts'
import { FileStore } from './store.ts'

let server: Server
let url: string

beforeEach(async () => {
  server = fileServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  const closed = once(server.close(), 'close')
  server.closeAllConnections()
  await closed
})

test('a file comes back as it was stored, and says what it is', async () => {
  const body = randomBytes(1_000_000)
  const headers = { 'content-type': 'image/x-test' }
  const stored = await fetch(`${url}/files/a%2Fb%20%C3%BC`, { method: 'PUT', body, headers })
  const sha256 = createHash('sha256').update(body).digest('hex')
  const about = { name: 'a/b ü', contentType: 'image/x-test', bytes: body.length, sha256, storedAt: expect.any(String) }
  expect([stored.status, await stored.json()]).toEqual([201, about])
  const read = await fetch(`${url}/files/a%2Fb%20%C3%BC`)
  expect(Buffer.from(await read.arrayBuffer()).equals(body)).toBe(true)
  expect(read.headers.get('content-type')).toBe('image/x-test')
  expect(read.headers.get('content-length')).toBe('1000000')
  expect(read.headers.get('etag')).toBe(`"${sha256}"`)
  expect(await (await fetch(`${url}/files/a%2Fb%20%C3%BC/about`)).json()).toEqual(about)
  expect(await (await fetch(`${url}/files`)).json()).toEqual({ files: [about] })
  expect((await fetch(`${url}/files/a%2Fb%20%C3%BC`, { method: 'PUT', body: '' })).status).toBe(200)
  expect((await fetch(`${url}/files/a%2Fb%20%C3%BC`, { method: 'DELETE' })).status).toBe(204)
  expect((await fetch(`${url}/files/a%2Fb%20%C3%BC`, { method: 'DELETE' })).status).toBe(404)
})

test('an upload that breaks off leaves the file as it was', async () => {
  await fetch(`${url}/files/a`, { method: 'PUT', body: 'whole' })
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.write('PUT /files/a HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf')
  await until('the server has it', async () => (await connections()) > 0)
  socket.destroy()
  await until('the server has noticed', async () => (await connections()) <= 1)
  expect(await (await fetch(`${url}/files/a`)).text()).toBe('whole')

  function connections(): Promise<number> {
    return new Promise((resolve) => server.getConnections((_, count) => resolve(count)))
  }
})

test('who sends too much is told so, and not cut off', async () => {
  const piece = new Uint8Array(1 << 20)
  const pieces = function* (): Generator<Uint8Array> {
    for (let count = 0; count < 66; count++) yield piece
  }
  const init = { method: 'PUT', body: ReadableStream.from(pieces()), duplex: 'half' } as RequestInit
  const refused = await fetch(`${url}/files/a`, init)
  expect([refused.status, await refused.json()]).toEqual([413, expect.objectContaining({ code: 'FILE_TOO_LARGE' })])
  expect((await fetch(`${url}/files/a`)).status).toBe(404)
})

test('tells changes to everybody who listens, from the first line on', async () => {
  const leaving = new AbortController()
  const read = async (): Promise<() => Promise<string>> => {
    const { body } = await fetch(`${url}/changes`, { signal: leaving.signal })
    const pieces = (body as ReadableStream<Uint8Array>)[Symbol.asyncIterator]()
    return async () => Buffer.from((await pieces.next()).value as Uint8Array).toString()
  }
  const [first, second] = [await read(), await read()]
  expect([await first(), await second()]).toEqual(Array(2).fill('{"change":"listening"}\n'))
  await fetch(`${url}/files/a`, { method: 'PUT', body: 'x' })
  for (const next of [first, second]) {
    expect(JSON.parse(await next())).toMatchObject({ change: 'stored', name: 'a', bytes: 1 })
  }
  leaving.abort()
})

test('is slow when asked to be', async () => {
  expect(await (await fetch(`${url}/slow?ms=1`)).json()).toEqual({ ms: 1 })
  expect((await fetch(`${url}/slow?ms=60001`)).status).toBe(400)
  expect((await fetch(`${url}/slow`)).status).toBe(400)
})

test.each([
  ['GET', '/', 404],
  ['GET', '/files/a/about/more', 404],
  ['GET', '/files/a/other', 404],
  ['POST', '/files/a', 405],
  ['POST', '/files', 405],
  ['GET', '/files/%FF', 400],
  ['GET', '/files/', 400],
  ['GET', `/files/${'a'.repeat(1_025)}`, 400],
])('%s %s is %d', async (method, path, status) => {
  expect((await fetch(`${url}${path}`, { method })).status).toBe(status)
})

describe('the store', () => {
  const limits = { fileBytesMax: 10, totalBytesMax: 15, filesMax: 2 }
  async function* of(...sizes: readonly number[]): AsyncGenerator<Uint8Array> {
    for (const size of sizes) yield new Uint8Array(size)
  }

  test('refuses what is too much, and has room again when it is gone', async () => {
    const store = new FileStore(limits)
    await expect(store.put('a', 'x', of(5, 5, 1))).rejects.toMatchObject({ code: 'FILE_TOO_LARGE' })
    await store.put('a', 'x', of(5, 5))
    await expect(store.put('b', 'x', of(5, 1))).rejects.toMatchObject({ code: 'STORE_FULL' })
    await store.put('b', 'x', of(5))
    await expect(store.put('c', 'x', of(0))).rejects.toMatchObject({ code: 'STORE_FULL' })
    store.remove('a')
    await store.put('c', 'x', of(10))
    expect(store.list().map(({ name, bytes }) => [name, bytes])).toEqual([
      ['b', 5],
      ['c', 10],
    ])
  })

  test('counts what is on its way', async () => {
    const store = new FileStore(limits)
    let go: () => void = () => undefined
    const gate = new Promise<void>((resolve) => {
      go = resolve
    })
    const slow = store.put(
      'a',
      'x',
      (async function* () {
        yield new Uint8Array(10)
        await gate
      })(),
    )
    await expect(store.put('b', 'x', of(6))).rejects.toMatchObject({ code: 'STORE_FULL' })
    go()
    await slow
    await store.put('b', 'x', of(5))
  })
})
