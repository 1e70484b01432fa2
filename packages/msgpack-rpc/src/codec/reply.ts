/**
 * What the peer sent, as values: replies to calls, its notifications and its requests.
 *
 * Rules: an error is thrown. The frames are whole messages that the framer has delimited, in memory that is overwritten
 * afterwards: a codec copies what it keeps.
 */
import type { ReplyBytes } from '@iokernel/core/plugin'
import { RemoteProtocolError } from '@iokernel/core/plugin'
import { MessageHead, MessageType } from '../message.ts'
import { RpcError } from './errors.ts'
import type { ValueCodec } from './values.ts'

/** The result of a response; throws its error. */
export function decodeReply(reply: ReplyBytes, codec: ValueCodec): unknown {
  const head = headOf(reply, MessageType.Response)
  // Nil is one byte: the result lies behind it.
  if (!head.isError) return codec.decode(view(reply, head.bodyStart + 1))
  const message = codec.decode(view(reply, reply.start))
  throw new RpcError(Array.isArray(message) ? message[2] : undefined)
}

/** The params of a notification. */
export function decodeNotification(frame: ReplyBytes, codec: ValueCodec): readonly unknown[] {
  return paramsIn(frame, headOf(frame, MessageType.Notification), codec)
}

/** The id alone, which can always be read: an error has to name it. */
export function requestId(frame: ReplyBytes): number {
  return headOf(frame, MessageType.Request).id
}

/** The params of a request. */
export function decodeRequest(frame: ReplyBytes, codec: ValueCodec): readonly unknown[] {
  return paramsIn(frame, headOf(frame, MessageType.Request), codec)
}

const HEAD = new MessageHead()

function headOf({ bytes, start, end }: ReplyBytes, type: number): MessageHead {
  if (!HEAD.read(bytes, start, end) || HEAD.type !== type) {
    throw new RemoteProtocolError('a message of another type than the one that was waited for')
  }
  return HEAD
}

function paramsIn(frame: ReplyBytes, head: MessageHead, codec: ValueCodec): readonly unknown[] {
  const params = codec.decode(view(frame, head.bodyStart))
  if (!Array.isArray(params)) throw new RemoteProtocolError('params that are no array')
  return params
}

/** Plain bytes and no Buffer: the library takes views of it, and a Buffer's are of another kind. */
function view({ bytes, end }: ReplyBytes, start: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start)
}
