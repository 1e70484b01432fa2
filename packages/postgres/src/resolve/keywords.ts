/**
 * libpq's words for what a target may say: those that are understood here, and what to do about those that are not.
 *
 * Rules: a word means here what it means there. What has no meaning here is refused by name, so that nobody relies on
 * it; where something else does the same, the message says what.
 */

/** Understood in a URL. */
const KEYWORDS: ReadonlySet<string> = new Set([
  'host',
  'port',
  'dbname',
  'user',
  'password',
  'passfile',
  'application_name',
  'fallback_application_name',
  'client_encoding',
  'options',
  'target_session_attrs',
  'require_auth',
  'channel_binding',
  'max_protocol_version',
  'sslmode',
  'sslnegotiation',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'sslpassword',
  'sslsni',
  'ssl_min_protocol_version',
  'gssencmode',
  'connect_timeout',
])

/** libpq knows this one for JDBC's sake. */
export const ALIASES: { readonly [option: string]: readonly [name: string, value: string] | undefined } = {
  'ssl=true': ['sslmode', 'require'],
}

const ELSEWHERE: { readonly [name: string]: string | undefined } = {
  tcp_user_timeout: 'give probeIntervalMs in the options of connect(): a monitor finds what is dead',
  keepalives: 'connections are always kept alive',
  keepalives_idle: 'connections are always kept alive',
  keepalives_interval: 'connections are always kept alive',
  keepalives_count: 'connections are always kept alive',
  load_balance_hosts: 'the kernel balances',
  hostaddr: 'write the address for the host, and the name into tls.servername',
  service: 'write the target out: there is no service file',
  replication: 'replication is not supported',
  sslcrl: 'revocation lists are not supported',
  sslcrldir: 'revocation lists are not supported',
  min_protocol_version: 'a server of any version is spoken to',
}

export function isKeyword(name: string): boolean {
  return KEYWORDS.has(name)
}

export function unknownKeyword(name: string): string {
  const advice = ELSEWHERE[name]
  if (advice !== undefined) return `'${name}' is not understood in a target: ${advice}`
  return (
    `'${name}' is no option of a Postgres URL (${[...KEYWORDS].join(', ')}): ` +
    'a run-time parameter goes into options=-c%20name=value, or into parameters of the object form'
  )
}
