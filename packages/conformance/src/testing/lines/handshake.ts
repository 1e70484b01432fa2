/**
 * The scripts of the newline protocol: `hello`, `ping` and `reset`, each one line and one answer.
 *
 * Rules: an answer that is not understood is a `RemoteProtocolError`; no message holds what was sent.
 */
import {
  type Cloneable,
  frame,
  RefusedError,
  RemoteError,
  RemoteProtocolError,
  type Script,
  send,
} from '@iokernel/core/plugin'

export interface LinesFacts {
  readonly [name: string]: Cloneable
  readonly version: number
  readonly role: 'primary' | 'replica'
}

export function* handshake(user: string, password: string): Script<LinesFacts> {
  const answer = yield* ask(`hello lines/1 ${user} ${password}\n`)
  if (answer.startsWith('!denied')) throw new RefusedError('DENIED', 'wrong user or password')
  const welcome = /^=lines\/1 (primary|replica)\n$/.exec(answer)
  if (welcome === null) throw new RemoteProtocolError('hello was answered by something else than lines/1')
  return { version: 1, role: welcome[1] as LinesFacts['role'] }
}

export function* probe(): Script<Cloneable> {
  const answer = yield* ask('ping\n')
  if (answer.startsWith('!busy')) throw new RemoteError('BUSY', 'the peer is busy', { sent: 'no' })
  const pong = /^=pong (primary|replica)\n$/.exec(answer)
  if (pong === null) throw new RemoteProtocolError('ping was answered by something else than pong')
  return { role: pong[1] as string }
}

export function* reset(): Script<void> {
  const answer = yield* ask('reset\n')
  if (answer !== '=reset\n') throw new RemoteError('NORESET', 'the peer does not forget')
}

export function* ask(line: string): Script<string> {
  yield* send(Buffer.from(line))
  return Buffer.from(yield* frame()).toString('latin1')
}
