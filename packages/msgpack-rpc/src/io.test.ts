/** The I/O half: where ids go, whose a push is, and what is said to requests that nobody takes. */
import { ByteWriter, type Connection, type Place } from '@iokernel/core/plugin'
import { describe, expect, it } from 'vitest'
import { bytes, notification, request, result } from '../fixtures/messages.ts'
import { Hint } from './codec/request.ts'
import io from './io.ts'
import { keyOf } from './push.ts'
import { resolve } from './resolve.ts'

const PLACE: Place = {
  side: 'client',
  purpose: 'lane',
  endpoint: { id: '192.0.2.1:7', host: '192.0.2.1', port: 7 },
  encrypted: false,
  credentials: undefined,
  random: (length) => new Uint8Array(length),
}

const CALL = bytes('94 00 ce 00000000 a3 616464 92 01 02')

function connection(
  target: Parameters<typeof resolve>[0] = 'msgpack-rpc://a:1',
  place: Partial<Place> = {},
): Connection {
  return io.connection(resolve(target).io, { ...PLACE, ...place })
}

function submitted(payload: Uint8Array, hint: number, wireId: number, before = ''): string {
  const out = new ByteWriter(8)
  out.ascii(before)
  connection().submit?.(payload, hint, wireId, out)
  return out.written().toString('hex', before.length)
}

describe('a request', () => {
  it.each([
    [1, '00000001'],
    [0, '00000000'],
    [0xffff_ffff, 'ffffffff'],
    [0x8000_0000, '80000000'],
  ])('carries the id %i in four bytes, wherever it is written', (id, hex) => {
    const wanted = CALL.toString('hex').replace('00000000', hex)
    for (const before of ['', 'x', 'neighbours that were written before it']) {
      expect(submitted(CALL, Hint.Call, id, before)).toBe(wanted)
    }
    expect(CALL.toString('hex')).toContain('ce00000000')
  })

  it('that is silent goes out as it is', () => {
    expect(submitted(notification('n', 1), Hint.AsIs, 0)).toBe(notification('n', 1).toString('hex'))
  })
})

describe('what comes unasked', () => {
  const route = (message: Buffer) =>
    connection().route?.(Buffer.concat([Buffer.alloc(3), message]), 3, 3 + message.length)

  it('belongs to its method, notifications and requests apart', () => {
    expect(route(notification('news'))).toEqual({ key: 'n:news', kind: 'message' })
    expect(route(request(5, 'news'))).toEqual({ key: 'r:news', kind: 'message' })
    expect(route(bytes('93 02 c4 04 6e657773 90'))).toEqual({ key: 'n:news', kind: 'message' })
    expect(route(notification('größe'))?.key).toBe(keyOf('notification', 'größe'))
    expect(route(result(1, 'x'))).toEqual({ key: undefined, kind: 'message' })
  })

  it.each([0, 127, 128, 255, 256, 65_535, 65_536, 0xffff_ffff])('is refused by its id: %i', (id) => {
    const out = new ByteWriter(0)
    const message = request(id, 'm', 'x'.repeat(100))
    connection().refuse?.(message, 0, message.length, out)
    const answer = Buffer.from(out.written())
    expect(answer.subarray(0, -1 - 84)).toEqual(result(id, null).subarray(0, -2))
    expect(answer.toString()).toContain('no such method')
    expect(answer.at(-1)).toBe(0xc0)
  })
})

describe('a connection', () => {
  it('has a probe where the target names one, and only that', () => {
    expect(connection().probe).toBeUndefined()
    expect(connection({ url: 'msgpack-rpc://a:1', probe: { method: 'ping' } }).probe).toBeTypeOf('function')
  })

  it('that was accepted reads both ways, and greets nobody', () => {
    const target = { url: 'msgpack-rpc://a:1', greeting: { method: 'hello' }, probe: { method: 'ping' } }
    const accepted = connection(target, { side: 'server' })
    expect(accepted.handshake?.().next()).toEqual({ done: true, value: undefined })
    expect(accepted.probe).toBeUndefined()
  })
})
