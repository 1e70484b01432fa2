/** Jobs through the gateway: calls that overtake each other, events, and questions in the other direction. */
import { describe, expect, test } from 'vitest'
import { Caller } from '../../check/caller.ts'
import type { GatewayLimits } from '../../limits.ts'
import { jobServer } from '../../services/jobs/server.ts'
import { openGateway, THREADS, type Thread } from '../../testing/gateways.ts'
import { ownServer } from '../../testing/own-server.ts'
import { until } from '../../testing/until.ts'
import { msgpackRpcBackend } from '../msgpack-rpc.ts'

async function open(thread: Thread, limits: Partial<GatewayLimits> = {}): Promise<Caller> {
  return new Caller((await openGateway(thread, { backends: [msgpackRpcBackend], limits })).url)
}

async function submit(caller: Caller, job: Readonly<Record<string, unknown>>): Promise<void> {
  await caller.send('POST', '/jobs', 201, { body: JSON.stringify(job) })
}

describe.each(THREADS)('%s', (thread) => {
  test('a job is submitted, waited for, found and listed', async () => {
    const caller = await open(thread)
    await submit(caller, { id: 'a', below: 1_000 })
    const done = { id: 'a', below: 1_000, state: 'done', done: 1_000, primes: 168 }
    expect(await caller.json('GET', '/jobs/a?waitMs=10000')).toEqual(done)
    expect(await caller.json('GET', '/jobs/a')).toEqual(done)
    expect(await caller.json('GET', '/jobs')).toEqual({ jobs: [done] })
    await caller.send('DELETE', '/jobs/a', 409)
    await caller.send('GET', '/jobs/b', 404)
    await caller.send('GET', '/jobs/b?waitMs=1', 404)
    await caller.send('DELETE', '/jobs/b', 404)
    const { body } = await caller.send('POST', '/jobs', 201, { body: '{"below":2}' })
    expect(JSON.parse(body.toString())).toMatchObject({ id: expect.stringMatching(/^[\da-f-]{36}$/) })
  })

  test('what is wrong with a job is refused, here or by the service', async () => {
    const caller = await open(thread)
    const wrong: readonly unknown[] = [
      {},
      { below: '100' },
      { below: 1e9 },
      { id: 'a/b', below: 100 },
      { id: 'events', below: 100 },
      { below: 100, pauseMs: -1 },
      { below: 100, confirm: 'yes' },
      { below: 100, pause: 1 },
      [],
    ]
    for (const job of wrong) await caller.send('POST', '/jobs', 400, { body: JSON.stringify(job) })
    expect(await caller.json('GET', '/jobs')).toEqual({ jobs: [] })
    await submit(caller, { id: 'a', below: 100 })
    await caller.send('POST', '/jobs', 409, { body: '{"id":"a","below":100}' })
  })

  test('waits have seats, and delay nobody', async () => {
    const caller = await open(thread, { jobWaitersMax: 1 })
    await submit(caller, { id: 'slow', below: 100, pauseMs: 5_000 })
    const waiting = caller.send('GET', '/jobs/slow?waitMs=60000', 200)
    await until('the seat is taken', async () => {
      return (await caller.send('GET', '/jobs/slow?waitMs=1', [200, 503])).status === 503
    })
    for (let count = 0; count < 20; count++) await caller.json('GET', '/jobs/slow')
    await caller.send('DELETE', '/jobs/slow', 200)
    expect(JSON.parse((await waiting).body.toString())).toMatchObject({ state: 'cancelled' })
    expect(await caller.json('GET', '/jobs/slow?waitMs=1')).toMatchObject({ state: 'cancelled' })
  })

  test('everybody hears how jobs go on, in order', async () => {
    const caller = await open(thread)
    await using first = await caller.events('/jobs/events')
    await using second = await caller.events('/jobs/events')
    await submit(caller, { id: 'a', below: 100 })
    for (const events of [first, second]) {
      for (let done = 12; done < 100; done += 10) {
        expect(await events.next()).toMatchObject({ id: 'a', state: 'running', done })
      }
      expect(await events.next()).toMatchObject({ state: 'running', done: 100, primes: 25 })
      expect(await events.next()).toMatchObject({ state: 'done', done: 100, primes: 25 })
    }
  })

  test('what the service asks is answered by a client of the gateway, or with no', async () => {
    const caller = await open(thread, { questionsMax: 2, questionWaitMsMax: 60_000 })
    await using events = await caller.events('/jobs/events')
    for (const id of ['a', 'b']) {
      await submit(caller, { id, below: 2, confirm: true })
      expect(await events.next()).toMatchObject({ id, state: 'asking' })
    }
    expect(await caller.json('GET', '/jobs/questions')).toMatchObject({ questions: [{ id: 'a' }, { id: 'b' }] })
    await submit(caller, { id: 'c', below: 2, confirm: true })
    expect(await caller.json('GET', '/jobs/c?waitMs=10000')).toMatchObject({
      state: 'failed',
      reason: 'too many questions wait for an answer',
    })
    await caller.send('POST', '/jobs/a/answer', 400, { body: '{"go":1}' })
    await caller.send('POST', '/jobs/c/answer', 404, { body: '{"go":true}' })
    await caller.send('POST', '/jobs/a/answer', 204, { body: '{"go":true}' })
    await caller.send('POST', '/jobs/b/answer', 204, { body: '{"go":false}' })
    expect(await caller.json('GET', '/jobs/a?waitMs=10000')).toMatchObject({ state: 'done' })
    expect(await caller.json('GET', '/jobs/b?waitMs=10000')).toMatchObject({ state: 'refused' })
    expect(await caller.json('GET', '/jobs/questions')).toEqual({ questions: [] })
  })

  test('a question that nobody answers is answered no when its time is over', async () => {
    const caller = await open(thread, { questionWaitMsMax: 20 })
    await submit(caller, { id: 'a', below: 2, confirm: true })
    expect(await caller.json('GET', '/jobs/a?waitMs=10000')).toMatchObject({ state: 'refused' })
  })

  test('a service that was away is a gap, and is watched again', async () => {
    const own = await ownServer(msgpackRpcBackend, 'msgpack-rpc', jobServer)
    const { url } = await openGateway(thread, { backends: [own.backend] })
    const caller = new Caller(url)
    await using events = await caller.events('/jobs/events')
    await own.stop()
    await until('the gateway has noticed', async () => (await fetch(`${url}/health`)).status === 503)
    const refused = await fetch(`${url}/jobs`)
    expect([refused.status, await refused.json()]).toEqual([503, expect.objectContaining({ code: 'UPSTREAM_DOWN' })])
    await own.back()
    expect(await events.next()).toEqual({ reason: 'reconnected' })
    await submit(caller, { id: 'a', below: 2, confirm: true })
    expect(await events.next()).toMatchObject({ id: 'a', state: 'asking' })
    await caller.send('POST', '/jobs/a/answer', 204, { body: '{"go":true}' })
    expect(await events.next()).toMatchObject({ id: 'a', state: 'done' })
  })

  test('stops gracefully with questions open and waits under way', async () => {
    const gateway = await openGateway(thread, { backends: [msgpackRpcBackend] })
    const caller = new Caller(gateway.url)
    await using events = await caller.events('/jobs/events')
    await submit(caller, { id: 'a', below: 2, confirm: true })
    expect(await events.next()).toMatchObject({ state: 'asking' })
    const waiting = fetch(`${gateway.url}/jobs/a?waitMs=60000`)
    await until('the call waits', async () => {
      const { kernel } = (await caller.json('GET', '/describe')) as { kernel: { callsInFlight: number } }
      return kernel.callsInFlight > 0
    })
    await gateway.close()
    expect((await waiting).status).toBe(503)
    await expect(events.next()).rejects.toThrow('ended')
  })
})
