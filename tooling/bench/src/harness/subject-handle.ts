/** A subject's process, as the bench holds it: started, asked, ended. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Cell, type Contestant, SkippedError } from './contestant.ts'
import type { Measured, MixtureMeasured, Rest, SubjectAnswer, SubjectRequest } from './messages.ts'
import type { MixedRound } from './mixed-loop.ts'
import type { OpenLoopOptions } from './open-loop.ts'

export class SubjectHandle {
  readonly #process: ChildProcess

  private constructor() {
    this.#process = fork(subjectProgram(), [], {
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
  }

  /** Throws `SkippedError` where the subject's package does not load. */
  static async open(subject: string, url: string): Promise<SubjectHandle> {
    const handle = new SubjectHandle()
    try {
      await handle.#ask({ do: 'open', subject, url })
      return handle
    } catch (error) {
      handle.#process.kill('SIGKILL')
      throw error
    }
  }

  async prepare(operation: string, bytes: number): Promise<void> {
    await this.#ask({ do: 'prepare', operation, bytes })
  }

  closedLoop(inFlight: number, durationMs: number): Promise<Measured> {
    return this.#measure({ do: 'closed', inFlight, durationMs })
  }

  openLoop(options: OpenLoopOptions): Promise<Measured> {
    return this.#measure({ do: 'open loop', ...options })
  }

  async mixture(options: MixedRound): Promise<MixtureMeasured> {
    const answer = await this.#ask({ do: 'mixture', ...options }, options.leadInDurationMs + options.durationMs)
    if (answer.did !== 'mixture') throw new Error(`the subject's process answered ${answer.did}`)
    return answer.measured
  }

  async rest(durationMs: number): Promise<Rest> {
    const answer = await this.#ask({ do: 'rest', durationMs })
    if (answer.did !== 'rest') throw new Error(`the subject's process answered ${answer.did}`)
    return answer.rest
  }

  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const exited = once(this.#process, 'exit')
    const impatience = setTimeout(() => this.#process.kill('SIGKILL'), CLOSE_TIMEOUT_MS)
    await this.#ask({ do: 'close' }).catch(() => this.#process.kill('SIGKILL'))
    await exited
    clearTimeout(impatience)
  }

  async #measure(request: SubjectRequest & { readonly durationMs: number }): Promise<Measured> {
    const answer = await this.#ask(request, request.durationMs)
    if (answer.did !== 'measure') throw new Error(`the subject's process answered ${answer.did}`)
    return answer.measured
  }

  async #ask(request: SubjectRequest, durationMs = 0): Promise<SubjectAnswer> {
    const child = this.#process
    const answered = new Promise<SubjectAnswer>((resolve, reject) => {
      const finish = (settle: () => void): void => {
        clearTimeout(impatience)
        child.off('message', onMessage)
        child.off('exit', onExit)
        settle()
      }
      const onMessage = (answer: SubjectAnswer): void => finish(() => resolve(answer))
      const onExit = (code: number | null, signal: string | null): void =>
        finish(() => reject(new Error(`the subject's process ended (${signal ?? code})`)))
      const impatience = setTimeout(
        () =>
          finish(() => reject(new Error(`no answer to '${request.do}' within its time and ${ANSWER_TIMEOUT_MS} ms`))),
        durationMs + ANSWER_TIMEOUT_MS,
      )
      child.on('message', onMessage)
      child.on('exit', onExit)
    })
    child.send(request)
    const answer = await answered
    if (answer.did === 'skip') throw new SkippedError(answer.reason)
    if (answer.did === 'fail') throw new Error(answer.reason)
    return answer
  }
}

/** A subject's process, ready to be measured in one cell. */
export async function openInCell(subject: string, url: string, cell: Cell): Promise<Contestant> {
  const handle = await SubjectHandle.open(subject, url)
  await handle.prepare(cell.operation, cell.bytes)
  return {
    round: (durationMs) => handle.closedLoop(cell.inFlight, durationMs),
    close: () => handle.close(),
  }
}

/** Under a test runner this file is TypeScript, and the program beside it is what the build made of it. */
function subjectProgram(): string {
  const beside = fileURLToPath(new URL('./subject-process.js', import.meta.url))
  return existsSync(beside) ? beside : fileURLToPath(new URL('../../dist/harness/subject-process.js', import.meta.url))
}

/** 500 replies of 1 MB are on their way when a round ends. */
const ANSWER_TIMEOUT_MS = 60_000
const CLOSE_TIMEOUT_MS = 5_000
