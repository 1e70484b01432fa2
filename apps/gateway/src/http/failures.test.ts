/** Errors to statuses: a table, as the gateway's users read it. */
import { AbortedError, DeadlineError, LocalError, RefusedError, RemoteError, RemoteProtocolError } from '@iokernel/core'
import { PostgresError } from '@iokernel/postgres'
import { expect, test, vi } from 'vitest'
import { postgresStatusOf } from '../backends/postgres/statuses.ts'
import { redisStatusOf } from '../backends/redis/statuses.ts'
import { failureAnswer, RequestError } from './failures.ts'

test.each([
  ['a wrong argument', new LocalError('ARGUMENT', 'wrong'), 400, 'no'],
  ['an upstream that is down', new RemoteError('UPSTREAM_DOWN', 'down', { sent: 'no' }), 503, 'no'],
  ['a full queue', new LocalError('QUEUE_LIMIT', 'full'), 503, 'no'],
  ['a deadline', new DeadlineError('late', 'upstream', { sent: 'maybe' }), 504, 'maybe'],
  ['an abort by the gateway', new AbortedError('stopped', { sent: 'maybe' }), 503, 'maybe'],
  ['broken bytes', new RemoteProtocolError('nonsense'), 502, 'maybe'],
  ['a wrong password', new RefusedError('WRONGPASS', 'no'), 502, 'no'],
  ['another type', new RemoteError('WRONGTYPE', 'no list'), 409, 'maybe'],
  ['no number', new RemoteError('ERR', 'value is not an integer or out of range'), 409, 'maybe'],
  ['another refusal', new RemoteError('ERR', 'unknown command'), 502, 'maybe'],
  [
    'a refusal inside a transaction',
    new RemoteError('EXECABORT', 'x', { cause: new RemoteError('OOM', 'y') }),
    507,
    'maybe',
  ],
  ['a request of the wrong form', new RequestError(405, 'METHOD', 'no', { allow: 'GET' }), 405, 'no'],
  ['no seat', new RequestError(503, 'SEATS_TAKEN', 'full'), 503, 'no'],
])('%s', (_, error, status, sent) => {
  const answer = failureAnswer(error, redisStatusOf, 7)
  expect(answer.status).toBe(status)
  expect(JSON.parse(String(answer.body))).toEqual({ code: error.code, message: error.message, sent })
  expect(answer.headers['retry-after']).toBe(status === 503 ? '7' : undefined)
})

test.each([
  ['a key that is taken', '23505', 409],
  ['a row that breaks a rule', '23514', 422],
  ['digits that are none', '22P02', 422],
  ['a conflict that outlived its retries', '40001', 503],
  ['too many connections', '53300', 503],
  ['a full disk', '53100', 507],
  ['a timeout of the server', '57014', 504],
  ['a shutdown', '57P01', 503],
  ['a table that is not there', '42P01', 502],
])('Postgres: %s', (_, code, status) => {
  const error = new PostgresError(new Map(Object.entries({ C: code, M: 'x', D: 'secret detail' })))
  const answer = failureAnswer(error, postgresStatusOf, 7)
  expect(answer.status).toBe(status)
  expect(JSON.parse(String(answer.body))).toEqual({ code, message: 'x', sent: 'maybe' })
})

test('a defect of the gateway goes to the log and not to the client', () => {
  const log = vi.spyOn(console, 'error').mockImplementation(() => undefined)
  const answer = failureAnswer(new TypeError('secret detail'), () => undefined, 1)
  expect(answer.status).toBe(500)
  expect(String(answer.body)).not.toContain('secret')
  expect(log).toHaveBeenCalledOnce()
  log.mockRestore()
})
