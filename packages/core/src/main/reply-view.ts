/** A reply as a decoder is shown it, and what is told of its timing. */
import type { CallTiming, ReplyBytes } from '../plugin/protocol.ts'
import { nowMs } from '../shared/clock.ts'
import { shielded } from '../shared/shield.ts'

/** One object for every reply: see `ReplyBytes`. */
export class ReplyView implements ReplyBytes {
  bytes: Buffer = Buffer.alloc(0)
  start = 0
  end = 0

  /** What came before it belongs to the same reply. */
  prepend(pieces: readonly Buffer[]): void {
    this.bytes = Buffer.concat([...pieces, this.bytes.subarray(this.start, this.end)])
    this.start = 0
    this.end = this.bytes.length
  }

  copy(): Buffer {
    return Buffer.from(this.bytes.subarray(this.start, this.end))
  }
}

/** Tells where the time of a call went that was just decoded. */
export function tellTiming(
  onTiming: (timing: CallTiming) => void,
  submittedAtMs: number,
  upstreamMs: number,
  completedMs: number,
  pickedUpMs: number,
): void {
  const timing = {
    queuedMs: Math.max(0, completedMs - upstreamMs - submittedAtMs),
    upstreamMs,
    waitingForApplicationMs: Math.max(0, pickedUpMs - completedMs),
    applicationMs: nowMs() - pickedUpMs,
  }
  shielded(() => onTiming(timing))
}
