/**
 * What the numbered lines hand to the kit: replies in any order, notifications and requests of the peer's, either side.
 */
import type { Fixture, Outstanding, Subject } from '../../subject.ts'
import { sample } from '../../subject.ts'
import { GET, TELL } from './client.ts'
import io, { HINT, type TaggedIo } from './io.ts'
import { tagged } from './protocol.ts'

const OPTIONS: TaggedIo = { lineBytesMax: 1 << 21 }

const REQUEST: Outstanding = { hint: HINT.request, payload: 'get colour\n' }
const SILENT: Outstanding = { hint: HINT.notification, payload: '>news hi\n', silent: true }
const LONG = 'x'.repeat(5_000)

const FIXTURES: readonly Fixture<TaggedIo>[] = [
  { name: 'an answer', bytes: '=1 one\n', requests: [REQUEST], expected: [{ reply: '=1 one\n' }] },
  {
    name: 'answers out of order',
    bytes: '=3 three\n!1 gone away\n=2 two\n',
    requests: [REQUEST, REQUEST, REQUEST],
    expected: [
      { reply: '=3 three\n', call: 2 },
      { reply: '!1 gone away\n', call: 0, flags: 4 },
      { reply: '=2 two\n', call: 1 },
    ],
  },
  {
    name: 'an answer between silent requests',
    bytes: '=1 one\n=2 two\n',
    requests: [SILENT, REQUEST, SILENT, REQUEST],
    expected: [{ reply: '=1 one\n' }, { reply: '=2 two\n' }],
  },
  {
    name: 'an answer that nobody waits for any more',
    bytes: '=4000000000 late\n=1 one\n',
    requests: [REQUEST],
    expected: [{ reply: '=1 one\n' }],
  },
  {
    name: 'a notification and a request before an answer',
    bytes: '>news one\n?7 sum 1 2\n=1 one\n',
    requests: [REQUEST],
    expected: [
      { push: '>news one\n', route: { key: 'news', kind: 'message' } },
      { request: '?7 sum 1 2\n', route: { key: 'sum', kind: 'message' }, refused: '!7 nobody takes it\n' },
      { reply: '=1 one\n' },
    ],
  },
  {
    name: 'questions whether anybody is there',
    bytes: '*\n=1 one\n*\n',
    requests: [REQUEST],
    expected: [{ reply: '=1 one\n' }],
    says: '*\n*\n',
  },
  {
    name: 'a long request between long answers',
    bytes: `=2 ${LONG}\n?8 sum ${LONG}\n*\n=1 ${LONG}\n`,
    requests: [REQUEST, REQUEST],
    expected: [
      { reply: `=2 ${LONG}\n`, call: 1 },
      { request: `?8 sum ${LONG}\n`, route: { key: 'sum', kind: 'message' }, refused: '!8 nobody takes it\n' },
      { reply: `=1 ${LONG}\n`, call: 0 },
    ],
    says: '*\n',
  },
  {
    name: 'requests, on the side that is dialled',
    side: 'server',
    bytes: '?1 get colour\n?2 get shape\n',
    expected: [
      { request: '?1 get colour\n', refused: '!1 nobody takes it\n' },
      { request: '?2 get shape\n', refused: '!2 nobody takes it\n' },
    ],
  },
  {
    name: 'a request, and then only what no request follows',
    side: 'server',
    last: true,
    bytes: '?3 get colour\n*\n',
    expected: [{ request: '?3 get colour\n', refused: '!3 nobody takes it\n' }],
    says: '*\n',
  },
]

export const healthyTagged: Subject<TaggedIo> = {
  root: new URL('./', import.meta.url),
  protocol: tagged,
  io,
  options: OPTIONS,
  targets: ['tagged://a', 'tagged://a:9'],
  badTargets: ['http://a', 'tagged'],
  secrets: [],
  fixtures: FIXTURES,
  hostile: [
    { name: 'a line of no kind, after a question', bytes: '*\n#\n', says: '*\n' },
    { name: 'an answer without a number', bytes: '=one\n', requests: [REQUEST] },
    { name: 'a request without a key', side: 'server', bytes: '?1 \n' },
    { name: 'a line without end', bytes: `?1 sum ${LONG}`, options: { lineBytesMax: 4_500 } },
    { name: 'the end inside a line', bytes: '=1 o', requests: [REQUEST], ended: true },
  ],
  large: [
    { name: 'an answer', make: (bytesTotal) => longLine('=1 ', bytesTotal) },
    { name: 'a notification', make: (bytesTotal) => longLine('>news ', bytesTotal) },
    { name: 'a request', make: (bytesTotal) => longLine('?1 sum ', bytesTotal) },
  ],
  transcripts: [],
  samples: [
    sample({
      operation: GET,
      args: 'colour',
      request: 'get colour\n',
      reply: '=1 red\n',
      facts: undefined,
      gives: { value: 'red' },
    }),
    sample({ operation: GET, args: 'shape', reply: '!1 gone away\n', facts: undefined, gives: { code: 'GONE' } }),
    sample({
      operation: TELL,
      args: 'hi',
      request: '>news hi\n',
      reply: '',
      facts: undefined,
      gives: { value: undefined },
    }),
  ],
}

function longLine(head: string, bytesTotal: number): Fixture<TaggedIo> {
  return { name: 'a long line', bytes: `${head}${'x'.repeat(bytesTotal - head.length - 1)}\n`, requests: [REQUEST] }
}
