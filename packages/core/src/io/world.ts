/**
 * The real world for the I/O side: clock, timers, sockets, random numbers, stderr. The only file of `io/` that reaches
 * for them.
 *
 * Rules: logging writes to the file descriptor directly, because a worker's `console` waits for the application thread,
 * which may hang.
 */
import { randomBytes } from 'node:crypto'
import { writeSync } from 'node:fs'
import type { LogLevel } from '../channel/start.ts'
import { nowMs } from '../shared/clock.ts'
import type { IoEnvironment } from './environment.ts'
import { dialSocket } from './net.ts'

export interface WorldOptions {
  readonly logLevel: LogLevel
  /** Where lines go; stderr when absent. */
  readonly log: ((line: string) => void) | undefined
  /** Inline: timers and sockets do not keep the process alive. */
  readonly unref: boolean
}

/** 24.8 days. */
const TIMER_MS_MAX = 0x7fffffff

export function realWorld(options: WorldOptions): IoEnvironment {
  return {
    nowMs,
    after(delayMs, action) {
      // Beyond what a timer takes, Node would make it one millisecond.
      const timer = setTimeout(action, Math.min(delayMs, TIMER_MS_MAX))
      if (options.unref) timer.unref()
      return { cancel: () => clearTimeout(timer) }
    },
    afterReads(action) {
      setImmediate(action)
    },
    dial: (request) => dialSocket(request, options.unref),
    random: (length) => randomBytes(length),
    randomUnit: () => Math.random(),
    log(level, line) {
      if (options.logLevel === 'silent' || (level === 'debug' && options.logLevel !== 'debug')) return
      if (options.log !== undefined) return options.log(line)
      try {
        writeSync(2, `iokernel: ${line}\n`)
      } catch {
        // A closed or full stderr must not take the thread with it.
      }
    },
  }
}
