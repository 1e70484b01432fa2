/** Planted violations of law 2. */
import { expect, test } from 'vitest'
import { sourceFile } from '../source-file.ts'
import { oneClock, oneDoorEach, sansIo } from './purity.ts'

test('a second importer of a door is named', () => {
  const door = sourceFile('packages/core/src/io/socket.ts', `import { connect } from 'node:net'`)
  const second = sourceFile('packages/core/src/io/listener.ts', `import { createServer } from 'node:net'`)
  const types = sourceFile('packages/core/src/io/lane.ts', `import type { Socket } from 'node:net'`)
  const aTest = sourceFile('packages/core/src/io/lane.test.ts', `import { createServer } from 'node:net'`)
  expect(oneDoorEach([door, types, aTest])).toEqual([])
  expect(oneDoorEach([door, second])).toHaveLength(1)
})

test.each([
  ['packages/redis/src/framer.ts', `import { Socket } from 'node:net'`],
  ['packages/redis/src/handshake.ts', `import type { Socket } from 'node:net'`],
  ['packages/redis/src/codec/resp3.ts', `import { readFile } from 'node:fs/promises'`],
  ['packages/redis/src/probe.ts', 'const now = Date.now()'],
  ['packages/core/src/io/scheduler.ts', 'const now = performance.now()'],
  ['packages/core/src/io/scheduler-elastic.ts', 'if (Math.random() < 0.5) choose()'],
  ['packages/core/src/io/balancer.ts', 'setTimeout(() => {}, 5)'],
  ['packages/redis/src/codec/deep/er.ts', 'const id = randomBytes(8)'],
])('%s must not say %s', (path, text) => {
  expect(sansIo([sourceFile(path, text)])).toHaveLength(1)
})

test.each([
  ['packages/redis/src/framer.ts', '// Not even Date.now() is called here.'],
  ['packages/redis/src/framer.test.ts', 'setTimeout(() => {}, 5)'],
  ['packages/redis/src/client.ts', 'setTimeout(() => {}, 5)'],
])('%s may say %s', (path, text) => {
  expect(sansIo([sourceFile(path, text)])).toEqual([])
})

test('one clock', () => {
  const read = 'export const now = () => performance.now()'
  expect(oneClock([sourceFile('packages/core/src/shared/clock.ts', read)])).toEqual([])
  expect(oneClock([sourceFile('packages/core/src/io/timers.ts', read)])).toHaveLength(1)
  expect(oneClock([sourceFile('packages/core/src/io/timers.ts', 'process.hrtime.bigint()')])).toHaveLength(1)
  expect(oneClock([sourceFile('packages/core/src/testing/clock.ts', read)])).toEqual([])
})
