/** Redis against the kit that every protocol plugin must pass. */
import { conformance, type Fixture, type Subject, sample, type Transcript } from '@iokernel/conformance'
import type { Protocol } from '@iokernel/core/plugin'
import { describe, test } from 'vitest'
import { CAPTURES } from '../fixtures/captures.ts'
import { command } from '../fixtures/script.ts'
import type { Command } from './client/command.ts'
import { COMMANDS } from './client/command-set.ts'
import { redis } from './index.ts'
import io, { type RedisIo } from './io.ts'
import { resolve } from './resolve.ts'

const OPTIONS = resolve({ host: 'cache', username: 'app', password: 'hunter2' }).io
const PLAIN = resolve('redis://cache').io
const OLD = resolve('redis://cache?protocol=2').io

const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`
const hello = (proto: 2 | 3) => CAPTURES.find(({ name }) => name === `HELLO ${proto}`)?.bytes as string
const settle =
  command(`CLIENT SETINFO lib-name ${PLAIN.libraryName}`) +
  command(`CLIENT SETINFO lib-ver ${PLAIN.libraryVersion}`) +
  command('PING')
const SETTLED = [{ receives: settle }, { sends: '+OK\r\n+OK\r\n+PONG\r\n' }] as const
const FACTS = { version: '7.0.15', mode: 'standalone', role: 'primary' }

const greeting = (proto: 2 | 3): Transcript<RedisIo> => ({
  name: `a handshake in RESP${proto}`,
  options: proto === 3 ? PLAIN : OLD,
  peer: [{ receives: command(`HELLO ${proto}`) }, { sends: hello(proto) }, ...SETTLED],
  ends: { result: { ...FACTS, resp: proto, id: idOf(hello(proto)) } },
})

const fixtures: Fixture<RedisIo>[] = CAPTURES.filter(({ replies }) => replies > 0).map((capture) => ({
  name: `${capture.name}, RESP${capture.resp}`,
  bytes: capture.bytes,
  options: capture.resp === 3 ? PLAIN : OLD,
  after: greeting(capture.resp),
  requests: capture.commands[0] === 'MULTI' ? [capture.replies - 1] : Array.from({ length: capture.replies }, () => 0),
}))

const subject: Subject<RedisIo> = {
  root: new URL('../', import.meta.url),
  protocol: redis as unknown as Protocol<never, RedisIo, never, unknown>,
  io,
  options: OPTIONS,
  targets: [
    'redis://a',
    'redis://b',
    'redis://a/1',
    'rediss://a',
    'redis://app:hunter2@a',
    'unix:///run/redis.sock',
    'redis+zk://a',
  ],
  badTargets: ['http://a', 'redis://a:0', 'redis://app:hunter2@a:x', 'redis://a?x=1', 'redis://a/x', ''],
  secrets: ['hunter2'],
  fixtures: [
    ...fixtures,
    {
      name: 'a push connection',
      purpose: 'push',
      options: PLAIN,
      after: { ...greeting(3), purpose: 'push' },
      keys: ['s:a', 's:b', 't:k'],
      bytes: [
        `>3\r\n${bulk('subscribe')}${bulk('a')}:1\r\n-NOPERM no\r\n+OK\r\n`,
        `>3\r\n${bulk('message')}${bulk('a')}${bulk('x')}`,
      ].join(''),
      expected: [
        { push: `>3\r\n${bulk('subscribe')}${bulk('a')}:1\r\n`, route: { key: 's:a', kind: 'confirmed' } },
        { stray: '-NOPERM no\r\n', flags: 5 },
        { stray: '+OK\r\n', flags: 1 },
        { push: `>3\r\n${bulk('message')}${bulk('a')}${bulk('x')}`, route: { key: 's:a', kind: 'message' } },
      ],
    },
    {
      name: 'verdicts',
      bytes: '-READONLY x\r\n-LOADING x\r\n-NOAUTH x\r\n-BUSY x\r\n-WRONGTYPE x\r\n',
      requests: [0, 0, 0, 0, 0],
      expected: [
        { reply: '-READONLY x\r\n', flags: 5, verdict: 'role-lost' },
        { reply: '-LOADING x\r\n', flags: 5, verdict: 'not-executed' },
        { reply: '-NOAUTH x\r\n', flags: 5, verdict: 'retire' },
        { reply: '-BUSY x\r\n', flags: 5, verdict: 'overloaded' },
        { reply: '-WRONGTYPE x\r\n', flags: 5, verdict: 'call' },
      ],
    },
  ],
  hostile: [
    ...[
      '$abc\r\n',
      '$-2\r\n',
      '$2\r\nhiXX',
      '*4294967295\r\n',
      '$9999999999999\r\n',
      ':1\n',
      '+a\rb\r\n',
      '$?\r\n',
      'HTTP/1.1 400\r\n',
    ].map((bytes) => ({ name: JSON.stringify(bytes), bytes, requests: [0] })),
    { name: '20 000 arrays in one another', bytes: '*1\r\n'.repeat(20_000), requests: [0] },
    { name: 'a reply to no request', bytes: '+OK\r\n' },
    { name: 'the end inside a reply', bytes: '*2\r\n:1\r\n', requests: [0], ended: true },
    { name: 'what a server says before it goes', bytes: '-ERR max number of clients reached\r\n', code: 'ERR' },
  ],
  large: [
    {
      name: 'a bulk string',
      make: (bytes) => ({ name: 'a bulk string', bytes: `$${bytes}\r\n${'x'.repeat(bytes)}\r\n`, requests: [0] }),
    },
    {
      name: 'an array',
      make: (bytes) => {
        const count = Math.max(1, Math.floor(bytes / 10))
        return { name: 'an array', bytes: `*${count}\r\n${bulk('abcd').repeat(count)}`, requests: [0] }
      },
    },
  ],
  transcripts: [
    greeting(3),
    greeting(2),
    {
      name: 'a wrong password',
      peer: [{ receives: command('HELLO 3 AUTH app hunter2') }, { sends: '-WRONGPASS invalid\r\n' }],
      ends: { code: 'WRONGPASS', refused: true },
    },
    {
      name: 'a server that loads its data',
      options: PLAIN,
      peer: [
        { receives: command('HELLO 3') },
        { sends: hello(3) },
        { receives: settle },
        { sends: '+OK\r\n+OK\r\n-LOADING x\r\n' },
      ],
      ends: { code: 'LOADING' },
    },
    {
      name: 'a probe',
      script: 'probe',
      options: PLAIN,
      purpose: 'monitor',
      after: { ...greeting(3), purpose: 'monitor' },
      peer: [
        { receives: command('PING') + command('ROLE') },
        { sends: `+PONG\r\n*3\r\n${bulk('master')}:7\r\n*0\r\n` },
      ],
      ends: { result: { role: 'primary', offset: 7, replicas: 0, primary: undefined, link: undefined } },
    },
    {
      name: 'a probe of a server that loads its data',
      script: 'probe',
      options: PLAIN,
      purpose: 'monitor',
      after: { ...greeting(3), purpose: 'monitor' },
      peer: [{ receives: command('PING') + command('ROLE') }, { sends: '-LOADING x\r\n-LOADING x\r\n' }],
      ends: { code: 'LOADING' },
    },
    {
      name: 'a reset where there is none',
      script: 'reset',
      options: PLAIN,
      purpose: 'session',
      after: { ...greeting(3), purpose: 'session' },
      peer: [{ receives: command('RESET') }, { sends: '-ERR unknown command\r\n' }],
      ends: { code: 'NORESET' },
    },
    {
      name: 'a reset',
      script: 'reset',
      options: PLAIN,
      purpose: 'session',
      after: { ...greeting(3), purpose: 'session' },
      peer: [
        { receives: command('RESET') },
        { sends: '+RESET\r\n' },
        { receives: command('HELLO 3') },
        { sends: hello(3) },
        ...SETTLED,
      ],
      ends: { result: undefined },
    },
  ],
  samples: [
    sample({
      operation: known('get').text,
      args: ['k'],
      reply: bulk('v'),
      facts: { resp: 3 },
      gives: { value: 'v' },
      request: command('GET k'),
    }),
    sample({
      operation: known('get').bytes,
      args: ['k'],
      reply: bulk('\xff'),
      facts: { resp: 3 },
      gives: { value: Uint8Array.of(255) },
    }),
    sample({
      operation: known('incr').text,
      args: ['k'],
      reply: ':9007199254740993\r\n',
      facts: { resp: 2 },
      gives: { value: 9007199254740993n },
    }),
    sample({
      operation: known('get').text,
      args: ['k'],
      reply: '-WRONGTYPE x\r\n',
      facts: { resp: 3 },
      gives: { code: 'WRONGTYPE' },
    }),
    sample({
      operation: known('zrangeWithScores').text,
      args: ['z', 0, -1],
      reply: `*1\r\n*2\r\n${bulk('m')},1.5\r\n`,
      facts: { resp: 3 },
      gives: { value: [{ member: 'm', score: 1.5 }] },
      request: command('ZRANGE z 0 -1 WITHSCORES'),
    }),
  ],
}

conformance({ describe, test }, subject)

function known(method: string): Command {
  return COMMANDS.get(method) as Command
}

function idOf(greeted: string): number {
  return Number(/\$2\r\nid\r\n:(\d+)/.exec(greeted)?.[1])
}
