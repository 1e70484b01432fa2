/** The handshake: none, or a tunnel through a proxy; what the proxy may answer, and what nobody gets to see. */
import { byteByByte, Driver, playScript, whole } from '@iokernel/conformance'
import { IoKernelError, type Place, RefusedError } from '@iokernel/core/plugin'
import { describe, expect, test } from 'vitest'
import io, { type HttpIo, type HttpProxy } from './io.ts'
import { FRAMER_LIMITS } from './limits.ts'

const SECRET = 'Basic aHVudGVyOjI='
const TUNNEL: HttpProxy = { tunnelTo: 'api.example:443', authorization: undefined }

function optionsOf(proxy: HttpProxy | undefined): HttpIo {
  return { proxy, pipelining: 1, probe: undefined, limits: { ...FRAMER_LIMITS } }
}

function placeOf(encrypted: boolean): Place {
  return {
    side: 'client',
    purpose: 'lane',
    endpoint: { id: '192.0.2.1:3128', host: '192.0.2.1', port: 3128 },
    encrypted,
    credentials: undefined,
    random: (length) => new Uint8Array(length),
  }
}

/** What a proxy that answers `answer` to CONNECT makes of the handshake. */
function ask(
  answer: string,
  proxy: HttpProxy = TUNNEL,
  cut = whole,
): { outcome: unknown; sent: string; waiting: number } {
  const connection = io.connection(optionsOf(proxy), placeOf(false))
  const driver = new Driver(connection)
  const script = connection.handshake?.()
  if (script === undefined) throw new Error('an HTTP connection has a handshake')
  const { run } = playScript(driver, script, [{ sends: answer }], cut)
  return { outcome: run.outcome, sent: run.sent.toString('latin1'), waiting: driver.bytesWaiting }
}

describe('without a tunnel', () => {
  test.each([
    ['direct', undefined],
    ['proxy', { tunnelTo: undefined, authorization: SECRET }],
  ] as const)('nothing is said: %s', (via, proxy) => {
    const connection = io.connection(optionsOf(proxy), placeOf(false))
    const run = playScript(new Driver(connection), connection.handshake?.() as never, []).run
    expect(run.outcome).toEqual({ kind: 'finished', result: { via } })
    expect(run.sent).toHaveLength(0)
  })
})

describe('a tunnel', () => {
  test.each([whole, byteByByte])('is asked for, and TLS begins in it', (cut) => {
    for (const answer of [
      'HTTP/1.1 200 Connection established\r\n\r\n',
      'HTTP/1.0 200 OK\r\nProxy-Agent: x\r\n\r\n',
      'HTTP/1.1 204 \r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n',
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n',
    ]) {
      const connection = io.connection(optionsOf(TUNNEL), placeOf(false))
      const { run } = playScript(
        new Driver(connection),
        connection.handshake?.() as never,
        [
          { receives: 'CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n' },
          { sends: answer },
          { upgrades: '' },
        ],
        cut,
      )
      expect(run.outcome).toEqual({ kind: 'finished', result: { via: 'tunnel' } })
    }
  })

  test('carries the credentials to the proxy', () => {
    const { sent } = ask('HTTP/1.1 200 OK\r\n\r\n', { tunnelTo: '[::1]:443', authorization: SECRET })
    expect(sent).toBe(`CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\nProxy-Authorization: ${SECRET}\r\n\r\n`)
  })

  test('bytes behind the answer are not looked at: the kernel finds them where TLS should begin', () => {
    const { outcome, waiting } = ask('HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n')
    expect(outcome).toEqual({ kind: 'waiting', for: 'tls' })
    expect(waiting).toBe(19)
  })

  test.each([
    ['HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 5\r\n\r\nnope!', 'PROXY_407', true],
    ['HTTP/1.1 403 Forbidden\r\n\r\n', 'PROXY_403', true],
    ['HTTP/1.1 405 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'PROXY_405', true],
    ['HTTP/1.1 502 Bad Gateway\r\n\r\n<html>', 'PROXY_502', false],
    ['HTTP/1.1 503 Busy\r\n\r\n', 'PROXY_503', false],
    ['HTTP/1.1 302 Elsewhere\r\nLocation: /\r\n\r\n', 'PROXY_302', false],
    ['HTTP/1.1 101 Switching\r\nConnection: upgrade\r\n\r\n', 'PROTOCOL', false],
    ['HTTP/1.1 200 OK\nX: y\n\n', 'PROTOCOL', false],
    ['SSH-2.0-OpenSSH\r\n', 'PROTOCOL', false],
    [`${'HTTP/1.1 100 C\r\n\r\n'.repeat(40)}`, 'PROTOCOL', false],
  ])('is refused by %j', (answer, code, refused) => {
    for (const cut of [whole, byteByByte]) {
      const { outcome } = ask(answer, { ...TUNNEL, authorization: SECRET }, cut)
      expect(outcome).toMatchObject({ kind: 'failed', error: { code } })
      const { error } = outcome as { error: unknown }
      expect(error instanceof RefusedError).toBe(refused)
      expect(error instanceof IoKernelError && error.message.includes('aHVud')).toBe(false)
    }
  })

  test('through a proxy that is spoken to by TLS is refused: nothing would be encrypted inside it', () => {
    const connection = io.connection(optionsOf(TUNNEL), placeOf(true))
    const { run } = playScript(new Driver(connection), connection.handshake?.() as never, [])
    expect(run.outcome).toMatchObject({ kind: 'failed', error: { code: 'UNSUPPORTED' } })
    expect(run.sent).toHaveLength(0)
  })
})

describe('a reset', () => {
  test('has nothing to say', () => {
    const connection = io.connection(optionsOf(undefined), { ...placeOf(false), purpose: 'session' })
    const { run } = playScript(new Driver(connection, { purpose: 'session' }), connection.reset?.() as never, [])
    expect(run.outcome).toEqual({ kind: 'finished', result: undefined })
    expect(run.sent).toHaveLength(0)
  })
})
