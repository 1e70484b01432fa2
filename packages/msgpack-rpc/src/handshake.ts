/**
 * The handshake: the protocol has none. Where the target names a greeting, that call is made on every new connection
 * before anything else goes over it: a token, the client's name, the version that is spoken.
 *
 *   -> [0, 0, method, params]
 *   <- [1, 0, nil, anything]        the connection is used
 *   <- [1, 0, error, nil]           the peer will not let us in
 *
 * Rules: the bytes were made by the application half; nothing here knows a value. What the peer says in its error does
 * not go into ours, because it may hold what it was told. Notifications and requests that come meanwhile are delivered
 * as ever.
 */
import { frame, RefusedError, RemoteProtocolError, type Script, send } from '@iokernel/core/plugin'
import { MessageHead, MessageType } from './message.ts'

/** `greeting`: a whole call with the id 0. A connection has no facts: the protocol has nothing to find out. */
export function* handshake(greeting: Uint8Array | undefined): Script<undefined> {
  if (greeting === undefined) return undefined
  if (yield* fails(greeting)) {
    throw new RefusedError(
      'GREETING_REFUSED',
      'the peer answered the greeting with an error: see `greeting` of the target',
    )
  }
  return undefined
}

/** Makes a call with the id 0. True where it was answered with an error. */
export function* fails(call: Uint8Array): Script<boolean> {
  yield* send(call)
  const reply = yield* frame()
  const head = new MessageHead()
  if (!head.read(reply, 0, reply.length) || head.type !== MessageType.Response || head.id !== 0) {
    throw new RemoteProtocolError('a response to another call than the one that was made')
  }
  return head.isError
}
