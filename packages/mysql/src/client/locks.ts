/**
 * The names of locks (GET_LOCK), which are the server's and not a database's.
 *
 * Limits: 64 characters, as in both servers (MySQL refuses more, MariaDB takes 192 bytes); they know no case.
 */
import { wrong } from '@iokernel/core/toolkit'

export function checkedLock(name: unknown): string {
  const isRight = typeof name === 'string' && name !== '' && name.length <= NAME_CHARS_MAX && !name.includes('\0')
  if (!isRight) throw wrong(`the name of a lock is a string of 1 to ${NAME_CHARS_MAX} characters`)
  return name
}

/** Seconds. As good as for ever, which no server understands alike; the deadline of the call is what bounds it. */
export const LOCK_WAIT_MAX_S = 31_536_000
const NAME_CHARS_MAX = 64
