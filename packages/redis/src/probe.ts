/**
 * The probe: is the server there, and what is it?
 *
 * Theory of operation: PING and ROLE in one round trip on the monitor connection. PING says whether the server would
 * answer a command (it is refused while the data set is loaded); ROLE says primary, replica or sentinel, and how far
 * along it is.
 *
 * Rules: an error that says "not now" is thrown, for the endpoint is not usable; a missing permission is not, for it
 * is. Offsets beyond 2^53 are bigints.
 */
import type { Cloneable, Script } from '@iokernel/core/plugin'
import { RemoteError, send } from '@iokernel/core/plugin'
import { RedisError } from './codec/errors.ts'
import type { RedisFacts } from './codec/reply.ts'
import type { AnyReply } from './codec/resp3.ts'
import { answer, assertPong, commandBytes, roleOf } from './handshake.ts'

export interface ProbeFacts {
  readonly [name: string]: Cloneable
  readonly role: RedisFacts['role']
  /** Replication offset; `undefined` for a sentinel or where it is unknown. */
  readonly offset: number | bigint | undefined
  /** Replicas connected to a primary. */
  readonly replicas: number
  /** Where a replica replicates from. */
  readonly primary: { readonly host: string; readonly port: number } | undefined
  /** How a replica stands with its primary: `connect`, `connecting`, `sync`, `connected`. */
  readonly link: string | undefined
}

export function* probe(): Script<ProbeFacts> {
  yield* send(PROBE)
  const pong = yield* answer()
  const role = yield* answer()
  if (!(pong instanceof RedisError)) assertPong(pong)
  else if (pong.code !== 'NOPERM') {
    throw new RemoteError(pong.code, `PING was answered by ${pong.code}`, { sent: 'no' })
  }
  return Array.isArray(role) ? factsOf(role) : UNKNOWN
}

const PROBE = commandBytes([['PING'], ['ROLE']])

const UNKNOWN: ProbeFacts = { role: 'unknown', offset: undefined, replicas: 0, primary: undefined, link: undefined }

function factsOf(reply: readonly AnyReply[]): ProbeFacts {
  const role = roleOf(reply[0])
  const [, second, third, link, offset] = reply
  if (role === 'primary') {
    return { ...UNKNOWN, role, offset: numberOr(second), replicas: Array.isArray(third) ? third.length : 0 }
  }
  if (role === 'replica') {
    const primary = typeof second === 'string' && typeof third === 'number' ? { host: second, port: third } : undefined
    return { role, offset: numberOr(offset), replicas: 0, primary, link: typeof link === 'string' ? link : undefined }
  }
  return { ...UNKNOWN, role }
}

function numberOr(value: AnyReply | undefined): number | bigint | undefined {
  return typeof value === 'number' || typeof value === 'bigint' ? value : undefined
}
