/**
 * Real servers for tests, benchmarks and the gateway. Whatever ends the process that started them, they end too.
 */
export { type RedisOptions, type RedisServer, type RedisTls, startRedis } from './redis.ts'
export { ServerUnavailableError, type Surroundings, thisMachine } from './surroundings.ts'
