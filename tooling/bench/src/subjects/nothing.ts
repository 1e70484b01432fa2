/** What the others are compared with when it is about memory: a process without any client, and one with a thread. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Subject } from './subject.ts'

export const nothing: Subject = async () => ({
  operation: () => {
    throw new Error('nothing does nothing')
  },
  close: async () => {},
})

export const emptyWorker: Subject = async () => {
  const worker = new Worker("require('node:worker_threads').parentPort.once('message', () => {})", { eval: true })
  await once(worker, 'online')
  return {
    operation: () => {
      throw new Error('an empty worker does nothing')
    },
    close: async () => {
      await worker.terminate()
    },
  }
}
