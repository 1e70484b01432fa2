/**
 * The probe: is the server there, and what is it now?
 *
 * Theory of operation: a Sync on the monitor connection. It is answered by ReadyForQuery, and before that by what has
 * changed: `in_hot_standby` is looked at when a ReadyForQuery is sent and at no other time. Servers before 14, and
 * poolers that keep it to themselves, are asked by a query.
 *
 * Rules: `RoleError` when the target asks for something else than the server has become. An error is thrown, for the
 * endpoint is not usable.
 */
import type { Cloneable, Script } from '@iokernel/core/plugin'
import { RemoteProtocolError } from '@iokernel/core/plugin'
import { ask, SYNC } from './ask.ts'
import type { PostgresRole } from './codec/facts.ts'
import type { TargetSessionAttrs } from './io.ts'
import type { Parameters } from './parameters.ts'
import { assertRole, reportedRole, roleOf } from './role.ts'

export interface ProbeFacts {
  readonly [name: string]: Cloneable
  readonly role: PostgresRole
}

export function* probe(attrs: TargetSessionAttrs, parameters: Parameters): Script<ProbeFacts> {
  if (reportedRole(parameters) !== undefined) {
    const { rows, failed } = yield* ask(SYNC)
    if (failed !== undefined || rows.length > 0) throw new RemoteProtocolError('Sync was answered by more than ready')
  }
  const { role, writable } = yield* roleOf(parameters)
  assertRole(attrs, role, writable)
  return { role }
}
