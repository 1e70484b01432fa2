/**
 * What a server is at the moment, and whether that will do.
 *
 * Theory of operation: `read_only` (MariaDB has more values than on and off since 12), `super_read_only` of MySQL,
 * `innodb_read_only`, by which the readers of Aurora are told. One that is on makes a replica: whoever has SUPER could
 * write there all the same, and should not.
 *
 * Rules: a server that does not know the question (others speak this protocol too) has the role `unknown`, which is
 * good for `any` only.
 */
import { RoleError, type Script } from '@iokernel/core/plugin'
import { ask, type Dialect, queryPacket } from './ask.ts'
import type { MysqlRole } from './codec/facts.ts'
import type { TargetRole } from './io.ts'
import { isSince, type ServerVersion } from './version.ts'

/** What may be asked of a connection. */
export type ServerKind = Dialect & ServerVersion

export function* roleOf(kind: ServerKind): Script<MysqlRole> {
  const { rows, failed } = yield* ask(queryPacket(`SELECT ${roleColumns(kind).join(', ')}`), kind)
  return failed === 0 ? roleIn(rows[0]) : 'unknown'
}

/** What to ask: all are off on a primary. */
export function roleColumns(version: ServerVersion): readonly string[] {
  const isMysql = isSince(version, { mysql: [5, 7, 8], mariadb: [Number.POSITIVE_INFINITY, 0, 0] })
  return ['@@global.read_only', '@@global.innodb_read_only', ...(isMysql ? ['@@global.super_read_only'] : [])]
}

/** The role by the values of `roleColumns`. */
export function roleIn(values: readonly (string | undefined)[] | undefined): MysqlRole {
  if (values === undefined || values.length === 0) return 'unknown'
  return values.every((value) => value === undefined || OFF.has(value.toUpperCase())) ? 'primary' : 'replica'
}

/** Throws `RoleError` where the server is not what the target asks for. */
export function assertRole(wanted: TargetRole, role: MysqlRole): void {
  if (wanted === 'any' || wanted === role) return
  throw new RoleError(`the server is ${FOUND[role]}, and targetRole is ${wanted}`)
}

const FOUND = { primary: 'a primary', replica: 'a replica', unknown: 'of a role that it does not tell' } as const
const OFF: ReadonlySet<string> = new Set(['0', 'OFF'])
