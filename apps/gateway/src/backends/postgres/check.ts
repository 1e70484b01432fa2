/**
 * What the gateway promises for Postgres, asked of it over HTTP: money is neither made nor lost by transfers at the
 * same time, what is long streams, files come back as they went, changes are told, and who is slow delays nobody.
 *
 * Rules: the server may be somebody's, so every account has a name of its own and is removed again.
 */
import { randomUUID } from 'node:crypto'
import type { Caller } from '../../check/caller.ts'
import { expectEqual } from '../../check/expect-equal.ts'
import { staysFast } from '../../check/stays-fast.ts'
import { streamsEntries } from './check-streams.ts'

export async function checkPostgres(caller: Caller): Promise<string> {
  const name = `gateway-check-${randomUUID()}`
  try {
    const kept = await keepsAccounts(caller, name)
    const transferred = await transfers(caller, name)
    const heard = await tellsChanges(caller, name)
    const files = await importsAndExports(caller, name)
    const streamed = await streamsEntries(caller, `${name}-kept`)
    const waited = await staysFast(caller, { slow: '/postgres/slow', fast: `/accounts/${name}-kept` })
    return [kept, transferred, heard, files, streamed, waited].join(', ')
  } finally {
    await removeAll(caller, name)
  }
}

async function keepsAccounts(caller: Caller, name: string): Promise<string> {
  const id = `${name}-kept`
  const account = JSON.stringify({ id, owner: 'Ada', balance: BALANCE })
  await caller.send('POST', '/accounts', 201, { body: account })
  await caller.send('POST', '/accounts', 409, { body: account })
  const renamed = await caller.json('PATCH', `/accounts/${id}`, { body: '{"owner":"Ada Lovelace"}' })
  expectEqual(renamed['owner'], 'Ada Lovelace', 'the owner')
  const { balance } = await caller.json('GET', `/accounts/${id}`)
  expectEqual(balance, BALANCE, 'the balance')
  const { parts } = (await caller.json('GET', `/overview/${id}`)) as { parts: { postgres: { found: boolean } } }
  expectEqual(parts.postgres.found, true, 'whether the overview has the account')
  await caller.send('POST', '/accounts', 201, { body: JSON.stringify({ id: `${name}-gone` }) })
  await caller.send('DELETE', `/accounts/${id}`, 409)
  await caller.send('DELETE', `/accounts/${name}-gone`, 204)
  await caller.send('GET', `/accounts/${name}-gone`, 404)
  return `balance ${balance} exact`
}

/** Transfers in a ring and across, all at once; each tenth is sent twice. */
async function transfers(caller: Caller, name: string): Promise<string> {
  const ids = Array.from({ length: RING_ACCOUNTS }, (_, index) => `${name}-ring-${index}`)
  const lines = ids.map((id) => `${id},10.00\n`).join('')
  await importCsv(caller, `id,balance\n${lines}`)
  const requests = Array.from({ length: TRANSFERS }, (_, index) => {
    const number = index % 10 === 9 ? index - 1 : index
    const from = ids[number % RING_ACCOUNTS]
    const to = ids[(number * 7 + 3) % RING_ACCOUNTS]
    return JSON.stringify({
      id: `${name.slice(-36)}-${number}`,
      from,
      to: to === from ? `${name}-kept` : to,
      amount: '0.37',
    })
  })
  const replies = await Promise.all(
    requests.map((body) => caller.send('POST', '/transfers', [200, 201, 409], { body })),
  )
  const moved = replies.filter(({ status }) => status === 201).length
  const repeated = replies.filter(({ status }) => status === 200).length
  const cents = await Promise.all([...ids, `${name}-kept`].map(async (id) => centsOf(caller, id)))
  const total = cents.reduce((sum, one) => sum + one, 0n)
  const wanted = BigInt(RING_ACCOUNTS) * 1_000n + BigInt(BALANCE.replace('.', ''))
  if (total !== wanted)
    throw new Error(`${TRANSFERS} transfers have changed the total from ${wanted} to ${total} cents`)
  expectEqual(moved + repeated, TRANSFERS, 'the number of transfers')
  expectEqual(repeated, TRANSFERS / 10, 'the number of repeated transfers')
  const [first] = requests as [string]
  await caller.send('POST', '/transfers', 409, { body: first.replace('0.37', '0.38') })
  await caller.send('POST', '/transfers', 409, { body: first.replace('"id":"', '"id":"x').replace('0.37', '1000') })
  return `${moved} transfers at once and ${repeated} repeated, total unchanged`
}

async function centsOf(caller: Caller, id: string): Promise<bigint> {
  const { balance } = await caller.json('GET', `/accounts/${id}`)
  return BigInt(String(balance).replace('.', ''))
}

async function tellsChanges(caller: Caller, name: string): Promise<string> {
  await using events = await caller.events('/accounts/changes')
  const id = `${name}-told`
  await caller.send('POST', '/accounts', 201, { body: JSON.stringify({ id }) })
  for (;;) {
    const event = (await events.next()) as { readonly id?: string; readonly change?: string }
    // Others may use the server too.
    if (event.id !== id) continue
    expectEqual(event.change, 'created', 'the change')
    return 'change received'
  }
}

async function importsAndExports(caller: Caller, name: string): Promise<string> {
  const lines = Array.from({ length: IMPORTED_ACCOUNTS }, (_, index) => {
    return `${name}-file-${String(index).padStart(4, '0')},"Owner, ""${index}""",${index}.0${index % 10}`
  })
  await importCsv(caller, `id,owner,balance\n${lines.join('\n')}\n`)
  const { body } = await caller.send('GET', '/accounts/export', 200)
  const exported = body.toString().split('\n')
  const returned = exported.filter((line) => line.startsWith(`${name}-file-`)).join('\n')
  expectEqual(exported[0], 'id,owner,balance', 'the first line of the export')
  if (returned !== lines.join('\n')) throw new Error(`${lines.length} accounts were imported and others came back`)
  return `${lines.length} accounts in and out the same`
}

async function importCsv(caller: Caller, csv: string): Promise<void> {
  await caller.json('POST', '/accounts/import', { body: csv, headers: { 'content-type': 'text/csv' } })
}

/** What begins with `name`, wherever the check stopped. */
async function removeAll(caller: Caller, name: string): Promise<void> {
  let after: unknown = name
  while (typeof after === 'string') {
    const page: Readonly<Record<string, unknown>> = await caller.json('GET', `/accounts?after=${after}&limit=200`)
    const ids = (page['accounts'] as readonly { readonly id: string }[]).map(({ id }) => id)
    const own = ids.filter((id) => id.startsWith(name))
    await Promise.all(own.map((id) => caller.send('DELETE', `/accounts/${id}?force=true`, 204)))
    after = own.length === ids.length ? page['next'] : undefined
  }
}

/** More than 2^53 cents. */
const BALANCE = '90071992547409930.25'
/** Few enough that every transfer meets others at both of its accounts. */
const RING_ACCOUNTS = 10
const TRANSFERS = 200
const IMPORTED_ACCOUNTS = 200
