/** Services as processes: they say where they listen, and end when they are told to, or with their owner. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { until } from '../testing/until.ts'
import type { Listening } from './life.ts'
import { type Service, startFileService, startJobService } from './start.ts'

const SERVICES: readonly (readonly [string, () => Promise<Service>])[] = [
  ['files', startFileService],
  ['jobs', startJobService],
]

test.each(SERVICES)('%s: starts, listens, stops; twice is the same as once', async (name, start) => {
  const service = await start()
  expect(service.version).toBe(`${name}/1`)
  expect(await listens(service.port)).toBe(true)
  await Promise.all([service.stop(), service.stop()])
  expect(await listens(service.port)).toBe(false)
  await service.stop()
})

test('of several, each has a port of its own', async () => {
  const services = await Promise.all([startFileService(), startFileService(), startJobService()])
  expect(new Set(services.map(({ port }) => port)).size).toBe(3)
  await Promise.all(services.map((service) => service.stop()))
})

test.each(['files', 'jobs'])('%s: an owner that is killed takes it along', async (name) => {
  const program = fileURLToPath(new URL(`../../dist/services/${name}/program.js`, import.meta.url))
  // Its stdin is the pipe of an owner that only waits.
  const owner = spawn(process.execPath, ['-e', OWNER, program], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(createInterface(owner.stdout), 'line')) as [string]
  const { port } = JSON.parse(line) as Listening
  expect(await listens(port)).toBe(true)
  owner.kill('SIGKILL')
  await until('it is gone', async () => !(await listens(port)))
})

const OWNER = `
  require('node:child_process').spawn(process.execPath, [process.argv[1]], {
    stdio: ['pipe', 'inherit', 'inherit'], detached: true,
  })
  setInterval(() => {}, 1000)`

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
