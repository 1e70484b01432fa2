/**
 * The small parts of the application side: the call table, abort signals, the registry, the reasons to stay alive,
 * interests, and an environment without preloads.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, expect, test } from 'vitest'
import { callIdOf, SLOTS_MAX, slotOf } from '../channel/records.ts'
import { ByteWriter } from '../plugin/byte-writer.ts'
import type { Answer, AnyDiscovery, AnyProtocol, InterestHandler } from '../plugin/protocol.ts'
import { PLUGIN_API } from '../plugin/version.ts'
import { withSeed } from '../testing/random.ts'
import { Aborts } from './aborts.ts'
import { type Attachment, Numbered } from './attachment.ts'
import { InterestEntry, type PushRecord } from './interests.ts'
import { KeepAlive } from './keep-alive.ts'
import { UpstreamLink } from './link.ts'
import { Registry } from './registry.ts'
import { type CallSlot, CallSlots } from './slots.ts'
import { withoutPreloads } from './thread.ts'
import type { UpstreamEntry } from './upstream.ts'

describe('the call table', () => {
  test('gives no slot twice, and no id that a control record carries', async () => {
    await withSeed((random) => {
      const slots = new CallSlots(40)
      const taken = new Map<number, CallSlot>()
      for (let step = 0; step < 200_000; step++) {
        if (random.chance(0.5)) {
          const call = slots.take()
          expect(call === undefined).toBe(taken.size === 40)
          if (call === undefined) continue
          if (taken.has(call.slot) || call.id === 0) throw new Error(`slot ${call.slot} is taken, or its id is 0`)
          if (slotOf(call.id) !== call.slot || callIdOf(call.slot, call.generation) !== call.id)
            throw new Error('other id')
          taken.set(call.slot, call)
        } else if (taken.size > 0) {
          const call = random.pick([...taken.values()])
          const { id } = call
          if (slots.find(id) !== call) throw new Error('a taken call is found')
          if (call.waiting) slots.settle(call)
          if (random.chance(0.5)) continue
          slots.free(call)
          taken.delete(call.slot)
          if (slots.find(id) !== undefined) throw new Error('a free one is not')
        }
      }
      expect(slots.taken).toBe(taken.size)
      expect([...slots.all()]).toHaveLength(taken.size)
    })
  })

  test('finds no call by an older generation of its slot', () => {
    const slots = new CallSlots(1)
    const seen: number[] = []
    for (let count = 0; count < 10_000; count++) {
      const call = slots.take() as CallSlot
      for (const id of seen.slice(-4_000)) if (id !== call.id) expect(slots.find(id)).toBeUndefined()
      seen.push(call.id)
      slots.settle(call)
      slots.free(call)
      if (count > 50 && count < 9_990) seen.length = Math.min(seen.length, 40)
    }
  })

  test('holds every slot that an id can name', () => {
    expect(slotOf(callIdOf(SLOTS_MAX - 1, 0xfff))).toBe(SLOTS_MAX - 1)
    expect(slotOf(callIdOf(0, 0xfff))).toBe(0)
  })

  test('settles once, frees what is settled, and drops what it held', () => {
    const slots = new CallSlots(5)
    const call = slots.take() as CallSlot
    expect(() => slots.free(call)).toThrow(/invariant broken/)
    Object.assign(call, { args: 'secret', options: {}, pieces: [] })
    slots.settle(call)
    expect(() => slots.settle(call)).toThrow(/invariant broken/)
    expect([call.args, call.options, call.resolve, call.pieces].filter((each) => each !== undefined)).toEqual([])
    slots.free(call)
    expect(() => slots.free(call)).toThrow(/invariant broken/)
  })
})

describe('abort signals', () => {
  test('have one listener however many calls share them, and none when the last is settled', () => {
    const seen: number[] = []
    const aborts = new Aborts((callId) => seen.push(callId))
    const controller = new AbortController()
    let listeners = 0
    const { addEventListener, removeEventListener } = controller.signal
    Object.assign(controller.signal, {
      addEventListener: (...given: Parameters<typeof addEventListener>) => {
        listeners++
        addEventListener.apply(controller.signal, given)
      },
      removeEventListener: (...given: Parameters<typeof removeEventListener>) => {
        listeners--
        removeEventListener.apply(controller.signal, given)
      },
    })
    for (let callId = 1; callId <= 50; callId++) aborts.add(controller.signal, callId)
    expect(listeners).toBe(1)
    for (let callId = 1; callId <= 49; callId++) aborts.remove(controller.signal, callId)
    expect(listeners).toBe(1)
    aborts.remove(controller.signal, 50)
    expect(listeners).toBe(0)
    aborts.add(controller.signal, 51)
    controller.abort()
    expect(seen).toEqual([51])
  })

  test('abort every call that shares them, but those that the abort of another one has settled', () => {
    const seen: number[] = []
    const controller = new AbortController()
    const aborts = new Aborts((callId) => {
      seen.push(callId)
      aborts.remove(controller.signal, callId)
      if (callId === 1) aborts.remove(controller.signal, 2)
    })
    for (const callId of [1, 2, 3]) aborts.add(controller.signal, callId)
    controller.abort()
    expect(seen).toEqual([1, 3])
  })
})

describe('the registry', () => {
  const io = new URL('file:///x/io.js')
  const good = { kind: 'protocol', name: 'good', api: PLUGIN_API, io } as unknown as AnyProtocol
  const found = { kind: 'discovery', name: 'found', api: PLUGIN_API, io, options: { a: 1 } } as unknown as AnyDiscovery

  test('knows what the I/O thread has to load, and where a bundler put it', () => {
    const registry = new Registry([good], [found], { found: 'file:///bundle/found.js' })
    expect(registry.modules).toEqual([
      { kind: 'protocol', name: 'good', href: 'file:///x/io.js', options: undefined },
      { kind: 'discovery', name: 'found', href: 'file:///bundle/found.js', options: { a: 1 } },
    ])
    expect(structuredClone(registry.modules)).toEqual(registry.modules)
    registry.assertRegistered({ name: 'good' })
    expect(() => registry.assertRegistered({ name: 'other' })).toThrow(/createKernel\({ protocols: \[good, other\] }\)/)
    expect(() => registry.assertRegistered(undefined as never)).toThrow(/not registered/)
    expect(() => registry.assertRegistered({ name: 'found' })).toThrow(/not registered/)
  })

  test.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /a plugin is undefined/],
    ['a function', () => undefined, /createKernel/],
    ['an object that is no plugin', { name: 'x' }, /'x' is no plugin/],
    ['another contract', { ...good, name: 'old', api: 99 }, /'old' was written for contract 99.*install/],
    ['no contract at all', { ...good, name: 'none', api: undefined }, /contract undefined/],
    ['a name that is taken', { ...good }, /two plugins are called 'good'/],
    ['a name of our own', { ...found, name: 'dns' }, /two plugins are called 'dns'/],
    ['no I/O half', { ...good, name: 'half', io: './io.js' }, /'half' names no I\/O half.*import\.meta\.url/],
  ])('refuses %s, with the line to write', (_what, plugin, message) => {
    expect(() => new Registry([good, plugin as AnyProtocol], [], {})).toThrow(message)
  })

  test('reports every mistake at once', () => {
    const broken = [undefined, { name: 'x' }, { ...good, name: 'old', api: 0 }] as unknown as AnyProtocol[]
    try {
      new Registry(broken, [], {})
      expect.unreachable()
    } catch (error) {
      expect(error).toMatchObject({ code: 'PLUGIN_REGISTRATION', side: 'local' })
      expect((error as Error).message.split('\n')).toHaveLength(3)
    }
  })
})

describe('the process stays alive', () => {
  function handle() {
    const handle = { refs: 0, ref: () => void handle.refs++, unref: () => void handle.refs-- }
    return handle
  }

  test('while there is a reason, however many there are, and over a change of the handle', async () => {
    const keepAlive = new KeepAlive()
    const first = handle()
    keepAlive.use(first)
    keepAlive.add()
    keepAlive.add()
    keepAlive.remove()
    expect(first.refs).toBe(1)
    const second = handle()
    keepAlive.use(second)
    expect([first.refs, second.refs]).toEqual([0, 1])
    keepAlive.remove()
    expect(second.refs).toBe(0)
    expect(() => keepAlive.remove()).toThrow(/invariant broken/)
    await expect(keepAlive.during(Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await keepAlive.during(Promise.resolve(5))).toBe(5)
    expect(second.refs).toBe(0)
  })

  test('without a handle reasons are kept for the next one', () => {
    const keepAlive = new KeepAlive()
    keepAlive.add()
    const late = handle()
    keepAlive.use(late)
    expect(late.refs).toBe(1)
    keepAlive.use(undefined)
    expect(late.refs).toBe(0)
    keepAlive.remove()
  })
})

describe('an interest of this thread', () => {
  function entry() {
    const seen: string[] = []
    const handler: InterestHandler = {
      push: ({ bytes, start, end }) => seen.push(bytes.toString('utf8', start, end)),
      gap: (reason) => seen.push(`gap ${reason}`),
      failed: (error) => seen.push(`failed ${error.message}`),
    }
    const made = new InterestEntry(1, 'news', handler, unanswered)
    return { made, seen }
  }

  const said = (more: boolean): PushRecord => ({ facts: null, more, asks: false, connection: 7 })
  const unanswered = (): Answer => () => Promise.reject(new Error('nothing was asked'))

  const bytes = Buffer.from('--whole--')

  test('puts a push that came in pieces together, and drops half a one at a gap', () => {
    const { made, seen } = entry()
    made.push({ bytes, start: 2, end: 4 }, said(true))
    made.push({ bytes, start: 4, end: 5 }, said(true))
    made.push({ bytes, start: 5, end: 7 }, said(false))
    made.push({ bytes, start: 2, end: 4 }, said(true))
    made.gap('overflow')
    made.push({ bytes, start: 2, end: 7 }, said(false))
    expect(seen).toEqual(['whole', 'gap overflow', 'whole'])
  })

  test('hears nothing after its end, and its failure is the last it hears', async () => {
    const { made, seen } = entry()
    made.fail(new Error('refused'))
    made.push({ bytes, start: 2, end: 7 }, said(false))
    made.gap('reconnected')
    made.fail(new Error('again'))
    await expect(made.confirmed).rejects.toThrow('refused')
    await made.ended
    expect(seen).toEqual(['failed refused'])
    const closed = entry()
    closed.made.end()
    closed.made.push({ bytes, start: 2, end: 7 }, said(false))
    closed.made.fail(new Error('late'))
    expect(closed.seen).toEqual([])
  })

  test('is called in the context of the one who asked', () => {
    const storage = new AsyncLocalStorage<string>()
    const seen: unknown[] = []
    const made = storage.run(
      'asker',
      () =>
        new InterestEntry(
          1,
          'k',
          { push: () => seen.push(storage.getStore()), gap: () => undefined, failed: () => undefined },
          unanswered,
        ),
    )
    storage.run('somebody else', () => made.push({ bytes, start: 0, end: 1 }, said(false)))
    expect(seen).toEqual(['asker'])
  })

  test('answers a request of the peer once, over the connection that it came over', async () => {
    const written: string[] = []
    let answer: Answer | undefined
    const handler: InterestHandler = {
      push: () => undefined,
      request: (_frame, _facts, given) => {
        answer = given
      },
      gap: () => undefined,
      failed: () => undefined,
    }
    const made = new InterestEntry(1, 'sum', handler, (connection) => async (encode) => {
      const out = new ByteWriter()
      encode(out)
      written.push(`${connection}:${out.written()}`)
    })
    expect(made.answers).toBe(true)
    made.push({ bytes, start: 2, end: 7 }, { facts: null, more: false, asks: true, connection: 7 })
    await answer?.((out) => out.ascii('three'))
    expect(written).toEqual(['7:three'])
    expect(() => answer?.((out) => out.ascii('four'))).toThrow(/once/)
    made.end()
    made.push({ bytes, start: 2, end: 7 }, { facts: null, more: false, asks: true, connection: 8 })
    await answer?.((out) => out.ascii('last'))
    expect(written).toEqual(['7:three', '8:last'])
  })

  test('does not answer over a connection that has the same number in a later I/O thread', async () => {
    const written: string[] = []
    const exchangeOf = (name: string) => ({
      control: () => undefined,
      call: async () => void written.push(name),
    })
    const interests = new Numbered<InterestEntry>()
    const attachment = { exchange: exchangeOf('old'), interests, keepAlive: new KeepAlive() }
    const upstream = {
      target: 1,
      assertOpen: () => undefined,
      waitFor: async () => undefined,
      configuration: { limits: {} },
    }
    const link = new UpstreamLink(attachment as unknown as Attachment, upstream as unknown as UpstreamEntry)
    const answers: Answer[] = []
    const request: InterestHandler['request'] = (_frame, _facts, answer) => answers.push(answer)
    await link.interest('sum', { request, gap: () => undefined, failed: () => undefined })
    const [[, made]] = [...interests] as [[number, InterestEntry]]
    const ask = () => made.push({ bytes, start: 2, end: 7 }, { facts: null, more: false, asks: true, connection: 7 })
    ask()
    ask()
    await answers[0]?.(() => undefined)
    attachment.exchange = exchangeOf('new')
    await expect(answers[1]?.(() => undefined)).rejects.toMatchObject({ code: 'CONNECTION_LOST', sent: 'no' })
    ask()
    await answers[2]?.(() => undefined)
    expect(written).toEqual(['old', 'new'])
  })
})

test.each([
  '--import ./a.js',
  '"--require" "/with space/a.cjs"',
  '--import=./a.js --openssl-legacy-provider --title=x',
])('NODE_OPTIONS %j is not for the worker', (given) => {
  expect(withoutPreloads({ NODE_OPTIONS: given, PATH: '/bin' })).toEqual({ PATH: '/bin' })
})

test('an environment without NODE_OPTIONS is left as it is', () => {
  expect(withoutPreloads({ PATH: '/bin' })).toEqual({ PATH: '/bin' })
})
