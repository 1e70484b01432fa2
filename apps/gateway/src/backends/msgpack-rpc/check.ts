/**
 * What the gateway promises for msgpack-rpc, asked of it over HTTP: calls overtake those that wait, on one connection;
 * jobs tell how they go on; and what the service asks is answered by a client of the gateway.
 *
 * Rules: every job has a name of its own. The service forgets them by itself.
 */
import { randomUUID } from 'node:crypto'
import type { Caller } from '../../check/caller.ts'
import { expectEqual } from '../../check/expect-equal.ts'

export async function checkMsgpackRpc(caller: Caller): Promise<string> {
  const name = `gateway-check-${randomUUID()}`
  const counted = await counts(caller, `${name}-counted`)
  const asked = await asks(caller, name)
  const waited = await overtakes(caller, `${name}-slow`)
  return [counted, asked, waited].join(', ')
}

interface Job {
  readonly id: string
  readonly state: string
  readonly done: number
  readonly primes: number
}

async function counts(caller: Caller, id: string): Promise<string> {
  await using events = await caller.events('/jobs/events')
  const order = JSON.stringify({ id, below: COUNTED_BELOW })
  await caller.send('POST', '/jobs', 201, { body: order })
  await caller.send('POST', '/jobs', 409, { body: order })
  const job = await caller.json('GET', `/jobs/${id}?waitMs=${WAIT_MS_MAX}`)
  expectEqual(job['state'], 'done', 'the state of the job')
  expectEqual(job['primes'], PRIMES, 'the number of primes')
  let told = 0
  let last = 0
  for (;;) {
    const event = (await events.next()) as Job
    // Others may use the gateway too.
    if (event.id !== id) continue
    told++
    if (event.done < last) throw new Error('the events of a job are not in their order')
    last = event.done
    if (event.state === 'done') break
  }
  if (told < EVENTS_MIN) throw new Error(`a job was told of in ${told} events and not in ${EVENTS_MIN} at least`)
  const { parts } = (await caller.json('GET', `/overview/${id}`)) as { parts: { 'msgpack-rpc': { found: boolean } } }
  expectEqual(parts['msgpack-rpc'].found, true, 'whether the overview has the job')
  return `${PRIMES} primes, told in ${told} events`
}

/** One job that may, one that may not, and one that is cancelled while it asks. */
async function asks(caller: Caller, name: string): Promise<string> {
  const ids = ['may', 'not', 'gone'].map((which) => `${name}-${which}`) as [string, string, string]
  await using events = await caller.events('/jobs/events')
  await Promise.all(ids.map((id) => submit(caller, { id, below: 100, confirm: true })))
  const asking = new Set<string>()
  while (asking.size < ids.length) {
    const { id, state } = (await events.next()) as Job
    if (state === 'asking' && ids.includes(id)) asking.add(id)
  }
  const { questions } = (await caller.json('GET', '/jobs/questions')) as { questions: readonly Job[] }
  const open = questions.filter(({ id }) => ids.includes(id)).length
  expectEqual(open, ids.length, 'the number of questions')
  const [may, not, gone] = ids
  await caller.send('POST', `/jobs/${may}/answer`, 204, { body: '{"go":true}' })
  await caller.send('POST', `/jobs/${not}/answer`, 204, { body: '{"go":false}' })
  await caller.send('DELETE', `/jobs/${gone}`, 200)
  await caller.send('POST', `/jobs/${gone}/answer`, 204, { body: '{"go":true}' })
  await caller.send('POST', `/jobs/${may}/answer`, 404, { body: '{"go":true}' })
  const ended = await Promise.all(ids.map((id) => caller.json('GET', `/jobs/${id}?waitMs=${WAIT_MS_MAX}`)))
  const states = ended.map(({ state }) => state).join(' ')
  expectEqual(states, 'done refused cancelled', 'what has become of the jobs')
  return `${ids.length} questions of the service answered: ${states}`
}

/** Calls beside one that waits, over the same connection. */
async function overtakes(caller: Caller, id: string): Promise<string> {
  await submit(caller, { id, below: 100, pauseMs: PAUSE_MS })
  let isOver = false
  const waiting = caller.send('GET', `/jobs/${id}?waitMs=${WAIT_MS_MAX}`, 200).finally(() => {
    isOver = true
  })
  // Its failure is read below; until then it is nobody's.
  waiting.catch(() => undefined)
  let count = 0
  let slowestMs = 0
  while (!isOver) {
    const replies = await Promise.all(
      Array.from({ length: AT_ONCE }, () => caller.send('GET', '/jobs/gateway-check-nobody', 404)),
    )
    count += replies.length
    if (!isOver) slowestMs = Math.max(slowestMs, ...replies.map(({ elapsedMs }) => elapsedMs))
  }
  const { elapsedMs } = await waiting
  if (slowestMs >= elapsedMs / 2) throw new Error(`a GET took ${slowestMs.toFixed(0)} ms beside a call that waits`)
  return `a call waited ${elapsedMs.toFixed(0)} ms beside ${count} of at most ${slowestMs.toFixed(1)} ms`
}

async function submit(caller: Caller, order: Readonly<Record<string, unknown>>): Promise<void> {
  await caller.send('POST', '/jobs', 201, { body: JSON.stringify(order) })
}

/** Known since long before there were computers. */
const COUNTED_BELOW = 1_000_000
const PRIMES = 78_498
/** A job has ten slices at least. */
const EVENTS_MIN = 10
const WAIT_MS_MAX = 30_000
/** Ten of them: a second. */
const PAUSE_MS = 100
/** Several at a time on the wire; few enough to say how long one takes. */
const AT_ONCE = 5
