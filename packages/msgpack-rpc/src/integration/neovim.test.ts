/** Neovim: a peer that answers, notifies and asks. */

import { ExtData, ExtensionCodec, type RpcClient, RpcError } from '@iokernel/msgpack-rpc'
import { type Neovim, startNeovim } from '@iokernel/servers'
import { decode, encode } from '@msgpack/msgpack'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { inEveryMode, until } from '../../fixtures/world.ts'

for (const listen of ['unix', 'tcp'] as const) {
  inEveryMode(`Neovim on ${listen === 'tcp' ? 'a port' : 'a socket'}`, (world) => {
    let neovim: Neovim
    let client: RpcClient
    const target = () =>
      neovim.socketPath === undefined ? `msgpack-rpc://127.0.0.1:${neovim.port}` : `msgpack-rpc://${neovim.socketPath}`
    beforeAll(async () => {
      neovim = await startNeovim({ listen })
      client = world.connect(target())
    })
    afterAll(async () => {
      await client?.close()
      await neovim?.stop()
    })

    it('evaluates, in many calls at once', async () => {
      const calls = Array.from({ length: 200 }, (_, index) => client.call('nvim_eval', [`${index} * 2`]))
      expect(await Promise.all(calls)).toEqual(calls.map((_, index) => index * 2))
      expect(await client.call('nvim_eval', ['9223372036854775807'])).toBe(2n ** 63n - 1n)
      expect(await client.call('nvim_eval', ["{'a': [1.5, v:true, v:null, 'ü']}"])).toEqual({
        a: [1.5, true, null, 'ü'],
      })
    })

    it('takes numbers beyond 32 bits as integers', async () => {
      await client.call('nvim_set_var', ['big', 2 ** 40])
      expect(await client.call('nvim_eval', ['type(g:big) == v:t_number ? g:big : "none"'])).toBe(2 ** 40)
    })

    it('gives its API whole: 100 KB in one value', async () => {
      const [channel, api] = await client.call<[number, { functions: { name: string }[] }]>('nvim_get_api_info')
      expect(channel).toBeGreaterThan(0)
      expect(api.functions.map(({ name }) => name)).toContain('nvim_subscribe')
    })

    it('says what went wrong as [kind, text], of which the text is the message', async () => {
      const failed = client.call('nvim_eval', ['nosuchthing'])
      await expect(failed).rejects.toBeInstanceOf(RpcError)
      await expect(failed).rejects.toMatchObject({
        code: 'CALL_FAILED',
        message: expect.stringContaining('nosuchthing'),
        error: [expect.any(Number), expect.stringContaining('nosuchthing')],
      })
      await expect(client.call('no_such_method')).rejects.toMatchObject({
        message: expect.stringContaining('no_such_method'),
      })
    })

    it('notifies of what was subscribed to', async () => {
      const events = client.on('news')
      await events.ready()
      await client.call('nvim_subscribe', ['news'])
      await client.notify('nvim_command', ["call rpcnotify(0, 'news', 1, {'a': 'b'})"])
      expect((await events.next()).value).toEqual({ type: 'notification', method: 'news', params: [1, { a: 'b' }] })
      const channel = (await client.call<[number]>('nvim_get_api_info'))[0]
      const told = client.call('nvim_command', [`call rpcnotify(${channel}, 'news', 'direct')`])
      expect((await events.next()).value).toMatchObject({ params: ['direct'] })
      await told
      await events.close()
    })

    it('asks us during our call, and we it during that, and back again', async () => {
      const channel = (await client.call<[number]>('nvim_get_api_info'))[0]
      const handler = client.handle('factorial', async ([number]) => {
        if ((number as number) <= 1) return 1
        const below = await client.call<number>('nvim_eval', [
          `rpcrequest(${channel}, 'factorial', ${(number as number) - 1})`,
        ])
        return (number as number) * below
      })
      const fails = client.handle('fails', () => {
        throw new Error('no, says the handler')
      })
      await Promise.all([handler.ready(), fails.ready()])
      expect(await client.call('nvim_eval', [`rpcrequest(${channel}, 'factorial', 10)`])).toBe(3_628_800)
      await expect(client.call('nvim_eval', [`rpcrequest(${channel}, 'fails')`])).rejects.toThrow(
        'no, says the handler',
      )
      await expect(client.call('nvim_eval', [`rpcrequest(${channel}, 'unheard_of')`])).rejects.toThrow('no such method')
      await Promise.all([handler.close(), fails.close()])
    })

    it('has types of its own, which a codec may know', async () => {
      expect(await client.call('nvim_get_current_win')).toBeInstanceOf(ExtData)
      class Handle {
        readonly type: number
        readonly id: number
        constructor(type: number, id: number) {
          this.type = type
          this.id = id
        }
      }
      const extensionCodec = new ExtensionCodec()
      for (const type of [0, 1, 2]) {
        extensionCodec.register({
          type,
          encode: (value) => (value instanceof Handle && value.type === type ? encode(value.id) : null),
          // The data is a number in MessagePack.
          decode: (data) => new Handle(type, decode(data) as number),
        })
      }
      const knowing = world.connect({ url: target(), codec: { extensionCodec } })
      const buffer = await knowing.call<Handle>('nvim_create_buf', [true, true])
      expect(buffer).toBeInstanceOf(Handle)
      await knowing.call('nvim_buf_set_lines', [buffer, 0, -1, true, ['one', 'two']])
      expect(await knowing.call('nvim_buf_get_lines', [buffer, 0, -1, true])).toEqual(['one', 'two'])
      expect(await knowing.call('nvim_list_bufs')).toContainEqual(buffer)
      await knowing.close()
    })

    it('calls text what is none, and a codec may take it', async () => {
      const evaluated = ['"\\xff"'] as const
      await expect(client.call('nvim_eval', evaluated)).rejects.toThrow('rawStrings')
      const raw = world.connect({ url: target(), codec: { rawStrings: true } })
      expect(await raw.call('nvim_eval', evaluated)).toEqual(new Uint8Array([0xff]))
      await expect(raw.call('nvim_eval', ['nosuchthing'])).rejects.toThrow('nosuchthing')
      await raw.close()
    })

    it('keeps what is a connection’s on it: a session has a channel of its own', async () => {
      const shared = (await client.call<[number]>('nvim_get_api_info'))[0]
      await client.session(async (session) => {
        const own = (await session.call<[number]>('nvim_get_api_info'))[0]
        expect(own).not.toBe(shared)
      })
      expect((await client.call<[number]>('nvim_get_api_info'))[0]).toBe(shared)
    })

    it('is greeted, and probed, where the target says so', async () => {
      const greeting = { method: 'nvim_set_client_info', params: ['iokernel', {}, 'remote', {}, {}] }
      const greeted = world.connect(
        { url: target(), greeting, probe: { method: 'nvim_get_mode' } },
        { probeIntervalMs: 20 },
      )
      const names = "map(nvim_list_chans(), {_, channel -> get(get(channel, 'client', {}), 'name', '')})"
      expect(await greeted.call('nvim_eval', [names])).toContain('iokernel')
      // The monitor's own connection is greeted too.
      await until(async () => {
        const found = await greeted.call<string[]>('nvim_eval', [names])
        return found.filter((name) => name === 'iokernel').length > 1
      })
      await greeted.close()
      const refused = world.connect({ url: target(), greeting: { method: 'nvim_set_client_info', params: ['secret'] } })
      const failed = refused.call('nvim_eval', ['1'])
      await expect(failed).rejects.toMatchObject({ code: 'GREETING_REFUSED', sent: 'no' })
      await expect(failed).rejects.not.toThrow('secret')
      await refused.close({ deadlineMs: 100 })
    })
  })
}
