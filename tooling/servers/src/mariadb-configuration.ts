/**
 * What a MariaDB of ours reads before it takes sessions: my.cnf and the statements that make its accounts and
 * databases. Texts out of options; nothing here touches a file.
 *
 * Rules: the caller's lines win: in my.cnf the last line does, so they come after ours. Accounts are for every host
 * (`%`): names are not resolved, and what comes over the socket and over 127.0.0.1 is the same account.
 */
import { dirname } from 'node:path'
import type { Certificates } from './certificates.ts'

export interface MariadbUser {
  readonly name: string
  readonly password: string
  /** How the password is kept and asked for; `mysql_native_password` if left out. */
  readonly plugin?: 'mysql_native_password' | 'ed25519'
  /** What the connection must have: TLS, or TLS with a certificate of the client's. */
  readonly tls?: 'required' | 'certificate'
  /** May do everything; otherwise everything in the databases that were made with the server. */
  readonly superuser?: boolean
}

export interface MariadbPlan {
  readonly port: number
  readonly socketPath: string
  readonly data: string
  readonly user: string
  readonly password: string | undefined
  readonly users: readonly MariadbUser[]
  readonly databases: readonly string[]
  readonly configLines: readonly string[]
  readonly certificates: Certificates | undefined
}

export function myCnf(plan: MariadbPlan): string {
  const lines = [
    '[mariadbd]',
    `datadir = ${plan.data}`,
    // A server that starts deletes temporary tables in there, of others too.
    `tmpdir = ${dirname(plan.data)}`,
    `port = ${plan.port}`,
    'bind_address = 127.0.0.1',
    `socket = ${plan.socketPath}`,
    `pid_file = ${plan.data}/mariadb.pid`,
    'skip_name_resolve',
    // As many as our PostgreSQL: no test of many connections runs into it by accident.
    'max_connections = 200',
    // A quarter of MariaDB's own default: several servers share a machine.
    'innodb_buffer_pool_size = 32M',
    // A twelfth of MariaDB's own default: it is written once when the server is made.
    'innodb_log_file_size = 8M',
    // The folder does not outlive the server, so nothing has to survive a crash of the machine.
    'innodb_flush_method = nosync',
    // The system has few asynchronous requests to give away, and several servers share them.
    'innodb_use_native_aio = 0',
    // The buffer pool of a server that never comes back needs no list of what was in it.
    'innodb_buffer_pool_dump_at_shutdown = 0',
    'character_set_server = utf8mb4',
    "default_time_zone = '+00:00'",
  ]
  if (plan.users.some(({ plugin }) => plugin === 'ed25519')) lines.push('plugin_load_add = auth_ed25519')
  if (plan.certificates) {
    const { ca, serverCert, serverKey } = plan.certificates.files
    lines.push(`ssl_ca = ${ca}`, `ssl_cert = ${serverCert}`, `ssl_key = ${serverKey}`)
  }
  return [...lines, ...plan.configLines, ''].join('\n')
}

/**
 * For `mariadbd --bootstrap`, which reads accounts only when told to. The accounts that the installation made for
 * `root` would be found before ours.
 */
export function setupStatements(plan: MariadbPlan): string {
  const owner: MariadbUser = { name: plan.user, password: plan.password ?? '', superuser: true }
  const statements = [
    "DELETE FROM mysql.global_priv WHERE User = 'root'",
    "DELETE FROM mysql.proxies_priv WHERE User = 'root'",
    'FLUSH PRIVILEGES',
    ...plan.databases.map((name) => `CREATE DATABASE ${identifier(name)}`),
    ...[owner, ...plan.users].flatMap((user) => accountStatements(user, plan.databases)),
  ]
  return statements.map((statement) => `${statement};\n`).join('')
}

function accountStatements(user: MariadbUser, databases: readonly string[]): readonly string[] {
  const account = `${identifier(user.name)}@'%'`
  const plugin = user.plugin ?? 'mysql_native_password'
  const proof = `IDENTIFIED VIA ${plugin} USING PASSWORD(${literal(user.password)})`
  const required = { none: '', required: ' REQUIRE SSL', certificate: ' REQUIRE X509' }[user.tls ?? 'none']
  const grants = user.superuser
    ? [`GRANT ALL ON *.* TO ${account} WITH GRANT OPTION`]
    : databases.map((name) => `GRANT ALL ON ${identifier(name)}.* TO ${account}`)
  return [`CREATE USER ${account} ${proof}${required}`, ...grants]
}

function identifier(name: string): string {
  return `\`${name.replace(/`/g, '``')}\``
}

function literal(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&').replace(/\n/g, '\\n')}'`
}
