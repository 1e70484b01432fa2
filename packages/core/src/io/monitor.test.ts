/**
 * The monitor: probes on a connection of their own, and a lane given up only when it is silent and the monitor
 * disagrees. In a virtual world.
 */
import { expect, test } from 'vitest'
import type { FakePeer } from '../testing/fake-network.ts'
import { type BenchOutcome, type BenchUpstream, KernelBench } from '../testing/kernel-bench.ts'
import { linePeer } from '../testing/line-peer.ts'

const LIMITS = { probeIntervalMs: 1_000, probeTimeoutMs: 500, laneSilenceMs: 1_000 }

async function watched(upstream: BenchUpstream = {}): Promise<KernelBench> {
  const bench = new KernelBench()
  bench.world.network.listen('a:1', linePeer())
  bench.app.connect(1, { probe: true, limits: LIMITS, ...upstream })
  await bench.run(20)
  return bench
}

function monitorPeer(bench: KernelBench): FakePeer | undefined {
  return bench.world.network.open().find((peer) => peer.received.includes('ping'))
}

function lanePeers(bench: KernelBench): FakePeer[] {
  return bench.world.network.open().filter((peer) => !peer.received.includes('ping'))
}

function short(outcome: BenchOutcome): string {
  return 'text' in outcome ? outcome.text : `${outcome.error.code} ${outcome.error.sent}`
}

test('probes go over a connection of their own, at their interval', async () => {
  const bench = await watched()
  const call = bench.app.call('x')
  await bench.run(5_100)
  expect(await call).toEqual({ text: 'x' })
  expect(bench.world.network.open()).toHaveLength(2)
  expect(monitorPeer(bench)?.received.toString()).toBe(`hello tester\n${'ping\n'.repeat(5)}`)
  expect(lanePeers(bench)[0]?.received.toString()).toBe('hello tester\nx\n')
})

test('a lane that is silent with calls unanswered, while its peer answers others, is replaced', async () => {
  const bench = await watched()
  for (const peer of lanePeers(bench)) peer.onData = () => undefined
  const stuck = bench.app.call('stuck')
  const again = bench.app.call('again', { idempotent: true })
  await bench.run(4_000)
  expect(short(await stuck)).toBe('LANE_SILENT maybe')
  expect(short(await again)).toBe('again')
})

test('where replies come in any order, a call that takes long is no sign of a lane that is gone', async () => {
  const bench = await watched({ correlated: true })
  for (const peer of lanePeers(bench)) peer.onData = () => undefined
  const slow = bench.app.call('slow')
  await bench.run(20_000)
  lanePeers(bench)[0]?.send('slow\n')
  await bench.run(20)
  expect(short(await slow)).toBe('slow')
})

test('a lane is not given up while anything comes over it, though its monitor fails', async () => {
  const bench = await watched()
  bench.world.network.listen('a:1', 'black-hole')
  const [peer] = lanePeers(bench)
  if (peer !== undefined) peer.onData = () => undefined
  const slow = bench.app.call('slow')
  for (let count = 0; count < 20; count++) {
    // A large reply that takes its time.
    peer?.send('y'.repeat(20_000))
    await bench.run(400)
  }
  peer?.send('\n')
  await bench.run(20)
  expect('text' in (await slow)).toBe(true)
})

test('an idle lane is left alone as long as its monitor is well', async () => {
  const bench = await watched()
  const [lane] = lanePeers(bench)
  await bench.run(60_000)
  expect(lane?.isOpen).toBe(true)
  const call = bench.app.call('x')
  await bench.run(20)
  expect(await call).toEqual({ text: 'x' })
})

test('a lane that is silent, and whose monitor fails, is given up', async () => {
  const bench = await watched()
  await bench.run(2_000)
  const [lane] = lanePeers(bench)
  bench.world.network.listen('a:1', 'black-hole')
  for (const peer of bench.world.network.open()) peer.onData = () => undefined
  const stuck = bench.app.call('stuck')
  await bench.run(8_000)
  expect(short(await stuck)).toBe('LANE_SILENT maybe')
  expect(lane?.isOpen).toBe(false)
})

test('a slow call is no silence: a pool gives up no lane while the peer is well', async () => {
  const bench = await watched({ lanes: 'pool' })
  for (const peer of lanePeers(bench)) {
    peer.onData = () => {
      bench.world.after(20_000, () => peer.send('slow\n'))
    }
  }
  const slow = bench.app.call('slow')
  await bench.run(21_000)
  expect(await slow).toEqual({ text: 'slow' })
})

test('a dead address costs its own lanes only', async () => {
  const bench = new KernelBench()
  for (const id of ['a:1', 'b:1']) bench.world.network.listen(id, linePeer())
  bench.app.connect(1, { at: 'a:1,b:1', lanes: 'pool', probe: true, limits: { ...LIMITS, lanesMax: 2 } })
  const first = [bench.app.call('1'), bench.app.call('2')]
  await bench.run(500)
  await Promise.all(first)
  const healthy = bench.world.network.open('b:1')
  expect(bench.world.network.open('a:1').length).toBeGreaterThan(0)
  expect(healthy).toHaveLength(1)
  bench.world.network.listen('a:1', 'black-hole')
  for (const peer of bench.world.network.open('a:1')) peer.onData = () => undefined
  await bench.run(9_000)
  expect(healthy[0]?.isOpen).toBe(true)
})

test('a protocol that cannot be probed has no monitor connection', async () => {
  const bench = await watched({ probe: false })
  await bench.run(30_000)
  expect(bench.world.network.open()).toHaveLength(1)
  const call = bench.app.call('x')
  await bench.run(20)
  expect(await call).toEqual({ text: 'x' })
})

test('the monitor follows the lane to another address, and stops with the upstream', async () => {
  const bench = new KernelBench()
  for (const id of ['old', 'new']) bench.world.network.listen(id, linePeer())
  bench.move('name', ['old'])
  bench.app.connect(1, { at: 'name', probe: true, limits: LIMITS })
  await bench.run(2_500)
  expect(bench.world.network.open('old')).toHaveLength(2)
  bench.move('name', ['new'])
  await bench.run(2_500)
  expect(bench.world.network.open('old')).toHaveLength(0)
  expect(bench.world.network.open('new')).toHaveLength(2)
  bench.app.app.control({ type: 'disconnect', target: 1, deadlineMs: 100 })
  await bench.run(10_000)
  expect(bench.world.network.open()).toEqual([])
  expect(bench.world.pending).toBe(0)
})
