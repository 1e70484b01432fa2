/**
 * Runs one script (handshake, probe, reset) against the bytes and frames of its connection.
 *
 * Rules: sans-I/O and sans-clock. It is told what arrives and says what to send; it never reads a byte that belongs to
 * the next step. Bytes that are already there when TLS is to begin were sent by somebody in the middle, and end it.
 *
 * Limits: `stepsMax` steps; `bytesMax` bytes of frames that the script has not asked for yet.
 */

import { LocalError, RemoteProtocolError } from '../plugin/errors.ts'
import type { Script, Step } from '../plugin/script.ts'

export interface ScriptActions {
  send(bytes: Uint8Array): void
  upgrade(done: (certificate: Uint8Array) => void): void
  finished(result: unknown): void
  failed(error: unknown): void
}

export class ScriptRunner {
  readonly #script: Script<unknown>
  readonly #actions: ScriptActions
  readonly #stepsMax: number
  readonly #bytesMax: number
  #waiting: Step | undefined
  #frames: Uint8Array[] = []
  #parts: Uint8Array[] = []
  #bytes = 0
  #steps = 0
  #done = false

  constructor(script: Script<unknown>, actions: ScriptActions, stepsMax: number, bytesMax: number) {
    this.#script = script
    this.#actions = actions
    this.#stepsMax = stepsMax
    this.#bytesMax = bytesMax
  }

  get done(): boolean {
    return this.#done
  }

  /** Raw bytes wanted before framing begins or goes on; 0 when frames are wanted. */
  get rawWanted(): number {
    return this.#waiting?.do === 'read' ? this.#waiting.length : 0
  }

  /** True while bytes must stay where they are: they belong to TLS. */
  get upgrading(): boolean {
    return this.#waiting?.do === 'tls'
  }

  start(): void {
    this.#advance(EMPTY)
  }

  raw(bytes: Uint8Array): void {
    this.#advance(bytes)
  }

  /** A frame, or a part of one when `more`. The runner copies. */
  frame(bytes: Buffer, start: number, end: number, more: boolean): void {
    const copy = Uint8Array.prototype.slice.call(bytes, start, end)
    this.#bytes += copy.length
    if (this.#bytes > this.#bytesMax) {
      throw new RemoteProtocolError(`the peer sent more than ${this.#bytesMax} bytes before the connection was ready`)
    }
    this.#parts.push(copy)
    if (more) return
    this.#frames.push(this.#parts.length === 1 ? copy : Buffer.concat(this.#parts))
    this.#parts = []
    if (this.#waiting?.do === 'frame') this.#nextFrame()
  }

  #nextFrame(): void {
    const frame = this.#frames.shift() as Uint8Array
    this.#bytes -= frame.length
    this.#advance(frame)
  }

  #advance(input: Uint8Array): void {
    this.#waiting = undefined
    let given = input
    for (;;) {
      if (++this.#steps > this.#stepsMax) {
        return this.#fail(
          new RemoteProtocolError(`the handshake did not end within ${this.#stepsMax} steps (scriptStepsMax)`),
        )
      }
      let step: IteratorResult<Step, unknown>
      try {
        step = this.#script.next(given)
      } catch (error) {
        return this.#fail(error)
      }
      given = EMPTY
      if (step.done === true) {
        this.#done = true
        return this.#actions.finished(step.value)
      }
      switch (step.value.do) {
        case 'send':
          this.#actions.send(step.value.bytes)
          break
        case 'frame':
          this.#waiting = step.value
          if (this.#frames.length > 0) this.#nextFrame()
          return
        case 'read':
          if (!(step.value.length > 0)) return this.#fail(new LocalError('PLUGIN', 'a script reads at least one byte'))
          this.#waiting = step.value
          return
        case 'tls':
          this.#waiting = step.value
          this.#actions.upgrade((certificate) => this.#advance(certificate))
          return
      }
    }
  }

  #fail(error: unknown): void {
    this.#done = true
    this.#actions.failed(error)
  }
}

const EMPTY = new Uint8Array(0)
