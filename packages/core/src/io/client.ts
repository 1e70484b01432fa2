/** One use of an upstream by one application thread: what a call belongs to. */
import type { Attachment } from './attachment.ts'
import type { Upstream } from './upstream.ts'

export class Client {
  readonly attachment: Attachment
  readonly target: number
  readonly upstream: Upstream
  /** Calls not finished, tombstones included. */
  calls = 0
  /** Of those, tombstones: their callers have their answer, and nobody waits for the late reply. */
  tombstones = 0
  /** Set by `disconnect`: told when nobody waits any more. */
  onIdle: (() => void) | undefined
  /** Somebody watches the upstream's state: no line on stderr is needed. */
  listening = false
  /** Somebody is told of lanes that were dropped. */
  listensToPollution = false

  get isIdle(): boolean {
    return this.calls === this.tombstones
  }

  constructor(attachment: Attachment, target: number, upstream: Upstream) {
    this.attachment = attachment
    this.target = target
    this.upstream = upstream
  }
}
