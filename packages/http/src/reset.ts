/**
 * Makes a connection as good as new after a session.
 *
 * Rules: HTTP keeps no state on a connection, so there is nothing to say: either the last request went out whole and
 * its reply came whole, or the connection is closed.
 */
import { RemoteError, type Script } from '@iokernel/core/plugin'

// biome-ignore lint/correctness/useYield: a script that needs no step.
export function* reset(isClean: boolean): Script<void> {
  if (!isClean) {
    throw new RemoteError('NOT_CLEAN', 'a request or its reply was not at its end: the connection is closed')
  }
}
