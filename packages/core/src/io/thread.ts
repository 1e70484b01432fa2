/**
 * The I/O thread: what the worker runs.
 *
 * Rules: it answers once, READY or everything that is wrong; after that the port carries doorbells only, and all that
 * has an order goes through the rings. It ends when it is terminated: draining and closing are asked for by records.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { ioEnd } from '../channel/channel.ts'
import type { IoThreadData, StartAnswer } from '../channel/start.ts'
import { assert } from '../shared/assert.ts'
import { IoKernel } from './kernel.ts'
import { loadPlugins } from './load-plugins.ts'
import { realWorld } from './world.ts'

async function run(data: IoThreadData): Promise<void> {
  assert(parentPort !== null, 'the I/O thread runs as a worker')
  const { plugins, problems } = await loadPlugins(data.modules)
  if (problems.length > 0) {
    parentPort.postMessage({ ready: false, problems } satisfies StartAnswer)
    return
  }
  const { doorbell } = data
  const environment = realWorld({
    logLevel: data.logLevel,
    log: data.logsToApplication ? (line) => attachment.event({ type: 'log', line }) : undefined,
    unref: false,
  })
  const kernel = new IoKernel(data.limits, plugins, data.dns, environment)
  const attachment = kernel.attach(ioEnd(data.memory, { ring: () => doorbell.postMessage(0) }))
  doorbell.on('message', () => kernel.drain(attachment))
  parentPort.postMessage({ ready: true } satisfies StartAnswer)
  kernel.drain(attachment)
}

void run(workerData as IoThreadData)
