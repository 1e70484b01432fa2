/** Keys of upstreams. */
import { expect, test } from 'vitest'
import { identityOf, upstreamKey } from './upstream-key.ts'

test('equal targets have one key', () => {
  expect(upstreamKey([{ host: 'a', port: 1 }], ['secret', undefined])).toBe(
    upstreamKey([{ host: 'a', port: 1 }], ['secret', undefined]),
  )
})

test.each([
  ['what is open', [['b'], ['secret', null]]],
  ['a password', [['a'], ['Secret', null]]],
  ['a certificate as text', [['a'], ['secret', 'pem']]],
  ['a certificate as bytes', [['a'], ['secret', Buffer.from('pem')]]],
  ['other bytes', [['a'], ['secret', Buffer.from('pen')]]],
  ['the order', [['secret'], ['a', null]]],
] as const)('%s makes another', (_, [open, secrets]) => {
  expect(upstreamKey(open, secrets)).not.toBe(upstreamKey(['a'], ['secret', null]))
})

test('bytes of two classes are the same bytes', () => {
  expect(upstreamKey([], [Uint8Array.of(1, 2)])).toBe(upstreamKey([], [new Uint8Array([0, 1, 2]).subarray(1)]))
})

test('a key shows no secret', () => {
  expect(upstreamKey(['a'], ['correct-horse'])).not.toContain('correct-horse')
})

test('a callback is itself and no other', () => {
  const ask = () => 'a'
  const other = () => 'a'
  expect(identityOf(ask)).toBe(identityOf(ask))
  expect(identityOf(ask)).not.toBe(identityOf(other))
})
