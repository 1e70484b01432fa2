/**
 * What a PostgreSQL of ours reads before it starts: postgresql.conf, pg_hba.conf and the statements that make its
 * users and databases. Texts out of options; nothing here touches a file.
 *
 * Rules: the caller's lines win. In postgresql.conf the last line does, so they come after ours; in pg_hba.conf the
 * first that fits does, so they come before.
 */
import type { Certificates } from './certificates.ts'

export interface PostgresUser {
  readonly name: string
  readonly password: string
  /** How the password is kept and asked for; `scram-sha-256` if left out. */
  readonly encryption?: 'scram-sha-256' | 'md5'
  readonly superuser?: boolean
}

export interface Primary {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string | undefined
  readonly socketFolder: string | undefined
}

export interface PostgresPlan {
  readonly port: number
  readonly socketFolder: string
  readonly user: string
  readonly password: string | undefined
  readonly users: readonly PostgresUser[]
  readonly databases: readonly string[]
  readonly configLines: readonly string[]
  readonly hbaLines: readonly string[]
  readonly certificates: Certificates | undefined
  readonly primary: Primary | undefined
}

export function postgresqlConf(plan: PostgresPlan): string {
  const lines = [
    `port = ${plan.port}`,
    `listen_addresses = '127.0.0.1'`,
    `unix_socket_directories = ${literal(plan.socketFolder)}`,
    // Twice PostgreSQL's own default: no test of many connections runs into it by accident.
    'max_connections = 200',
    // A quarter of PostgreSQL's own default: several servers share a machine.
    'shared_buffers = 32MB',
    // The folder does not outlive the server, so nothing has to survive a crash of the machine.
    'fsync = off',
    'full_page_writes = off',
    // Inside the data folder, which the keeper removes; elsewhere a killed server would leave it behind.
    'dynamic_shared_memory_type = mmap',
    'wal_level = replica',
    // PostgreSQL's own default, said because a standby depends on it.
    'max_wal_senders = 10',
    'hot_standby = on',
    // A standby of a test must not wait for PostgreSQL's own five seconds when its primary comes back.
    'wal_retrieve_retry_interval = 200ms',
    `timezone = 'UTC'`,
    `log_timezone = 'UTC'`,
    `lc_messages = 'C'`,
  ]
  if (plan.certificates) {
    const { ca, serverCert, serverKey } = plan.certificates.files
    lines.push('ssl = on', `ssl_ca_file = ${literal(ca)}`)
    lines.push(`ssl_cert_file = ${literal(serverCert)}`, `ssl_key_file = ${literal(serverKey)}`)
  }
  if (plan.primary) lines.push(`primary_conninfo = ${literal(connectionString(plan.primary))}`)
  return [...lines, ...plan.configLines, ''].join('\n')
}

/** A user with a password is asked for it, whatever the others need. */
export function pgHbaConf(plan: PostgresPlan): string {
  const everybody = plan.password === undefined ? 'trust' : 'scram-sha-256'
  const lines = [
    ...plan.users.flatMap(({ name, encryption }) => entries('all', identifier(name), encryption ?? 'scram-sha-256')),
    ...entries('all', 'all', everybody),
    ...entries('replication', 'all', everybody),
  ]
  return [...plan.hbaLines, ...lines, ''].join('\n')
}

function entries(database: string, user: string, method: string): readonly string[] {
  return [`local ${database} ${user} ${method}`, `host ${database} ${user} 127.0.0.1/32 ${method}`]
}

/** For `postgres --single -j`, where an empty line ends a statement. Empty if there is nothing to make. */
export function setupStatements(plan: PostgresPlan): string {
  const owner = plan.password === undefined ? [] : [`ALTER ROLE ${identifier(plan.user)} ${secret(plan.password)}`]
  const users = plan.users.flatMap(({ name, password, encryption, superuser }) => [
    `SET password_encryption = '${encryption ?? 'scram-sha-256'}'`,
    `CREATE ROLE ${identifier(name)} LOGIN ${superuser ? 'SUPERUSER' : 'NOSUPERUSER'} ${secret(password)}`,
  ])
  const databases = plan.databases.map((name) => `CREATE DATABASE ${identifier(name)}`)
  return [...owner, ...users, ...databases].map((statement) => `${statement};\n\n`).join('')
}

/** As libpq reads it: for a standby's `primary_conninfo` and for `pg_basebackup`. */
export function connectionString(primary: Primary): string {
  const parts: Record<string, string> = { host: primary.socketFolder ?? primary.host, port: String(primary.port) }
  parts['user'] = primary.user
  if (primary.password !== undefined) parts['password'] = primary.password
  return Object.entries(parts)
    .map(([name, value]) => `${name}='${value.replace(/[\\']/g, '\\$&')}'`)
    .join(' ')
}

/** As postgresql.conf reads a quoted word. */
function literal(word: string): string {
  return `'${word.replace(/[\\']/g, '\\$&')}'`
}

function secret(password: string): string {
  return `PASSWORD E'${password.replace(/[\\']/g, '\\$&').replace(/\n/g, '\\n')}'`
}

/** In statements and in pg_hba.conf alike. */
function identifier(name: string): string {
  return `"${name.replace(/"/g, '""')}"`
}
