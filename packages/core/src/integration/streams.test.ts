/**
 * Replies that are read as they arrive, over real sockets: the reader sets the pace, the peer waits for him, and nobody
 * else notices.
 */
import type { Socket } from 'node:net'
import type { ReplyStream } from '@iokernel/core/plugin'
import { type LinesClient, lines, ScriptedPeer } from '@iokernel/core/testing'
import { expect, test } from 'vitest'
import { inBothModes } from '../../fixtures/modes.ts'

/** One line of this many bytes, its end included. */
function large(bytes: number): Buffer {
  const line = Buffer.alloc(bytes, 'abcdefghijklmnopqrstuvwxyz')
  line[bytes - 1] = 10
  return line
}

/** Says `large N` as one line of N bytes, as fast as it is taken, and all else as an echo, in order. */
class LargePeer {
  /** Bytes of large lines that could be handed over. */
  written = 0
  readonly #turns = new WeakMap<Socket, Promise<void>>()

  readonly handle = (line: string, socket: Socket): void => {
    const before = this.#turns.get(socket)
    if (!line.startsWith('large ')) {
      if (before === undefined) ScriptedPeer.echo(line, socket)
      else void before.then(() => ScriptedPeer.echo(line, socket))
      return
    }
    this.#turns.set(
      socket,
      (before ?? Promise.resolve()).then(() => this.#pour(large(Number(line.slice(6))), socket)),
    )
  }

  async #pour(bytes: Buffer, socket: Socket): Promise<void> {
    const step = 64 * 1024
    for (let at = 0; at < bytes.length && !socket.destroyed; at += step) {
      const piece = bytes.subarray(at, at + step)
      const goesOn = socket.write(piece)
      this.written += piece.length
      if (goesOn) continue
      await new Promise<void>((resolve) => {
        const done = (): void => {
          socket.off('drain', done).off('close', done)
          resolve()
        }
        socket.on('drain', done).on('close', done)
      })
    }
  }
}

async function readAll(stream: ReplyStream): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const { bytes } of stream) pieces.push(bytes)
  return Buffer.concat(pieces)
}

/** Waits until a number has stopped growing. */
async function settled(value: () => number): Promise<number> {
  let before = -1
  await expect
    .poll(
      () => {
        const grown = value() !== before
        before = value()
        return grown
      },
      { interval: 150 },
    )
    .toBe(false)
  return value()
}

inBothModes('a streamed reply', ({ kernel }) => {
  async function streaming(options: Record<string, number> = {}): Promise<{
    peer: ScriptedPeer
    large: LargePeer
    client: LinesClient
  }> {
    const large = new LargePeer()
    const peer = await ScriptedPeer.listen(large.handle)
    return { peer, large, client: (await kernel()).connect(lines, peer.at, options) }
  }

  test('of 64 MB comes whole, through rings that hold a sixteenth of it', async () => {
    const { peer, client } = await streaming()
    await using _ = peer
    const bytes = await readAll(client.stream(`large ${64 << 20}`, 0))
    expect(bytes.length).toBe(64 << 20)
    expect(bytes.equals(large(64 << 20))).toBe(true)
  })

  test('waits for its reader: the peer cannot hand over what nobody takes, and others are not disturbed', async () => {
    const { peer, large: pouring, client } = await streaming({ streamBytesMax: 1 << 20 })
    await using _ = peer
    const total = 64 << 20
    const stream = client.stream(`large ${total}`, 0)
    const reader = stream[Symbol.asyncIterator]()
    const first = await reader.next()
    expect(first.done).toBe(false)
    // Socket buffers of both sides take some megabytes besides.
    expect(await settled(() => pouring.written)).toBeLessThan(32 << 20)
    for (let count = 0; count < 20; count++) expect(await client.ask(`quick ${count}`)).toBe(`echo quick ${count}`)
    let got = first.done === true ? 0 : first.value.bytes.length
    for (let next = await reader.next(); next.done !== true; next = await reader.next()) {
      got += next.value.bytes.length
      if (got % 7 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    expect(got).toBe(total)
  })

  test('that is left early is given up at the peer', async () => {
    const { peer, client } = await streaming({ streamBytesMax: 100_000 })
    await using _ = peer
    await client.ask('lane')
    for await (const { bytes } of client.stream(`large ${16 << 20}`, 0)) {
      expect(bytes.length).toBeGreaterThan(0)
      break
    }
    await peer.seen(() => peer.sockets.size === 1)
    expect(await client.ask('still there')).toBe('echo still there')
  })

  test('that is aborted, or whose peer falls silent, ends with an error that says so', async () => {
    const { peer, client } = await streaming()
    await using _ = peer
    const abort = new AbortController()
    const aborted = (async () => {
      for await (const _piece of client.stream(`large ${16 << 20}`, 0, { signal: abort.signal })) abort.abort()
    })()
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED', sent: 'maybe' })
    peer.handle(
      (line, socket) => void (line.startsWith('large') ? socket.write('x'.repeat(20_000)) : socket.write('ok\n')),
    )
    const silent = readAll(client.stream('large but slow', 0, { deadlineMs: 100 }))
    await expect(silent).rejects.toMatchObject({ code: 'DEADLINE', sent: 'maybe' })
  })

  test('whose reader takes nothing for readerTimeoutMs is given up', async () => {
    const { peer, client } = await streaming({ streamBytesMax: 100_000, readerTimeoutMs: 100 })
    await using _ = peer
    const reader = client.stream(`large ${16 << 20}`, 0)[Symbol.asyncIterator]()
    await reader.next()
    await peer.seen(() => peer.sockets.size <= 1)
    const rest = (async () => {
      for (let next = await reader.next(); next.done !== true; next = await reader.next());
    })()
    await expect(rest).rejects.toThrow(/readerTimeoutMs/)
  })

  test('whose connection is lost says so after what had come', async () => {
    const { peer, client } = await streaming()
    await using _ = peer
    peer.handle((_line, socket) => void socket.write('x'.repeat(100_000), () => socket.destroy()))
    let got = 0
    const lost = (async () => {
      for await (const { bytes } of client.stream('large', 0)) got += bytes.length
    })()
    await expect(lost).rejects.toMatchObject({ sent: 'maybe' })
    expect(got).toBeLessThanOrEqual(100_000)
  })

  test('on a session is one of its calls, in order', async () => {
    const { peer, client } = await streaming({ streamBytesMax: 100_000 })
    await using _ = peer
    const session = await client.session()
    const stream = session.link.stream(MANY, `large ${4 << 20}`)
    const read = readAll(stream)
    expect(await session.ask('after')).toBe('echo after')
    expect((await read).equals(large(4 << 20))).toBe(true)
    expect(await session.ask('again')).toBe('echo again')
    await session.link.close()
    expect(peer.accepted).toBeLessThanOrEqual(2)
  })

  test('is one of many at once, each with its own bytes', async () => {
    const { peer, client } = await streaming({ streamBytesMax: 200_000 })
    await using _ = peer
    const sizes = Array.from({ length: 12 }, (_, index) => (1 << 20) + index)
    const replies = await Promise.all(sizes.map((size) => readAll(client.stream(`large ${size}`, 0))))
    expect(replies.map((bytes) => bytes.length)).toEqual(sizes)
    for (const [index, size] of sizes.entries()) expect(replies[index]?.equals(large(size))).toBe(true)
  })

  test('ends when its kernel closes', async () => {
    const pouring = new LargePeer()
    await using peer = await ScriptedPeer.listen(pouring.handle)
    const k = await kernel()
    const client = k.connect(lines, peer.at, { streamBytesMax: 100_000 })
    const reader = client.stream(`large ${16 << 20}`, 0)[Symbol.asyncIterator]()
    await reader.next()
    const rest = (async () => {
      for (let next = await reader.next(); next.done !== true; next = await reader.next()) {
        await new Promise((resolve) => setImmediate(resolve))
      }
    })()
    const ended = expect(rest).rejects.toMatchObject({ code: 'CLOSED' })
    await k.close({ deadlineMs: 0 })
    await ended
  })

  test('is refused where nothing would answer it', async () => {
    const { peer, client } = await streaming()
    await using _ = peer
    const session = await client.session()
    const silent = { ...MANY, answer: 'written' } as const
    for (const link of [client.link, session.link]) expect(() => link.stream(silent, 'x')).toThrow(/answer/)
    expect(await session.ask('next')).toBe('echo next')
  })

  test('is read once, may be closed at any time, and is not asked for when nobody looks', async () => {
    const { peer, client } = await streaming()
    await using _ = peer
    const unread = client.stream('never', 0)
    await unread.close()
    await unread.close()
    expect(await readAllOf(unread)).toBe(0)
    const stream = client.stream('small', 0)
    expect((await readAll(stream)).toString()).toBe('echo small\n')
    expect(() => stream[Symbol.asyncIterator]()).toThrow(/once/)
    expect(peer.lines).not.toContain('never')
  })
})

async function readAllOf(stream: ReplyStream): Promise<number> {
  return (await readAll(stream)).length
}

/** As the operation behind `LinesClient.stream`, for sessions. */
const MANY = {
  name: 'one',
  access: 'read',
  on: 'lane',
  idempotent: true,
  encode(out: { utf8(text: string): void }, text: string): number {
    out.utf8(`${text}\n`)
    return 0
  },
  decode: (): undefined => undefined,
} as const
