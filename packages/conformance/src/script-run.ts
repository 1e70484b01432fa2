/**
 * Runs one script the way the kernel does: `send` goes on at once, `frame`, `read` and `tls` wait.
 *
 * Rules: the limits are the kernel's (`scriptStepsMax`, and the bytes a script may leave unread). A script that is
 * cut off by them has failed with the kernel's error, as it would have there.
 */
import assert from 'node:assert/strict'
import { RemoteProtocolError, type Script, type Step } from '@iokernel/core/plugin'

/** The kernel's default of `scriptStepsMax`. */
export const SCRIPT_STEPS_MAX = 1_000
/** What the kernel holds of frames that the script has not asked for. */
const SCRIPT_BYTES_MAX = 1 << 20
/** What a script may send at a stretch; a handshake says a handful of things. */
const SENDS_MAX = 100

export type ScriptOutcome =
  | { readonly kind: 'waiting'; readonly for: Step['do'] }
  | { readonly kind: 'finished'; readonly result: unknown }
  | { readonly kind: 'failed'; readonly error: unknown }

export class ScriptRun {
  /** Everything the script has sent, and the framer meanwhile. */
  sent: Buffer = Buffer.alloc(0)
  #outcome: ScriptOutcome = { kind: 'waiting', for: 'send' }
  readonly #script: Script<unknown>
  #waiting: Step | undefined
  #frames: Buffer[] = []
  #parts: Buffer[] = []
  #bytes = 0
  #steps = 0

  constructor(script: Script<unknown>) {
    this.#script = script
  }

  get outcome(): ScriptOutcome {
    return this.#outcome
  }

  /** Raw bytes that are wanted before framing goes on. */
  get rawWanted(): number {
    return this.#waiting?.do === 'read' ? this.#waiting.length : 0
  }

  get upgrading(): boolean {
    return this.#waiting?.do === 'tls'
  }

  start(): void {
    this.#advance(new Uint8Array(0))
  }

  /** Raw bytes, or the certificate after an upgrade. */
  give(bytes: Uint8Array): void {
    this.#advance(Uint8Array.from(bytes))
  }

  frame(copy: Buffer, more: boolean): void {
    this.#bytes += copy.length
    if (this.#bytes > SCRIPT_BYTES_MAX) throw new RemoteProtocolError('more bytes than a script may leave unread')
    this.#parts.push(copy)
    if (more) return
    this.#frames.push(Buffer.concat(this.#parts))
    this.#parts = []
    if (this.#waiting?.do === 'frame') this.#nextFrame()
  }

  /** The framer has answered something while this ran. */
  said(bytes: Uint8Array): void {
    this.sent = Buffer.concat([this.sent, bytes])
  }

  /** The connection was lost under it. */
  fail(error: unknown): void {
    if (this.#outcome.kind !== 'waiting') return
    this.#waiting = undefined
    this.#outcome = { kind: 'failed', error }
  }

  #nextFrame(): void {
    const frame = this.#frames.shift() as Buffer
    this.#bytes -= frame.length
    this.#advance(Uint8Array.from(frame))
  }

  #advance(input: Uint8Array): void {
    this.#waiting = undefined
    let given = input
    for (let sends = 0; ; sends++) {
      assert(sends <= SENDS_MAX, `a script sent ${SENDS_MAX} times without waiting for an answer`)
      if (++this.#steps > SCRIPT_STEPS_MAX) {
        return this.fail(new RemoteProtocolError(`the script did not end within ${SCRIPT_STEPS_MAX} steps`))
      }
      let step: IteratorResult<Step, unknown>
      try {
        step = this.#script.next(given)
      } catch (error) {
        return this.fail(error)
      }
      given = new Uint8Array(0)
      if (step.done === true) {
        this.#outcome = { kind: 'finished', result: step.value }
        return
      }
      if (step.value.do !== 'send') return this.#wait(step.value)
      assert(step.value.bytes instanceof Uint8Array, 'a script sends bytes')
      this.sent = Buffer.concat([this.sent, step.value.bytes])
    }
  }

  #wait(step: Step): void {
    if (step.do === 'read') assert(step.length > 0, 'a script reads at least one byte')
    this.#waiting = step
    this.#outcome = { kind: 'waiting', for: step.do }
    if (step.do === 'frame' && this.#frames.length > 0) this.#nextFrame()
  }
}
