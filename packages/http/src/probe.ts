/**
 * The probe: HEAD of a path that the target names, on a connection of its own that the server closes behind it.
 *
 * Rules: whatever is answered, somebody is there. An error of the server's (5xx) is thrown, for a health check says by
 * it that something is wrong. Without a path there is no probe: HTTP has no ping, and what an arbitrary path costs a
 * server nobody here can know.
 */
import { type Cloneable, frame, RemoteError, type Script, send } from '@iokernel/core/plugin'
import { Head } from './codec/head.ts'
import type { FramerLimits } from './limits.ts'

/** `request`: a whole HEAD that says `Connection: close`. */
export function* probe(request: Uint8Array, limits: FramerLimits): Script<Cloneable> {
  yield* send(request)
  const reply = Buffer.from(yield* frame())
  const head = new Head('response', limits)
  head.scan(reply, 0, reply.length)
  const { status } = head
  if (status >= 500) throw new RemoteError(`STATUS_${status}`, `the server answers the probe with ${status}`)
  return { status }
}
