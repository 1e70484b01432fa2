/**
 * Scripts on a connection: the handshake, probes, resets, audits.
 *
 * Rules: a script has its connection to itself while no call is unanswered, and a time to end in. Its failure, and the
 * passing of that time, close the connection.
 */
import type { Script } from '../plugin/script.ts'
import { assert } from '../shared/assert.ts'
import type { UpstreamLimits } from '../shared/limits.ts'
import type { ConnectionErrors } from './connection-errors.ts'
import type { IoEnvironment, Timer } from './environment.ts'
import type { Intake } from './intake.ts'
import type { ReplyMatcher } from './reply-matcher.ts'
import { ScriptRunner } from './script-runner.ts'

/** Bytes of handshake frames a script may leave unread: certificates and parameters fit many times over. */
const SCRIPT_BYTES_MAX = 1 << 20

export interface ScriptHost {
  readonly matcher: ReplyMatcher
  readonly intake: Intake
  readonly environment: IoEnvironment
  readonly errors: ConnectionErrors
  readonly limits: UpstreamLimits
  send(bytes: Uint8Array): void
  /** A script has begun, or is over. */
  onBegin(): void
  onEnd(): void
  destroy(error: ReturnType<ConnectionErrors['remote']>): void
}

export class ConnectionScripts {
  readonly #host: ScriptHost
  #timer: Timer | undefined

  constructor(host: ScriptHost) {
    this.#host = host
  }

  /** `done` is told how it ended, where it ended well. */
  run<Result>(script: Script<Result>, timeoutMs: number, done: (result: Result) => void): void {
    const host = this.#host
    assert(host.matcher.unanswered.count === 0 && host.matcher.script === undefined, 'a script has its connection')
    host.onBegin()
    const timer = host.environment.after(timeoutMs, () =>
      host.destroy(host.errors.remote('HANDSHAKE_TIMEOUT', `no answer within ${timeoutMs} ms`)),
    )
    this.#timer = timer
    const runner = new ScriptRunner(
      script,
      {
        send: (bytes) => host.send(bytes),
        upgrade: (upgraded) => host.intake.upgrade(upgraded),
        finished: (result) => {
          timer.cancel()
          host.matcher.script = undefined
          host.onEnd()
          done(result as Result)
        },
        failed: (error) => {
          timer.cancel()
          host.destroy(host.errors.fromPlugin(error))
        },
      },
      host.limits.scriptStepsMax,
      SCRIPT_BYTES_MAX,
    )
    host.matcher.script = runner
    runner.start()
  }

  /** A reset or an audit; false where the protocol has none. */
  runHousekeeping<Result>(script: Script<Result> | undefined, done: (result: Result) => void): boolean {
    if (script === undefined) return false
    this.run(script, this.#host.limits.handshakeTimeoutMs, done)
    return true
  }

  /** The connection is closed. */
  stop(): void {
    this.#timer?.cancel()
  }
}
