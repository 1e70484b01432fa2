/**
 * What the newline protocol hands to the kit. The shelf breaks one thing of it at a time.
 */
import type { Fixture, Sample, Subject, Transcript } from '../../subject.ts'
import { sample } from '../../subject.ts'
import { GET, GET_BYTES, MANY } from './client.ts'
import io, { type LinesIo } from './io.ts'
import { lines } from './protocol.ts'

const PASSWORD = 'correct-horse'
const OPTIONS: LinesIo = { user: 'ada', password: PASSWORD, lineBytesMax: 1 << 21 }
const FACTS = { version: 1, role: 'primary' }
const HELLO = `hello lines/1 ada ${PASSWORD}\n`

const WELCOMED: Transcript<LinesIo> = {
  name: 'hello is welcomed',
  peer: [{ receives: HELLO }, { sends: '=lines/1 primary\n' }],
  ends: { result: FACTS },
}

const TRANSCRIPTS: readonly Transcript<LinesIo>[] = [
  WELCOMED,
  {
    name: 'hello is denied',
    peer: [{ receives: HELLO }, { sends: '!denied go away\n' }],
    ends: { code: 'DENIED', refused: true },
  },
  {
    name: 'ping',
    script: 'probe',
    peer: [{ receives: 'ping\n' }, { sends: '=pong replica\n' }],
    ends: { result: { role: 'replica' } },
  },
  {
    name: 'ping while busy',
    script: 'probe',
    after: WELCOMED,
    peer: [{ receives: 'ping\n' }, { sends: '!busy counting\n' }],
    ends: { code: 'BUSY', refused: false },
  },
  {
    name: 'reset',
    script: 'reset',
    after: WELCOMED,
    peer: [{ receives: 'reset\n' }, { sends: '=reset\n' }],
    ends: { result: undefined },
  },
  {
    name: 'reset is refused',
    script: 'reset',
    peer: [{ receives: 'reset\n' }, { sends: '!what\n' }],
    ends: { code: 'NORESET' },
  },
]

const FIXTURES: readonly Fixture<LinesIo>[] = [
  { name: 'an answer', bytes: '=one\n', requests: [0], expected: [{ reply: '=one\n' }] },
  { name: 'an empty answer after hello', bytes: '=\n', requests: [0], after: WELCOMED, expected: [{ reply: '=\n' }] },
  {
    name: 'three answers and an error',
    bytes: '=one\n=two\n!moved to b\n=four\n',
    requests: [0, 0, 0, 0],
    expected: [
      { reply: '=one\n' },
      { reply: '=two\n' },
      { reply: '!moved to b\n', flags: 4, verdict: 'role-lost' },
      { reply: '=four\n' },
    ],
  },
  {
    name: 'a request of three answers between two of one',
    bytes: '=a\n=b\n!c\n=d\n=e\n',
    requests: [0, 2, 0],
    expected: [{ reply: '=a\n' }, { reply: '=b\n!c\n=d\n' }, { reply: '=e\n' }],
  },
  {
    name: 'pushes around an answer',
    bytes: '>news one\n=a\n>news two\n',
    requests: [0],
    expected: [
      { push: '>news one\n', route: { key: 'news', kind: 'message' } },
      { reply: '=a\n' },
      { push: '>news two\n' },
    ],
  },
  { name: 'a long answer', bytes: `=${'x'.repeat(5_000)}\n=y\n`, requests: [0, 0] },
  { name: 'a long push', bytes: `>news ${'x'.repeat(5_000)}\n=y\n`, requests: [0] },
  {
    name: 'a push connection',
    purpose: 'push',
    keys: ['news'],
    bytes: '+news\n>news one\n!nokey other\n-news\n',
    expected: [
      { push: '+news\n', route: { key: 'news', kind: 'confirmed' } },
      { push: '>news one\n' },
      { stray: '!nokey other\n', flags: 4 },
      { push: '-news\n', route: { key: 'news', kind: 'ended' } },
    ],
  },
]

const SAMPLES: readonly Sample[] = [
  sample({
    operation: GET,
    args: 'colour',
    request: 'get colour\n',
    reply: Buffer.from('=grün\n'),
    facts: FACTS,
    gives: { value: 'grün' },
  }),
  sample({ operation: GET, args: 'smørrebrød', reply: '!gone away\n', facts: FACTS, gives: { code: 'GONE' } }),
  sample({
    operation: GET_BYTES,
    args: 'k'.repeat(300),
    reply: '=abc\n',
    facts: FACTS,
    gives: { value: Uint8Array.from([97, 98, 99]) },
  }),
  sample({ operation: MANY, args: ['a', 'b'], reply: '=1\n=2\n', facts: FACTS, gives: { value: ['1', '2'] } }),
]

export const healthy: Subject<LinesIo> = {
  root: new URL('./', import.meta.url),
  protocol: lines,
  io,
  options: OPTIONS,
  targets: ['lines://a', 'lines://a:8', `lines://ada:${PASSWORD}@a`],
  badTargets: ['http://a', 'lines'],
  secrets: [PASSWORD],
  fixtures: FIXTURES,
  hostile: [
    { name: 'a line that begins with nothing known', bytes: '?\n', requests: [0] },
    { name: 'an answer to no request', bytes: '=a\n=b\n', requests: [0] },
    {
      name: 'a line without end',
      bytes: `=a\n=${'x'.repeat(5_000)}`,
      requests: [0, 0],
      options: { ...OPTIONS, lineBytesMax: 4_500 },
    },
    { name: 'the end inside a line', bytes: '=a\n=b', requests: [0, 0], ended: true },
  ],
  large: [
    { name: 'an answer', make: (bytesTotal) => longLine('=', bytesTotal) },
    { name: 'a push', make: (bytesTotal) => longLine('>', bytesTotal) },
  ],
  transcripts: TRANSCRIPTS,
  samples: SAMPLES,
}

function longLine(type: string, bytesTotal: number): Fixture<LinesIo> {
  return { name: 'a long line', bytes: `${type}${'x'.repeat(bytesTotal - 2)}\n`, requests: [0] }
}
