/** The gateway over a real Redis, over HTTP, with the kernel in its thread and inline. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { Caller, parseServerTiming } from './check/caller.ts'
import { GATEWAY_LIMITS } from './limits.ts'
import { openGateway, ownRedis, THREADS } from './testing/gateways.ts'
import { until } from './testing/until.ts'

describe.each(THREADS)('%s', (thread) => {
  test('keeps any bytes under any key, with their content type, for as long as was asked', async () => {
    const { url } = await openGateway(thread)
    const value = randomBytes(300_000)
    const headers = { 'content-type': 'image/x-test; part=1' }
    for (const key of ['plain', '..%2F%FF%00', 'a b', 'gr%C3%BC%C3%9Fe']) {
      const stored = await fetch(`${url}/kv/${key}`, { method: 'PUT', body: value, headers })
      expect(stored.status).toBe(204)
    }
    const caller = new Caller(url)
    const read = await caller.send('GET', '/kv/..%2F%FF%00', 200)
    expect(read.body.equals(value)).toBe(true)
    expect(read.contentType).toBe(headers['content-type'])

    await caller.send('PUT', '/kv/plain?ttlMs=50', 204, { body: 'short-lived' })
    expect((await caller.send('GET', '/kv/plain', 200)).contentType).toBe('text/plain;charset=UTF-8')
    await until('the key has expired', async () => (await fetch(`${url}/kv/plain`)).status === 404)
    const { keys } = await caller.json('GET', '/keys')
    expect(keys).toContainEqual({ base64: Buffer.from([46, 46, 47, 255, 0]).toString('base64') })
    expect(JSON.stringify(keys)).not.toContain('content-type')
    await caller.send('DELETE', '/kv/..%2F%FF%00', 204)
    await caller.send('DELETE', '/kv/..%2F%FF%00', 404)
  })

  test('counts exactly beyond what a number holds', async () => {
    const caller = new Caller((await openGateway(thread)).url)
    expect(await caller.json('POST', '/kv/n/increment')).toEqual({ key: 'n', value: 1 })
    expect(await caller.json('POST', '/kv/n/increment?by=9007199254740992')).toMatchObject({
      value: '9007199254740993',
    })
    await caller.send('POST', '/kv/n/increment?by=9223372036854775807', 409)
    await caller.send('POST', '/kv/n/increment?by=9223372036854775808', 400)
  })

  test('hashes are JSON objects, whatever their fields are called', async () => {
    const caller = new Caller((await openGateway(thread)).url)
    const body = '{"name":"Ada","__proto__":"x","born":1815}'
    expect(await caller.json('PATCH', '/hash/h', { body })).toEqual({ added: 3 })
    const { body: found } = await caller.send('GET', '/hash/h', 200)
    expect(found.toString().trim()).toBe('{"name":"Ada","__proto__":"x","born":"1815"}')
    await caller.send('PATCH', '/hash/h', 400, { body: '{"deep":{}}' })
    await caller.send('PATCH', '/hash/h', 400, { body: 'no JSON' })
    await caller.send('GET', '/kv/h', 409)
  })

  test('a waiting pop delays nobody, and gets what comes', async () => {
    const caller = new Caller((await openGateway(thread)).url)
    const waiting = caller.send('GET', '/lists/l/next?timeoutMs=10000', 200)
    await caller.send('PUT', '/kv/k', 204, { body: 'v' })
    const { elapsedMs } = await caller.send('GET', '/kv/k', 200)
    expect(elapsedMs).toBeLessThan(5_000)
    await caller.json('POST', '/lists/l', { body: new Uint8Array([0, 255]) })
    expect([...(await waiting).body]).toEqual([0, 255])
    await caller.send('GET', '/lists/l/next?timeoutMs=100', 204)
  })

  test('a client that leaves takes no element with it', async () => {
    const { url } = await openGateway(thread, { limits: { listWaitersMax: 1 } })
    const caller = new Caller(url)
    const leaving = new AbortController()
    const left = fetch(`${url}/lists/l/next?timeoutMs=30000`, { signal: leaving.signal })
    left.catch(() => undefined)
    await until('the only seat is taken', async () => (await fetch(`${url}/lists/l/next?timeoutMs=1`)).status === 503)
    leaving.abort()
    await expect(left).rejects.toThrow()
    await until('the seat is free', async () => (await fetch(`${url}/lists/l/next?timeoutMs=1`)).status === 204)
    await caller.json('POST', '/lists/l', { body: 'kept' })
    expect((await caller.send('GET', '/lists/l/next', 200)).body.toString()).toBe('kept')
  })

  test('events arrive as they were published, to everyone, and seats are given back', async () => {
    const { url } = await openGateway(thread, { limits: { eventStreamsMax: 2 } })
    const caller = new Caller(url)
    const first = await caller.events('/events/c')
    const second = await caller.events('/events/c')
    await caller.send('GET', '/events/c', 503)
    expect(await caller.json('POST', '/events/c', { body: 'line\r\nline\n' })).toEqual({ receivers: 1 })
    await caller.json('POST', '/events/c', { body: new Uint8Array([255]) })
    for (const events of [first, second]) {
      expect(await events.next()).toEqual({ message: 'line\r\nline\n' })
      expect(await events.next()).toEqual({ message: { base64: '/w==' } })
    }
    await first[Symbol.asyncDispose]()
    await until('a seat is free', async () => {
      const leaving = new AbortController()
      const { status } = await fetch(`${url}/events/c`, { signal: leaving.signal })
      leaving.abort()
      return status === 200
    })
    await second[Symbol.asyncDispose]()
  })

  test('every answer says where its time went', async () => {
    const { url } = await openGateway(thread)
    for (const path of ['/kv/nothing', '/nowhere', '/kv/%zz', '/health', '/describe', '/']) {
      const response = await fetch(`${url}${path}`)
      const split = parseServerTiming(response.headers.get('server-timing') ?? '')
      expect([...split.keys()]).toEqual(['queued', 'upstream', 'waiting', 'application', 'total'])
    }
    const split = parseServerTiming((await fetch(`${url}/kv/nothing`)).headers.get('server-timing') ?? '')
    expect(split.get('upstream')).toBeGreaterThan(0)
    const parts = ['queued', 'upstream', 'waiting', 'application'].map((part) => split.get(part) as number)
    expect(parts.reduce((sum, part) => sum + part)).toBeLessThanOrEqual(split.get('total') as number)
  })

  test('says 503 and when to come back while Redis is away, and serves again when it is back', async () => {
    const own = await ownRedis()
    const { url } = await openGateway(thread, { backends: [own.backend] })
    const caller = new Caller(url)
    await own.stop()
    await until('the gateway has noticed', async () => (await fetch(`${url}/health`)).status === 503)
    const refused = await fetch(`${url}/kv/k`)
    expect(refused.status).toBe(503)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await refused.json()).toMatchObject({ code: 'UPSTREAM_DOWN', sent: 'no' })
    await own.back()
    await until('the gateway is well again', async () => (await fetch(`${url}/health`)).status === 200)
    await caller.send('PUT', '/kv/k', 204, { body: 'v' })
  })

  test('an event stream outlives Redis, and shows the gap', async () => {
    const own = await ownRedis()
    const { url } = await openGateway(thread, { backends: [own.backend] })
    const caller = new Caller(url)
    await using events = await caller.events('/events/c')
    await own.stop()
    await own.back()
    expect(await events.next()).toEqual({ reason: 'reconnected' })
    await caller.json('POST', '/events/c', { body: 'again' })
    expect(await events.next()).toEqual({ message: 'again' })
  })

  test('limits hold: bodies, keys, numbers, unknown parameters', async () => {
    const { url } = await openGateway(thread, { limits: { bodyBytesMax: 1_000, keyBytesMax: 10 } })
    const caller = new Caller(url)
    await caller.send('PUT', '/kv/k', 204, { body: new Uint8Array(1_000) })
    await caller.send('PUT', '/kv/k', 413, { body: new Uint8Array(1_001) })
    const chunked = { method: 'PUT', body: new Blob([new Uint8Array(200_000)]).stream(), duplex: 'half' } as RequestInit
    expect((await fetch(`${url}/kv/k`, chunked)).status).toBe(413)
    await caller.send('GET', '/kv/12345678901', 400)
    await caller.send('PUT', '/kv/k?ttlMs=0', 400, { body: '' })
    await caller.send('PUT', '/kv/k?ttl=5', 400, { body: '' })
    await caller.send('GET', '/lists/l/next?timeoutMs=60001', 400)
    await caller.send('GET', '/kv/gateway:content-type:x', 400)
    const refused = await fetch(`${url}/kv/k`, { method: 'PATCH' })
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'PUT, GET, DELETE'])
  })

  test('stops gracefully: what runs is answered, what waits is told', async () => {
    const gateway = await openGateway(thread)
    const caller = new Caller(gateway.url)
    await using events = await caller.events('/events/c')
    const waiting = fetch(`${gateway.url}/lists/l/next?timeoutMs=30000`)
    await caller.send('GET', '/health', 200)
    await until('the pop waits', async () => {
      const description = await caller.json('GET', '/describe')
      return (description['kernel'] as { callsInFlight: number }).callsInFlight > 0
    })
    const { hostname, port } = new URL(gateway.url)
    const silent = connect(Number(port), hostname)
    await once(silent, 'connect')
    const beganAtMs = performance.now()
    await gateway.close()
    // Nothing was left to be cut off at the end of the drain.
    expect(performance.now() - beganAtMs).toBeLessThan(GATEWAY_LIMITS.drainTimeoutMs)
    const told = await waiting
    expect(told.status).toBe(503)
    expect(await told.json()).toMatchObject({ code: 'STOPPING' })
    await expect(events.next()).rejects.toThrow('ended')
    await expect(fetch(`${gateway.url}/health`)).rejects.toThrow()
  })
})
