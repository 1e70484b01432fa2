/** Files through the gateway: as they are, at the pace of the slower side, and told of. */
import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { Caller } from '../../check/caller.ts'
import type { GatewayLimits } from '../../limits.ts'
import { fileServer } from '../../services/files/server.ts'
import { openGateway, THREADS, type Thread } from '../../testing/gateways.ts'
import { ownServer } from '../../testing/own-server.ts'
import { until } from '../../testing/until.ts'
import { httpBackend } from '../http.ts'

async function open(thread: Thread, limits: Partial<GatewayLimits> = {}): Promise<Caller> {
  return new Caller((await openGateway(thread, { backends: [httpBackend], limits })).url)
}

describe.each(THREADS)('%s', (thread) => {
  test.each([0, 1, 70_000, 5_000_000])('a file of %d bytes comes back as it went, under any name', async (bytes) => {
    const caller = await open(thread)
    const value = randomBytes(bytes)
    for (const name of ['plain', '..%2F', 'a%2F%3F%23%25%20b', '%F0%9F%A7%80']) {
      const headers = { 'content-type': 'image/x-test; part=1' }
      const { body: stored } = await caller.send('PUT', `/files/${name}`, 201, { body: value, headers })
      const sha256 = createHash('sha256').update(value).digest('hex')
      expect(JSON.parse(stored.toString())).toMatchObject({ name: decodeURIComponent(name), bytes, sha256 })
      const read = await caller.send('GET', `/files/${name}`, 200)
      expect(read.body.equals(value)).toBe(true)
      expect(read.contentType).toBe(headers['content-type'])
      await caller.send('PUT', `/files/${name}`, 200, { body: value })
    }
    expect((await caller.json('GET', '/files'))['files']).toHaveLength(4)
    await caller.send('DELETE', '/files/..%2F', 204)
    await caller.send('DELETE', '/files/..%2F', 404)
    await caller.send('GET', '/files/..%2F', 404)
  })

  test('a body whose length nobody knows streams up as well', async () => {
    const caller = await open(thread)
    const pieces = Array.from({ length: 100 }, () => randomBytes(30_000))
    await caller.send('PUT', '/files/a', 201, { body: ReadableStream.from(pieces) })
    expect((await caller.send('GET', '/files/a', 200)).body.equals(Buffer.concat(pieces))).toBe(true)
  })

  test('limits hold: what is too large, names that are none, seats', async () => {
    const { url } = await openGateway(thread, {
      backends: [httpBackend],
      limits: { importBytesMax: 100_000, fileStreamsMax: 1, slowCallsMax: 1, slowMsMax: 100 },
    })
    const caller = new Caller(url)
    await caller.send('PUT', '/files/a', 413, { body: new Uint8Array(100_001) })
    const pieces = Array.from({ length: 11 }, () => new Uint8Array(10_000))
    await caller.send('PUT', '/files/a', 413, { body: ReadableStream.from(pieces) })
    await caller.send('GET', '/files/a', 404)
    await caller.send('PUT', '/files/%FF', 400, { body: 'x' })
    await caller.send('GET', '/files/%FF', 400)
    await caller.send('PUT', '/files/a?x=1', 400, { body: 'x' })
    await caller.send('GET', '/http/slow?ms=101', 400)
    await caller.send('PUT', '/files/a', 201, { body: new Uint8Array(100_000) })
    // The seat is the upload's, until the upload is over.
    const uploading = new AbortController()
    let isAsked: () => void = () => undefined
    const asked = new Promise<void>((resolve) => {
      isAsked = resolve
    })
    const endless = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new Uint8Array(10)),
      pull: () => isAsked(),
    })
    const left = caller.send('PUT', '/files/b', 201, { body: endless, signal: uploading.signal })
    left.catch(() => undefined)
    await asked
    await until('the seat is taken', async () => (await fetch(`${url}/files/a`)).status === 503)
    uploading.abort()
    await expect(left).rejects.toThrow()
    await until('the seat is free', async () => (await caller.send('GET', '/files/b', [404, 503])).status === 404)
  })

  test('who leaves in the middle of a download leaves nothing behind', async () => {
    const caller = await open(thread, { fileStreamsMax: 2 })
    const value = randomBytes(10_000_000)
    await caller.send('PUT', '/files/a', 201, { body: value })
    for (let left = 0; left < 10; left++) {
      await until('there is a seat', async () => {
        try {
          for await (const _ of caller.pieces('/files/a')) break
          return true
        } catch {
          return false
        }
      })
    }
    await until('all seats are free', async () => {
      const replies = await Promise.all([1, 2].map(() => caller.send('GET', '/files/a', [200, 503])))
      return replies.every(({ status, body }) => status === 200 && body.equals(value))
    })
  })

  test('changes are told to everybody, and a service that was away is a gap', async () => {
    const own = await ownServer(httpBackend, 'http', fileServer)
    const { url } = await openGateway(thread, { backends: [own.backend], limits: { eventStreamsMax: 2 } })
    const caller = new Caller(url)
    await using first = await caller.events('/files/changes')
    await using second = await caller.events('/files/changes')
    await caller.send('GET', '/files/changes', 503)
    await caller.send('PUT', '/files/a', 201, { body: 'x' })
    await caller.send('DELETE', '/files/a', 204)
    for (const events of [first, second]) {
      expect(await events.next()).toMatchObject({ change: 'stored', name: 'a', bytes: 1 })
      expect(await events.next()).toEqual({ change: 'removed', name: 'a' })
    }
    await own.stop()
    await until('the gateway has noticed', async () => (await fetch(`${url}/health`)).status === 503)
    const refused = await fetch(`${url}/files`)
    expect([refused.status, await refused.json()]).toEqual([503, expect.objectContaining({ code: 'UPSTREAM_DOWN' })])
    await own.back()
    for (const events of [first, second]) expect(await events.next()).toEqual({ reason: 'reconnected' })
    await caller.send('PUT', '/files/b', 201, { body: 'x' })
    expect(await first.next()).toMatchObject({ change: 'stored', name: 'b' })
  })
})
