/**
 * Names watched by DNS, against a real name server on loopback that says what the test wants: times to live, search
 * list, hosts file, blips, rotation, both families, several names.
 */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decode, encode, type Packet } from 'dns-packet'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Endpoint } from '../plugin/discovery.ts'
import { type DnsSettings, dnsDiscovery } from './dns.ts'

interface Zone {
  A?: string[]
  AAAA?: string[]
  ttl?: number
  rcode?: 'SERVFAIL' | 'REFUSED'
  /** Only questions of this type get the code. */
  rcodeOf?: 'A' | 'AAAA'
  silent?: boolean
  delayMs?: number
}

class NameServer {
  readonly zones = new Map<string, Zone>()
  readonly asked: { readonly name: string; readonly type: string; readonly atMs: number }[] = []
  #socket: Socket = createSocket('udp4')
  #heard: () => void = () => undefined
  #closed = false

  async listen(): Promise<void> {
    this.#socket.on('message', (bytes, from) => {
      const packet = decode(bytes)
      const question = packet.questions?.[0]
      if (question === undefined) return
      const name = question.name.toLowerCase()
      this.asked.push({ name, type: question.type, atMs: performance.now() })
      const zone = this.zones.get(name)
      const answer = (): void => {
        // A late answer may come after the last test.
        if (!this.#closed) this.#socket.send(encode(answerTo(packet, zone)), from.port, from.address)
      }
      if (zone?.silent !== true) setTimeout(answer, zone?.delayMs ?? 0)
      this.#heard()
    })
    this.#socket.bind(0, '127.0.0.1')
    await once(this.#socket, 'listening')
  }

  get at(): string {
    return `127.0.0.1:${this.#socket.address().port}`
  }

  /** Resolves when the name has been asked for so many times (its A records). */
  async heard(name: string, times: number): Promise<void> {
    const count = (): number => this.asked.filter((each) => each.name === name && each.type === 'A').length
    while (count() < times) {
      await new Promise<void>((resolve) => {
        this.#heard = resolve
      })
    }
  }

  reset(): void {
    this.zones.clear()
    this.asked.length = 0
  }

  close(): void {
    this.#closed = true
    this.#socket.close()
  }
}

const RCODES = { SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 }

function answerTo(packet: Packet, zone: Zone | undefined): Packet {
  const [question] = packet.questions ?? []
  const fails = zone?.rcode !== undefined && (zone.rcodeOf ?? question?.type) === question?.type
  const rcode = zone === undefined ? RCODES.NXDOMAIN : fails ? RCODES[zone.rcode as 'REFUSED'] : 0
  const type = question?.type === 'AAAA' ? 'AAAA' : 'A'
  const addresses = rcode === 0 && (question?.type === 'A' || question?.type === 'AAAA') ? (zone?.[type] ?? []) : []
  return {
    type: 'response',
    id: packet.id ?? 0,
    flags: 0x0180 | rcode,
    questions: packet.questions ?? [],
    answers: addresses.map((data) => ({ type, name: question?.name ?? '', ttl: zone?.ttl ?? 0, data })),
  }
}

const server = new NameServer()
let folder = ''
let watches: AbortController[] = []

beforeAll(async () => {
  await server.listen()
  folder = await mkdtemp(join(tmpdir(), 'iokernel-dns-'))
})
afterEach(() => {
  for (const watch of watches) watch.abort()
  watches = []
  server.reset()
})
afterAll(async () => {
  server.close()
  await rm(folder, { recursive: true })
})

interface Watch {
  readonly troubles: string[]
  next(): Promise<readonly string[]>
  /** The next set, with everything that is known of its members. */
  whole(): Promise<readonly Endpoint[]>
  stop(): void
}

async function watch(
  target: string,
  settings: Partial<DnsSettings> & { hosts?: string; resolv?: string } = {},
): Promise<Watch> {
  const hostsFile = join(folder, `hosts-${watches.length}`)
  const resolvConf = join(folder, `resolv-${watches.length}`)
  await writeFile(hostsFile, settings.hosts ?? '')
  await writeFile(resolvConf, settings.resolv ?? '')
  const controller = new AbortController()
  watches.push(controller)
  const troubles: string[] = []
  const discovery = dnsDiscovery({
    servers: [server.at],
    hostsFile,
    resolvConf,
    ttlMinMs: 30,
    ttlMaxMs: 60_000,
    randomUnit: () => 0,
    onTrouble: (reason) => troubles.push(reason),
    ...settings,
  })
  const iterator = discovery
    .watch(target, undefined, { signal: controller.signal, portDefault: 7 })
    [Symbol.asyncIterator]()
  const whole = async (): Promise<readonly Endpoint[]> => {
    const { value, done } = await iterator.next()
    if (done === true) throw new Error('the watch has ended')
    return value
  }
  return { troubles, whole, next: async () => (await whole()).map(({ id }) => id), stop: () => controller.abort() }
}

test('a name becomes its addresses with the port of the target, IPv4 before IPv6', async () => {
  server.zones.set('cache.test', { A: ['10.0.0.2', '10.0.0.1'], AAAA: ['fd00::1'], ttl: 60 })
  const { whole } = await watch('cache.test:6379')
  expect(await whole()).toEqual([
    { id: '10.0.0.1:6379', host: '10.0.0.1', port: 6379, name: 'cache.test' },
    { id: '10.0.0.2:6379', host: '10.0.0.2', port: 6379, name: 'cache.test' },
    { id: '[fd00::1]:6379', host: 'fd00::1', port: 6379, name: 'cache.test' },
  ])
})

test("the port is the protocol's default where the target has none; numeric addresses are not asked for", async () => {
  expect(await (await watch('10.1.1.1')).next()).toEqual(['10.1.1.1:7'])
  expect(await (await watch('[fd00::2]:9')).next()).toEqual(['[fd00::2]:9'])
  expect(await (await watch('/run/x.sock')).next()).toEqual(['/run/x.sock'])
  expect(server.asked).toEqual([])
})

describe('a change', () => {
  test('is noticed when the time to live is over, and yields the whole new set', async () => {
    server.zones.set('cache.test', { A: ['10.0.0.1'], ttl: 0 })
    const { next } = await watch('cache.test')
    expect(await next()).toEqual(['10.0.0.1:7'])
    server.zones.set('cache.test', { A: ['10.0.0.1', '10.0.0.2'], ttl: 0 })
    expect(await next()).toEqual(['10.0.0.1:7', '10.0.0.2:7'])
    server.zones.set('cache.test', { AAAA: ['fd00::9'], ttl: 0 })
    expect(await next()).toEqual(['[fd00::9]:7'])
  })

  test('of the order is none: servers rotate their answers', async () => {
    server.zones.set('cache.test', { A: ['10.0.0.1', '10.0.0.2', '10.0.0.3'], ttl: 0 })
    const { next } = await watch('cache.test')
    await next()
    const following = next()
    for (const A of [
      ['10.0.0.2', '10.0.0.3', '10.0.0.1'],
      ['10.0.0.3', '10.0.0.1', '10.0.0.2', '10.0.0.1'],
    ]) {
      const asked = server.asked.filter(({ type }) => type === 'A').length
      server.zones.set('cache.test', { A, ttl: 0 })
      await server.heard('cache.test', asked + 2)
    }
    server.zones.set('cache.test', { A: ['10.0.0.4'], ttl: 0 })
    expect(await following).toEqual(['10.0.0.4:7'])
  })

  test('in the hosts file is noticed too', async () => {
    const { next } = await watch('cache.test', { hosts: '10.5.5.5 cache.test' })
    expect(await next()).toEqual(['10.5.5.5:7'])
    await writeFile(join(folder, 'hosts-0'), '10.6.6.6 cache.test')
    expect(await next()).toEqual(['10.6.6.6:7'])
    expect(server.asked).toEqual([])
  })
})

describe('the time to live', () => {
  test('has a floor: an answer of 0 is not asked for again at once', async () => {
    server.zones.set('cache.test', { A: ['10.0.0.1'], ttl: 0 })
    const { next } = await watch('cache.test', { ttlMinMs: 120 })
    await next()
    await server.heard('cache.test', 4)
    const times = server.asked.filter(({ type }) => type === 'A').map(({ atMs }) => atMs)
    const waits = times.slice(1).map((atMs, index) => atMs - (times[index] as number))
    // Jitter makes it up to a tenth earlier.
    for (const wait of waits) expect(wait).toBeGreaterThan(120 * 0.9 - 5)
  })

  test('has a ceiling: an answer of a day is asked for again before', async () => {
    server.zones.set('cache.test', { A: ['10.0.0.1'], ttl: 86_400 })
    const { next } = await watch('cache.test', { ttlMaxMs: 100 })
    await next()
    server.zones.set('cache.test', { A: ['10.0.0.2'], ttl: 86_400 })
    expect(await next()).toEqual(['10.0.0.2:7'])
  })

  test('is kept between: nobody is asked before it is over', async () => {
    server.zones.set('slow.test', { A: ['10.0.0.1'], ttl: 1 })
    server.zones.set('clock.test', { A: ['10.0.0.9'], ttl: 0 })
    const { next } = await watch('slow.test')
    await next()
    await (await watch('clock.test')).next()
    await server.heard('clock.test', 15)
    const times = server.asked.filter(({ name, type }) => name === 'slow.test' && type === 'A').map(({ atMs }) => atMs)
    if (times.length > 1) expect((times[1] as number) - (times[0] as number)).toBeGreaterThan(890)
  })
})

describe('no answer is no empty set', () => {
  test.each<[string, Zone | undefined]>([
    ['the name does not exist', undefined],
    ['the name has no address', {}],
    ['the server fails', { rcode: 'SERVFAIL' }],
    ['the server refuses', { rcode: 'REFUSED' }],
  ])('%s for a while: the last set stays, and is asked for again', async (_what, zone) => {
    server.zones.set('cache.test', { A: ['10.0.0.1'], ttl: 0 })
    const { next, troubles } = await watch('cache.test')
    await next()
    const following = next()
    if (zone === undefined) server.zones.delete('cache.test')
    else server.zones.set('cache.test', zone)
    const asked = server.asked.filter(({ type }) => type === 'A').length
    await server.heard('cache.test', asked + 3)
    expect(troubles.length).toBeGreaterThan(0)
    expect(troubles[0]).toContain('cache.test')
    server.zones.set('cache.test', { A: ['10.0.0.1'], ttl: 0 })
    await server.heard('cache.test', server.asked.filter(({ type }) => type === 'A').length + 2)
    server.zones.set('cache.test', { A: ['10.0.0.2'], ttl: 0 })
    expect(await following).toEqual(['10.0.0.2:7'])
  })

  test('one family that fails while the other answers does not take the addresses of the first away', async () => {
    server.zones.set('cache.test', { A: ['10.0.0.1'], AAAA: ['fd00::1'], ttl: 0 })
    const { next } = await watch('cache.test')
    expect(await next()).toEqual(['10.0.0.1:7', '[fd00::1]:7'])
    const following = next()
    server.zones.set('cache.test', { AAAA: ['fd00::1'], ttl: 0, rcode: 'SERVFAIL', rcodeOf: 'A' })
    const asked = server.asked.filter(({ type }) => type === 'A').length
    await server.heard('cache.test', asked + 3)
    server.zones.set('cache.test', { A: ['10.0.0.2'], AAAA: ['fd00::1'], ttl: 0 })
    expect(await following).toEqual(['10.0.0.2:7', '[fd00::1]:7'])
  })

  test('a name that appears later is noticed', async () => {
    const { next, troubles } = await watch('later.test')
    const first = next()
    await server.heard('later.test', 2)
    server.zones.set('later.test', { A: ['10.0.0.1'] })
    expect(await first).toEqual(['10.0.0.1:7'])
    expect(troubles[0]).toMatch(/later\.test has no address/)
  })
})

describe('as the system does it', () => {
  test('the hosts file comes before the server', async () => {
    server.zones.set('cache.test', { A: ['10.0.0.1'] })
    const { next } = await watch('cache.test', { hosts: '10.7.7.7 cache.test\nfd00::7 cache.test' })
    expect(await next()).toEqual(['10.7.7.7:7', '[fd00::7]:7'])
    expect(server.asked).toEqual([])
  })

  test('the search list is tried for a short name, in its order', async () => {
    server.zones.set('cache.svc.local', { A: ['10.0.0.1'] })
    const { next } = await watch('cache', { resolv: 'search ns.svc.local svc.local\noptions ndots:5' })
    expect(await next()).toEqual(['10.0.0.1:7'])
    const names = server.asked.filter(({ type }) => type === 'A').map(({ name }) => name)
    expect(names.slice(0, 2)).toEqual(['cache.ns.svc.local', 'cache.svc.local'])
  })

  test('a name that nobody could tell about is not replaced by a later one of the list', async () => {
    server.zones.set('cache.one.test', { rcode: 'SERVFAIL' })
    server.zones.set('cache.two.test', { A: ['10.0.0.66'] })
    const { next, troubles } = await watch('cache', { resolv: 'search one.test two.test' })
    const first = next()
    await server.heard('cache.one.test', 3)
    expect(troubles.length).toBeGreaterThan(0)
    server.zones.set('cache.one.test', { A: ['10.0.0.1'] })
    expect(await first).toEqual(['10.0.0.1:7'])
    expect(server.asked.some(({ name }) => name === 'cache.two.test')).toBe(false)
  })

  test('localhost never leaves the machine', async () => {
    const { next } = await watch('localhost', { resolv: 'search example.test' })
    expect(await next()).toEqual(['127.0.0.1:7', '[::1]:7'])
    expect(server.asked).toEqual([])
  })
})

describe('several names', () => {
  test('are one set; the first answers are held together, so that the fastest name does not get all', async () => {
    server.zones.set('fast.test', { A: ['10.0.0.1'], ttl: 60 })
    server.zones.set('slow.test', { A: ['10.0.0.2'], ttl: 60, delayMs: 40 })
    const { next } = await watch('fast.test:1, slow.test:2')
    expect(await next()).toEqual(['10.0.0.1:1', '10.0.0.2:2'])
  })

  test('one that does not answer holds nobody up for long', async () => {
    server.zones.set('fast.test', { A: ['10.0.0.1'], ttl: 60 })
    server.zones.set('dead.test', { silent: true })
    const { next } = await watch('fast.test,dead.test')
    expect(await next()).toEqual(['10.0.0.1:7'])
  })

  test('with a common address have it once; a change of one keeps the other', async () => {
    server.zones.set('one.test', { A: ['10.0.0.1'], ttl: 60 })
    server.zones.set('two.test', { A: ['10.0.0.1', '10.0.0.2'], ttl: 0 })
    const { next } = await watch('one.test,two.test')
    expect(await next()).toEqual(['10.0.0.1:7', '10.0.0.2:7'])
    server.zones.set('two.test', { A: ['10.0.0.3'], ttl: 0 })
    expect(await next()).toEqual(['10.0.0.1:7', '10.0.0.3:7'])
  })
})

test('each process begins with another address of the set, IPv4 still before IPv6', async () => {
  server.zones.set('cache.test', { A: ['10.0.0.1', '10.0.0.2', '10.0.0.3'], AAAA: ['fd00::1', 'fd00::2'] })
  const firsts = new Set<string>()
  for (const unit of [0, 0.4, 0.7, 0.99]) {
    const set = await (await watch('cache.test', { randomUnit: () => unit })).next()
    expect(set.slice(0, 3).every((id) => id.startsWith('10.'))).toBe(true)
    expect(set).toHaveLength(5)
    firsts.add(set[0] as string)
  }
  expect(firsts.size).toBe(3)
})

test('a watch that is stopped ends, and asks no more', async () => {
  server.zones.set('cache.test', { A: ['10.0.0.1'], ttl: 0 })
  const stopped = await watch('cache.test')
  await stopped.next()
  const end = stopped.next()
  stopped.stop()
  await expect(end).rejects.toThrow('the watch has ended')
  server.zones.set('clock.test', { A: ['10.0.0.9'], ttl: 0 })
  const asked = server.asked.filter(({ name }) => name === 'cache.test').length
  await (await watch('clock.test')).next()
  await server.heard('clock.test', 8)
  expect(server.asked.filter(({ name }) => name === 'cache.test').length - asked).toBeLessThanOrEqual(2)
})

test('a target that is no name ends the watch with an error that says how to write it', async () => {
  await expect((await watch('a,b:x')).next()).rejects.toThrow(/write host/)
})
