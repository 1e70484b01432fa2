/** What is known of commands before they are sent. */
import { describe, expect, it } from 'vitest'
import { blockingMs, isRead, mayBlock, refusalOf } from './commands.ts'
import type { Argument } from './encode.ts'

describe('blocking', () => {
  it.each<[string, Argument[], number | undefined]>([
    ['BLPOP', ['k', 0], 0],
    ['BLPOP', ['a', 'b', '0.5'], 500],
    ['BRPOP', ['k', 2], 2000],
    ['BRPOPLPUSH', ['a', 'b', 1], 1000],
    ['BLMOVE', ['a', 'b', 'LEFT', 'RIGHT', 3], 3000],
    ['BZPOPMIN', ['k', 0], 0],
    ['BLMPOP', [1.5, 1, 'k', 'LEFT'], 1500],
    ['BZMPOP', [0, 1, 'k', 'MIN'], 0],
    ['BLPOP', ['k', 'soon'], 0],
    ['XREAD', ['STREAMS', 'k', '$'], undefined],
    ['XREAD', ['BLOCK', 100, 'STREAMS', 'k', '$'], 100],
    ['XREAD', ['COUNT', 5, 'block', '0', 'STREAMS', 'k', '$'], 0],
    ['XREAD', ['STREAMS', 'BLOCK', '5'], undefined],
    ['XREAD', ['COUNT', 'BLOCK', 'STREAMS', 'k', '$'], undefined],
    ['XREADGROUP', ['GROUP', 'BLOCK', 'BLOCK', 'STREAMS', 'k', '>'], undefined],
    ['XREADGROUP', ['GROUP', 'g', 'c', 'BLOCK', 7, 'STREAMS', 'k', '>'], 7],
    ['GET', ['k'], undefined],
    ['XREAD', [Buffer.from('block'), Buffer.from('5'), 'STREAMS', 'k', '$'], 5],
    ['XREAD', [Buffer.from('STREAMS'), 'BLOCK', '5'], undefined],
    ['BLPOP', ['k', new Uint8Array([53])], 5000],
    ['BLPOP', ['k', Symbol('x') as never], 0],
  ])('%s %j: %s', (command, parameters, heldMs) => {
    expect(blockingMs(command, parameters)).toBe(heldMs)
  })

  it('is told by the name first', () => {
    expect(mayBlock('XREAD')).toBe(true)
    expect(mayBlock('LPOP')).toBe(false)
  })
})

describe('repeating', () => {
  it('is for reads alone', () => {
    for (const read of ['GET', 'HGETALL', 'ZRANGE', 'EVAL_RO', 'SCAN']) expect(isRead(read, undefined)).toBe(true)
    for (const write of ['SET', 'DEL', 'INCR', 'EVAL', 'GETEX', 'SORT', 'JSON.GET'])
      expect(isRead(write, undefined)).toBe(false)
    expect(isRead('MEMORY', 'USAGE')).toBe(true)
    expect(isRead('MEMORY', 'purge')).toBe(false)
    expect(isRead('MEMORY', Buffer.from('purge'))).toBe(false)
  })
})

describe('refusals', () => {
  it.each([
    'MULTI',
    'EXEC',
    'SUBSCRIBE',
    'PSUBSCRIBE',
    'SSUBSCRIBE',
    'UNSUBSCRIBE',
    'MONITOR',
    'HELLO',
    'RESET',
    'QUIT',
    'PSYNC',
    'REPLCONF',
  ])('%s is sent from nowhere', (command) => {
    for (const place of ['lane', 'session', 'multi'] as const)
      expect(refusalOf(command, undefined, place)).toBeTypeOf('string')
  })

  it.each<[string, string | undefined]>([
    ['SELECT', undefined],
    ['AUTH', undefined],
    ['WATCH', undefined],
    ['READONLY', undefined],
    ['ASKING', undefined],
    ['SHUTDOWN', undefined],
    ['DEBUG', 'SLEEP'],
    ['CLIENT', 'setname'],
    ['CLIENT', 'NO-EVICT'],
  ])('%s %s needs a session', (command, subcommand) => {
    expect(refusalOf(command, subcommand, 'lane')).toContain('session()')
    expect(refusalOf(command, subcommand, 'multi')).toContain('session()')
    expect(refusalOf(command, subcommand, 'session')).toBeUndefined()
  })

  it('WAIT needs a session, but does not wait inside a batch', () => {
    expect(refusalOf('WAIT', 1, 'lane')).toContain('session()')
    expect(refusalOf('WAIT', 1, 'multi')).toBeUndefined()
  })

  it.each<[string, string | undefined, string]>([
    ['CLIENT', 'REPLY', 'un-awaited'],
    ['CLIENT', 'tracking', 'invalidations()'],
    ['SCRIPT', 'DEBUG', 'redis-cli'],
    ['SUBSCRIBE', undefined, 'subscribe()'],
    ['MULTI', undefined, 'multi()'],
  ])('%s %s names what to use: %s', (command, subcommand, instead) => {
    expect(refusalOf(command, subcommand, 'session')).toContain(instead)
  })

  it.each<[string, string]>([
    ['CLIENT', 'reply'],
    ['CLIENT', 'REPLY\0'],
    ['CLIENT', `REPLY\0${'x'.repeat(1000)}`],
    ['CLIENT', 'TRACKING'],
    ['SCRIPT', 'DEBUG'],
  ])('%s %j is the same in bytes', (command, subcommand) => {
    for (const given of [subcommand, Buffer.from(subcommand), new Uint8Array(Buffer.from(subcommand))])
      expect(refusalOf(command, given, 'session')).toBeTypeOf('string')
  })

  it.each<[string, string | undefined]>([
    ['CLIENT', 'ID'],
    ['CLIENT', 'LIST'],
    ['CLIENT', undefined],
    ['SCRIPT', 'LOAD'],
    ['GET', undefined],
    ['FLUSHALL', undefined],
    ['JSON.SET', undefined],
  ])('%s %s is nobody else’s business', (command, subcommand) => {
    expect(refusalOf(command, subcommand, 'lane')).toBeUndefined()
  })
})
