/**
 * A kernel's life: connecting before the first call, readiness, reconnecting, closing, and what it says about itself.
 */
import { createKernel, getKernel, type UpstreamState } from '@iokernel/core'
import { lines, ScriptedPeer } from '@iokernel/core/testing'
import { expect, test } from 'vitest'
import { inBothModes } from '../../fixtures/modes.ts'

const NAME = { target: 'x', portDefault: 1 }

inBothModes('lifecycle', ({ kernel, mode }) => {
  test('a connection exists before the first call', async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const client = (await kernel()).connect(lines, peer.at)
    await client.link.upstream.ready({ deadlineMs: 5_000 })
    await peer.seen(() => peer.accepted === 1)
    expect(peer.lines).toEqual([])
    expect(client.link.upstream.state).toMatchObject({ status: 'ready', endpoints: [peer.at] })
  })

  test('ready() that fails says what stands in the way', async () => {
    const client = (await kernel()).connect(lines, '127.0.0.1:1')
    const error = await client.link.upstream.ready({ deadlineMs: 200 }).catch((reason: Error) => reason)
    expect(error).toMatchObject({ code: 'DEADLINE', sent: 'no' })
    expect(String(error)).toContain('127.0.0.1:1')
    expect(String(error)).toContain('ECONNREFUSED')
  })

  test('clients of one target share one connection; other limits are another upstream', async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const k = await kernel()
    const clients = [k.connect(lines, peer.at), k.connect(lines, peer.at), k.connect(lines, peer.at, { queueMax: 5 })]
    await Promise.all(clients.map((client) => client.ask('x')))
    expect(peer.accepted).toBe(2)
  })

  test('a server that comes back is found again, and the changes are events', async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const client = (await kernel()).connect(lines, peer.at)
    const states: UpstreamState['status'][] = []
    using _ = client.link.upstream.onState(({ status }) => states.push(status))
    await client.ask('x')
    await peer.stopListening()
    peer.cutAll()
    await expect.poll(() => client.link.upstream.state.status).toBe('down')
    await peer.open()
    expect(await client.ask('y')).toBe('echo y')
    await expect.poll(() => states.at(-1)).toBe('ready')
    expect(states).toContain('down')
  })

  test('a peer that accepts and closes at once is not dialled in a hot loop', async () => {
    await using peer = await ScriptedPeer.listen((_, socket) => socket.resetAndDestroy())
    const client = (await kernel()).connect(lines, { at: peer.at, name: 'x' }, { reconnectMinMs: 40 })
    await expect(client.ask('x', { deadlineMs: 500 })).rejects.toMatchObject({ code: 'DEADLINE', sent: 'no' })
    // 20-40, 40-80, 80-160, 160-320 ms: half a second has room for six tries at most.
    expect(peer.accepted).toBeLessThanOrEqual(7)
    expect(peer.accepted).toBeGreaterThan(1)
  })

  test('close() lets what is in flight finish, then nothing is accepted', async () => {
    let answer: (() => void) | undefined
    await using peer = await ScriptedPeer.listen((line, socket) => {
      answer = () => socket.write(`echo ${line}\n`)
    })
    const k = await kernel()
    const client = k.connect(lines, peer.at)
    const last = client.ask('last')
    await peer.seenLine('last')
    const closed = k.close()
    answer?.()
    expect(await last).toBe('echo last')
    await closed
    await expect(client.ask('after')).rejects.toMatchObject({ code: 'KERNEL_CLOSED', sent: 'no' })
    expect(() => k.connect(lines, peer.at)).toThrow(/closed/)
    await peer.seen(() => peer.sockets.size === 0)
  })

  test('close() rejects what is left at its deadline', async () => {
    await using peer = await ScriptedPeer.listen(() => undefined)
    const k = await kernel()
    const client = k.connect(lines, peer.at)
    const never = client.ask('never')
    const settled = expect(never).rejects.toMatchObject({ sent: 'maybe' })
    await peer.seenLine('never')
    await k.close({ deadlineMs: 20 })
    await settled
  })

  test("closing one client leaves another's calls alone; closing the last closes the connection", async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const k = await kernel()
    const one = k.connect(lines, peer.at)
    const other = k.connect(lines, peer.at)
    await one.ask('x')
    await one.link.upstream.close()
    await expect(one.ask('y')).rejects.toMatchObject({ code: 'UPSTREAM_CLOSED', sent: 'no' })
    expect(await other.ask('z')).toBe('echo z')
    await other.link.upstream.close()
    await peer.seen(() => peer.sockets.size === 0)
  })

  test('one line is said when an upstream is down and nobody listens, and none when somebody does', async () => {
    const said: string[] = []
    const k = await kernel({ logger: (line) => said.push(line) })
    const heard = k.connect(lines, '127.0.0.1:2')
    using _ = heard.link.upstream.onState(() => undefined)
    const unheard = k.connect(lines, '127.0.0.1:1')
    await unheard.ask('x', { deadlineMs: 300 }).catch(() => undefined)
    await expect.poll(() => said.length).toBe(1)
    expect(said[0]).toContain('lines://127.0.0.1:1 is down')
  })

  test('describe() shows limits and upstreams, and reads well', async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const k = await kernel()
    const client = k.connect(lines, peer.at, { queueMax: 77 })
    await client.ask('x')
    const description = k.describe()
    expect(description).toMatchObject({ mode, plugins: ['lines'], upstreams: [{ authority: `lines://${peer.at}` }] })
    expect(String(description)).toContain('queueMax: 77')
    expect(String(description)).toContain('inFlightMax: 100000')
  })

  test('getKernel() finds the kernel of the process until it is closed', async () => {
    const k = await createKernel({ protocols: [lines], thread: mode, name: `found-${mode}` })
    expect(getKernel(`found-${mode}`)).toBe(k)
    await k.close()
    expect(getKernel(`found-${mode}`)).toBeUndefined()
  })

  test('credentials come from a callback; a reconnect while it does not answer uses the last', async () => {
    let token = 0
    let hang = false
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const credentials = (): Promise<string> =>
      hang ? new Promise(() => undefined) : Promise.resolve(`token-${++token}`)
    const client = (await kernel()).connect(lines, { at: peer.at, credentials })
    await client.ask('x')
    hang = true
    peer.cutAll()
    expect(await client.ask('y')).toBe('echo y')
    expect(peer.lines.filter((line) => line.startsWith('hello'))).toEqual(['hello token-1', 'hello token-1'])
  })

  test('a certificate that cannot be read costs its upstream, and nobody else', async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const k = await kernel()
    const tls = { cert: 'no certificate', key: 'no key' }
    const broken = k.connect(
      { ...lines, resolve: () => ({ ...lines.resolve(peer.at), upstreamKey: 'broken', tls }) },
      '',
    )
    const client = k.connect(lines, peer.at)
    await expect(broken.ask('x', { deadlineMs: 200 })).rejects.toMatchObject({
      code: 'DEADLINE',
      sent: 'no',
      message: expect.stringContaining('PEM'),
    })
    expect(await client.ask('y')).toBe('echo y')
    expect(k.describe().restarts).toBe(0)
  })

  test('every mistake in a registry is named at once, with the line to write', async () => {
    const old = { ...lines, name: 'old', api: 99 }
    const wrong = { ...lines, name: 'wrong', io: 'io.js' as unknown as URL }
    const error = await createKernel({ protocols: [lines, lines, old, wrong], thread: mode }).catch((e: Error) => e)
    expect(error).toMatchObject({ code: 'PLUGIN_REGISTRATION' })
    expect(String(error)).toContain("two plugins are called 'lines'")
    expect(String(error)).toContain("plugin 'old' was written for contract 99, this kernel knows 1")
    expect(String(error)).toContain("io: new URL('./io.js', import.meta.url)")
  })

  test('an I/O half that cannot be loaded, or is another plugin, is named with its URL', async () => {
    const missing = { ...lines, name: 'missing', io: new URL('file:///nowhere/io.js') }
    const other = { ...lines, name: 'other' }
    const error = await createKernel({ protocols: [missing, other], thread: mode }).catch((e: Error) => e)
    expect(error).toMatchObject({ code: 'IO_THREAD_START' })
    expect(String(error)).toContain('file:///nowhere/io.js')
    expect(String(error)).toContain("calls itself 'lines'")
  })

  test('a protocol that is not registered: the error says what to write', async () => {
    const k = await kernel()
    expect(() => k.connect({ ...lines, name: 'postgres' }, 'x')).toThrow(
      'createKernel({ protocols: [lines, postgres] })',
    )
  })

  test('options that are not known or make no sense are refused', async () => {
    const k = await kernel()
    for (const options of [{ whenDown: 'perhaps' }, { pipelineMax: 0 }, { toString: 1 }, null]) {
      expect(() => k.connect(lines, '127.0.0.1:1', options as never)).toThrow(
        expect.objectContaining({ code: 'OPTION' }),
      )
    }
    for (const options of [
      undefined,
      {},
      { protocols: lines },
      { protocols: [], thread: 'both' },
      { protocols: [], more: 1 },
    ]) {
      await expect(createKernel(options as never)).rejects.toMatchObject({ code: 'OPTION' })
    }
    const elsewhere = { ...lines, resolve: () => ({ ...lines.resolve('x'), name: { ...NAME, discovery: 'nowhere' } }) }
    expect(() => k.connect(elsewhere, 'x')).toThrow('createKernel({ discovery: [nowhere()] })')
    for (const tls of [{ bogus: 1 }, { rejectUnauthorized: 'false' }, { ca: 5 }, 'yes']) {
      const wrong = { ...lines, resolve: () => ({ ...lines.resolve('127.0.0.1:1'), tls: tls as never }) }
      expect(() => k.connect(wrong, 'x')).toThrow(expect.objectContaining({ code: 'OPTION' }))
    }
    expect(k.describe().upstreams).toEqual([])
    expect(() => k.connect(lines, '127.0.0.1:1', { queueMax: -1 })).toThrow(/queueMax/)
    expect(() => k.connect(lines, '127.0.0.1:1', { whatever: 1 } as never)).toThrow(/whatever/)
    await expect(createKernel({ protocols: [], thread: mode, limits: { submissionBytes: 3 } })).rejects.toThrow(
      /submissionBytes/,
    )
  })
})
