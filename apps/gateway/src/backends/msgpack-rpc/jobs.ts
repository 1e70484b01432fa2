/**
 * Jobs: submitted, looked at, waited for, cancelled. Each is one call.
 *
 * Rules: a wait is a call whose answer comes late; the calls made meanwhile go over the same connection and are
 * answered before it. What a number may be is the service's to judge; a field that is not known is refused here.
 */
import { randomUUID } from 'node:crypto'
import type { RpcClient } from '@iokernel/msgpack-rpc'
import { type Answer, json } from '../../http/answer.ts'
import { RequestError } from '../../http/failures.ts'
import { checkFields } from '../../http/fields.ts'
import type { GatewayRequest } from '../../http/request.ts'
import type { Route } from '../../http/router.ts'
import type { Seats } from '../../http/seats.ts'
import { idInPath, type Job, jobIn } from './job-fields.ts'

export function jobRoutes(client: RpcClient, waits: Seats): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/jobs',
      summary: 'has primes below a number counted; pauseMs makes it slow, confirm has it ask first',
      example: `--data '{"id":"first","below":1000000,"pauseMs":500,"confirm":true}' %/jobs`,
      handle: (request) => submit(client, request),
    },
    {
      method: 'GET',
      path: '/jobs',
      summary: 'all jobs that are remembered',
      example: '%/jobs',
      handle: (request) => list(client, request),
    },
    {
      method: 'GET',
      path: '/jobs/:id',
      summary: 'a job; ?waitMs= waits for its end',
      example: `'%/jobs/first?waitMs=10000'`,
      handle: (request) => get(client, waits, request),
    },
    {
      method: 'DELETE',
      path: '/jobs/:id',
      summary: 'cancels it',
      example: '-X DELETE %/jobs/first',
      handle: (request) => cancel(client, request),
    },
  ]
}

async function submit(client: RpcClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const given = { id: randomUUID(), ...(await request.jsonObject()) }
  checkFields(given, ['id', 'below', 'pauseMs', 'confirm'])
  const id = jobIn(given)
  return json(await client.call<Job>('submit', [given], request.call()), 201, { location: `/jobs/${id}` })
}

async function list(client: RpcClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  return json({ jobs: await client.call<readonly Job[]>('list', [], request.call()) })
}

async function get(client: RpcClient, waits: Seats, request: GatewayRequest): Promise<Answer> {
  request.queryOnly('waitMs')
  const id = idInPath(request.name('id'))
  const { jobWaitMsMax, callDeadlineMs } = request.limits
  const waitMs = request.integerQuery('waitMs', 0, jobWaitMsMax) ?? 0
  if (waitMs > 0) return json(await wait())
  const job = await client.call<Job | null>('find', [id], request.call())
  if (job === null) throw new RequestError(404, 'NO_JOB', 'there is no job of this id')
  return json(job)

  async function wait(): Promise<Job> {
    using _seat = waits.take()
    const signal = AbortSignal.any([request.signal, request.stopping])
    try {
      return await client.call<Job>('wait', [id, waitMs], request.call({ signal, deadlineMs: waitMs + callDeadlineMs }))
    } catch (error) {
      if (request.stopping.aborted) throw new RequestError(503, 'STOPPING', 'the gateway stops: ask again elsewhere')
      throw error
    }
  }
}

async function cancel(client: RpcClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  return json(await client.call<Job>('cancel', [idInPath(request.name('id'))], request.call()))
}
