/**
 * Replies of any size, over real sockets: one that comes in one piece is a value, any other a stream that its reader
 * paces.
 */
import { type CallTiming, type Operation, RemoteError, type ReplyStream } from '@iokernel/core/plugin'
import { type LinesClient, lines, ScriptedPeer } from '@iokernel/core/testing'
import { expect, test } from 'vitest'
import { inBothModes } from '../../fixtures/modes.ts'

/** Says `large N` as N bytes in two halves; the second when it is told to. All else is an echo. */
async function halves(): Promise<{ peer: ScriptedPeer; finish: () => void; cut: () => void }> {
  let finish = (): void => undefined
  let cut = (): void => undefined
  const peer = await ScriptedPeer.listen((line, socket) => {
    if (!line.startsWith('large ')) return ScriptedPeer.echo(line, socket)
    const half = Buffer.alloc(Number(line.split(' ')[1]) / 2, 'x')
    socket.write(half)
    finish = () => socket.write(Buffer.concat([half.subarray(1), Buffer.from('\n')]))
    cut = () => socket.destroy()
  })
  return { peer, finish: () => finish(), cut: () => cut() }
}

async function opened(client: LinesClient, text: string, options?: Parameters<LinesClient['either']>[1]) {
  const reply = await client.either(text, options)
  if (typeof reply === 'string') throw new Error('the reply came in one piece')
  return reply
}

async function lengthOf(stream: ReplyStream): Promise<number> {
  let length = 0
  for await (const { bytes } of stream) length += bytes.length
  return length
}

inBothModes('a reply of any size', ({ kernel }) => {
  test('that comes in one piece is the value', async () => {
    const { peer } = await halves()
    await using _ = peer
    const client = (await kernel()).connect(lines, peer.at)
    expect(await client.either('small')).toBe('echo small')
  })

  test('becomes a stream with its first piece, before its end is anywhere near', async () => {
    const { peer, finish } = await halves()
    await using _ = peer
    const client = (await kernel()).connect(lines, peer.at)
    const timings: CallTiming[] = []
    const stream = await opened(client, 'large 100000', { onTiming: (timing) => timings.push(timing) })
    expect(timings).toHaveLength(1)
    finish()
    expect(await lengthOf(stream)).toBe(100_000)
    expect(timings).toHaveLength(1)
    expect(timings[0]?.upstreamMs).toBeGreaterThan(0)
  })

  test('that nobody reads waits at the peer, and comes whole when somebody does', async () => {
    const { peer, finish } = await halves()
    await using _ = peer
    const client = (await kernel()).connect(lines, peer.at, { streamBytesMax: 10_000 })
    const stream = await opened(client, `large ${8 << 20}`)
    finish()
    for (let count = 0; count < 20; count++) expect(await client.either(`quick ${count}`)).toBe(`echo quick ${count}`)
    expect(await lengthOf(stream)).toBe(8 << 20)
  })

  test('that breaks off ends its stream with the error', async () => {
    const { peer, cut } = await halves()
    await using _ = peer
    const client = (await kernel()).connect(lines, peer.at)
    const stream = await opened(client, 'large 100000')
    cut()
    await expect(lengthOf(stream)).rejects.toBeInstanceOf(RemoteError)
  })

  test('that is aborted in the middle, or closed, gives its connection up', async () => {
    const { peer } = await halves()
    await using _ = peer
    const client = (await kernel()).connect(lines, peer.at)
    const abort = new AbortController()
    const stream = await opened(client, 'large 100000', { signal: abort.signal })
    abort.abort(new Error('enough'))
    await expect(lengthOf(stream)).rejects.toMatchObject({ code: 'ABORTED' })
    await (await opened(client, 'large 100000')).close()
    await peer.seen(() => peer.sockets.size <= 1)
    expect(await client.either('still there')).toBe('echo still there')
  })

  test('whose opening throws rejects its call, and is given up', async () => {
    const { peer } = await halves()
    await using _ = peer
    const client = (await kernel()).connect(lines, peer.at)
    await expect(client.either('large 100000 throw')).rejects.toMatchObject({ code: 'NOT_OPENED' })
    await peer.seen(() => peer.sockets.size <= 1)
  })

  test('whose opening rejects later is given up as well', async () => {
    const { peer } = await halves()
    await using _ = peer
    const client = (await kernel()).connect(lines, peer.at)
    const refusal: Operation<string, never> = {
      name: 'refusal',
      access: 'read',
      on: 'lane',
      idempotent: true,
      encode(out, text) {
        out.ascii(`${text}\n`)
        return 0
      },
      decode: () => {
        throw new Error('it came in one piece')
      },
      async open(reply) {
        for await (const { bytes } of reply) throw new RemoteError('NOT_WANTED', `${bytes.length > 0}`)
        throw new Error('it was empty')
      },
    }
    await expect(client.link.request(refusal, 'large 100000')).rejects.toMatchObject({ code: 'NOT_WANTED' })
    const unread = { ...refusal, open: () => Promise.reject(new RemoteError('NOT_WANTED', 'at all')) }
    await expect(client.link.request(unread, 'large 100000')).rejects.toMatchObject({ code: 'NOT_WANTED' })
    await peer.seen(() => peer.sockets.size <= 1)
  })

  test('whose peer falls silent before the first piece, or after it, meets its deadline', async () => {
    const { peer } = await halves()
    await using _ = peer
    const client = (await kernel()).connect(lines, peer.at)
    const stream = await opened(client, 'large 100000', { deadlineMs: 60 })
    await expect(lengthOf(stream)).rejects.toMatchObject({ code: 'DEADLINE' })
  })
})
