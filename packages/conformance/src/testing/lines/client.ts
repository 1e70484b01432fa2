/**
 * The application half of the newline protocol: three operations, and a client over them.
 */
import type { Link, Operation, ReplyBytes } from '@iokernel/core/plugin'
import { RemoteError, RemoteProtocolError } from '@iokernel/core/plugin'

export class LinesClient {
  readonly #link: Link

  constructor(link: Link) {
    this.#link = link
  }

  get(key: string): Promise<string> {
    return this.#link.request(GET, key)
  }

  getBytes(key: string): Promise<Uint8Array> {
    return this.#link.request(GET_BYTES, key)
  }

  many(keys: readonly string[]): Promise<readonly string[]> {
    return this.#link.request(MANY, keys)
  }
}

export const GET: Operation<string, string> = {
  name: 'get',
  access: 'read',
  on: 'lane',
  idempotent: true,
  encode(out, key) {
    out.ascii('get ')
    out.utf8(key)
    out.u8(NEWLINE)
    return 0
  },
  decode: (reply) => textsOf(reply)[0] as string,
}

export const GET_BYTES: Operation<string, Uint8Array> = {
  name: 'get bytes',
  access: 'read',
  on: 'lane',
  idempotent: true,
  encode: GET.encode,
  decode(reply) {
    textsOf(reply)
    return Uint8Array.from(reply.bytes.subarray(reply.start + 1, reply.end - 1))
  },
}

/** As many replies as keys. */
export const MANY: Operation<readonly string[], readonly string[]> = {
  name: 'many',
  access: 'read',
  on: 'lane',
  idempotent: true,
  encode(out, keys) {
    for (const key of keys) GET.encode(out, key)
    return keys.length - 1
  },
  decode: (reply) => textsOf(reply),
}

/** The texts of all lines; the first error is thrown. */
export function textsOf({ bytes, start, end }: ReplyBytes): readonly string[] {
  const lines = bytes.toString('utf8', start, end).split('\n').slice(0, -1)
  return lines.map((line) => {
    if (line.startsWith('=')) return line.slice(1)
    const [code = '', ...words] = line.slice(1).split(' ')
    if (!line.startsWith('!')) throw new RemoteProtocolError('an answer that is neither a text nor an error')
    throw new RemoteError(code.toUpperCase(), words.join(' '))
  })
}

const NEWLINE = 10
