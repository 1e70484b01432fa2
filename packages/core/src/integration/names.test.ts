/**
 * Names that move: hard case 43. A small DNS server on loopback answers what the test says.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lines, ScriptedPeer } from '@iokernel/core/testing'
import { decode, encode } from 'dns-packet'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { inBothModes } from '../../fixtures/modes.ts'

/** What the server says: addresses of a name, or nothing (NXDOMAIN). */
type Zone = Map<string, readonly string[]>

async function nameServer(zone: Zone): Promise<{ at: string; asked: string[]; close(): void }> {
  const socket = createSocket('udp4')
  const asked: string[] = []
  socket.on('message', (message, from) => {
    const query = decode(message)
    const question = query.questions?.[0]
    if (question === undefined) return
    asked.push(question.name)
    const addresses = zone.get(question.name)
    const answers =
      question.type === 'A'
        ? (addresses ?? []).map((data) => ({ type: 'A' as const, name: question.name, ttl: 0, data }))
        : []
    // 0x8000 is a response; 3 is NXDOMAIN.
    const flags = 0x8000 | (addresses === undefined ? 3 : 0)
    const reply = encode({
      type: 'response',
      id: query.id ?? 0,
      flags: flags & 0xf,
      questions: query.questions ?? [],
      answers,
    })
    socket.send(reply, from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return { at: `127.0.0.1:${socket.address().port}`, asked, close: () => socket.close() }
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'iokernel-names-'))
  await writeFile(join(folder, 'hosts'), '127.0.0.1 in-hosts\n')
  await writeFile(join(folder, 'resolv.conf'), 'search svc.test\noptions ndots:2\n')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

inBothModes('names', ({ kernel }) => {
  async function world(zone: Zone): Promise<{ k: Awaited<ReturnType<typeof kernel>>; asked: string[]; close(): void }> {
    const server = await nameServer(zone)
    const dns = { servers: [server.at], hostsFile: join(folder, 'hosts'), resolvConf: join(folder, 'resolv.conf') }
    return { k: await kernel({ dns }), asked: server.asked, close: server.close }
  }

  test('when a name moves, traffic moves: the new is connected, the old drains, no call fails', async () => {
    await using old = await ScriptedPeer.listen((line, socket) => socket.write(`old ${line}\n`))
    await using fresh = await ScriptedPeer.listen((line, socket) => socket.write(`new ${line}\n`), {
      host: '127.0.0.2',
      port: old.port,
    })
    const zone: Zone = new Map([['db.svc.test', ['127.0.0.1']]])
    const { k, close } = await world(zone)
    const client = k.connect(lines, { at: `db:${old.port}`, discovery: 'dns' }, { ttlMinMs: 30, ttlMaxMs: 30 })
    expect(await client.ask('x')).toBe('old x')
    zone.set('db.svc.test', ['127.0.0.2'])
    let answer = ''
    let calls = 0
    while (!answer.startsWith('new')) answer = await client.tell(`call ${calls++}`)
    await old.seen(() => old.sockets.size === 0)
    expect(fresh.accepted).toBe(1)
    close()
  })

  test('a name that is gone for a while changes nothing', async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const zone: Zone = new Map([['db.svc.test', ['127.0.0.1']]])
    const { k, asked, close } = await world(zone)
    const client = k.connect(lines, { at: `db:${peer.port}`, discovery: 'dns' }, { ttlMinMs: 20, ttlMaxMs: 20 })
    await client.ask('x')
    zone.clear()
    const before = asked.length
    await expect.poll(() => asked.length).toBeGreaterThan(before + 6)
    expect(await client.ask('y')).toBe('echo y')
    expect(peer.accepted).toBe(1)
    close()
  })

  test('one of two addresses is dead: calls go to the other', async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo, { host: '127.0.0.3' })
    const { k, close } = await world(new Map([['db.svc.test', ['127.0.0.1', '127.0.0.3']]]))
    const client = k.connect(lines, { at: `db:${peer.port}`, discovery: 'dns' })
    expect(await client.ask('x', { deadlineMs: 5_000 })).toBe('echo x')
    close()
  })

  test('the hosts file is asked before any server', async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const { k, asked, close } = await world(new Map())
    const client = k.connect(lines, { at: `in-hosts:${peer.port}`, discovery: 'dns' })
    expect(await client.ask('x')).toBe('echo x')
    expect(asked).toEqual([])
    close()
  })

  test('a name that nobody knows is said in the state and in the error', async () => {
    const { k, close } = await world(new Map())
    const client = k.connect(lines, { at: 'nowhere:1', discovery: 'dns' })
    const error = await client.link.upstream.ready({ deadlineMs: 500 }).catch((reason: Error) => reason)
    expect(String(error)).toContain('the name nowhere has no address')
    close()
  })
})
