/**
 * Both framers against Node's own parser (llhttp): on every fixture, and on what random changes make of them.
 *
 * What is promised: where both take a message they agree where it ends, and there is nothing that we take and Node
 * refuses but what `DIFFERENCES` names. That we refuse more is meant to be so.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { WRONG_CHUNKS, WRONG_FIELDS } from '../fixtures/heads.ts'
import { changed } from '../fixtures/mutations.ts'
import { type Asked, type Judgement, judge } from '../fixtures/node-parser.ts'
import { type Outcome, read } from '../fixtures/reader.ts'
import { REPLIES } from '../fixtures/replies.ts'
import { REQUESTS, WRONG_REQUESTS } from '../fixtures/requests.ts'
import { RequestHint } from './codec/request.ts'
import { RequestFramer } from './framer/requests.ts'
import { Framer } from './framer.ts'

/** What we take and Node refuses: its code, and what is in the bytes then. */
const DIFFERENCES: readonly (readonly [code: string, bytes: RegExp])[] = [
  // White space around a value is spaces and tabs (RFC 9110, section 5.6.3); Node takes no tab beside a length, and
  // none behind `chunked`.
  ['HPE_INVALID_CONTENT_LENGTH', /content-length:[ \t]*\d*[ \t]*\r/i],
  ['HPE_INVALID_TRANSFER_ENCODING', /chunked *\t[ \t]*\r/i],
  // A client may take the chunks, and must close then (RFC 9112, section 6.3).
  ['HPE_INVALID_TRANSFER_ENCODING', /content-length:[\s\S]*transfer-encoding:/i],
  ['HPE_INVALID_CONTENT_LENGTH', /transfer-encoding:[\s\S]*content-length:/i],
  // Methods are an open list (RFC 9110, section 9.1); Node has a closed one.
  ['HPE_INVALID_METHOD', /^/],
  // An interim head that says close: the answer is still to come, and nothing behind it.
  ['HPE_CLOSED_CONNECTION', /HTTP\/1.[01] 1\d\d/],
]
/** A few seconds. */
const RUNS = 20_000
const { Request, Head, Connect } = RequestHint

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

test('every fixture of a reply ends where Node says', () => {
  for (const { bytes, hints, ended = false } of REPLIES) expect(replyDifference(bytes, hints, ended), bytes).toBe('')
})

test('every fixture of a request ends where Node says', () => {
  for (const { bytes, ended = false } of REQUESTS) expect(requestDifference(bytes, ended), bytes).toBe('')
})

test('whatever is changed in a reply, Node takes what we take, and ends it there', () => {
  const texts = [
    ...REPLIES.map(({ bytes }) => bytes),
    ...WRONG_FIELDS.map(([, fields]) => `HTTP/1.1 200 OK\r\n${fields}0\r\n\r\n`),
    ...WRONG_CHUNKS.map(([, body]) => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`),
  ]
  const hints = fc.array(fc.constantFrom(Request, Request | Head, Request | Connect), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(changed(texts), hints, fc.boolean(), (text, asked, ended) => {
      expect(replyDifference(text, asked, ended)).toBe('')
    }),
    { numRuns: RUNS },
  )
})

test('whatever is changed in a request, Node takes what we take, and ends it there', () => {
  const texts = [
    ...REQUESTS.map(({ bytes }) => bytes),
    ...WRONG_REQUESTS.map(([, bytes]) => bytes),
    ...WRONG_FIELDS.map(([, fields]) => `POST / HTTP/1.1\r\nHost: a\r\n${fields}0\r\n\r\n`),
    ...WRONG_CHUNKS.map(([, body]) => `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}`),
  ]
  fc.assert(
    fc.property(changed(texts), fc.boolean(), (text, ended) => {
      expect(requestDifference(text, ended)).toBe('')
    }),
    { numRuns: RUNS },
  )
})

function replyDifference(text: string, hints: readonly number[], ended: boolean): string {
  const bytes = latin1(text)
  const asked = hints.map(
    (hint): Asked =>
      (hint & RequestHint.Head) !== 0 ? 'HEAD' : (hint & RequestHint.Connect) !== 0 ? 'CONNECT' : 'other',
  )
  return difference(text, read(new Framer(), [bytes], hints, ended), judge(bytes, asked, ended))
}

function requestDifference(text: string, ended: boolean): string {
  const bytes = latin1(text)
  return difference(text, read(new RequestFramer(), [bytes], [], ended), judge(bytes, 'requests', ended))
}

/** Empty where we agree, or refuse more. */
function difference(text: string, ours: Outcome, node: Judgement): string {
  const ends: number[] = []
  for (const [, message] of ours.seen) ends.push(text.indexOf(message, ends.at(-1)) + message.length)
  const { refused } = node
  if (ends.length > node.ends.length && refused !== undefined) {
    if (DIFFERENCES.some(([code, bytes]) => code === refused && bytes.test(text))) return ''
    return `taken here, refused by Node (${refused})`
  }
  // To Node HTTP is over with the head that asks for an upgrade; here it is when the upgrade is answered.
  if (/upgrade:/i.test(text)) ends.length = Math.min(ends.length, Math.max(0, node.ends.length - 1))
  const agree = ends.every((end, index) => end === node.ends[index])
  return agree ? '' : `ends at ${ends.join(', ')} here, at ${node.ends.join(', ')} for Node`
}
