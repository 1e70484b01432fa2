/**
 * What the gateway promises for Redis, asked of it over HTTP: bytes come back as they were sent, counting counts,
 * events arrive, and who waits delays nobody.
 *
 * Rules: the server may be somebody's, so every key has a name of its own and is removed again.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Caller } from '../../check/caller.ts'
import { expectEqual } from '../../check/expect-equal.ts'

export async function checkRedis(caller: Caller): Promise<string> {
  const name = `gateway-check-${randomUUID()}`
  const keys = [`${name}-bytes`, `${name}-count`, `${name}-hash`, `${name}-list`]
  try {
    const stored = await storesBytes(caller, `${name}-bytes`)
    const counted = await counts(caller, `${name}-count`)
    const fields = await keepsFields(caller, `${name}-hash`)
    const listed = await lists(caller, name)
    const heard = await publishes(caller, `${name}-channel`)
    const waited = await waits(caller, `${name}-list`, `${name}-bytes`)
    return [stored, counted, fields, listed, heard, waited].join(', ')
  } finally {
    await Promise.all(keys.map((key) => caller.send('DELETE', `/kv/${key}`, 204).catch(() => undefined)))
  }
}

async function storesBytes(caller: Caller, key: string): Promise<string> {
  const value = randomBytes(STORED_BYTES)
  const headers = { 'content-type': 'application/x-gateway-check' }
  await caller.send('PUT', `/kv/${key}?ttlMs=60000`, 204, { body: value, headers })
  const { body, contentType } = await caller.send('GET', `/kv/${key}`, 200)
  if (!body.equals(value)) throw new Error(`${value.length} bytes were stored and ${body.length} others came back`)
  expectEqual(contentType, headers['content-type'], 'the content type')
  return `${body.length} bytes the same`
}

async function counts(caller: Caller, key: string): Promise<string> {
  for (let count = 1; count <= 3; count++) {
    const { value } = await caller.json('POST', `/kv/${key}/increment`)
    expectEqual(value, count, 'the count')
  }
  const { value } = await caller.json('POST', `/kv/${key}/increment?by=-10`)
  expectEqual(value, -7, 'the count')
  return `counted 1 2 3 ${value}`
}

async function keepsFields(caller: Caller, key: string): Promise<string> {
  const fields = { name: 'Ada', born: '1815' }
  await caller.json('PATCH', `/hash/${key}`, { body: JSON.stringify(fields) })
  const found = await caller.json('GET', `/hash/${key}`)
  expectEqual(JSON.stringify(found), JSON.stringify(fields), 'the hash')
  return `hash of ${Object.keys(found).length}`
}

async function lists(caller: Caller, name: string): Promise<string> {
  const { keys, complete } = await caller.json('GET', `/keys?match=${name}*`)
  expectEqual(complete, true, 'whether the list of keys is complete')
  const count = (keys as readonly unknown[]).length
  expectEqual(count, 3, 'the number of keys')
  return `${count} keys listed`
}

async function publishes(caller: Caller, channel: string): Promise<string> {
  await using events = await caller.events(`/events/${channel}`)
  const sent = 'two\r\nlines'
  const { receivers } = await caller.json('POST', `/events/${channel}`, { body: sent })
  expectEqual(receivers, 1, 'the number of receivers')
  const { message } = (await events.next()) as { readonly message: unknown }
  expectEqual(message, sent, 'the event')
  return 'event received'
}

/** Several ordinary requests while one waits for an element that is not there yet. */
async function waits(caller: Caller, list: string, key: string): Promise<string> {
  const waiting = caller.send('GET', `/lists/${list}/next?timeoutMs=${WAIT_MS_MAX}`, 200)
  // Its failure is read below; until then it is nobody's.
  waiting.catch(() => undefined)
  let slowestMs = 0
  for (let count = 0; count < 5; count++) {
    await sleep(WAIT_PAUSE_MS)
    const { elapsedMs } = await caller.send('GET', `/kv/${key}`, 200)
    slowestMs = Math.max(slowestMs, elapsedMs)
  }
  if (slowestMs >= WAIT_MS_MAX / 2) throw new Error(`a GET took ${slowestMs.toFixed(0)} ms beside a waiting pop`)
  await caller.json('POST', `/lists/${list}`, { body: 'element' })
  const { body, elapsedMs } = await waiting
  expectEqual(body.toString(), 'element', 'the element')
  return `a pop waited ${elapsedMs.toFixed(0)} ms beside GETs of at most ${slowestMs.toFixed(1)} ms`
}

/** More than one segment of TCP and one read of the kernel. */
const STORED_BYTES = 100_000
const WAIT_MS_MAX = 10_000
const WAIT_PAUSE_MS = 20
