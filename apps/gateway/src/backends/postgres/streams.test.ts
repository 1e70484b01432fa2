/** What is long: entries out and in, files in and out. Nothing is gathered, and who leaves leaves nothing behind. */

import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Caller } from '../../check/caller.ts'
import type { GatewayLimits } from '../../limits.ts'
import { openGateway, THREADS, type Thread } from '../../testing/gateways.ts'
import { startTestPostgres, type TestPostgres } from '../../testing/postgres.ts'
import { until } from '../../testing/until.ts'

let database: TestPostgres
beforeAll(async () => {
  database = await startTestPostgres()
})
afterAll(() => database.stop())

interface Place {
  readonly caller: Caller
  readonly url: string
  /** What the servers' processes of this gateway do: `active ClientWrite`. */
  activity(): Promise<readonly string[]>
}

async function open(thread: Thread, limits: Partial<GatewayLimits> = {}): Promise<Place> {
  const { backend, url: databaseUrl } = await database.emptyDatabase()
  const { url } = await openGateway(thread, { backends: [backend], limits })
  const activity = async (): Promise<readonly string[]> => {
    const name = new URL(databaseUrl).pathname.slice(1)
    const rows = await database.admin.query<{ state: string; wait: string | null }>(ACTIVITY, [name])
    return rows.map(({ state, wait }) => `${state} ${wait}`)
  }
  return { caller: new Caller(url), url, activity }
}

const ACTIVITY = `
  select state, wait_event as wait from pg_stat_activity where datname = $1 and backend_type = 'client backend'`

const CSV = { 'content-type': 'text/csv' }
const JSON_LINES = { 'content-type': 'application/x-ndjson' }

function importing(caller: Caller, status: number, body: string, headers: Readonly<Record<string, string>> = CSV) {
  return caller.send('POST', '/accounts/import', status, { body, headers })
}

async function exported(caller: Caller): Promise<string> {
  return (await caller.send('GET', '/accounts/export', 200)).body.toString()
}

/** A client that reads when it is told to. */
async function slowReader(url: string): Promise<IncomingMessage> {
  const request = httpRequest(url)
  request.on('error', () => undefined)
  request.end()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  response.on('error', () => undefined)
  return response
}

async function manyEntries(caller: Caller, count: number): Promise<void> {
  const note = 'n'.repeat(900)
  const lines = Array.from({ length: count }, () => `{"amount":"0.01","note":"${note}"}\n`)
  await caller.json('POST', '/accounts/a/entries', { body: lines.join(''), headers: JSON_LINES })
}

describe.each(THREADS)('%s', (thread) => {
  test('entries come in their order, with the balance after each', async () => {
    const { caller } = await open(thread)
    await importing(caller, 200, 'id,balance\na,5\n')
    const lines = '{"amount":"-2.50","note":"tea, \\"green\\"\\n"}\n\n{"amount":"0.5"}'
    const booked = await caller.json('POST', '/accounts/a/entries', { body: lines, headers: JSON_LINES })
    expect(booked).toEqual({ booked: 2, balance: '3.00' })
    const csv = await caller.json('POST', '/accounts/a/entries', { body: 'amount\n1\n', headers: CSV })
    expect(csv).toEqual({ booked: 1, balance: '4.00' })
    const { body } = await caller.send('GET', '/accounts/a/entries', 200)
    const entries = body
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(entries.map(({ amount, balance, note }) => [amount, balance, note])).toEqual([
      ['5.00', '5.00', 'opening'],
      ['-2.50', '2.50', 'tea, "green"\n'],
      ['0.50', '3.00', ''],
      ['1.00', '4.00', ''],
    ])
    const rest = await caller.send('GET', `/accounts/a/entries?after=${entries[2]?.['id']}`, 200)
    expect(JSON.parse(rest.body.toString())).toEqual(entries[3])
    const { body: none } = await caller.send('GET', `/accounts/a/entries?after=${entries[3]?.['id']}`, 200)
    expect(none).toHaveLength(0)
    await caller.send('GET', '/accounts/b/entries', 404)
  })

  test('a reader that does not read holds Postgres back, and gets everything when it does', async () => {
    const { caller, url, activity } = await open(thread)
    await importing(caller, 200, 'id\na\n')
    await manyEntries(caller, 30_000)
    const response = await slowReader(`${url}/accounts/a/entries`)
    await until('Postgres waits', async () => (await activity()).includes('active ClientWrite'))
    let lines = 0
    for await (const piece of response) {
      for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) lines++
    }
    expect(lines).toBe(30_000)
  })

  test('a reader that leaves ends the query and gives its seat back', async () => {
    const { caller, url, activity } = await open(thread, { postgresStreamsMax: 1 })
    await importing(caller, 200, 'id\na\n')
    await manyEntries(caller, 30_000)
    const response = await slowReader(`${url}/accounts/a/entries`)
    await until('Postgres waits', async () => (await activity()).includes('active ClientWrite'))
    await caller.send('GET', '/accounts/export', 503)
    response.destroy()
    await until('nothing runs', async () => (await activity()).every((one) => !one.startsWith('active')))
    await until('the seat is free', async () => (await fetch(`${url}/accounts/export`)).status === 200)
  })

  test('a file comes out as it went in, whatever the order of its columns and the cut of its pieces', async () => {
    const { caller, url } = await open(thread)
    const lines = [
      'id,owner,balance',
      'a,"Ada, ""first""",1.00',
      'b,"",90071992547409930.25',
      'c,"two\nlines é",0.00',
      '',
    ]
    await importing(caller, 200, lines.join('\n'))
    expect(await exported(caller)).toBe(lines.join('\n'))
    const one = Buffer.from('\uFEFF"balance",id\r\n7,d\r\n')
    const pieces = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of one) controller.enqueue(Uint8Array.of(byte))
        controller.close()
      },
    })
    const init = { method: 'POST', body: pieces, duplex: 'half', headers: CSV } as RequestInit
    expect(await (await fetch(`${url}/accounts/import`, init)).json()).toEqual({ imported: 1 })
    const { body } = await caller.send('GET', '/accounts/d/entries', 200)
    expect(JSON.parse(body.toString())).toMatchObject({ amount: '7.00', note: 'opening' })
  })

  test('JSON lines go in, with ids where they have none', async () => {
    const { caller } = await open(thread)
    await importing(caller, 200, '{"id":"a","balance":"1.50"}\n{"owner":"Bob"}\n', JSON_LINES)
    const { accounts } = await caller.json('GET', '/accounts')
    const found = (accounts as readonly Record<string, unknown>[]).map(({ owner, balance }) => [owner, balance])
    expect(found).toHaveLength(2)
    expect(found).toEqual(
      expect.arrayContaining([
        ['', '1.50'],
        ['Bob', '0.00'],
      ]),
    )
  })

  test('of a file with something wrong in it, nothing is left', async () => {
    const { caller } = await open(thread, { lineBytesMax: 100, importBytesMax: 1_000 })
    await importing(caller, 200, 'id\nold\n')
    await importing(caller, 409, 'id\nnew\nold\n')
    await importing(caller, 409, 'id\nnew\nnew\n')
    await importing(caller, 422, 'id,balance\nnew,1\nother,1.001\n')
    await importing(caller, 422, 'id,balance\nnew,-1\n')
    await importing(caller, 422, 'id,balance\nnew,NaN\n')
    await importing(caller, 422, 'id\nnew\nexport\n')
    await importing(caller, 422, 'id,owner\nnew\n')
    await importing(caller, 400, 'id,colour\nnew,red\n')
    await importing(caller, 400, 'id,id\nnew,new\n')
    await importing(caller, 400, '')
    await importing(caller, 400, '{"id":"new"}\n{"id":"new2"\n', JSON_LINES)
    await importing(caller, 400, '{"id":"new"}\n{"id":7}\n', JSON_LINES)
    await importing(caller, 413, `{"id":"new"}\n{"id":"${'x'.repeat(100)}"}\n`, JSON_LINES)
    await importing(caller, 413, `id\n${'new\n'.repeat(300)}`)
    await importing(caller, 415, 'id\nnew\n', { 'content-type': 'text/plain' })
    expect(await exported(caller)).toBe('id,owner,balance\nold,"",0.00\n')
  })

  test('entries that would leave less than nothing are not booked', async () => {
    const { caller } = await open(thread)
    await importing(caller, 200, 'id,balance\na,1\n')
    await caller.send('POST', '/accounts/a/entries', 409, { body: 'amount\n2\n-3.01\n', headers: CSV })
    await caller.send('POST', '/accounts/b/entries', 404, { body: 'amount\n1\n', headers: CSV })
    expect(await caller.json('GET', '/accounts/a')).toMatchObject({ balance: '1.00' })
  })

  test('a file that is too long is refused while it comes', async () => {
    const { url, caller } = await open(thread, { importBytesMax: 100_000 })
    const request = httpRequest(`${url}/accounts/import`, { method: 'POST', headers: CSV })
    request.on('error', () => undefined)
    request.write('id\n')
    let response: IncomingMessage | undefined
    request.once('response', (answer: IncomingMessage) => {
      response = answer
    })
    await until('it is answered', () => {
      if (response === undefined) request.write('new\n'.repeat(2_000))
      return response !== undefined
    })
    expect(response?.statusCode).toBe(413)
    request.destroy()
    expect(await exported(caller)).toBe('id,owner,balance\n')
  })

  test('a client that leaves in the middle of its file leaves nothing behind', async () => {
    const { url, caller, activity } = await open(thread, { postgresStreamsMax: 1 })
    const request = httpRequest(`${url}/accounts/import`, { method: 'POST', headers: CSV })
    request.on('error', () => undefined)
    request.write('id\nnew\n')
    await until('Postgres waits for more', async () => (await activity()).includes('active ClientRead'))
    request.destroy()
    await until('nothing runs', async () => (await activity()).every((one) => one.startsWith('idle ')))
    await until('the seat is free', async () => (await fetch(`${url}/accounts/export`)).status === 200)
    expect(await exported(caller)).toBe('id,owner,balance\n')
  })
})
