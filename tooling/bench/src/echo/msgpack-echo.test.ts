/** The echo of msgpack-rpc, whose framing is our own: every value comes back as it was, however it arrives. */
import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { msgpackEcho } from './msgpack-echo.ts'

const server = msgpackEcho()
beforeAll(() => once(server.listen(0, '127.0.0.1'), 'listening'))
afterAll(() => server.close())

/** By what comes after the array of params has begun. */
const VALUES: Readonly<Record<string, string>> = {
  'nil, booleans and small numbers': '95c0c2c37fe0',
  'numbers of every size': '98cc80cdffffceffffffffcf0020000000000000d080d18000d280000000d38000000000000000',
  floats: '92ca3f800000cb3ff8000000000000',
  'texts of three sizes': `93a161d921${'61'.repeat(33)}da0101${'62'.repeat(257)}`,
  'bytes of two sizes': `92c40101c50101${'02'.repeat(257)}`,
  'a map of arrays of maps': '82a1619282a16101a162c090a16280',
}

test.each(Object.entries(VALUES))('%s', async (_, value) => {
  const request = Buffer.from(`9400cd0102a46563686f91${value}`, 'hex')
  const answer = `9401cd0102c0${value}`
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  // Whole, two at once, and cut in two at each byte.
  expect(await ask(socket, [request], answer.length / 2)).toBe(answer)
  expect(await ask(socket, [Buffer.concat([request, request])], answer.length)).toBe(answer.repeat(2))
  for (let cut = 1; cut < request.length; cut++) {
    expect(await ask(socket, [request.subarray(0, cut), request.subarray(cut)], answer.length / 2)).toBe(answer)
  }
  socket.destroy()
})

test('anything but a request with one param ends the connection', async () => {
  for (const wrong of ['9401000000', '94000090', '9400a0a09201']) {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    socket.write(Buffer.from(`${wrong}00`, 'hex'))
    await once(socket, 'close')
  }
})

/** Each piece is a segment of its own where the system lets it be: Nagle's rule is off. */
async function ask(socket: Socket, pieces: readonly Buffer[], bytes: number): Promise<string> {
  socket.setNoDelay(true)
  for (const piece of pieces) await new Promise<void>((resolve) => socket.write(piece, () => resolve()))
  let heard = Buffer.alloc(0)
  while (heard.length < bytes) heard = Buffer.concat([heard, (await once(socket, 'data'))[0] as Buffer])
  return heard.toString('hex')
}
