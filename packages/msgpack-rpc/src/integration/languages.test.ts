/** Peers of other languages and other libraries: Python and Ruby, on ports and sockets. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ExtData, type RpcClient } from '@iokernel/msgpack-rpc'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Language, type Program, startProgram } from '../../fixtures/program.ts'
import { inEveryMode } from '../../fixtures/world.ts'

const PEERS: readonly (readonly [language: Language, place: 'port' | 'socket'])[] = [
  ['python', 'port'],
  ['python', 'socket'],
  ['ruby', 'port'],
  ['ruby', 'socket'],
]

for (const [language, place] of PEERS) {
  inEveryMode(`${language} on a ${place}`, (world) => {
    let program: Program | undefined
    let folder: string | undefined
    let client: RpcClient
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'iokernel-rpc-'))
      const path = place === 'socket' ? join(folder, 'peer.sock') : undefined
      program = await startProgram(language, path)
      client = world.connect(path === undefined ? `msgpack-rpc://127.0.0.1:${program.port}` : `msgpack-rpc://${path}`)
    })
    afterAll(async () => {
      await client?.close()
      await program?.stop()
      if (folder !== undefined) await rm(folder, { recursive: true })
    })

    it('reads what we write, and we what it writes', async () => {
      const values = [
        [0, -1, 127, 128, -129, 2 ** 31, 2 ** 32, 2 ** 40, -(2 ** 40), Number.MAX_SAFE_INTEGER],
        [2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n)],
        [1.5, -0.1, 1e300, true, false, null, '', 'ü💡', 'x'.repeat(70_000)],
        { key: { nested: [[], {}] }, list: Array.from({ length: 300 }, (_, index) => index) },
        [new Uint8Array(0), new Uint8Array(300).fill(200)],
      ]
      for (const value of values) expect(await client.call('echo', [value])).toEqual([value])
      expect(await client.call('add', [2 ** 53 - 1, 2 ** 53 - 1])).toBe(2n ** 54n - 2n)
    })

    it('answers many calls at once', async () => {
      const calls = Array.from({ length: 500 }, (_, index) => client.call('add', [index, 1]))
      expect(await Promise.all(calls)).toEqual(calls.map((_, index) => index + 1))
    })

    it('says what went wrong', async () => {
      await expect(client.call('fail', ['on purpose'])).rejects.toMatchObject({
        code: 'CALL_FAILED',
        message: 'on purpose',
        error: 'on purpose',
        side: 'remote',
      })
      await expect(client.call('unheard_of')).rejects.toMatchObject({ error: 'no such method' })
    })

    it('notifies, and is notified', async () => {
      const news = client.on('news')
      await news.ready()
      expect(await client.call('tell', ['news', 3])).toBe(3)
      const events = [await news.next(), await news.next(), await news.next()]
      expect(events.map(({ value }) => value.params)).toEqual([[0], [1], [2]])
      await news.close()
      await client.notify('note', [1, 'two'])
      expect(await client.call('heard')).toContainEqual(['note', [1, 'two']])
    })

    it('calls back during our calls, as deep as one likes', async () => {
      const bounce = client.handle('bounce', async ([depth]) => await client.call<number>('bounce', [depth]))
      const fail = client.handle('fail', () => {
        throw { code: 5 }
      })
      await Promise.all([bounce.ready(), fail.ready()])
      expect(await Promise.all([client.call('bounce', [1]), client.call('bounce', [30])])).toEqual([1, 30])
      expect(await client.call('back', ['fail'])).toEqual([{ code: 5 }, null])
      expect(await client.call('back', ['unheard of'])).toEqual([expect.stringContaining('no such method'), null])
      await Promise.all([bounce.close(), fail.close()])
    })

    if (language === 'python') {
      it('keeps apart what is under way at once: calls, answers, notifications, what was given up', async () => {
        const bounce = client.handle('bounce', async ([depth]) => await client.call<number>('bounce', [depth]), {
          runningMax: 10_000,
        })
        const news = client.on('crowd')
        await Promise.all([bounce.ready(), news.ready()])
        const kinds = [
          async (index: number) => expect(await client.call('bounce', [index % 7])).toBe(index % 7),
          async (index: number) => {
            const text = 'x'.repeat((index * 37) % 20_000)
            expect(await client.call('echo', [index, text])).toEqual([index, text])
          },
          async () => expect(await client.call('tell', ['crowd', 5])).toBe(5),
          async (index: number) => await client.notify('note', [index]),
          async (index: number) => {
            const given = client.call('hold', [`never ${index}`], { deadlineMs: 20 })
            await expect(given).rejects.toMatchObject({ code: 'DEADLINE' })
          },
        ]
        const work = Array.from({ length: 1000 }, (_, index) => kinds[index % kinds.length]?.(index))
        await Promise.all(work)
        for (let told = 0; told < 200 * 5; told++) {
          expect((await news.next()).value).toEqual({ type: 'notification', method: 'crowd', params: [told % 5] })
        }
        await Promise.all([bounce.close(), news.close()])
      })

      it('answers out of order', async () => {
        const held = client.call('hold', ['a'])
        const order: string[] = []
        void held.then(() => order.push('held'))
        void (await client.call('add', [1, 1]).then(() => order.push('quick')))
        await client.call('release', ['a', 'value'])
        expect(await held).toBe('value')
        expect(order).toEqual(['quick', 'held'])
      })

      it('knows text from bytes, integers from floats, and extensions', async () => {
        const types = [
          ['text', 'str'],
          [new Uint8Array(1), 'bytes'],
          [2 ** 40, 'int'],
          [0.5, 'float'],
          [2n ** 63n, 'int'],
        ]
        for (const [value, type] of types) expect(await client.call('types', [value])).toBe(type)
        const extension = new ExtData(42, new Uint8Array([1, 2, 3]))
        expect(await client.call('extension', [42, extension.data])).toEqual(extension)
        expect(await client.call('echo', [extension])).toEqual([extension])
      })
    }
  })
}
