/** A peer that speaks unasked over lanes: pushes and requests of its own, on the kernel in a virtual world. */
import { expect, test } from 'vitest'
import { CallFlag } from '../channel/records.ts'
import type { AnyOperation } from '../main/slots.ts'
import { type BenchThread, KernelBench } from '../testing/kernel-bench.ts'

async function opened(): Promise<KernelBench> {
  const bench = new KernelBench()
  bench.world.network.listen('a:1', () => undefined)
  bench.app.connect(1, { unasked: true, handshake: false })
  await bench.run(20)
  return bench
}

function add(thread: BenchThread, interest: number, key: string, answers: boolean = false): void {
  thread.app.control({ type: 'add-interest', interest, target: 1, key, resumed: false, answers })
}

function told(thread: BenchThread, interest: number): string {
  return thread.events
    .flatMap((event) =>
      'interest' in event && event.interest === interest ? [event.type.replace('interest-', '')] : [],
    )
    .join(' ')
}

/** The one connection. */
function lane(bench: KernelBench) {
  const [peer, ...others] = bench.world.network.open()
  expect(others).toEqual([])
  return peer as NonNullable<typeof peer>
}

test('pushes over the lane reach everybody who is interested, and nothing is asked of the peer', async () => {
  const bench = await opened()
  add(bench.app, 4, 'news')
  add(bench.app, 5, 'news')
  add(bench.app, 6, 'sport')
  await bench.run(20)
  lane(bench).send('!news one\n!other two\n!sport three\n')
  await bench.run(20)
  expect(bench.app.pushes).toEqual(['4:!news one', '5:!news one', '6:!sport three'])
  expect([4, 5, 6].map((interest) => told(bench.app, interest))).toEqual(['ready', 'ready', 'ready'])
  expect(lane(bench).received.toString()).toBe('')
})

test('an interest that comes before the lane is confirmed when there is one', async () => {
  const bench = new KernelBench()
  bench.app.connect(1, { unasked: true, handshake: false })
  add(bench.app, 4, 'news')
  await bench.run(20)
  expect(told(bench.app, 4)).toBe('')
  bench.world.network.listen('a:1', () => undefined)
  await bench.run(10_000)
  expect(told(bench.app, 4)).toBe('ready')
})

test('an interest keeps a lane, whatever else may come and go', async () => {
  const bench = new KernelBench()
  bench.world.network.listen('a:1', () => undefined)
  bench.app.connect(1, { unasked: true, handshake: false, lanes: 'elastic', limits: { lanesMin: 0 } })
  add(bench.app, 4, 'news')
  await bench.run(60_000)
  expect(told(bench.app, 4)).toBe('ready')
  lane(bench).send('!news late\n')
  await bench.run(20)
  expect(bench.app.pushes).toEqual(['4:!news late'])
})

test('a lane that was lost is a gap, told when there is another', async () => {
  const bench = await opened()
  add(bench.app, 4, 'news')
  await bench.run(20)
  lane(bench).end()
  await bench.run(10_000)
  expect(told(bench.app, 4)).toBe('ready gap')
  lane(bench).send('!news again\n')
  await bench.run(20)
  expect(bench.app.pushes).toEqual(['4:!news again'])
})

test('a push between the parts of a reply belongs to neither', async () => {
  const bench = await opened()
  add(bench.app, 4, 'news')
  const reply = bench.app.call('ask')
  await bench.run(20)
  lane(bench).send('!news one\nanswer\n!news two\n')
  await bench.run(20)
  expect(await reply).toEqual({ text: 'answer' })
  expect(bench.app.pushes).toEqual(['4:!news one', '4:!news two'])
})

test('a request goes to the one who has been able to answer for longest, and to nobody else', async () => {
  const bench = await opened()
  add(bench.app, 4, 'sum')
  add(bench.app, 5, 'sum', true)
  add(bench.app, 6, 'sum', true)
  await bench.run(20)
  lane(bench).send('?sum 17 1 2\n')
  await bench.run(20)
  expect(bench.app.pushes).toEqual(['5:?sum 17 1 2'])
  bench.app.app.control({ type: 'drop-interest', interest: 5 })
  await bench.run(20)
  lane(bench).send('?sum 18 3 4\n')
  await bench.run(20)
  expect(bench.app.pushes.at(-1)).toBe('6:?sum 18 3 4')
})

test('a request that nobody takes is refused by the protocol', async () => {
  const bench = await opened()
  add(bench.app, 4, 'sum')
  await bench.run(20)
  lane(bench).send('?sum 17\n?other 18\n')
  await bench.run(20)
  expect(lane(bench).received.toString()).toBe('nobody 17\nnobody 18\n')
})

test('an answer goes out over the connection that the request came over, and fails when that is gone', async () => {
  const bench = await opened()
  add(bench.app, 5, 'sum', true)
  await bench.run(20)
  lane(bench).send('?sum 17 1 2\n')
  await bench.run(20)
  const connection = bench.app.asked.at(-1) as number
  const answered = answer(bench.app, connection, 'answer 17 3\n')
  await bench.run(20)
  await answered
  expect(lane(bench).received.toString()).toBe('answer 17 3\n')
  lane(bench).end()
  await bench.run(10_000)
  const lost = answer(bench.app, connection, 'answer 17 3\n')
  lost.catch(() => undefined)
  await bench.run(20)
  await expect(lost).rejects.toMatchObject({ code: 'CONNECTION_LOST', sent: 'no' })
  expect(lane(bench).received.toString()).toBe('')
})

test('a peer that asks and takes no answer is cut off before it has filled the memory', async () => {
  const bench = new KernelBench()
  bench.world.network.listen('a:1', () => undefined)
  bench.app.connect(1, { unasked: true, handshake: false, limits: { frameBytesMax: 10_000 } })
  await bench.run(20)
  const peer = lane(bench)
  for (let count = 0; count < 2_000; count++) {
    peer.send(`?other ${count}\n`)
    if (count % 100 === 0) await bench.run(10)
  }
  expect(peer.isOpen).toBe(true)
  peer.pause()
  for (let count = 0; count < 2_000 && peer.isOpen; count++) {
    peer.send(`?other ${count}\n`)
    if (count % 100 === 0) await bench.run(10)
  }
  await bench.run(20)
  expect(peer.isOpen).toBe(false)
})

test('answers of handlers that the peer does not take count as well', async () => {
  const bench = new KernelBench()
  bench.world.network.listen('a:1', () => undefined)
  bench.app.connect(1, { unasked: true, handshake: false, limits: { frameBytesMax: 10_000 } })
  await bench.run(20)
  add(bench.app, 5, 'sum', true)
  await bench.run(20)
  const peer = lane(bench)
  peer.pause()
  const outcomes: Promise<unknown>[] = []
  for (let count = 0; count < 40 && peer.isOpen; count++) {
    peer.send(`?sum ${count}\n`)
    await bench.run(20)
    const connection = bench.app.asked.at(-1) as number
    outcomes.push(answer(bench.app, connection, `${'x'.repeat(999)}\n`).catch((error: unknown) => error))
    await bench.run(20)
  }
  expect(peer.isOpen).toBe(false)
  expect(outcomes.length).toBeLessThan(15)
  await bench.run(20)
  await Promise.all(outcomes)
})

test('what a framer says by itself goes out behind what was written', async () => {
  const bench = await opened()
  const reply = bench.app.call('ask')
  await bench.run(20)
  lane(bench).send('marco\nmarco\nanswer\n')
  await bench.run(20)
  expect(await reply).toEqual({ text: 'answer' })
  expect(lane(bench).received.toString()).toBe('ask\npolo\npolo\n')
})

test('what a framer says goes out before what is written after it', async () => {
  const bench = new KernelBench()
  bench.world.network.listen('a:1', () => undefined)
  bench.app.connect(1, { handshake: false, callsMax: 1 })
  const calls = [bench.app.call('one'), bench.app.call('two')]
  await bench.run(20)
  lane(bench).send('marco\n1\nmarco\n')
  await bench.run(20)
  lane(bench).send('2\n')
  await bench.run(20)
  expect(lane(bench).received.toString()).toBe('one\npolo\npolo\ntwo\n')
  expect(await Promise.all(calls)).toEqual([{ text: '1' }, { text: '2' }])
})

test('an answer goes out while the connection is looked after, and is no part of that', async () => {
  const bench = new KernelBench()
  bench.world.network.listen('a:1', (peer) => {
    peer.onData = (bytes) => {
      const text = bytes.toString()
      if (text === 'audit\n') peer.send('?sum 17 1 2\n')
      else if (text === 'answer 17 3\n') peer.send('clean\n')
      else peer.send(text)
    }
  })
  bench.app.connect(1, {
    unasked: true,
    handshake: false,
    lanes: 'elastic',
    audit: true,
    limits: { auditIntervalMs: 500 },
  })
  add(bench.app, 5, 'sum', true)
  const first = bench.app.call('first')
  await bench.run(2_000)
  const answered = answer(bench.app, bench.app.asked.at(-1) as number, 'answer 17 3\n')
  await bench.run(20)
  await answered
  const second = bench.app.call('second')
  await bench.run(20)
  expect(lane(bench).received.toString()).toBe('first\naudit\nanswer 17 3\nsecond\n')
  expect(await Promise.all([first, second])).toEqual([{ text: 'first' }, { text: 'second' }])
})

test('before the handshake is done nobody is heard, and whoever asks is refused', async () => {
  const bench = new KernelBench()
  bench.world.network.listen('a:1', () => undefined)
  bench.app.connect(1, { unasked: true })
  add(bench.app, 4, 'news')
  add(bench.app, 5, 'sum', true)
  await bench.run(20)
  lane(bench).send('!news early\n?sum 17\nwelcome\n!news one\n?sum 18\n')
  await bench.run(20)
  expect(bench.app.pushes).toEqual(['4:!news one', '5:?sum 18'])
  expect(lane(bench).received.toString()).toBe('hello tester\nnobody 17\n')
})

test('who was interested before the I/O thread was replaced is told of a gap, and not who is new', async () => {
  const bench = new KernelBench()
  bench.world.network.listen('a:1', () => undefined)
  bench.app.connect(1, { unasked: true, handshake: false })
  bench.app.app.control({ type: 'add-interest', interest: 4, target: 1, key: 'news', resumed: true, answers: false })
  add(bench.app, 5, 'news')
  await bench.run(20)
  expect([4, 5].map((interest) => told(bench.app, interest))).toEqual(['gap', 'ready'])
})

test('a call that nothing answers may go over a lane, between those that are answered', async () => {
  const bench = await opened()
  const first = bench.app.call('one')
  const said = bench.app.call('said', { silent: true })
  const second = bench.app.call('two')
  await bench.run(20)
  expect(lane(bench).received.toString()).toBe('one\nsaid\ntwo\n')
  expect(await said).toEqual({ text: '' })
  lane(bench).send('1\n2\n')
  await bench.run(20)
  expect([await first, await second]).toEqual([{ text: '1' }, { text: '2' }])
})

test('interests end with an error when the upstream closes, and a limit bounds their keys', async () => {
  const bench = new KernelBench()
  bench.world.network.listen('a:1', () => undefined)
  bench.app.connect(1, { unasked: true, handshake: false, limits: { interestsMax: 1 } })
  add(bench.app, 4, 'news')
  add(bench.app, 5, 'news')
  add(bench.app, 6, 'sport')
  await bench.run(20)
  expect([4, 5, 6].map((interest) => told(bench.app, interest))).toEqual(['ready', 'ready', 'failed'])
})

function answer(thread: BenchThread, connection: number, text: string): Promise<unknown> {
  const operation = {
    encode: (out: { utf8(text: string): number }) => {
      out.utf8(text)
      return 0
    },
    fingerprint: () => connection,
    decode: () => undefined,
  } as unknown as AnyOperation
  return thread.app.call(operation, null, 1, CallFlag.Silent | CallFlag.Answer, 1_000, 1 << 20, undefined)
}
