/** The msgpack-rpc service by its bytes: calls, notifications, its own requests, and what it does not put up with. */
import { once } from 'node:events'
import { type AddressInfo, connect, type Server, type Socket } from 'node:net'
import { Decoder, encode } from '@msgpack/msgpack'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { until } from '../../testing/until.ts'
import { jobServer } from './server.ts'

let server: Server
const sockets: Socket[] = []

beforeEach(async () => {
  server = jobServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
})

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await once(server.close(), 'close')
})

interface Client {
  readonly socket: Socket
  readonly heard: unknown[][]
  say(...message: readonly unknown[]): void
  /** The answer to a call. */
  call(method: string, ...params: readonly unknown[]): Promise<{ readonly error: unknown; readonly result: unknown }>
}

async function dial(): Promise<Client> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  sockets.push(socket)
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  const heard: unknown[][] = []
  const answered = new Map<unknown, (answer: { error: unknown; result: unknown }) => void>()
  const listen = async (): Promise<void> => {
    for await (const message of new Decoder().decodeStream(socket)) {
      const [kind, id, error, result] = message as unknown[]
      heard.push(message as unknown[])
      if (kind === 1) answered.get(id)?.({ error, result })
    }
  }
  listen().catch(() => undefined)
  let calls = 0
  const say = (...message: readonly unknown[]): void => void socket.write(encode(message))
  return {
    socket,
    heard,
    say,
    call: (method, ...params) => {
      const id = calls++
      say(0, id, method, params)
      return new Promise((resolve) => answered.set(id, resolve))
    },
  }
}

test('a job is done, found, listed, and told to those who watch', async () => {
  const [client, watcher] = [await dial(), await dial()]
  expect(await watcher.call('watch')).toEqual({ error: null, result: true })
  expect(await watcher.call('watch')).toEqual({ error: null, result: true })
  const begun = { id: 'a', below: 100, state: 'running', done: 0, primes: 0 }
  expect(await client.call('submit', { id: 'a', below: 100 })).toEqual({ error: null, result: begun })
  const done = { ...begun, state: 'done', done: 100, primes: 25 }
  expect(await client.call('wait', 'a', 10_000)).toEqual({ error: null, result: done })
  expect(await client.call('find', 'a')).toEqual({ error: null, result: done })
  expect(await client.call('find', 'b')).toEqual({ error: null, result: null })
  expect(await client.call('list')).toEqual({ error: null, result: [done] })
  await until('the end is told', () =>
    watcher.heard.some(([kind, , params]) => kind === 2 && stateIn(params) === 'done'),
  )
  const told = watcher.heard.filter(([kind, method]) => kind === 2 && method === 'job')
  expect(told).toHaveLength(11)
  expect(client.heard.filter(([kind]) => kind === 2)).toEqual([])
})

test('a call that waits is overtaken by those behind it, and ends with its time', async () => {
  const client = await dial()
  await client.call('submit', { id: 'a', below: 100, pauseMs: 5_000 })
  client.say(0, 99, 'wait', ['a', 60_000])
  expect(await client.call('find', 'a')).toMatchObject({ error: null })
  expect(await client.call('wait', 'a', 20)).toMatchObject({ result: { state: 'running' } })
  expect(await client.call('cancel', 'a')).toMatchObject({ result: { state: 'cancelled' } })
  await until('the other wait is over', () => client.heard.some(([, id]) => id === 99))
  expect(await client.call('cancel', 'a')).toMatchObject({ error: { code: 'JOB_ENDED' } })
})

test.each([
  ['yes', null, true, { state: 'done' }],
  ['no', null, false, { state: 'refused' }],
  ['what is no yes', null, 'true', { state: 'refused' }],
  ['an error', 'I do not know', null, { state: 'failed', reason: 'I do not know' }],
])('asks before it is done, over the connection that the job came over: %s', async (_, error, result, ended) => {
  const [client, other] = [await dial(), await dial()]
  await client.call('submit', { id: 'a', below: 100, confirm: true })
  await until('it asks', () => client.heard.some(([kind]) => kind === 0))
  const [, id, method, params] = client.heard.find(([kind]) => kind === 0) as unknown[]
  expect([method, stateIn(params)]).toEqual(['confirm', 'asking'])
  expect(other.heard).toEqual([])
  client.say(1, id, error, result)
  expect(await client.call('wait', 'a', 10_000)).toMatchObject({ result: ended })
})

test('who cannot be asked any more has not said yes', async () => {
  const [client, other] = [await dial(), await dial()]
  await client.call('submit', { id: 'a', below: 100, confirm: true })
  await until('it asks', () => client.heard.some(([kind]) => kind === 0))
  client.socket.destroy()
  expect(await other.call('wait', 'a', 10_000)).toMatchObject({ result: { state: 'failed' } })
})

test('what is wrong is an error with a code, and the connection goes on', async () => {
  const client = await dial()
  const refused = async (code: string, method: string, ...params: readonly unknown[]): Promise<void> => {
    expect(await client.call(method, ...params)).toMatchObject({ error: { code }, result: null })
  }
  await refused('NO_METHOD', 'constructor')
  await refused('ARGUMENT', 'find')
  await refused('ARGUMENT', 'submit', null)
  await refused('ARGUMENT', 'submit', { id: '', below: 100 })
  await refused('ARGUMENT', 'submit', { id: 'a', below: 1.5 })
  await refused('ARGUMENT', 'submit', { id: 'a', below: 1e9 })
  await refused('ARGUMENT', 'submit', { id: 'a', below: 100, confirm: 1 })
  await refused('NO_JOB', 'wait', 'a', 1)
  await refused('NO_JOB', 'cancel', 'a')
  await client.call('submit', { id: 'a', below: 100 })
  await refused('JOB_EXISTS', 'submit', { id: 'a', below: 100 })
})

test('runs a bounded number of jobs at once, and forgets those that ended longest ago', async () => {
  const client = await dial()
  for (let index = 0; index < 1_001; index++) {
    await client.call('submit', { id: `job-${index}`, below: 2 })
    await client.call('wait', `job-${index}`, 10_000)
  }
  const { result } = await client.call('list')
  expect(result).toHaveLength(1_000)
  expect(await client.call('find', 'job-0')).toMatchObject({ result: null })
  const slow = { below: 100, pauseMs: 5_000 }
  const begun = await Promise.all(
    Array.from({ length: 33 }, (_, index) => client.call('submit', { id: `kept-${index}`, ...slow })),
  )
  expect(begun.filter(({ error }) => error === null)).toHaveLength(32)
  expect(begun.at(-1)).toMatchObject({ error: { code: 'BUSY' } })
})

test.each([
  ['no MessagePack', Buffer.from([0xc1])],
  ['no array', encode(5)],
  ['no message', encode([7, 1, 2, 3])],
  ['a request without params', encode([0, 1, 'find'])],
  ['a method that is no text', encode([0, 1, 2, []])],
  ['a text that is too long', encode([0, 1, 'x'.repeat(5_000), []])],
  ['an array that says it is long', Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff])],
])('ends the connection of who sends %s, and nobody else’s', async (_, bytes) => {
  const [hostile, client] = [await dial(), await dial()]
  const closed = once(hostile.socket, 'close')
  hostile.socket.write(bytes)
  await closed
  expect(await client.call('list')).toEqual({ error: null, result: [] })
})

test('answers to questions that were never asked, and notifications, are passed over', async () => {
  const client = await dial()
  client.say(1, 12_345, null, true)
  client.say(2, 'anything', [])
  expect(await client.call('list')).toEqual({ error: null, result: [] })
})

function stateIn(params: unknown): unknown {
  return (params as readonly { readonly state: string }[])[0]?.state
}
