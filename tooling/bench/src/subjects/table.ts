/**
 * Subjects by name. Each is imported only in the process that measures it.
 */
import type { Subject } from './subject.ts'

/** Rejects when the subject's package is not here, or does not load on this machine. */
export async function loadSubject(name: string): Promise<Subject> {
  const load = SUBJECTS[name]
  if (load === undefined) throw new Error(`there is no subject '${name}'`)
  return load()
}

const SUBJECTS: Readonly<Record<string, () => Promise<Subject>>> = {
  iokernel: async () => (await import('./iokernel-redis.ts')).threaded,
  'iokernel inline': async () => (await import('./iokernel-redis.ts')).inline,
  ioredis: async () => (await import('./ioredis.ts')).plain,
  'ioredis auto-pipelining': async () => (await import('./ioredis.ts')).autoPipelining,
  'node-redis': async () => (await import('./node-redis.ts')).nodeRedis,
  'valkey-glide': async () => (await import('./valkey-glide.ts')).valkeyGlide,
  nothing: async () => (await import('./nothing.ts')).nothing,
  'an empty worker': async () => (await import('./nothing.ts')).emptyWorker,
}
