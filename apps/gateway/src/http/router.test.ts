/** Paths to routes: what is decoded, what is refused. */
import { describe, expect, test } from 'vitest'
import { noContent } from './answer.ts'
import { percentDecode, type Route, Router } from './router.ts'

const row = (method: Route['method'], path: string): Route => ({
  method,
  path,
  summary: '',
  example: '',
  handle: noContent,
})
const router = new Router([
  row('GET', '/kv/:key'),
  row('PUT', '/kv/:key'),
  row('GET', '/lists/:key/next'),
  row('GET', '/accounts/:id'),
  row('GET', '/accounts/export'),
  row('POST', '/accounts/import'),
])

describe('find', () => {
  test.each([
    ['GET', '/kv/a', '/kv/:key', 'a'],
    ['GET', '/kv/a%2Fb', '/kv/:key', 'a/b'],
    ['GET', '/lists/next/next', '/lists/:key/next', 'next'],
    ['PUT', '/kv/a+b', '/kv/:key', 'a+b'],
  ])('%s %s', (method, path, route, key) => {
    const found = router.find(method, path)
    expect(found.route).toMatchObject({ method, path: route })
    expect(found.parameters.get('key')?.toString()).toBe(key)
  })

  test('what is written out wins over a parameter, wherever it stands in the table', () => {
    expect(router.find('GET', '/accounts/export').route.path).toBe('/accounts/export')
    expect(() => router.find('GET', '/accounts/import')).toThrow(expect.objectContaining({ status: 405 }))
  })

  test.each([
    ['GET', '/kv', 404],
    ['GET', '/kv/', 404],
    ['GET', '/kv/a/b', 404],
    ['GET', '//kv/a', 404],
    ['DELETE', '/kv/a', 405],
    ['POST', '/lists/a/next', 405],
    ['GET', '/kv/%', 400],
    ['GET', '/kv/%4', 400],
  ])('%s %s is %i', (method, path, status) => {
    expect(() => router.find(method, path)).toThrow(expect.objectContaining({ status }))
  })
})

test('every byte has a way into a key', () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  const segment = [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
  expect(percentDecode(segment).equals(bytes)).toBe(true)
})
