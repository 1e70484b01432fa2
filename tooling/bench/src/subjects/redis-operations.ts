/**
 * GET and SET, the same for every client of Redis.
 *
 * Rules: one key, the one that redis-benchmark uses, and values of text as all clients return them by default.
 */
import type { Operation } from '../harness/operation.ts'
import type { SubjectClient } from './subject.ts'

/** redis-benchmark's own key when it is not told to vary it: 16 bytes. */
export const REDIS_KEY = 'key:__rand_int__'

export interface RedisCalls {
  get(key: string): Promise<unknown>
  set(key: string, value: string): Promise<unknown>
  close(): Promise<unknown>
}

/** ASCII that does not repeat in short, so that a shifted reply is noticed. */
export function redisValue(bytes: number): string {
  let value = ''
  for (let block = 0; value.length < bytes; block++) value += `${block.toString(36)}-`
  return value.slice(0, bytes)
}

export function redisClient(calls: RedisCalls): SubjectClient {
  return {
    operation: (name, bytes) => operationOf(calls, name, bytes),
    close: async () => {
      await calls.close()
    },
  }
}

function operationOf(calls: RedisCalls, name: string, bytes: number): Operation {
  const value = redisValue(bytes)
  if (name === 'get') {
    return {
      run: () => calls.get(REDIS_KEY),
      isPlausible: (answer) => typeof answer === 'string' && answer.length === bytes,
      isExact: (answer) => answer === value,
    }
  }
  if (name === 'set') {
    const isOk = (answer: unknown): boolean => answer === 'OK'
    return {
      run: () => calls.set(REDIS_KEY, value),
      isPlausible: isOk,
      isExact: isOk,
      settle: async () => (await calls.get(REDIS_KEY)) === value,
    }
  }
  throw new Error(`there is no operation '${name}' for Redis`)
}
