/**
 * The options of a URL: which there are, and what to do about those that are not.
 *
 * Rules: an option may be written as any client of these servers writes it: `ssl-mode`, `ssl_mode`, `sslMode` and
 * `sslmode` are one. What has no meaning here is refused by name, so that nobody relies on it; where something else
 * does the same, the message says what.
 */

const OPTIONS: ReadonlyMap<string, string> = new Map([
  ['user', 'user'],
  ['password', 'password'],
  ['database', 'database'],
  ['socket', 'socket'],
  ['socketpath', 'socket'],
  ['sslmode', 'sslMode'],
  ['sslca', 'sslCa'],
  ['sslcert', 'sslCert'],
  ['sslkey', 'sslKey'],
  ['tlsversion', 'tlsVersion'],
  ['charset', 'charset'],
  ['defaultcharacterset', 'charset'],
  ['collation', 'collation'],
  ['timezone', 'timezone'],
  ['connecttimeout', 'connectTimeout'],
  ['programname', 'programName'],
  ['serverpublickeypath', 'serverPublicKeyPath'],
  ['allowpublickeyretrieval', 'allowPublicKeyRetrieval'],
  ['getserverpublickey', 'allowPublicKeyRetrieval'],
  ['enablecleartextplugin', 'allowClearText'],
  ['localinfile', 'localInfile'],
  ['foundrows', 'foundRows'],
  ['pipelining', 'pipelining'],
  ['targetrole', 'targetRole'],
])

const ELSEWHERE: { readonly [name: string]: string | undefined } = {
  ssl: 'write ssl-mode=required, or more',
  usessl: 'write ssl-mode=required, or more',
  connectionlimit: 'give connectionsMax in the options of connect()',
  multiplestatements: 'several statements in one text are for session.simple()',
  allowmultiqueries: 'several statements in one text are for session.simple()',
  datestrings: "give dates: 'strings' in the object form",
  supportbignumbers: 'a BIGINT is exact without being asked for',
  bignumberstrings: 'a BIGINT is exact without being asked for',
  decimalnumbers: 'give types: { DECIMAL: Number } in the object form',
  compress: 'compression is not supported',
  compression: 'compression is not supported',
  flags: 'capabilities are chosen by what is asked for',
  namedplaceholders: 'write ?, or a template: db.sql`…`',
  rowsasarray: "give { rows: 'arrays' } to the call",
}

/** Our name of an option, however it is written; undefined where there is none. */
export function optionName(written: string): string | undefined {
  return OPTIONS.get(plain(written))
}

export function unknownOption(written: string): string {
  const advice = ELSEWHERE[plain(written)]
  if (advice !== undefined) return `'${written}' is not understood in a target: ${advice}`
  return (
    `'${written}' is no option of a MySQL URL (${[...new Set(OPTIONS.values())].join(', ')}): ` +
    'a session variable goes into variables of the object form'
  )
}

function plain(written: string): string {
  return written.toLowerCase().replaceAll(/[-_]/g, '')
}
