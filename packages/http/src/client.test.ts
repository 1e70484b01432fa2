/** What is sent for what was asked, byte by byte, and what callers are given for what comes back. */
import { describe, expect, it } from 'vitest'
import { cuts, FakeLink } from '../fixtures/link.ts'
import { type HttpClient, httpClient } from './client.ts'
import { RequestHint } from './codec/request.ts'
import { type HttpTarget, resolve } from './resolve.ts'

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'

function clientOf(link: FakeLink, target: Partial<HttpTarget> = {}): HttpClient {
  return httpClient(link, resolve({ origin: 'http://api.test', ...target }, {}).app)
}

/** What one request puts on the wire. */
async function sentBy(ask: (api: HttpClient) => Promise<unknown>, target: Partial<HttpTarget> = {}): Promise<string> {
  const link = new FakeLink(OK)
  await ask(clientOf(link, target))
  return link.sent
}

describe('a request', () => {
  it.each<[title: string, ask: (api: HttpClient) => Promise<unknown>, bytes: string]>([
    ['GET', (api) => api.get('/a?b=c'), 'GET /a?b=c HTTP/1.1\r\nhost: api.test\r\n\r\n'],
    ['HEAD', (api) => api.head('/'), 'HEAD / HTTP/1.1\r\nhost: api.test\r\n\r\n'],
    ['OPTIONS *', (api) => api.options('*'), 'OPTIONS * HTTP/1.1\r\nhost: api.test\r\n\r\n'],
    ['DELETE', (api) => api.delete('/a'), 'DELETE /a HTTP/1.1\r\nhost: api.test\r\n\r\n'],
    [
      'POST without a body, which says so',
      (api) => api.post('/'),
      'POST / HTTP/1.1\r\nhost: api.test\r\ncontent-length: 0\r\n\r\n',
    ],
    [
      'a method of another specification',
      (api) => api.request('PROPFIND', '/'),
      'PROPFIND / HTTP/1.1\r\nhost: api.test\r\n\r\n',
    ],
    [
      'text, as UTF-8',
      (api) => api.post('/', { body: 'ü' }),
      'POST / HTTP/1.1\r\nhost: api.test\r\ncontent-length: 2\r\n\r\n\xc3\xbc',
    ],
    [
      'bytes',
      (api) => api.put('/', { body: Uint8Array.of(1, 2) }),
      'PUT / HTTP/1.1\r\nhost: api.test\r\ncontent-length: 2\r\n\r\n\x01\x02',
    ],
    [
      'JSON',
      (api) => api.patch('/', { json: { a: 1 } }),
      'PATCH / HTTP/1.1\r\nhost: api.test\r\ncontent-type: application/json\r\ncontent-length: 7\r\n\r\n{"a":1}',
    ],
    [
      'JSON with a type of the caller’s',
      (api) => api.post('/', { json: 1, headers: { 'Content-Type': 'application/vnd.api+json' } }),
      'POST / HTTP/1.1\r\nhost: api.test\r\nContent-Type: application/vnd.api+json\r\ncontent-length: 1\r\n\r\n1',
    ],
    [
      'a form',
      (api) => api.post('/', { body: new URLSearchParams({ a: 'b c' }) }),
      'POST / HTTP/1.1\r\nhost: api.test\r\ncontent-type: application/x-www-form-urlencoded;charset=UTF-8\r\n' +
        'content-length: 5\r\n\r\na=b+c',
    ],
    [
      'headers as an object, with lists, spelled as given',
      (api) => api.get('/', { headers: { 'X-One': '1', cookie: ['a=1', 'b=2'], none: undefined } }),
      'GET / HTTP/1.1\r\nhost: api.test\r\nX-One: 1\r\ncookie: a=1\r\ncookie: b=2\r\n\r\n',
    ],
    [
      'headers as pairs',
      (api) => api.get('/', { headers: new Headers({ b: ' 2 ', a: '1' }) }),
      'GET / HTTP/1.1\r\nhost: api.test\r\na: 1\r\nb: 2\r\n\r\n',
    ],
    [
      'another host',
      (api) => api.get('/', { headers: { Host: 'other.test:81' } }),
      'GET / HTTP/1.1\r\nhost: other.test:81\r\n\r\n',
    ],
    [
      'the last on its connection',
      (api) => api.get('/', { headers: { connection: 'close' } }),
      'GET / HTTP/1.1\r\nhost: api.test\r\nconnection: close\r\n\r\n',
    ],
    [
      'a content-length that is right',
      (api) => api.post('/', { body: 'abc', headers: { 'content-length': '3' } }),
      'POST / HTTP/1.1\r\nhost: api.test\r\ncontent-length: 3\r\n\r\nabc',
    ],
  ])('%s', async (_, ask, bytes) => {
    expect(await sentBy(ask)).toBe(bytes)
  })

  it('has the headers of its target, unless it says otherwise', async () => {
    const headers = { Accept: 'text/plain', 'x-app': 'shop' }
    expect(await sentBy((api) => api.get('/'), { headers })).toBe(
      'GET / HTTP/1.1\r\nhost: api.test\r\nAccept: text/plain\r\nx-app: shop\r\n\r\n',
    )
    expect(await sentBy((api) => api.get('/', { headers: { accept: '*/*' } }), { headers })).toBe(
      'GET / HTTP/1.1\r\nhost: api.test\r\nx-app: shop\r\naccept: */*\r\n\r\n',
    )
  })

  it('sees that headers have changed, though their object has not', async () => {
    const link = new FakeLink(OK, OK, OK, OK)
    const api = clientOf(link)
    const headers: Record<string, string> = { a: '1', b: '2' }
    await api.get('/', { headers })
    headers['a'] = '3'
    await api.get('/', { headers })
    headers['c'] = '4'
    await api.get('/', { headers })
    await api.get('/', { headers: { a: '1', b: '2' } })
    expect(link.calls.map(({ bytes }) => bytes.slice('GET / HTTP/1.1\r\nhost: api.test\r\n'.length))).toEqual([
      'a: 1\r\nb: 2\r\n\r\n',
      'a: 3\r\nb: 2\r\n\r\n',
      'a: 3\r\nb: 2\r\nc: 4\r\n\r\n',
      'a: 1\r\nb: 2\r\n\r\n',
    ])
  })

  it('names the whole URL to a proxy, and who is asking', async () => {
    const proxy = 'http://me:se%3Acret@proxy.test:3128'
    const authorization = `proxy-authorization: Basic ${Buffer.from('me:se:cret').toString('base64')}\r\n`
    expect(await sentBy((api) => api.get('/a'), { proxy })).toBe(
      `GET http://api.test/a HTTP/1.1\r\nhost: api.test\r\n${authorization}\r\n`,
    )
    const headers = { 'x-a': ['1', '2'], 'x-b': undefined }
    expect(await sentBy((api) => api.get('/a'), { proxy, headers })).toBe(
      `GET http://api.test/a HTTP/1.1\r\nhost: api.test\r\nx-a: 1\r\nx-a: 2\r\n${authorization}\r\n`,
    )
    expect(await sentBy((api) => api.options('*'), { proxy })).toBe(
      `OPTIONS http://api.test HTTP/1.1\r\nhost: api.test\r\n${authorization}\r\n`,
    )
  })

  it('may be sent again where its method, or its caller, says so', async () => {
    const link = new FakeLink(...Array.from({ length: 9 }, () => OK))
    const api = clientOf(link)
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'POST', 'PATCH', 'LINK']) {
      await api.request(method, '/', { idempotent: method === 'POST' })
    }
    expect(link.calls.map(({ name, idempotent, access }) => [name, idempotent, access])).toEqual([
      ['GET', true, 'read'],
      ['HEAD', true, 'read'],
      ['OPTIONS', true, 'read'],
      ['TRACE', true, 'read'],
      ['PUT', true, 'write'],
      ['DELETE', true, 'write'],
      ['POST', false, 'write'],
      ['PATCH', false, 'write'],
      ['OTHER', false, 'write'],
    ])
    expect(link.calls[6]?.options?.idempotent).toBe(true)
  })

  it('stands behind others only where it is safe and the target says so', async () => {
    const link = new FakeLink(OK, OK, OK)
    const api = clientOf(link, { pipelining: 4 })
    await api.get('/route?x=1')
    await api.get('/route?x=2')
    await api.post('/route')
    const [first, second, post] = link.calls
    expect(first?.fingerprint).toBeGreaterThan(0)
    expect(second?.fingerprint).toBe(first?.fingerprint)
    expect([first?.opens, post?.opens, post?.fingerprint]).toEqual([false, true, 0])
    const alone = new FakeLink(OK)
    await clientOf(alone).get('/route')
    expect([alone.calls[0]?.opens, alone.calls[0]?.fingerprint]).toEqual([true, 0])
  })

  it('tells the I/O half what the bytes of the reply do not say', async () => {
    const link = new FakeLink(OK, OK, OK)
    const api = clientOf(link)
    await api.head('/')
    await api.get('/', { headers: { connection: 'close' } })
    await api.get('/', { onInformation: () => undefined })
    const { Request, Head, CloseAfter, Interim } = RequestHint
    expect(link.calls.map(({ hint }) => hint)).toEqual([Request | Head, Request | CloseAfter, Request | Interim])
  })
})

describe('what would break out of a request is refused, and nothing is sent', () => {
  it.each<[title: string, ask: (api: HttpClient) => Promise<unknown>]>([
    ['a line in the path', (api) => api.get('/a\r\nx: y')],
    ['a space in the path', (api) => api.get('/a HTTP/1.1')],
    ['a NUL in the path', (api) => api.get('/\0')],
    ['a tab in the path', (api) => api.get('/\t')],
    ['DEL in the path', (api) => api.get('/\x7f')],
    ['what is not ASCII in the path', (api) => api.get('/ü')],
    ['half a character in the path', (api) => api.get('/\ud800')],
    ['a character whose low byte ends a line', (api) => api.get('/\u010d\u010a')],
    ['a fragment', (api) => api.get('/a#b')],
    ['a path without its slash', (api) => api.get('a')],
    ['a whole URL', (api) => api.get('http://other.test/')],
    ['an authority', (api) => api.get('@other.test/')],
    ['no path', (api) => api.get('')],
    ['* for GET', (api) => api.get('*')],
    ['a path that is none', (api) => api.get(1 as never)],
    ['a line in the method', (api) => api.request('GET / HTTP/1.1\r\n\r\nGET', '/')],
    ['a space in the method', (api) => api.request('GET ', '/')],
    ['no method', (api) => api.request('', '/')],
    ['a method in small letters', (api) => api.request('get', '/')],
    ['CONNECT', (api) => api.request('CONNECT', '/')],
    ['a line in a value', (api) => api.get('/', { headers: { a: 'b\r\nc: d' } })],
    ['LF in a value', (api) => api.get('/', { headers: { a: 'b\nc' } })],
    ['CR in a value', (api) => api.get('/', { headers: { a: 'b\rc' } })],
    ['NUL in a value', (api) => api.get('/', { headers: { a: 'b\0c' } })],
    ['a character whose low byte is LF in a value', (api) => api.get('/', { headers: { a: '\u010a' } })],
    ['a line in one of a list', (api) => api.get('/', { headers: { a: ['b', 'c\r\n'] } })],
    ['a number for a value', (api) => api.get('/', { headers: { a: 1 as never } })],
    ['a colon in a name', (api) => api.get('/', { headers: { 'a:b': 'c' } })],
    ['a line in a name', (api) => api.get('/', { headers: { 'a\r\nb': 'c' } })],
    ['a space behind a name', (api) => api.get('/', { headers: { 'a ': 'c' } })],
    ['an empty name', (api) => api.get('/', { headers: { '': 'c' } })],
    ['a line in a pair', (api) => api.get('/', { headers: [['a', 'b\r\nc: d']] })],
    ['a pair of three', (api) => api.get('/', { headers: [['a', 'b', 'c'] as never] })],
    ['two hosts', (api) => api.get('/', { headers: { host: 'a.test', Host: 'b.test' } })],
    ['a host with a path', (api) => api.get('/', { headers: { host: 'a.test/x' } })],
    ['a host with a user', (api) => api.get('/', { headers: { host: 'a@b.test' } })],
    ['transfer-encoding', (api) => api.post('/', { body: 'a', headers: { 'Transfer-Encoding': 'chunked' } })],
    ['a content-length that is wrong', (api) => api.post('/', { body: 'abc', headers: { 'content-length': '2' } })],
    [
      'a content-length that is not that of a large body',
      (api) => api.post('/', { body: Buffer.alloc(300_000), headers: { 'content-length': '5' } }),
    ],
    [
      'a content-length that is not that of a Blob',
      (api) => api.post('/', { body: new Blob(['abc']), headers: { 'content-length': '2' } }),
    ],
    ['a content-length of no body', (api) => api.get('/', { headers: { 'content-length': '5' } })],
    ['a content-length that is none', (api) => api.post('/', { body: 'a', headers: { 'content-length': '+1' } })],
    ['two content-lengths', (api) => api.post('/', { body: 'a', headers: { 'content-length': ['1', '1'] } })],
    ['another connection', (api) => api.get('/', { headers: { connection: 'upgrade' } })],
    ['an upgrade by hand', (api) => api.get('/', { headers: { upgrade: 'websocket' } })],
    ['expect by hand', (api) => api.post('/', { body: 'a', headers: { expect: '100-continue' } })],
    ['te', (api) => api.get('/', { headers: { te: 'trailers' } })],
    ['an option that there is not', (api) => api.get('/', { header: {} } as never)],
    ['an option of a wrong type', (api) => api.get('/', { deadlineMs: '1' as never })],
    ['an argument too many', (api) => Reflect.apply(api.get, api, ['/', {}, 1]) as Promise<unknown>],
    ['two bodies', (api) => api.post('/', { body: 'a', json: 1 })],
    ['a body that is none', (api) => api.post('/', { body: 5 as never })],
    ['json that is none', (api) => api.post('/', { json: () => 1 })],
    ['trailers without a body', (api) => api.post('/', { trailers: { a: 'b' } })],
    ['a line in a trailer', (api) => api.post('/', { body: 'a', trailers: { a: 'b\r\n' } })],
    ['a length in a trailer', (api) => api.post('/', { body: 'a', trailers: { 'content-length': '1' } })],
    ['a line in a protocol', (api) => api.upgrade('/', { protocol: 'a\r\nb: c' })],
    ['no protocol', (api) => api.upgrade('/', {} as never)],
    ['a line in an authority', (api) => api.tunnel('a.test:1\r\nb: c')],
    ['an authority without its port', (api) => api.tunnel('a.test')],
    ['a path for an authority', (api) => api.tunnel('a.test:1/x')],
  ])('%s', async (_, ask) => {
    const link = new FakeLink()
    const refused = ask(clientOf(link))
    await expect(refused).rejects.toMatchObject({ name: 'LocalError', code: 'ARGUMENT', sent: 'no' })
    expect(link.calls).toEqual([])
    const { message } = (await refused.catch((error: unknown) => error)) as Error
    expect(message).not.toMatch(/[\r\n\0]/)
  })
})

const WHOLE =
  'HTTP/1.1 200 Very Good\r\nContent-Type: application/json\r\nset-cookie: a=1\r\nX-A: 1\r\nSet-Cookie: b=2\r\n' +
  'x-a: \t2 \r\ncontent-length: 11\r\n\r\n{"a":"\xc3\xbc"}\n'
const CHUNKED =
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n' +
  '5;a=b\r\nhello\r\nB\r\n, the world\r\n0\r\nX-Sum: 7\r\nset-cookie: t=1\r\n\r\n'

describe('a reply in one piece', () => {
  it('has status, headers in order, and a body that is whole', async () => {
    const { status, statusText, headers, trailers, body } = await clientOf(new FakeLink(WHOLE)).get('/')
    expect([status, statusText, body.isWhole]).toEqual([200, 'Very Good', true])
    expect([...headers]).toEqual([
      ['Content-Type', 'application/json'],
      ['set-cookie', 'a=1'],
      ['X-A', '1'],
      ['Set-Cookie', 'b=2'],
      ['x-a', '2'],
      ['content-length', '11'],
    ])
    expect([headers.get('x-A'), headers.get('set-cookie'), headers.get('none')]).toEqual(['1, 2', 'a=1', undefined])
    expect([headers.getAll('Set-Cookie'), headers.has('CONTENT-type'), headers.length]).toEqual([
      ['a=1', 'b=2'],
      true,
      6,
    ])
    expect(headers.toJSON()).toEqual({
      'content-type': 'application/json',
      'set-cookie': ['a=1', 'b=2'],
      'x-a': '1, 2',
      'content-length': '11',
    })
    expect(trailers.length).toBe(0)
    expect(await body.json()).toEqual({ a: 'ü' })
    expect(await body.text()).toBe('{"a":"ü"}\n')
    expect((await body.bytes()).toString('latin1')).toBe('{"a":"\xc3\xbc"}\n')
    const pieces: Buffer[] = []
    for await (const piece of body) pieces.push(piece)
    expect(Buffer.concat(pieces)).toEqual(await body.bytes())
    await body.close()
  })

  it('keeps a larger body as bytes', async () => {
    const text = 'x'.repeat(10_000)
    const { headers, body } = await clientOf(
      new FakeLink(`HTTP/1.1 200 OK\r\na: b\r\ncontent-length: 10000\r\n\r\n${text}`),
    ).get('/')
    expect([headers.get('a'), body.isWhole, await body.text()]).toEqual(['b', true, text])
  })

  it('in chunks', async () => {
    const { body, trailers } = await clientOf(new FakeLink(CHUNKED)).get('/')
    expect([body.isWhole, await body.text()]).toEqual([true, 'hello, the world'])
    expect([...trailers]).toEqual([
      ['X-Sum', '7'],
      ['set-cookie', 't=1'],
    ])
  })

  it('in chunks that are large', async () => {
    const data = 'x'.repeat(9_000)
    const reply = `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2328\r\n${data}\r\n0\r\n\r\n`
    expect(await (await clientOf(new FakeLink(reply)).get('/')).body.text()).toBe(data)
  })

  it.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n'],
    ['HEAD', 'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n'],
    ['GET', 'HTTP/1.1 204 \r\n\r\n'],
    ['GET', 'HTTP/1.1 200\r\n\r\n'],
  ])('without a body: %s, %j', async (method, reply) => {
    const { body, statusText, status } = await clientOf(new FakeLink(reply)).request(method, '/')
    expect((await body.bytes()).length).toBe(0)
    expect(statusText).toBe(status === 304 ? 'Not Modified' : status === 200 && method === 'HEAD' ? 'OK' : '')
    for await (const piece of body) throw new Error(`an empty body has no piece ${String(piece)}`)
  })

  it('shows what came before it', async () => {
    const seen: unknown[] = []
    const { status, body } = await clientOf(
      new FakeLink(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n${WHOLE}`),
    ).get('/', { onInformation: ({ status, headers }) => seen.push([status, headers.get('link')]) })
    expect(seen).toEqual([
      [100, undefined],
      [103, '</a.css>'],
    ])
    expect([status, await body.json()]).toEqual([200, { a: 'ü' }])
  })

  it('that is not JSON does not show what it is', async () => {
    const { body } = await clientOf(new FakeLink('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret')).get('/')
    await expect(body.json()).rejects.toMatchObject({ code: 'BODY_JSON', message: expect.not.stringMatching('secret') })
  })

  it('drops a byte order mark', async () => {
    const { body } = await clientOf(new FakeLink('HTTP/1.1 200 OK\r\n\r\n\xef\xbb\xbf{}')).get('/')
    expect([await body.text(), await body.json()]).toEqual(['{}', {}])
  })
})

describe('a reply in pieces', () => {
  it.each([
    ['with a length', WHOLE, '{"a":"ü"}\n'],
    ['in chunks', CHUNKED, 'hello, the world'],
    ['until the end', 'HTTP/1.0 200 OK\r\n\r\nall of it', 'all of it'],
    ['with 1xx before', `HTTP/1.1 103 Hints\r\n\r\n${CHUNKED}`, 'hello, the world'],
  ])('%s, at every cut', async (_, reply, text) => {
    for (const pieces of cuts(reply)) {
      const gathered = await clientOf(new FakeLink(pieces)).get('/')
      expect(await gathered.body.text()).toBe(text)
      const looped = await clientOf(new FakeLink(pieces)).get('/')
      const data: Buffer[] = []
      for await (const piece of looped.body) {
        expect(piece.length).toBeGreaterThan(0)
        data.push(piece)
      }
      expect(Buffer.concat(data).toString()).toBe(text)
      if (reply.endsWith(CHUNKED)) expect(looped.trailers.get('x-sum')).toBe('7')
    }
  })

  it('is read once, or gathered as often as one likes', async () => {
    const pieces = ['HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n', 'ab', 'cd']
    const { body } = await clientOf(new FakeLink(pieces)).get('/')
    expect([body.isWhole, await body.text(), (await body.bytes()).length]).toEqual([false, 'abcd', 4])
    await expect(body[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'BODY_USED' })
  })

  it('is gathered within bodyBytesMax, and given up beyond', async () => {
    const link = new FakeLink(['HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n', 'abc', 'def'])
    const { body } = await clientOf(link).get('/', { bodyBytesMax: 5 })
    await expect(body.bytes()).rejects.toMatchObject({ code: 'BODY_TOO_LARGE' })
    expect(link.streamsClosed).toBeGreaterThan(0)
  })

  it('is given up by who leaves the loop', async () => {
    const link = new FakeLink(['HTTP/1.1 200 OK\r\n\r\n', 'abc', 'def'])
    const { body } = await clientOf(link).get('/')
    for await (const _ of body) break
    expect(link.streamsClosed).toBeGreaterThan(0)
  })

  it('fails where the connection does', async () => {
    const link = new FakeLink(['HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n', 'abc', new Error('lost')])
    const { body } = await clientOf(link).get('/')
    await expect(body.bytes()).rejects.toThrow('lost')
  })

  it.each([
    ['a size that is none', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n'],
    ['a size beyond all bounds', `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${'f'.repeat(17)}\r\n`],
    ['data without its end', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n'],
    ['a size that ends in CR alone', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\rab\r\n0\r\n\r\n'],
    ['no last chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n'],
    ['something behind the last chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nx'],
  ])('of chunks is not believed: %s', async (_, reply) => {
    for (const pieces of cuts(reply)) {
      const response = clientOf(new FakeLink(pieces)).get('/')
      await expect(response.then(({ body }) => body.bytes())).rejects.toMatchObject({ code: 'PROTOCOL' })
    }
  })
})
