/**
 * Streamed replies from the peer to the reader, in a virtual world: what may be under way, who waits for whom, and how
 * each of them ends. The rules of `incoming-stream.ts` and `stream-pacing.ts`.
 */
import { describe, expect, test } from 'vitest'
import { CallFlag } from '../channel/records.ts'
import { IncomingStream } from '../main/incoming-stream.ts'
import type { AnyOperation } from '../main/slots.ts'
import type { ByteWriter } from '../plugin/byte-writer.ts'
import type { ReplyPiece } from '../plugin/protocol.ts'
import type { FakePeer } from '../testing/fake-network.ts'
import { type BenchUpstream, KernelBench } from '../testing/kernel-bench.ts'
import { line, linePeer } from '../testing/line-peer.ts'
import { Random, withSeed } from '../testing/random.ts'

const LINE = line as unknown as AnyOperation

interface Ask {
  /** Over a lane of a pool. */
  readonly pooled?: boolean
  readonly deadlineMs?: number
  readonly session?: number
}

function streamOf(bench: KernelBench, text: string, streamBytesMax: number, ask: Ask = {}): IncomingStream {
  const { app } = bench.app
  const alone = ask.pooled === true ? CallFlag.Read | CallFlag.Idempotent : CallFlag.Exclusive
  const flags = CallFlag.Stream | (ask.session === undefined ? alone : CallFlag.Session)
  const target = ask.session ?? 1
  return new IncomingStream(
    {
      start: (sink) => app.call(LINE, text, target, flags, ask.deadlineMs ?? 0, 1 << 20, undefined, sink),
      credit: (id, bytes) => app.credit(id, bytes),
      cancel: (id) => app.cancel(id),
    },
    streamBytesMax,
  )
}

async function serving(upstream: BenchUpstream, bench = new KernelBench()): Promise<KernelBench> {
  bench.world.network.listen(
    'a:1',
    linePeer((text, peer) => (text.startsWith('large') ? pour(peer, Number(text.split(' ')[1])) : text)),
  )
  bench.app.connect(1, upstream)
  await bench.run(20)
  return bench
}

/** In pieces, as a socket would take them. */
function pour(peer: FakePeer, length: number): undefined {
  const bytes = whole(length)
  for (let at = 0; at < length; at += 50_000) peer.send(bytes.subarray(at, at + 50_000))
}

function whole(length: number): Buffer {
  const bytes = Buffer.alloc(length, 'abcdefghijklm')
  bytes[length - 1] = 10
  return bytes
}

/** Reads on while the world runs; what came, and how it ended. */
class Reader {
  readonly pieces: Buffer[] = []
  readonly facts = new Set<unknown>()
  end: string | undefined
  readonly #stream: IncomingStream

  constructor(stream: IncomingStream) {
    this.#stream = stream
  }

  get bytes(): number {
    return this.pieces.reduce((sum, piece) => sum + piece.length, 0)
  }

  async read(most: number = Number.POSITIVE_INFINITY): Promise<void> {
    try {
      for (let count = 0; count < most && this.end === undefined; count++) {
        const next: IteratorResult<ReplyPiece, undefined> = await this.#stream.next()
        if (next.done === true) this.end = 'done'
        else {
          this.pieces.push(next.value.bytes)
          this.facts.add((next.value.facts as { greeting?: string })?.greeting)
        }
      }
    } catch (error) {
      this.end = (error as { code: string }).code
    }
  }
}

describe('a stream', () => {
  test('has its bytes, whatever its length, the rings and the chunks', async () => {
    await withSeed(async (random) => {
      for (let round = 0; round < 40; round++) {
        const bench = new KernelBench(random, { completionBytes: random.pick([4_096, 1 << 16, 1 << 22]) })
        bench.world.network.faults = {
          ...bench.world.network.faults,
          chunkBytesMax: random.pick([1_000, 20_000, Number.MAX_SAFE_INTEGER]),
        }
        const streamBytesMax = random.pick([1, 1_000, 100_000])
        await serving({ limits: { streamBytesMax } }, bench)
        const length = random.pick([1, 2, 16_384, 16_385, 50_000, 50_001, 400_000])
        const reader = new Reader(streamOf(bench, `large ${length}`, streamBytesMax))
        const reading = reader.read()
        await bench.run(5_000)
        await reading
        expect(reader.end).toBe('done')
        expect(Buffer.concat(reader.pieces).equals(whole(length))).toBe(true)
        expect([...reader.facts]).toEqual(['welcome'])
        expect(bench.app.app.owed).toBe(false)
      }
    })
  }, 60_000)

  test('asks nothing before the first look, and stops the peer when its reader stops', async () => {
    const bench = await serving({ limits: { streamBytesMax: 100_000 } })
    const reader = new Reader(streamOf(bench, 'large 5000000', 100_000))
    await bench.run(100)
    expect(bench.world.network.peers).toHaveLength(1)
    const [first] = [reader.read(1)]
    await bench.run(500)
    await first
    const waits = [...bench.app.io.calls()].map(({ unread, source }) => ({ unread, isPaused: source?.isPaused }))
    expect(waits).toHaveLength(1)
    expect(waits[0]?.isPaused).toBe(true)
    expect(waits[0]?.unread).toBeLessThanOrEqual(100_000 + 50_000)
    const quick = bench.app.call('quick')
    await bench.run(10)
    expect(await quick).toEqual({ text: 'quick' })
    const rest = reader.read()
    await bench.run(2_000)
    await rest
    expect([reader.end, reader.bytes]).toEqual(['done', 5_000_000])
  })

  test('closed early costs its connection, or is cancelled; the next call is not harmed', async () => {
    for (const session of [undefined, 7]) {
      const bench = await serving({ limits: { streamBytesMax: 50_000 } })
      if (session !== undefined) bench.app.app.control({ type: 'open-session', session, target: 1, deadlineMs: 100 })
      await bench.run(50)
      const stream = streamOf(bench, 'large 2000000', 50_000, session === undefined ? {} : { session })
      const reader = new Reader(stream)
      const reading = reader.read(2)
      await bench.run(100)
      await reading
      const closed = stream.close()
      await bench.run(500)
      await closed
      const next = bench.app.call('next', session === undefined ? { exclusive: true } : { session })
      await bench.run(50)
      expect(await next).toEqual({ text: 'next' })
      expect(bench.app.app.owed).toBe(false)
    }
  })

  test('whose peer keeps it waiting ends at its deadline, which begins anew with each piece', async () => {
    const bench = await serving({})
    bench.world.network.listen('a:1', (peer) => {
      peer.onData = (bytes) => {
        if (bytes.toString().startsWith('hello')) return peer.send('welcome\n')
        for (let count = 0; count < 5; count++) bench.world.after(80 * count, () => peer.send('x'.repeat(20_000)))
      }
    })
    const reader = new Reader(streamOf(bench, 'slow', 1 << 20, { deadlineMs: 100 }))
    const reading = reader.read()
    await bench.run(350)
    expect(reader.end).toBeUndefined()
    await bench.run(200)
    await reading
    expect([reader.end, reader.bytes]).toEqual(['DEADLINE', 100_000])
  })

  test('whose reader keeps the peer waiting ends after readerTimeoutMs, and not by its deadline', async () => {
    const bench = await serving({ limits: { streamBytesMax: 50_000, readerTimeoutMs: 1_000 } })
    const reader = new Reader(streamOf(bench, 'large 5000000', 50_000, { deadlineMs: 100 }))
    const first = reader.read(1)
    await bench.run(900)
    await first
    expect([...bench.app.io.calls()]).toHaveLength(1)
    await bench.run(500)
    const rest = reader.read()
    await bench.run(50)
    await rest
    expect(reader.end).toBe('DEADLINE')
    expect(bench.app.app.owed).toBe(false)
  })

  test('whose connection is lost in the middle says so, whether it is paused or not', async () => {
    for (const streamBytesMax of [50_000, 10_000_000]) {
      const bench = await serving({ limits: { streamBytesMax } })
      const reader = new Reader(streamOf(bench, 'large 2000000', streamBytesMax))
      const first = reader.read(1)
      await bench.run(6)
      await first
      bench.world.network.open().at(-1)?.reset()
      await bench.run(100)
      const rest = reader.read()
      await bench.run(100)
      await rest
      expect(reader.end).toMatch(/^(CONNECTION_LOST|done)$/)
      expect(bench.app.app.owed).toBe(false)
    }
  })

  test('that is open when its client closes ends with an error', async () => {
    const bench = await serving({ limits: { streamBytesMax: 50_000 } })
    const reader = new Reader(streamOf(bench, 'large 2000000', 50_000))
    const first = reader.read(1)
    await bench.run(100)
    await first
    bench.app.app.control({ type: 'disconnect', target: 1, deadlineMs: 100 })
    await bench.run(1_000)
    const rest = reader.read()
    await bench.run(100)
    await rest
    expect(reader.end).toBe('CLOSED')
    expect(bench.app.app.owed).toBe(false)
    expect(bench.world.network.open()).toEqual([])
  })

  test('is one of many, and readers of all speeds have what is theirs', async () => {
    const bench = await serving({ limits: { streamBytesMax: 30_000 } }, new KernelBench(new Random(3)))
    const lengths = Array.from({ length: 20 }, (_, index) => 10_000 * (index + 1) + index)
    const readers = lengths.map((length) => new Reader(streamOf(bench, `large ${length}`, 30_000)))
    for (let round = 0; round < 200 && readers.some(({ end }) => end === undefined); round++) {
      const reading = readers.map((reader, index) => (round % ((index % 3) + 1) === 0 ? reader.read(1) : undefined))
      await bench.run(20)
      await Promise.all(reading)
    }
    expect(readers.map(({ bytes, end }) => `${end} ${bytes}`)).toEqual(lengths.map((length) => `done ${length}`))
  })
})

test('two that read one stream at once have each a piece of their own, in order', async () => {
  const bench = await serving({})
  const stream = streamOf(bench, 'large 100000', 1 << 20)
  const reads = Array.from({ length: 40 }, () => stream.next())
  await bench.run(500)
  const results = await Promise.all(reads)
  const pieces = results.flatMap((each) => (each.done === true ? [] : [each.value.bytes]))
  expect(Buffer.concat(pieces).equals(whole(100_000))).toBe(true)
  expect(results.at(-1)?.done).toBe(true)
})

describe('a stream over a lane of a pool', () => {
  const POOLED = { pooled: true }
  const LARGE = 4_000_000

  test.each(['its life is over', 'its name moves'])('takes the time its reader takes, though %s', async (why) => {
    const bench = new KernelBench()
    bench.world.network.listen('b:1', linePeer())
    bench.move('name', ['a:1'])
    const limits = { laneLifeMs: 5_000, streamBytesMax: 100_000 }
    await serving(
      { at: 'name', lanes: 'pool', limits: why.includes('life') ? limits : { streamBytesMax: 100_000 } },
      bench,
    )
    const reader = new Reader(streamOf(bench, `large ${LARGE}`, limits.streamBytesMax, POOLED))
    void reader.read(1)
    await bench.run(1_000)
    if (!why.includes('life')) bench.move('name', ['b:1'])
    await bench.run(200_000)
    void reader.read()
    await bench.run(1_000)
    expect([reader.end, reader.bytes]).toEqual(['done', LARGE])
    await bench.run(60_000)
    expect(bench.world.network.open('a:1').length).toBe(why.includes('life') ? 1 : 0)
  })

  test('has it to itself, whatever it could share', async () => {
    const bench = new KernelBench()
    let peer: FakePeer | undefined
    bench.world.network.listen('a:1', (accepted) => {
      peer = accepted
    })
    bench.app.connect(1, { lanes: 'pool', handshake: false, limits: { lanesMax: 1 } })
    await bench.run(20)
    const sink = { begun: () => undefined, take: () => undefined }
    const read = { reads: true, fingerprint: 7 }
    const streamed = bench.app.call('stream', { ...read, sink })
    const other = bench.app.call('other', read)
    await bench.run(20)
    expect(peer?.received.toString()).toBe('stream\n')
    peer?.send('streamed\n')
    await bench.run(20)
    peer?.send('answer\n')
    await bench.run(20)
    expect([await streamed, await other]).toEqual([{ text: '' }, { text: 'answer' }])
  })

  test('that has begun is not begun again, whatever its peer says of it then', async () => {
    const bench = new KernelBench()
    let asked = 0
    bench.world.network.listen('a:1', (peer) => {
      peer.onData = () => {
        asked++
        peer.send(whole(40_000).subarray(0, 39_999))
        bench.world.after(5, () => peer.send('\n-stale\nend\n'))
      }
    })
    bench.app.connect(1, { lanes: 'pool', handshake: false })
    await bench.run(20)
    const pieces: Buffer[] = []
    const sink = { begun: () => undefined, take: (bytes: Buffer) => void pieces.push(bytes) }
    const encode = (out: ByteWriter): number => {
      out.ascii('ask\n')
      return 2
    }
    const threeLines: AnyOperation = { ...LINE, encode }
    const ended = bench.app.app.call(
      threeLines,
      '',
      1,
      CallFlag.Stream | CallFlag.Idempotent,
      0,
      1 << 20,
      undefined,
      sink,
    )
    await bench.run(50)
    await ended
    expect(asked).toBe(1)
    expect(Buffer.concat(pieces).subarray(39_999).toString()).toBe('\n-stale\nend\n')
  })
})
