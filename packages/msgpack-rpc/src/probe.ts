/**
 * The probe: the protocol has no ping, so it is a call that the target names, one that costs the peer nothing.
 *
 * Rules: whatever answers is there; an error is an answer too, for somebody has read the call. Without a `probe` in the
 * target there is none, and a peer that has gone in silence is noticed by deadlines and the operating system.
 */
import type { Cloneable, Script } from '@iokernel/core/plugin'
import { fails } from './handshake.ts'

/** `call`: a whole call with the id 0. */
export function* probe(call: Uint8Array): Script<Cloneable> {
  return { failed: yield* fails(call) }
}
