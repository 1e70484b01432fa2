/**
 * What a server is at the moment, and whether that will do.
 *
 * Theory of operation: since version 14 a server reports `in_hot_standby` and `default_transaction_read_only`, and
 * reports them anew with the first ReadyForQuery after they have changed. Before, and behind poolers that keep it to
 * themselves, it is asked. `target_session_attrs` is judged as by libpq.
 *
 * Rules: a server that does not know the question (others speak this protocol too) has the role `unknown`, which is
 * good for `any` and `prefer-standby` only.
 */
import { RemoteProtocolError, RoleError, type Script } from '@iokernel/core/plugin'
import { type Answer, ask, queryMessage } from './ask.ts'
import type { PostgresRole } from './codec/facts.ts'
import type { TargetSessionAttrs } from './io.ts'
import type { Parameters } from './parameters.ts'

export interface Role {
  readonly role: PostgresRole
  /** A transaction that says nothing may write. Undefined where it is not known. */
  readonly writable: boolean | undefined
}

/** From what was reported, or by asking. */
export function* roleOf(parameters: Parameters): Script<Role> {
  const reported = reportedRole(parameters)
  if (reported !== undefined) return reported
  return roleIn(yield* ask(ROLE_QUERY))
}

/** What the server has reported; undefined where it reports nothing. */
export function reportedRole(parameters: Parameters): Role | undefined {
  const standby = parameters.get('in_hot_standby')
  if (standby === undefined) return undefined
  const isReplica = standby === 'on'
  const writable = !isReplica && parameters.get('default_transaction_read_only') !== 'on'
  return { role: isReplica ? 'replica' : 'primary', writable }
}

/** Throws `RoleError` where the server is not what the target asks for. */
export function assertRole(attrs: TargetSessionAttrs, role: PostgresRole, writable: boolean | undefined): void {
  if (isWanted(attrs, role, writable)) return
  const found = role === 'primary' && writable === false ? 'a primary that takes no writes' : FOUND[role]
  throw new RoleError(`the server is ${found}, and target_session_attrs is ${attrs}`)
}

const FOUND = { primary: 'a primary', replica: 'a replica', unknown: 'of a role that it does not tell' } as const

const ROLE_QUERY = queryMessage(
  "SELECT pg_catalog.pg_is_in_recovery()::text, pg_catalog.current_setting('transaction_read_only')",
)

function isWanted(attrs: TargetSessionAttrs, role: PostgresRole, writable: boolean | undefined): boolean {
  switch (attrs) {
    case 'any':
    case 'prefer-standby':
      return true
    case 'read-write':
      return writable === true
    case 'read-only':
      return writable === false
    case 'primary':
      return role === 'primary'
    case 'standby':
      return role === 'replica'
  }
}

function roleIn({ rows, failed }: Answer): Role {
  if (failed !== undefined) return { role: 'unknown', writable: undefined }
  const [recovery, readOnly] = rows[0] ?? []
  if (recovery !== 'true' && recovery !== 'false') {
    throw new RemoteProtocolError('pg_is_in_recovery() was answered by neither true nor false')
  }
  return { role: recovery === 'true' ? 'replica' : 'primary', writable: recovery === 'false' && readOnly === 'off' }
}
