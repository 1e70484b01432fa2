/**
 * The application half of the numbered lines: a question and a notification.
 */
import type { Link, Operation, ReplyBytes } from '@iokernel/core/plugin'
import { RemoteError, RemoteProtocolError } from '@iokernel/core/plugin'

export class TaggedClient {
  readonly #link: Link

  constructor(link: Link) {
    this.#link = link
  }

  get(key: string): Promise<string> {
    return this.#link.request(GET, key)
  }

  tell(text: string): Promise<void> {
    return this.#link.request(TELL, text)
  }
}

export const GET: Operation<string, string> = {
  name: 'get',
  access: 'read',
  on: 'lane',
  idempotent: true,
  encode(out, key) {
    out.ascii(`get ${key}\n`)
    return 0
  },
  decode: textOf,
}

export const TELL: Operation<string, void> = {
  name: 'tell',
  access: 'write',
  on: 'lane',
  idempotent: false,
  answer: 'written',
  encode(out, text) {
    out.ascii(`>news ${text}\n`)
    return 1
  },
  decode: () => undefined,
}

function textOf({ bytes, start, end }: ReplyBytes): string {
  const line = bytes.toString('latin1', start, end)
  const [, kind, text] = /^([=!])\d+ (.*)\n$/s.exec(line) ?? []
  if (text === undefined) throw new RemoteProtocolError('an answer that is no line with a number')
  if (kind === '!') throw new RemoteError(text.split(' ', 1)[0]?.toUpperCase() ?? '', text)
  return text
}
