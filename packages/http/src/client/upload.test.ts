/** Bodies that follow their heads, and connections that stop being HTTP: against a link whose other end is the test. */
import { LocalError, RemoteError } from '@iokernel/core/plugin'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { FakeLink } from '../../fixtures/link.ts'
import { type HttpClient, httpClient } from '../client.ts'
import { RequestHint } from '../codec/request.ts'
import { resolve } from '../resolve.ts'

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'
const { Request, Upload, UploadPart, UploadEnd, Upgrade, Connect } = RequestHint

function clientOf(link: FakeLink): HttpClient {
  return httpClient(link, resolve('http://api.test', {}).app)
}

/** A reply that comes when the body has ended. */
function answering(reply: string): FakeLink {
  let answer: (text: string) => void = () => undefined
  const link = new FakeLink([
    new Promise<string>((resolve) => {
      answer = resolve
    }),
  ])
  link.onWritten = (_, hint) => {
    if (hint === UploadEnd) answer(reply)
  }
  return link
}

function hintsOf(link: FakeLink): number[] {
  return link.calls.map(({ hint }) => hint)
}

const CHUNKED_HEAD = 'POST / HTTP/1.1\r\nhost: api.test\r\ntransfer-encoding: chunked\r\n\r\n'

describe('an upload', () => {
  it.each<[title: string, body: () => Iterable<string> | AsyncIterable<Uint8Array> | ReadableStream]>([
    ['a list', () => ['ab', '', 'c']],
    [
      'a generator',
      async function* () {
        yield Buffer.from('ab')
        yield Buffer.alloc(0)
        yield Buffer.from('c')
      },
    ],
    [
      'a ReadableStream',
      () =>
        new ReadableStream({
          start(controller) {
            controller.enqueue(Buffer.from('ab'))
            controller.enqueue(Buffer.from('c'))
            controller.close()
          },
        }),
    ],
  ])('of %s goes out in chunks', async (_, body) => {
    const link = answering(OK)
    const response = await clientOf(link).post('/', { body: body() })
    expect([response.status, await response.body.text(), response.body.isWhole]).toEqual([200, 'ok', true])
    expect(link.sent).toBe(`${CHUNKED_HEAD}2\r\nab\r\n1\r\nc\r\n0\r\n\r\n`)
    expect(hintsOf(link)).toEqual([Request | Upload, UploadPart, UploadPart, UploadEnd])
    expect(link.closed).toBe(1)
  })

  it('of a known length says so, and its last bytes are known as the last', async () => {
    const link = answering(OK)
    await clientOf(link).post('/', { body: new Blob(['x'.repeat(100_000)], { type: 'text/plain' }) })
    expect(link.calls[0]?.bytes).toBe(
      'POST / HTTP/1.1\r\nhost: api.test\r\ncontent-type: text/plain\r\ncontent-length: 100000\r\n\r\n',
    )
    expect(link.sent.length).toBe((link.calls[0]?.bytes.length as number) + 100_000)
    expect(
      hintsOf(link)
        .slice(1, -1)
        .every((hint) => hint === UploadPart),
    ).toBe(true)
    expect(hintsOf(link).at(-1)).toBe(UploadEnd)
  })

  it('of nothing, with a length', async () => {
    const link = answering(OK)
    await clientOf(link).post('/', { body: new Blob([]) })
    expect(link.sent).toBe('POST / HTTP/1.1\r\nhost: api.test\r\ncontent-length: 0\r\n\r\n')
    expect(hintsOf(link)).toEqual([Request | Upload, UploadEnd])
  })

  it('of bytes that are many goes out in pieces', async () => {
    const link = answering(OK)
    const bytes = Buffer.alloc(300_000, 'x')
    await clientOf(link).put('/', { body: bytes })
    expect(hintsOf(link)).toEqual([Request | Upload, UploadPart, UploadPart, UploadPart, UploadPart, UploadEnd])
    expect(link.sent.endsWith('x'.repeat(300_000))).toBe(true)
  })

  it('takes a content-length for a source that has none, and holds it to that', async () => {
    const headers = { 'content-length': '3' }
    const right = answering(OK)
    await clientOf(right).post('/', { body: ['a', 'bc'], headers })
    expect(right.sent).toBe('POST / HTTP/1.1\r\nhost: api.test\r\ncontent-length: 3\r\n\r\nabc')
    for (const body of [['ab'], ['ab', 'cd']]) {
      const link = answering(OK)
      await expect(clientOf(link).post('/', { body, headers })).rejects.toMatchObject({ code: 'BODY_LENGTH' })
      expect(hintsOf(link)).not.toContain(UploadEnd)
      expect([link.streamsClosed > 0, link.closed]).toEqual([true, 1])
    }
  })

  it('has trailers behind it, which may be known at its end only', async () => {
    const link = answering(OK)
    let sum = 0
    const body = (function* () {
      for (const piece of ['a', 'b']) {
        sum++
        yield piece
      }
    })()
    await clientOf(link).post('/', { body, trailers: () => ({ 'x-sum': String(sum) }) })
    expect(link.sent).toBe(`${CHUNKED_HEAD}1\r\na\r\n1\r\nb\r\n0\r\nx-sum: 2\r\n\r\n`)
  })

  it('waits for a 100, and not for ever', async () => {
    let say: (text: string) => void = () => undefined
    const link = new FakeLink([
      new Promise<string>((resolve) => {
        say = resolve
      }),
      OK,
    ])
    const response = clientOf(link).post('/', { body: 'abc', expectContinue: true })
    await new Promise((resolve) => setImmediate(resolve))
    expect(link.sent).toBe('POST / HTTP/1.1\r\nhost: api.test\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n')
    say('HTTP/1.1 100 Continue\r\n\r\n')
    expect((await response).status).toBe(200)
    const silent = answering(OK)
    await clientOf(silent).post('/', { body: 'abc', expectContinue: true })
    expect(silent.sent.endsWith('abc')).toBe(true)
  })

  it('is not sent where the answer to expect is a refusal', async () => {
    const link = new FakeLink(['HTTP/1.1 417 No\r\ncontent-length: 0\r\n\r\n'])
    const response = await clientOf(link).post('/', { body: 'abc', expectContinue: true })
    expect([response.status, link.calls.length, link.closed]).toEqual([417, 1, 1])
  })

  it('is not sent though the refusal goes on for longer than a 100 is waited for', async () => {
    vi.useFakeTimers()
    onTestFinished(() => {
      vi.useRealTimers()
    })
    const link = new FakeLink([
      'HTTP/1.1 401 No\r\ntransfer-encoding: chunked\r\n\r\n',
      new Promise<string>(() => undefined),
    ])
    const response = await clientOf(link).post('/', { body: 'abc', expectContinue: true, deadlineMs: 5000 })
    const text = response.body.text()
    const refused = expect(text).rejects.toMatchObject({ code: 'DEADLINE' })
    await vi.advanceTimersByTimeAsync(4000)
    expect([response.status, link.calls.length]).toEqual([401, 1])
    await vi.advanceTimersByTimeAsync(1000)
    await refused
    expect(link.closed).toBe(1)
  })

  it('ends with its reply, though its source never would', async () => {
    let isEnded = false
    const link = new FakeLink(['HTTP/1.1 413 No\r\ncontent-length: 0\r\n\r\n'])
    const body = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<IteratorResult<string>>(() => undefined),
        return: async () => {
          isEnded = true
          return { done: true as const, value: undefined }
        },
      }),
    }
    const response = await clientOf(link).post('/', { body })
    await new Promise((resolve) => setImmediate(resolve))
    expect([response.status, isEnded, link.closed]).toEqual([413, true, 1])
    expect(hintsOf(link)).not.toContain(UploadEnd)
  })

  it('goes on while its reply comes', async () => {
    const link = new FakeLink(['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n', '1\r\na\r\n'])
    let go: () => void = () => undefined
    const gate = new Promise<void>((resolve) => {
      go = resolve
    })
    const body = (async function* () {
      yield 'one'
      await gate
      yield 'two'
    })()
    const response = await clientOf(link).post('/', { body })
    expect(response.body.isWhole).toBe(false)
    go()
    while (!hintsOf(link).includes(UploadEnd)) await new Promise((resolve) => setImmediate(resolve))
    expect(link.sent).toContain('3\r\ntwo\r\n0\r\n\r\n')
    await response.body.close()
    expect(link.closed).toBe(1)
  })

  it.each<[title: string, failure: Error]>([
    ['any', new Error('the disk is gone')],
    ['of another reply, whose connection is gone', new RemoteError('CLOSED_BY_PEER', 'the peer closed the connection')],
    ['of another session', new LocalError('SESSION_LOST', 'the session is gone')],
  ])('fails with its source’s own error (%s), and no server takes its rest for a whole body', async (_, failure) => {
    const link = answering(OK)
    const body = (async function* () {
      yield 'a'
      throw failure
    })()
    await expect(clientOf(link).post('/', { body })).rejects.toBe(failure)
    expect(hintsOf(link)).toEqual([Request | Upload, UploadPart])
    expect([link.streamsClosed > 0, link.closed]).toEqual([true, 1])
  })

  it('refuses pieces that are neither text nor bytes', async () => {
    await expect(clientOf(answering(OK)).post('/', { body: [1] as never })).rejects.toMatchObject({ code: 'ARGUMENT' })
  })

  it('waits for its reply no longer than its deadline once it has ended', async () => {
    const link = new FakeLink([new Promise<string>(() => undefined)])
    const response = clientOf(link).post('/', { body: ['a'], deadlineMs: 20 })
    await expect(response).rejects.toMatchObject({ code: 'DEADLINE', waitCause: 'upstream' })
    expect(link.closed).toBe(1)
  })
})

describe('an upgrade', () => {
  const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: Echo\r\nConnection: Upgrade\r\n\r\n'

  it('hands the connection over, with what came behind the head', async () => {
    const link = new FakeLink([`HTTP/1.1 103 Hints\r\n\r\n${SWITCHED}early`, ' and late'])
    const duplex = await clientOf(link).upgrade('/chat', { protocol: 'echo', headers: { 'x-key': '1' } })
    expect(link.sent).toBe(
      'GET /chat HTTP/1.1\r\nhost: api.test\r\nx-key: 1\r\nconnection: Upgrade\r\nupgrade: echo\r\n\r\n',
    )
    await duplex.write('out')
    expect(hintsOf(link)).toEqual([Request | Upgrade, UploadPart])
    let text = ''
    for await (const bytes of duplex) text += bytes
    expect([text, duplex.status, duplex.headers.get('upgrade')]).toEqual(['early and late', 101, 'Echo'])
    expect(link.closed).toBe(1)
  })

  it('is written to in order, a piece at a time', async () => {
    const link = new FakeLink([SWITCHED, new Promise<string>(() => undefined)])
    const duplex = await clientOf(link).upgrade('/', { protocol: 'echo' })
    let waiting = 0
    let mostWaiting = 0
    link.onWritten = async () => {
      mostWaiting = Math.max(mostWaiting, ++waiting)
      await new Promise((resolve) => setImmediate(resolve))
      waiting--
    }
    await Promise.all([duplex.write('a'.repeat(200_000)), duplex.write('b'), duplex.write('c'.repeat(70_000))])
    expect(mostWaiting).toBe(1)
    expect(link.sent.endsWith(`\r\n\r\n${'a'.repeat(200_000)}b${'c'.repeat(70_000)}`)).toBe(true)
  })

  it('has nothing written to it behind what could not be', async () => {
    const link = new FakeLink([SWITCHED, new Promise<string>(() => undefined)])
    const duplex = await clientOf(link).upgrade('/', { protocol: 'echo' })
    const full = new LocalError('PENDING_BYTES_LIMIT', 'no room')
    link.onWritten = () => {
      throw full
    }
    const writes = [duplex.write('a'), duplex.write('b')]
    expect(await Promise.allSettled(writes)).toEqual(Array(2).fill({ status: 'rejected', reason: full }))
    link.onWritten = undefined
    await expect(duplex.write('c')).rejects.toBe(full)
    expect(hintsOf(link)).toEqual([Request | Upgrade, UploadPart])
    expect(link.closed).toBe(1)
  })

  it.each([
    ['a refusal', 'HTTP/1.1 426 No\r\ncontent-length: 0\r\n\r\n', 'UPGRADE_REFUSED'],
    ['a page', OK, 'UPGRADE_REFUSED'],
    ['another protocol', SWITCHED.replace('Echo', 'other'), 'PROTOCOL'],
    ['no protocol', 'HTTP/1.1 101 Switching Protocols\r\n\r\n', 'PROTOCOL'],
  ])('is not taken for one: %s', async (_, reply, code) => {
    const link = new FakeLink([reply])
    await expect(clientOf(link).upgrade('/', { protocol: 'echo' })).rejects.toMatchObject({ code })
    expect(link.closed).toBe(1)
  })
})

describe('a tunnel', () => {
  it('leads where it was asked to', async () => {
    const link = new FakeLink(['HTTP/1.1 200 Connection established\r\n\r\n', 'hello'])
    const duplex = await clientOf(link).tunnel('db.test:5432', { headers: { 'proxy-authorization': 'Basic eA==' } })
    expect(link.sent).toBe(
      'CONNECT db.test:5432 HTTP/1.1\r\nhost: db.test:5432\r\nproxy-authorization: Basic eA==\r\n\r\n',
    )
    expect(hintsOf(link)).toEqual([Request | Connect])
    await duplex.write(Buffer.alloc(100_000, 'x'))
    expect(hintsOf(link)).toEqual([Request | Connect, UploadPart, UploadPart])
    for await (const bytes of duplex) expect(String(bytes)).toBe('hello')
  })

  it('takes headers as every request does, but for its host', async () => {
    const link = new FakeLink(['HTTP/1.1 200 OK\r\n\r\n'])
    await clientOf(link).tunnel('a.test:1', { headers: { 'x-a': ['1', '2'], 'x-b': undefined, Host: 'b.test' } })
    expect(link.sent).toBe('CONNECT a.test:1 HTTP/1.1\r\nhost: a.test:1\r\nx-a: 1\r\nx-a: 2\r\n\r\n')
  })

  it('is refused with the status of the proxy', async () => {
    const link = new FakeLink(['HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n'])
    await expect(clientOf(link).tunnel('a.test:1')).rejects.toMatchObject({
      code: 'TUNNEL_REFUSED',
      fields: { status: 407 },
    })
  })
})
