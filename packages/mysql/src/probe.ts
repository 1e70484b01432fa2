/**
 * The probe: is the server there, and what is it now?
 *
 * Rules: a target that takes any server needs a PING and nothing more; any other is asked for its role, which answers
 * both. `RoleError` when the target asks for something else than the server has become. An error is thrown, for the
 * endpoint is not usable.
 */
import { type Cloneable, RemoteError, type Script } from '@iokernel/core/plugin'
import { commandPacket, tell } from './ask.ts'
import { Command } from './codec/command.ts'
import type { MysqlRole } from './codec/facts.ts'
import type { TargetRole } from './io.ts'
import { assertRole, roleOf, type ServerKind } from './role.ts'

export interface ProbeFacts {
  readonly [name: string]: Cloneable
  readonly role: MysqlRole
}

export function* probe(wanted: TargetRole, kind: ServerKind): Script<ProbeFacts> {
  if (wanted === 'any') {
    const { failed } = yield* tell(PING, kind)
    if (failed !== 0) throw new RemoteError(String(failed), `the server does not answer a PING (error ${failed})`)
    return { role: 'unknown' }
  }
  const role = yield* roleOf(kind)
  assertRole(wanted, role)
  return { role }
}

const PING = commandPacket(Command.Ping)
