/**
 * Echoes in msgpack-rpc: `[0, id, method, [value]]` is answered by `[1, id, nil, value]`, and nothing is decoded on
 * the way. All answers to what came in one piece leave in one.
 *
 * Limits: texts of up to 64 KB, which is more than the suite sends. Anything but a request ends the connection, a type
 * that is not listed below the process: the suite has made a mistake.
 */
import { createServer, type Server, type Socket } from 'node:net'

export function msgpackEcho(): Server {
  return createServer({ noDelay: true }, (socket) => {
    let rest: Buffer = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      rest = bytes.subarray(answerAll(socket, bytes))
    })
    // A client that is killed resets its connection.
    socket.on('error', () => socket.destroy())
  })
}

/** Where the first request begins that is not there whole. */
function answerAll(socket: Socket, bytes: Buffer): number {
  const answers: Uint8Array[] = []
  let at = 0
  for (;;) {
    const end = endOf(bytes, at)
    if (end < 0) break
    const [id, method] = [at + 2, endOf(bytes, at + 2)]
    const params = endOf(bytes, method)
    if (bytes[at] !== REQUEST_ARRAY || bytes[at + 1] !== REQUEST || bytes[params] !== ARRAY_OF_ONE) {
      socket.destroy()
      return bytes.length
    }
    answers.push(ANSWER_HEAD, bytes.subarray(id, method), NIL, bytes.subarray(params + 1, end))
    at = end
  }
  if (answers.length > 0) socket.write(Buffer.concat(answers))
  return at
}

/** Where the value that begins at `at` ends; negative if it is not there whole. */
function endOf(bytes: Buffer, at: number): number {
  let next = at
  // A value is one; an array is as many more as it has, a map twice as many.
  for (let wanted = 1; wanted > 0; wanted--) {
    const type = bytes[next]
    if (type === undefined) return -1
    next++
    if (type <= 0x7f || type >= 0xe0) continue
    if (type <= 0x8f) wanted += 2 * (type & 0x0f)
    else if (type <= 0x9f) wanted += type & 0x0f
    else if (type <= 0xbf) next += type & 0x1f
    else {
      if (bytes.length < next + 2) return -1
      const size = sizeOf(bytes, type, next)
      if (size === undefined) throw new Error(`a value of type ${type} is not among those that are echoed`)
      next += size
    }
  }
  return next <= bytes.length ? next : -1
}

/** Of the types that are neither small nor containers. */
function sizeOf(bytes: Buffer, type: number, at: number): number | undefined {
  const fixed = FIXED_SIZES[type]
  if (fixed !== undefined) return fixed
  if (type === 0xc4 || type === 0xd9) return 1 + (bytes[at] as number)
  if (type === 0xc5 || type === 0xda) return 2 + bytes.readUInt16BE(at)
  return undefined
}

const REQUEST_ARRAY = 0x94
const REQUEST = 0
const ARRAY_OF_ONE = 0x91
/** An array of four that begins with 1, an answer. */
const ANSWER_HEAD = Uint8Array.of(0x94, 1)
const NIL = Uint8Array.of(0xc0)
/** nil, false, true, floats, unsigned and signed integers. */
const FIXED_SIZES: Readonly<Record<number, number>> = {
  ...{ [0xc0]: 0, [0xc2]: 0, [0xc3]: 0, [0xca]: 4, [0xcb]: 8 },
  ...{ [0xcc]: 1, [0xcd]: 2, [0xce]: 4, [0xcf]: 8, [0xd0]: 1, [0xd1]: 2, [0xd2]: 4, [0xd3]: 8 },
}
