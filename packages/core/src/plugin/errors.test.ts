/**
 * Errors: whose fault, a stable code, whether it was sent; recognised across two copies of the package, and the same
 * after crossing the threads.
 */
import { deserialize, serialize } from 'node:v8'
import { describe, expect, test } from 'vitest'
import {
  AbortedError,
  DeadlineError,
  describeError,
  type ErrorDescription,
  IoKernelError,
  LocalError,
  RefusedError,
  RemoteError,
  RemoteProtocolError,
  rebuildError,
} from './errors.ts'

const DETAILS = {
  sent: 'maybe',
  upstream: 'redis://cache',
  endpoint: '10.0.0.7:6379',
  fields: { systemCode: 'EPIPE' },
} as const

const ALL: readonly [string, IoKernelError, unknown][] = [
  ['LocalError', new LocalError('CODE', 'text', DETAILS), LocalError],
  ['RemoteError', new RemoteError('CODE', 'text', DETAILS), RemoteError],
  ['RemoteProtocolError', new RemoteProtocolError('text', DETAILS), RemoteProtocolError],
  ['RefusedError', new RefusedError('CODE', 'text', DETAILS), RefusedError],
  ['TimeoutError', new DeadlineError('text', 'queued', DETAILS), DeadlineError],
  ['AbortError', new AbortedError('text', { ...DETAILS, cause: new Error('why') }), AbortedError],
]

test.each(ALL)('%s crosses the threads as what it is', (name, error, type) => {
  const crossed = rebuildError(deserialize(serialize(describeError(error))) as ErrorDescription)
  expect(crossed).toBeInstanceOf(type)
  expect(crossed).toBeInstanceOf(IoKernelError)
  expect(crossed).toBeInstanceOf(Error)
  expect(crossed).toMatchObject({ name, side: error.side, code: error.code, message: 'text', ...DETAILS })
  if (error instanceof DeadlineError) expect((crossed as DeadlineError).waitCause).toBe('queued')
  if (error.cause instanceof Error) expect((crossed.cause as Error).message).toBe('why')
})

test('sent is no only where it is certain', () => {
  expect(new LocalError('X', '').sent).toBe('no')
  expect(new RefusedError('X', '').sent).toBe('no')
  expect(new RemoteError('X', '').sent).toBe('maybe')
  expect(new RemoteProtocolError('').sent).toBe('maybe')
  expect(new DeadlineError('', 'upstream').sent).toBe('maybe')
  expect(new AbortedError('').sent).toBe('maybe')
})

test('what describes it may say more about whether it was sent, and where', () => {
  const described = describeError(new RemoteError('X', 'x'), { sent: 'no', upstream: 'u' })
  expect(described).toMatchObject({ sent: 'no', upstream: 'u' })
  expect(describeError(new RemoteError('X', 'x', { upstream: 'own' }), { upstream: 'u' }).upstream).toBe('own')
})

test.each([[new TypeError('a bug')], ['text'], [undefined], [null], [{ strange: true }]])(
  '%s is described too',
  (thrown) => {
    const described = describeError(thrown)
    expect(described).toMatchObject({ kind: 'local', code: 'INTERNAL', sent: 'maybe' })
    expect(rebuildError(deserialize(serialize(described)) as ErrorDescription)).toBeInstanceOf(LocalError)
  },
)

describe('instanceof', () => {
  test('holds for the base class across two copies of the package', async () => {
    const copy = (await import(/* @vite-ignore */ `./errors.ts?copy=${Date.now()}`)) as typeof import('./errors.ts')
    const foreign = new copy.RemoteError('X', 'x')
    if (copy.IoKernelError !== IoKernelError) expect(foreign).toBeInstanceOf(IoKernelError)
    expect(foreign instanceof LocalError).toBe(false)
  })

  test('is false for anything else', () => {
    for (const value of [undefined, null, 5, 'x', {}, new Error('x')])
      expect(value instanceof IoKernelError).toBe(false)
    expect(new RemoteError('X', '') instanceof LocalError).toBe(false)
    expect(new RefusedError('X', '') instanceof RemoteError).toBe(true)
  })
})
