/**
 * A pool whose connections come and go: opened when somebody calls, given up without a word when the peer closes them,
 * one call at a time unless the protocol lets reads stand behind each other.
 */
import { describe, expect, test } from 'vitest'
import { type BenchOutcome, type BenchUpstream, KernelBench } from '../testing/kernel-bench.ts'
import { linePeer } from '../testing/line-peer.ts'
import { OrderlyPeers } from '../testing/orderly-peer.ts'

const COMING_AND_GOING: BenchUpstream = { lanes: 'pool', handshake: false, limits: { lanesMin: 0, lanesMax: 4 } }

function opened(upstream: BenchUpstream = COMING_AND_GOING): { bench: KernelBench; peers: OrderlyPeers } {
  const bench = new KernelBench()
  const peers = new OrderlyPeers()
  bench.world.network.listen('a:1', peers.listener)
  bench.app.connect(1, upstream)
  return { bench, peers }
}

function open(bench: KernelBench) {
  return bench.world.network.open()
}

async function texts(calls: readonly Promise<BenchOutcome>[]): Promise<string[]> {
  return (await Promise.all(calls)).map((outcome) => ('text' in outcome ? outcome.text : outcome.error.code))
}

describe('with no lane that must stay', () => {
  test('the first connection shows that somebody is there, and is closed when it idles: all is well', async () => {
    const { bench } = opened()
    await bench.run(20)
    expect(bench.app.statuses.at(-1)).toBe('ready')
    expect(open(bench)).toHaveLength(1)
    await bench.run(15_000)
    expect(open(bench)).toHaveLength(0)
    expect(bench.app.statuses.at(-1)).toBe('ready')
    const call = bench.app.call('again')
    await bench.run(20)
    expect(await texts([call])).toEqual(['again'])
  })

  test('a peer that closes what idles is no trouble: nothing is logged, no address waits', async () => {
    const { bench } = opened()
    for (let round = 0; round < 20; round++) {
      const call = bench.app.call(`c${round}`)
      await bench.run(3)
      expect(await texts([call])).toEqual([`c${round}`])
      for (const peer of open(bench)) peer.end()
      await bench.run(3)
    }
    expect(bench.app.statuses.filter((status) => status === 'down')).toEqual([])
    expect(bench.world.lines).toEqual([])
  })

  test('a peer that closes after each answer serves everybody at full speed', async () => {
    const bench = new KernelBench()
    bench.world.network.listen('a:1', (peer) => {
      peer.onData = (bytes) => {
        peer.send(bytes)
        peer.end()
      }
    })
    // Unannounced, so that whoever was written behind an answer has to be sent again.
    bench.app.connect(1, { ...COMING_AND_GOING, limits: { lanesMin: 0, lanesMax: 4, retriesPerSecond: 1_000 } })
    const calls = Array.from({ length: 50 }, (_, index) => bench.app.call(`c${index}`, { idempotent: true }))
    await bench.run(200)
    expect(await texts(calls)).toEqual(calls.map((_, index) => `c${index}`))
  })

  test('a call that met a closing connection is sent again if it may be, and fails as maybe if not', async () => {
    const { bench } = opened()
    const warm = [bench.app.call('warm'), bench.app.call('warm')]
    await bench.run(50)
    expect(await texts(warm)).toEqual(['warm', 'warm'])
    // They close at the moment at which the next requests are on their way, and read none of them.
    for (const peer of open(bench)) peer.onData = () => peer.end()
    const calls = [bench.app.call('read', { idempotent: true }), bench.app.call('write')]
    await bench.run(100)
    expect(await texts(calls)).toEqual(['read', 'CLOSED_BY_PEER'])
    expect(bench.app.statuses.filter((status) => status === 'down')).toEqual([])
  })

  test('what breaks every connection is sent again as often as it may be, and then fails', async () => {
    const bench = new KernelBench()
    let seen = 0
    bench.world.network.listen('a:1', (peer) => {
      peer.onData = () => {
        seen++
        peer.end()
      }
    })
    bench.app.connect(1, { ...COMING_AND_GOING, limits: { lanesMin: 0, lanesMax: 4, callRetriesMax: 1 } })
    const call = bench.app.call('poison', { idempotent: true })
    await bench.run(5_000)
    expect(await texts([call])).toEqual(['CLOSED_BY_PEER'])
    expect(seen).toBe(2)
  })

  test('one route that breaks its connections does not shut out the others', async () => {
    const bench = new KernelBench()
    bench.world.network.listen('a:1', (peer) => {
      peer.onData = (bytes) => (bytes.toString().startsWith('bad') ? peer.reset() : peer.send(bytes))
    })
    bench.app.connect(1, COMING_AND_GOING)
    const good: Promise<BenchOutcome>[] = []
    for (let round = 0; round < 100; round++) {
      void bench.app.call(`bad${round}`, { deadlineMs: 200 })
      void bench.app.call(`bad${round}`, { deadlineMs: 200 })
      await bench.run(1)
      good.push(bench.app.call(`good${round}`, { deadlineMs: 200 }))
      await bench.run(3)
    }
    await bench.run(300)
    const answered = (await texts(good)).filter((text) => text.startsWith('good'))
    expect(answered).toHaveLength(100)
  })

  test('of two addresses, one that answers nothing gets a few calls and not most of them', async () => {
    const bench = new KernelBench()
    let broken = 0
    bench.world.network.listen('x', (peer) => {
      peer.onData = () => {
        broken++
        peer.reset()
      }
    })
    bench.world.network.listen('y', new OrderlyPeers().listener)
    bench.move('name', ['x', 'y'])
    bench.app.connect(1, { ...COMING_AND_GOING, at: 'name' })
    const calls: Promise<BenchOutcome>[] = []
    for (let round = 0; round < 200; round++) {
      calls.push(bench.app.call(`c${round}`, { deadlineMs: 500 }))
      await bench.run(3)
    }
    await bench.run(600)
    expect((await texts(calls)).filter((text) => text.startsWith('c')).length + broken).toBe(200)
    expect(broken).toBeLessThan(20)
  })

  test('nobody there is trouble, and is tried again until somebody is', async () => {
    const bench = new KernelBench()
    bench.app.connect(1, COMING_AND_GOING)
    await bench.run(2_000)
    expect(bench.app.statuses.at(-1)).toBe('down')
    const call = bench.app.call('late')
    bench.world.network.listen('a:1', new OrderlyPeers().listener)
    await bench.run(6_000)
    expect(await texts([call])).toEqual(['late'])
    expect(bench.app.statuses.at(-1)).toBe('ready')
  })
})

describe('a call that was given up', () => {
  test('costs its connection, so that the peer works for nobody; the next call has another', async () => {
    const { bench, peers } = opened()
    peers.hold('slow')
    const slow = bench.app.call('slow', { deadlineMs: 50 })
    await bench.run(100)
    expect(await texts([slow])).toEqual(['DEADLINE'])
    const next = Array.from({ length: 4 }, (_, index) => bench.app.call(`n${index}`))
    await bench.run(50)
    expect(await texts(next)).toEqual(['n0', 'n1', 'n2', 'n3'])
    expect(bench.app.statuses.filter((status) => status === 'down')).toEqual([])
  })
})

test('an address that is gone before its first connection is ready is not waited for', async () => {
  const bench = new KernelBench()
  bench.world.network.listen('a:1', 'black-hole')
  bench.world.network.listen('b:1', linePeer())
  bench.world.network.listen('c:1', linePeer())
  bench.move('name', ['a:1'])
  bench.app.connect(1, { at: 'name', handshake: false })
  const call = bench.app.call('one')
  await bench.run(20)
  bench.move('name', ['b:1'])
  await bench.run(20)
  expect(await texts([call])).toEqual(['one'])
  bench.move('name', ['c:1'])
  await bench.run(0.5)
  bench.move('name', ['b:1'])
  await bench.run(20)
  const again = bench.app.call('two')
  await bench.run(20)
  expect(await texts([again])).toEqual(['two'])
})

test('what failed while there were lanes is no reason to be down when one is replaced', async () => {
  const bench = new KernelBench()
  bench.world.network.listen('a:1', linePeer())
  bench.app.connect(1, { lanes: 'pool', handshake: false, whenDown: 'fail', limits: { laneLifeMs: 5_000 } })
  await bench.run(20)
  bench.world.network.listen('a:1', undefined)
  const refused = bench.app.call('alone', { exclusive: true, deadlineMs: 100 })
  await bench.run(200)
  expect(await texts([refused])).toEqual(['DEADLINE'])
  bench.world.network.listen('a:1', linePeer())
  await bench.run(10_000)
  expect(bench.app.statuses.filter((status) => status === 'down')).toEqual([])
})

describe('at rest', () => {
  const IDLES_SOON = { lanesMin: 0, lanesMax: 4, laneIdleMs: 1_000 }

  function named(upstream: BenchUpstream = {}): { bench: KernelBench; peers: OrderlyPeers } {
    const bench = new KernelBench()
    const peers = new OrderlyPeers()
    for (const id of ['a:1', 'b:1']) bench.world.network.listen(id, peers.listener)
    bench.move('name', ['a:1'])
    bench.app.connect(1, { ...COMING_AND_GOING, at: 'name', limits: IDLES_SOON, ...upstream })
    return { bench, peers }
  }

  test('what drains elsewhere changes nothing', async () => {
    const { bench, peers } = named()
    peers.hold('slow')
    await bench.run(20)
    const slow = bench.app.call('slow')
    await bench.run(20)
    bench.move('name', ['b:1'])
    await bench.run(5_000)
    expect(open(bench).map(({ id }) => id)).toEqual(['a:1'])
    peers.release('slow')
    await bench.run(100)
    expect(await texts([slow])).toEqual(['slow'])
    expect(open(bench)).toEqual([])
    expect(bench.app.statuses.at(-1)).toBe('ready')
  })

  test('a session to an address that is gone is not lent again', async () => {
    const { bench } = named()
    await bench.run(20)
    const before = bench.app.call('before', { exclusive: true })
    await bench.run(5_000)
    bench.move('name', ['b:1'])
    await bench.run(20)
    expect(open(bench)).toEqual([])
    const after = bench.app.call('after', { exclusive: true })
    await bench.run(20)
    expect(open(bench).map(({ id }) => id)).toEqual(['b:1'])
    expect(await texts([before, after])).toEqual(['before', 'after'])
  })

  test('an attempt that hangs keeps nobody waiting where there is another address', async () => {
    const { bench, peers } = named({ whenDown: 'fail' })
    peers.hold('slow')
    bench.move('name', ['a:1', 'b:1'])
    bench.world.network.listen('b:1', 'black-hole')
    await bench.run(20)
    const slow = [bench.app.call('slow'), bench.app.call('slow')]
    await bench.run(20)
    expect(bench.world.network.dialled.map(({ id }) => id)).toEqual(['a:1', 'b:1'])
    peers.release('slow')
    await bench.run(2_500)
    expect([await texts(slow), open(bench)]).toEqual([['slow', 'slow'], []])
    const calls = [bench.app.call('one'), bench.app.call('two')]
    await bench.run(20)
    expect(await texts(calls)).toEqual(['one', 'two'])
    await bench.run(5_000)
    expect(bench.app.statuses.filter((status) => status === 'down')).toEqual([])
  })

  test('whoever was refused once does not shut the door for ever', async () => {
    const { bench } = named({ handshake: true })
    await bench.run(5_000)
    expect(open(bench)).toEqual([])
    bench.world.network.listen(
      'a:1',
      linePeer((text) => (text.startsWith('hello') ? '-denied' : text)),
    )
    const refused = bench.app.call('alone', { exclusive: true })
    await bench.run(50)
    expect(await texts([refused])).toEqual(['DENIED'])
    bench.world.network.listen('a:1', linePeer())
    await bench.run(10_000)
    const calls = [bench.app.call('again'), bench.app.call('alone', { exclusive: true })]
    await bench.run(50)
    expect(await texts(calls)).toEqual(['again', 'alone'])
  })

  test('a session gets in where credentials are asked for by lanes', async () => {
    const { bench } = named({ handshake: true, asksCredentials: true })
    const give = async (): Promise<void> => {
      await bench.run(10)
      bench.app.app.control({ type: 'credentials', target: 1, value: 'token', failure: undefined })
    }
    await give()
    await bench.run(5_000)
    expect(open(bench)).toEqual([])
    const alone = bench.app.call('alone', { exclusive: true })
    await give()
    await bench.run(50)
    expect(await texts([alone])).toEqual(['alone'])
  })
})

describe('reads that may stand behind each other', () => {
  const read = { reads: true, fingerprint: 7, idempotent: true }

  test('have a connection each while one more may be opened, and share when none may', async () => {
    const { bench, peers } = opened()
    peers.hold('held')
    const calls = Array.from({ length: 12 }, () => bench.app.call('held', read))
    await bench.run(50)
    expect(open(bench)).toHaveLength(4)
    expect(peers.lines.map((lines) => lines.length)).toEqual([3, 3, 3, 3])
    peers.release('held')
    await bench.run(50)
    expect(await texts(calls)).toEqual(calls.map(() => 'held'))
  })

  test('keep no connection that works for nobody any more', async () => {
    const { bench, peers } = opened()
    peers.hold('hung')
    const hung = Array.from({ length: 12 }, () => bench.app.call('hung', { ...read, deadlineMs: 50 }))
    await bench.run(100)
    expect(await texts(hung)).toEqual(hung.map(() => 'DEADLINE'))
    const next = [bench.app.call('write'), bench.app.call('read', read)]
    await bench.run(50)
    expect(await texts(next)).toEqual(['write', 'read'])
  })

  test('share as well where sessions have the rest of the connections', async () => {
    const { bench, peers } = opened({ ...COMING_AND_GOING, limits: { lanesMax: 4, connectionsMax: 5, lanesMin: 0 } })
    for (const session of [1, 2, 3]) {
      bench.app.app.control({ type: 'open-session', session, target: 1, deadlineMs: 1_000 })
    }
    await bench.run(50)
    peers.hold('held')
    const calls = Array.from({ length: 6 }, () => bench.app.call('held', read))
    await bench.run(50)
    expect(peers.lines.filter((lines) => lines.length > 0).map((lines) => lines.length)).toEqual([3, 3])
    peers.release('held')
    await bench.run(50)
    expect(await texts(calls)).toEqual(calls.map(() => 'held'))
  })

  test('stand behind no call that wants its connection to itself', async () => {
    const { bench, peers } = opened()
    peers.hold('write')
    const writes = Array.from({ length: 4 }, () => bench.app.call('write'))
    await bench.run(50)
    const reads = Array.from({ length: 3 }, (_, index) => bench.app.call(`r${index}`, read))
    await bench.run(50)
    expect(peers.lines.flat().filter((line) => line.startsWith('r'))).toEqual([])
    peers.release('write')
    await bench.run(50)
    expect(await texts([...writes, ...reads])).toEqual(['write', 'write', 'write', 'write', 'r0', 'r1', 'r2'])
  })
})

describe('a protocol that bounds the calls of a connection', () => {
  test.each(['elastic', 'one', 'pool'] as const)('is never given more, with lanes %s', async (lanes) => {
    const { bench, peers } = opened({ ...COMING_AND_GOING, lanes, callsMax: 1, limits: { lanesMax: 3 } })
    peers.hold('held')
    const calls = Array.from({ length: 9 }, () => bench.app.call('held', { reads: true, fingerprint: 7 }))
    await bench.run(100)
    expect(peers.lines.map((lines) => lines.length)).toEqual(lanes === 'one' ? [1] : [1, 1, 1])
    peers.release('held')
    await bench.run(200)
    expect(await texts(calls)).toEqual(calls.map(() => 'held'))
  })
})
