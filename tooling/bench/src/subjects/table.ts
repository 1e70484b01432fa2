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
  'redis/iokernel': async () => (await import('./iokernel-redis.ts')).threaded,
  'redis/iokernel inline': async () => (await import('./iokernel-redis.ts')).inline,
  'redis/ioredis': async () => (await import('./ioredis.ts')).plain,
  'redis/ioredis auto-pipelining': async () => (await import('./ioredis.ts')).autoPipelining,
  'redis/node-redis': async () => (await import('./node-redis.ts')).nodeRedis,
  'redis/valkey-glide': async () => (await import('./valkey-glide.ts')).valkeyGlide,
  'postgres/iokernel': async () => (await import('./iokernel-postgres.ts')).elastic,
  'postgres/iokernel one lane': async () => (await import('./iokernel-postgres.ts')).oneLane,
  'postgres/pg Pool(10)': async () => (await import('./node-postgres.ts')).pool,
  'postgres/pg pipeline': async () => (await import('./node-postgres.ts')).pipeline,
  'postgres/postgres.js(1)': async () => (await import('./postgres-js.ts')).one,
  'postgres/postgres.js(10)': async () => (await import('./postgres-js.ts')).ten,
  'mysql/iokernel': async () => (await import('./iokernel-mysql.ts')).elastic,
  'mysql/iokernel one lane': async () => (await import('./iokernel-mysql.ts')).oneLane,
  'mysql/mysql2 Pool(10)': async () => (await import('./mysql2.ts')).pool,
  'mysql/mariadb': async () => (await import('./mariadb.ts')).pool,
  'http-client/iokernel': async () => (await import('./iokernel-http.ts')).pool,
  'http-client/undici': async () => (await import('./undici.ts')).pool,
  'http-client/node:http': async () => (await import('./node-http.ts')).agent,
  'msgpack-rpc/iokernel': async () => (await import('./iokernel-msgpack-rpc.ts')).client,
  'msgpack-rpc/@grpc/grpc-js': async () => (await import('./grpc-js.ts')).unary,
  'msgpack-rpc/JSON over HTTP, undici Pool(64)': async () => (await import('./json-over-http.ts')).pool,
  nothing: async () => (await import('./nothing.ts')).nothing,
  'an empty worker': async () => (await import('./nothing.ts')).emptyWorker,
}
