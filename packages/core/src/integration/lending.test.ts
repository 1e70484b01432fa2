/**
 * Connections that are lent, and pushes: sessions, calls with a connection to themselves, interests.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { GapReason } from '@iokernel/core/plugin'
import { lines, ScriptedPeer } from '@iokernel/core/testing'
import { expect, test } from 'vitest'
import { inBothModes } from '../../fixtures/modes.ts'

inBothModes('sessions', ({ kernel }) => {
  test('a session has a connection to itself and is reset before the next borrower', async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const client = (await kernel()).connect(lines, peer.at)
    await client.ask('lane')
    const session = await client.session()
    expect(await session.ask('mine')).toBe('echo mine')
    await session.link.close()
    const next = await client.session()
    expect(await next.ask('yours')).toBe('echo yours')
    expect(peer.accepted).toBe(2)
    expect(peer.lines).toEqual(['lane', 'mine', 'reset', 'yours'])
    await expect(session.ask('late')).rejects.toMatchObject({ code: 'SESSION_CLOSED', sent: 'no' })
  })

  test('a protocol without reset closes the connection instead of lending it again', async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const client = (await kernel()).connect(lines, { at: peer.at, reset: false })
    for (const text of ['one', 'two']) {
      const session = await client.session()
      await session.ask(text)
      await session.link.close()
    }
    expect(peer.accepted).toBe(3)
  })

  test('a call with a connection to itself delays nobody on the lane', async () => {
    let answer: (() => void) | undefined
    await using peer = await ScriptedPeer.listen((line, socket) => {
      if (line === 'block') answer = () => socket.write('unblocked\n')
      else ScriptedPeer.echo(line, socket)
    })
    const client = (await kernel()).connect(lines, peer.at)
    const blocked = client.askAlone('block')
    expect(await client.ask('quick')).toBe('echo quick')
    await peer.seenLine('block')
    answer?.()
    expect(await blocked).toBe('unblocked')
  })

  test('aborting such a call gives its connection up, so that the server stops working for nobody', async () => {
    await using peer = await ScriptedPeer.listen((line, socket) => {
      if (line !== 'block') ScriptedPeer.echo(line, socket)
    })
    const client = (await kernel()).connect(lines, peer.at)
    await client.ask('lane')
    const abort = new AbortController()
    const blocked = client.askAlone('block', { signal: abort.signal })
    await peer.seenLine('block')
    abort.abort()
    await expect(blocked).rejects.toMatchObject({ code: 'ABORTED', sent: 'maybe' })
    await peer.seen(() => peer.sockets.size === 1)
  })

  test('sessions have a limit; who waits is served when one comes back, or told at the deadline', async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const client = (await kernel()).connect(lines, peer.at, { sessionsMax: 1 })
    const first = await client.session()
    await expect(client.session({ deadlineMs: 30 })).rejects.toMatchObject({ code: 'SESSION_DEADLINE', sent: 'no' })
    const second = client.session({ deadlineMs: 5_000 })
    await first.link.close()
    expect(await (await second).ask('x')).toBe('echo x')
  })

  test('waiting for a session can be aborted', async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const client = (await kernel()).connect(lines, peer.at, { sessionsMax: 1 })
    const first = await client.session()
    const abort = new AbortController()
    const second = expect(client.session({ signal: abort.signal })).rejects.toMatchObject({
      code: 'ABORTED',
      sent: 'no',
    })
    abort.abort()
    await second
    await first.link.close()
    // The place in the queue was given up, so the connection is free.
    const third = await client.session()
    expect(await third.ask('x')).toBe('echo x')
  })

  test('closing a client ends its subscriptions and sessions, and leaves those of others', async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const k = await kernel()
    const [one, other] = [k.connect(lines, peer.at), k.connect(lines, peer.at)]
    const ended: string[] = []
    await one.listen('news', { ...hearing(), failed: (error) => ended.push((error as { code?: string }).code ?? '') })
    const session = await one.session()
    await one.link.upstream.close()
    await expect.poll(() => ended).toEqual(['CLOSED'])
    await expect.poll(() => session.link.lost).toBe(true)
    expect(await other.ask('x')).toBe('echo x')
  })

  test('closing in any order is no error', async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const k = await kernel()
    const client = k.connect(lines, peer.at)
    const watching = client.link.upstream.onState(() => undefined)
    const session = await client.session()
    const interest = await client.listen('news', hearing())
    await k.close()
    await Promise.all([session.link.close(), interest.close(), client.link.upstream.close(), k.close()])
    watching[Symbol.dispose]()
  })

  test('a lost session says so and does not come back by itself', async () => {
    await using peer = await ScriptedPeer.listen((line, socket) => {
      if (line === 'die') socket.resetAndDestroy()
      else ScriptedPeer.echo(line, socket)
    })
    const client = (await kernel()).connect(lines, peer.at)
    const session = await client.session()
    await expect(session.ask('die')).rejects.toMatchObject({ side: 'remote', sent: 'maybe' })
    await expect(session.ask('more')).rejects.toMatchObject({ code: 'SESSION_LOST', sent: 'no' })
    await session.link.close()
  })
})

interface Heard {
  readonly texts: string[]
  readonly gaps: GapReason[]
  readonly failures: Error[]
}

function hearing(): Heard & {
  push(frame: { bytes: Buffer; start: number; end: number }): void
  gap(reason: GapReason): void
  failed(error: Error): void
} {
  const heard: Heard = { texts: [], gaps: [], failures: [] }
  return {
    ...heard,
    push: (frame) => void heard.texts.push(frame.bytes.toString('utf8', frame.start, frame.end - 1)),
    gap: (reason) => void heard.gaps.push(reason),
    failed: (error) => void heard.failures.push(error),
  }
}

inBothModes('interests', ({ kernel }) => {
  test('pushes arrive on a connection of their own, and only for who asked', async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const client = (await kernel()).connect(lines, peer.at)
    await client.ask('lane')
    const news = hearing()
    await client.listen('news', news)
    expect(peer.accepted).toBe(2)
    peer.broadcast('!other x\n!news hello\n')
    await expect.poll(() => news.texts).toEqual(['!news hello'])
    expect(await client.ask('lane')).toBe('echo lane')
  })

  test("two who want one key are one subscription; one's leaving silences nobody else", async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const client = (await kernel()).connect(lines, peer.at)
    const one = hearing()
    const other = hearing()
    const first = await client.listen('news', one)
    const second = await client.listen('news', other)
    await first.close()
    await client.ask('after')
    peer.broadcast('!news x\n')
    await expect.poll(() => other.texts).toEqual(['!news x'])
    expect(one.texts).toEqual([])
    expect(peer.lines.filter((line) => line.includes('news'))).toEqual(['sub news'])
    await second.close()
    // Nobody is interested any more: the connection is given up.
    await peer.seen(() => peer.sockets.size === 1)
  })

  test('after a reconnect every key is asked for again, and a gap is told', async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const client = (await kernel()).connect(lines, peer.at)
    const news = hearing()
    await client.listen('news', news)
    peer.cutAll()
    await expect.poll(() => news.gaps).toEqual(['reconnected'])
    peer.broadcast('!news again\n')
    await expect.poll(() => news.texts).toEqual(['!news again'])
  })

  test('a refusal rejects the interest and nothing else', async () => {
    await using peer = await ScriptedPeer.listen((line, socket) => {
      if (line === 'sub secret') socket.write('-no permission\n')
      else ScriptedPeer.echo(line, socket)
    })
    const client = (await kernel()).connect(lines, peer.at)
    const open = hearing()
    const refused = expect(client.listen('secret', hearing())).rejects.toMatchObject({
      code: 'INTEREST_REFUSED',
      message: expect.stringContaining('no permission'),
    })
    await client.listen('open', open)
    await refused
    peer.broadcast('!open x\n')
    await expect.poll(() => open.texts).toEqual(['!open x'])
  })

  test('what comes late for one interest never reaches the next that is opened', async () => {
    await using peer = await ScriptedPeer.listen((line, socket) => {
      ScriptedPeer.echo(line, socket)
      // A busy channel: pushes are on their way whenever it is closed.
      if (line === 'sub old') for (let count = 0; count < 2_000; count++) socket.write(`!old ${count}\n`)
    })
    const client = (await kernel()).connect(lines, peer.at)
    for (let round = 0; round < 20; round++) {
      const old = await client.listen('old', hearing())
      await old.close()
      const fresh = hearing()
      const next = await client.listen('new', fresh)
      await client.ask('settled')
      expect(fresh.texts).toEqual([])
      await next.close()
    }
  })

  test('handlers run in the context of who asked', async () => {
    const store = new AsyncLocalStorage<string>()
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const client = (await kernel()).connect(lines, peer.at)
    const seen: unknown[] = []
    await store.run('listener', () => client.listen('news', { ...hearing(), push: () => seen.push(store.getStore()) }))
    await store.run('caller', () => client.ask('x', { onTiming: () => seen.push(store.getStore()) }))
    peer.broadcast('!news x\n')
    await expect.poll(() => seen).toEqual(['caller', 'listener'])
  })

  test('an interest that nobody registers is given up at its deadline', async () => {
    const client = (await kernel()).connect(lines, '127.0.0.1:1')
    await expect(client.listen('news', hearing(), { deadlineMs: 50 })).rejects.toMatchObject({ code: 'DEADLINE' })
  })

  test('an interest in an upstream that refuses us, or is down by policy, fails with that reason', async () => {
    await using peer = await ScriptedPeer.listen((_, socket) => socket.write('-denied\n'))
    const k = await kernel()
    const stranger = k.connect(lines, { at: peer.at, name: 'stranger' })
    await expect(stranger.listen('news', hearing(), { deadlineMs: 10_000 })).rejects.toMatchObject({ code: 'DENIED' })
    const away = k.connect(lines, '127.0.0.1:1', { whenDown: 'fail' })
    await expect(away.listen('news', hearing(), { deadlineMs: 10_000 })).rejects.toMatchObject({
      code: 'UPSTREAM_DOWN',
    })
  })

  test('a push longer than the ring arrives whole', async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const client = (await kernel({ limits: { completionBytes: 16_384 } })).connect(lines, peer.at)
    const news = hearing()
    await client.listen('news', news)
    const long = 'x'.repeat(100_000)
    peer.broadcast(`!news ${long}\n`)
    await expect.poll(() => news.texts).toEqual([`!news ${long}`])
  })
})
