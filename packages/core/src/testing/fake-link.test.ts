/** The link whose other end is the test keeps what the kernel promises to operations. */
import { describe, expect, test } from 'vitest'
import { AbortedError, RemoteError } from '../plugin/errors.ts'
import type { InterestHandler, Operation, ReplyBytes } from '../plugin/protocol.ts'
import { FakeLink } from './fake-link.ts'

const ECHO: Operation<string, string> = {
  name: 'echo',
  access: 'read',
  on: 'lane',
  idempotent: true,
  encode(out, text) {
    out.ascii(text)
    return 7
  },
  decode: ({ bytes, start, end }, text, facts) =>
    `${text}: ${bytes.toString('latin1', start, end)} ${JSON.stringify(facts)}`,
}

const TELL: Operation<string, string> = { ...ECHO, answer: 'written', decode: ({ start, end }) => `${end - start}` }

const LONG: Operation<string, string> = {
  ...ECHO,
  async open(stream) {
    return (await textsOf(stream)).join('|')
  },
}

async function textsOf(stream: AsyncIterable<{ readonly bytes: Buffer }>): Promise<string[]> {
  const texts: string[] = []
  for await (const { bytes } of stream) texts.push(bytes.toString('latin1'))
  return texts
}

function handler(more: Partial<InterestHandler>): InterestHandler {
  return { gap: () => undefined, failed: () => undefined, ...more }
}

describe('calls', () => {
  test('are seen, and answered in order', async () => {
    const link = new FakeLink(['1', Buffer.from('2'), Promise.resolve('3')], { facts: { v: 1 } })
    const options = { deadlineMs: 5 }
    expect(await link.request(ECHO, 'a', options)).toBe('a: 1 {"v":1}')
    expect(await link.request(ECHO, 'b')).toBe('b: 2 {"v":1}')
    expect(await link.request(ECHO, 'c')).toBe('c: 3 {"v":1}')
    expect(link.sent).toBe('abc')
    expect(link.calls[0]).toEqual({
      bytes: 'a',
      name: 'echo',
      on: 'lane',
      access: 'read',
      answer: 'reply',
      idempotent: true,
      taints: false,
      opens: false,
      fingerprint: 0,
      hint: 7,
      options,
    })
  })

  test('fail with an error that is the answer, and where there is none', async () => {
    const gone = new RemoteError('GONE', 'gone')
    const link = new FakeLink([gone, Promise.resolve(gone)])
    await expect(link.request(ECHO, 'a')).rejects.toBe(gone)
    await expect(link.request(ECHO, 'a')).rejects.toBe(gone)
    await expect(link.request(ECHO, 'a')).rejects.toThrow('no answer')
  })

  test('that are only written take no answer, and settle when the test lets them', async () => {
    const link = new FakeLink([], { encoding: 'hex' })
    const written: unknown[] = []
    link.onWritten = (bytes, hint) => void written.push([bytes, hint])
    expect(await link.request(TELL, 'ab')).toBe('0')
    expect(written).toEqual([['6162', 7]])
  })

  test('see memory that is shared, does not begin with their reply, and is overwritten', async () => {
    let kept: ReplyBytes | undefined
    const keeps: Operation<string, string> = {
      ...ECHO,
      decode(reply) {
        kept = reply
        return reply.bytes.toString('latin1', reply.start, reply.end)
      },
    }
    expect(await new FakeLink(['reply']).request(keeps, '')).toBe('reply')
    const { bytes, start } = kept as ReplyBytes
    expect(bytes.buffer).toBeInstanceOf(SharedArrayBuffer)
    expect(start).toBeGreaterThan(0)
    expect(bytes.every((byte) => byte === bytes[0])).toBe(true)
  })
})

describe('replies in pieces', () => {
  test('open the reply, where the operation can', async () => {
    expect(await new FakeLink([['a', Promise.resolve('b')]]).request(LONG, '')).toBe('a|b')
    await expect(new FakeLink([['a', 'b']]).request(ECHO, '')).rejects.toThrow('whole')
  })

  test('a stream asks nothing before the first look, and is cut as the test says', async () => {
    const link = new FakeLink(['abcde'])
    link.pieceBytes = 2
    const stream = link.stream(ECHO, 'x')
    expect(link.calls).toEqual([])
    expect(await textsOf(stream)).toEqual(['ab', 'cd', 'e'])
    expect(link.sent).toBe('x')
  })

  test('a stream that is closed ends, whatever it waits for', async () => {
    const link = new FakeLink([['a', new Promise<string>(() => undefined)]])
    const pieces = link.stream(ECHO, '')
    const texts = textsOf(pieces)
    await pieces.close()
    expect(await texts).toEqual(['a'])
    expect(link.streamsClosed).toBe(1)
  })

  test('a stream fails in the middle', async () => {
    const lost = new RemoteError('LOST', 'lost')
    await expect(textsOf(new FakeLink([['a', lost]]).stream(ECHO, ''))).rejects.toBe(lost)
  })
})

describe('interests', () => {
  test('get pushes and requests, until they are closed', async () => {
    const link = new FakeLink()
    const pushed: string[] = []
    const interest = await link.interest(
      'key',
      handler({
        push: ({ bytes, start, end }) => void pushed.push(bytes.toString('latin1', start, end)),
        request: ({ bytes, start, end }, _facts, answer) => {
          const question = bytes.toString('latin1', start, end)
          answer((out) => out.ascii(`${question}!`)).catch((error: Error) => pushed.push(error.message))
        },
      }),
    )
    link.push('key', 'one')
    link.push('other', 'two')
    expect(await link.ask('key', 'there')).toBe('there!')
    expect(await link.ask('key', 'gone', true)).toBe('gone!')
    await interest.close()
    expect(pushed).toEqual(['one', 'the connection is gone'])
    expect(link.ended).toEqual(['key'])
  })

  test('may be refused, or wait for ever', async () => {
    const link = new FakeLink()
    const no = new RemoteError('NO', 'no')
    link.refuse = (key) => (key === 'bad' ? no : undefined)
    await expect(link.interest('bad', handler({}))).rejects.toBe(no)
    link.silent = true
    const abort = new AbortController()
    const waiting = link.interest('good', handler({}), { signal: abort.signal })
    abort.abort()
    await expect(waiting).rejects.toBeInstanceOf(AbortedError)
    await expect(link.interest('good', handler({}), { signal: abort.signal })).rejects.toBeInstanceOf(AbortedError)
    expect(link.interests.size).toBe(0)
  })
})
