/** The client against a link whose other end is the test. */
import { LocalError } from '@iokernel/core/plugin'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FakeLink } from '../fixtures/link.ts'
import { bytes, failure, notification, request, result } from '../fixtures/messages.ts'
import { type RpcClient, rpcClient } from './client.ts'
import { RpcError } from './codec/errors.ts'
import { valueCodec } from './codec/values.ts'

function meet(...replies: readonly Uint8Array[]): { link: FakeLink; client: RpcClient } {
  const link = new FakeLink(...replies)
  return { link, client: rpcClient(link, valueCodec()) }
}

/** Methods as JavaScript may call them: with anything. */
function loose(client: RpcClient): Record<string, (...given: unknown[]) => unknown> {
  return client as unknown as Record<string, (...given: unknown[]) => unknown>
}

/** An error whose message is what nobody expects. */
function withMessage(message: unknown): Error {
  return Object.assign(new Error(), { message })
}

function explode(): never {
  throw new Error('looked at')
}

describe('a call', () => {
  it('is four elements, the id in five bytes', async () => {
    const { link, client } = meet(result(0, 3), result(0, null))
    expect(await client.call('add', [1, 2], { deadlineMs: 5, idempotent: true })).toBe(3)
    expect(await client.call('now')).toBe(null)
    expect(link.calls.map(({ bytes: hex }) => hex)).toEqual([
      '9400ce00000000a3616464920102',
      '9400ce00000000a36e6f7790',
    ])
    expect(link.calls[0]).toMatchObject({ name: 'add', hint: 1, options: { deadlineMs: 5, idempotent: true } })
  })

  it.each([
    ['a'.repeat(31), 'bf'],
    ['a'.repeat(32), 'd920'],
    ['a'.repeat(255), 'd9ff'],
    ['ü'.repeat(512), 'da0400'],
  ])('names its method by the shortest text: %s', async (method, head) => {
    const { link, client } = meet(result(0, 1))
    await client.call(method)
    expect(link.calls[0]?.bytes).toBe(`9400ce00000000${head}${Buffer.from(method).toString('hex')}90`)
  })

  it('throws what the peer says, as it was said', async () => {
    const errors = ['text', [0, 'of Neovim'], { code: 5, message: 'of others' }, 7, { a: new Uint8Array([1]) }]
    const { client } = meet(...errors.map((error) => failure(0, error)))
    const texts = ['text', 'of Neovim', 'of others', /see `error`/, /see `error`/]
    for (const [index, error] of errors.entries()) {
      const failed = client.call('f')
      await expect(failed).rejects.toThrow(texts[index])
      await expect(failed).rejects.toBeInstanceOf(RpcError)
      await expect(failed).rejects.toMatchObject({ error, code: 'CALL_FAILED', side: 'remote', sent: 'maybe' })
    }
  })

  it('has an error also where there is a result beside it', async () => {
    const { client } = meet(bytes('94 01 00 c3 01'))
    await expect(client.call('f')).rejects.toMatchObject({ error: true })
  })

  it('has a label for its method, and one for all that are no words, or too many', async () => {
    const { link, client } = meet(...Array.from({ length: 1030 }, () => result(0, 1)))
    await client.call('two words')
    for (let index = 0; index < 1024; index++) await client.call(`m${index}`)
    await client.call('m1')
    const names = link.calls.map(({ name }) => name)
    expect(names.slice(0, 3)).toEqual(['other', 'm0', 'm1'])
    expect(names.slice(-2)).toEqual(['other', 'm1'])
    expect(link.calls.at(-2)?.bytes).toContain(Buffer.from('m1023').toString('hex'))
  })

  it.each<[string, (client: ReturnType<typeof loose>) => unknown]>([
    ['no method', (c) => c['call']?.()],
    ['an empty method', (c) => c['call']?.('')],
    ['a method that is no text', (c) => c['call']?.(5, [])],
    ['a method of 1025 bytes', (c) => c['notify']?.('x'.repeat(1025))],
    ['params that are no array', (c) => c['call']?.('m', { a: 1 })],
    ['params that are text', (c) => c['notify']?.('m', 'text')],
    ['unknown options', (c) => c['call']?.('m', [], { timeout: 5 })],
    ['options in the place of params', (c) => c['call']?.('m', { deadlineMs: 5 })],
    ['null for options', (c) => c['notify']?.('m', [], null)],
    ['a fourth argument', (c) => c['call']?.('m', [], {}, 1)],
    ['what has no encoding', (c) => c['call']?.('m', [() => 1])],
    ['a handler that is none', async (c) => c['handle']?.('m', 5)],
    ['a handler for nothing', async (c) => c['handle']?.('', () => 1)],
    ['unknown options of a handler', async (c) => c['handle']?.('m', () => 1, { concurrency: 5 })],
    ['no handlers at once', async (c) => c['handle']?.('m', () => 1, { runningMax: 0 })],
    ['notifications of nothing', async (c) => c['on']?.()],
    ['unknown options of notifications', async (c) => c['on']?.('m', { buffer: 5 })],
    ['two names of notifications', async (c) => c['on']?.('m', 'n')],
    ['unknown options of a session', (c) => c['session']?.({ name: 5 })],
    ['a listener that is none', async (c) => c['onState']?.(5)],
  ])('is refused with %s, and nothing happens', async (_, act) => {
    const { link, client } = meet()
    await expect(act(loose(client))).rejects.toBeInstanceOf(LocalError)
    await expect(act(loose(client))).rejects.toMatchObject({ code: 'ARGUMENT', sent: 'no' })
    expect(link.calls).toEqual([])
    expect(link.interests.size).toBe(0)
  })
})

describe('a notification of ours', () => {
  it('is three elements, and answered by nothing', async () => {
    const { link, client } = meet()
    expect(await client.notify('news', [1, 'two'])).toBe(undefined)
    expect(link.calls).toEqual([
      expect.objectContaining({
        bytes: notification('news', 1, 'two').toString('hex'),
        name: 'news',
        answer: 'written',
        hint: 0,
        options: undefined,
      }),
    ])
  })
})

describe("the peer's notifications", () => {
  it('come in their order, whole, and end with the loop', async () => {
    const { link, client } = meet()
    const seen: unknown[] = []
    const news = client.on('news')
    await news.ready()
    link.push('n:news', notification('news', 1, new Uint8Array([5])))
    link.push('n:news', bytes('93 02 a4 6e657773 91 a1 ff'))
    link.interests.get('n:news')?.gap('reconnected')
    link.push('n:news', notification('news'))
    for await (const event of news) {
      seen.push(event)
      if (seen.length === 4) break
    }
    expect(seen).toEqual([
      { type: 'notification', method: 'news', params: [1, new Uint8Array([5])] },
      { type: 'unreadable', method: 'news', error: expect.objectContaining({ code: 'PROTOCOL' }) },
      { type: 'gap', reason: 'reconnected' },
      { type: 'notification', method: 'news', params: [] },
    ])
    expect(link.ended).toEqual(['n:news'])
  })

  it('are bounded, with a gap where some are missing', async () => {
    const { link, client } = meet()
    const news = client.on('news', { eventsMax: 2 })
    await news.ready()
    for (let index = 0; index < 5; index++) link.push('n:news', notification('news', index))
    const events = [await news.next(), await news.next(), await news.next()].map(({ value }) => value)
    expect(events).toMatchObject([{ params: [0] }, { params: [1] }, { type: 'gap', reason: 'overflow' }])
    await news.close()
  })
})

describe("the peer's requests", () => {
  async function handled(handler: Parameters<RpcClient['handle']>[1]): Promise<FakeLink> {
    const { link, client } = meet()
    const registration = client.handle('m', handler)
    await registration.ready()
    onTestFinished(() => registration.close())
    return link
  }

  it('are given params and method, and answered by their id', async () => {
    const link = await handled((params, { method }) => [method, ...params])
    for (const id of [0, 1, 127, 128, 256, 65_536, 0xffff_ffff]) {
      expect(await link.ask('r:m', request(id, 'm', 'x', 2))).toBe(result(id, ['m', 'x', 2]).toString('hex'))
    }
  })

  it.each<[string, () => unknown, unknown]>([
    ['an error, by its message', () => Promise.reject(new TypeError('went wrong')), 'went wrong'],
    ['an error without one, by its name', () => Promise.reject(new TypeError()), 'TypeError'],
    ['an error without text, by its name', () => Promise.reject(withMessage(undefined)), 'Error'],
    ['an error with nil for its text, by its name', () => Promise.reject(withMessage(null)), 'Error'],
    [
      'what cannot be looked at, in words',
      () => Promise.reject(new Proxy({}, { getPrototypeOf: explode })),
      'the handler failed and did not say why',
    ],
    ['text', () => Promise.reject('text'), 'text'],
    ['a value', () => Promise.reject({ code: 5 }), { code: 5 }],
    ['false', () => Promise.reject(false), false],
    ['an RpcError, by its value', () => Promise.reject(new RpcError([0, 'no'])), [0, 'no']],
    ['nothing, in words', () => Promise.reject(), 'the handler failed and did not say why'],
    [
      'an RpcError of nil, in words',
      () => Promise.reject(new RpcError(null)),
      'the handler failed and did not say why',
    ],
    [
      'what has no encoding, in words',
      () => Promise.reject(new Map()),
      'the handler failed, and what it threw has no encoding',
    ],
  ])('are answered with what the handler throws: %s', async (_, handler, error) => {
    const link = await handled(handler)
    expect(await link.ask('r:m', request(9, 'm'))).toBe(failure(9, error).toString('hex'))
  })

  it('are answered with what is thrown at once, too', async () => {
    const link = await handled(() => {
      throw new RangeError('at once')
    })
    expect(await link.ask('r:m', request(9, 'm'))).toBe(failure(9, 'at once').toString('hex'))
  })

  it('that cannot be read are answered, and the handler is not bothered', async () => {
    let called = 0
    const link = await handled(() => called++)
    expect(await link.ask('r:m', bytes('94 00 05 a1 6d 91 a1 ff'))).toBe(
      failure(5, 'a text that is no UTF-8: a codec with rawStrings gives its bytes').toString('hex'),
    )
    expect(called).toBe(0)
  })

  it('whose connection is gone are no trouble', async () => {
    const link = await handled(() => 1)
    await link.ask('r:m', request(1, 'm'), true)
    expect(await link.ask('r:m', request(2, 'm'))).toBe(result(2, 1).toString('hex'))
  })

  it('are taken until the registration is closed, and it may be closed before it is ready', async () => {
    const { link, client } = meet()
    const controller = new AbortController()
    link.silent = true
    const given = client.handle('m', () => 1)
    const aborted = client.handle('m', () => 1, { signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(aborted.ready()).rejects.toMatchObject({ code: 'ABORTED' })
    await Promise.all([given.close(), given.close(), aborted.close()])
    await expect(given.ready()).rejects.toMatchObject({ code: 'ABORTED' })
    link.silent = false
    await using registration = client.handle('m', () => 1)
    await registration.ready()
    await registration.close()
    expect(link.ended).toEqual(['r:m'])
  })
})

describe('a session', () => {
  it('has the calls of a client, and ends with its work', async () => {
    const { link, client } = meet(result(0, 1))
    expect(await client.session((session) => session.call('m'))).toBe(1)
    expect(link.closed).toBe(1)
    await expect(client.session(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
    expect(link.closed).toBe(2)
    const session = await client.session()
    await session.notify('n')
    expect(session.lost).toBe(false)
    await session[Symbol.asyncDispose]()
    expect(link.closed).toBe(3)
  })
})
