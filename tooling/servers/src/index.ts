/**
 * Real servers for tests, benchmarks and the gateway. Whatever ends the process that started them, they end too.
 */
export { type MariadbOptions, type MariadbServer, startMariadb } from './mariadb.ts'
export type { MariadbUser } from './mariadb-configuration.ts'
export { type Neovim, type NeovimOptions, startNeovim } from './neovim.ts'
export { type NginxOptions, type NginxServer, type NginxTls, startNginx } from './nginx.ts'
export { type PostgresOptions, type PostgresServer, type PostgresTls, startPostgres } from './postgres.ts'
export type { PostgresUser } from './postgres-configuration.ts'
export type { PostgresVersion } from './postgres-program.ts'
export { type RedisOptions, type RedisServer, type RedisTls, startRedis } from './redis.ts'
export { ServerUnavailableError, type Surroundings, thisMachine } from './surroundings.ts'
