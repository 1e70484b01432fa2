/**
 * The smallest protocol that has everything: newline-framed requests and replies. For tests of the kernel and of its
 * plugins.
 *
 * The wire, each a line:
 *
 *   request   any text                       reply    any text, `-text` is an error
 *   push      `!key text`                    errors   `-retire…`, `-busy…`, `-readonly…`, `-again…` are verdicts
 *   subscribe `sub key` / `unsub key`        answers  `!+key`, `!-key`, or an error
 *   handshake `hello NAME` -> `welcome [ID]` or `-denied`; probe `ping` -> `pong`; reset `reset` -> `ok`
 *   audit     `audit` -> `clean`, or what was found; cancel, on a connection of its own: `cancel ID`, and the peer
 *   closes state     `~text` is a reply after which something was left behind; `-stale` comes before the reply it
 *   concerns
 *
 * Rules: this is the application half; `lines/io.ts` is the other. Both are built, so that a worker can load them.
 */
import { LocalError, RemoteError } from '../plugin/errors.ts'
import type {
  CallOptions,
  Interest,
  InterestHandler,
  Link,
  Operation,
  Protocol,
  ReplyStream,
  SessionLink,
  WaitOptions,
} from '../plugin/protocol.ts'
import { PLUGIN_API } from '../plugin/version.ts'
import type { LinesIo } from './lines/io.ts'

export interface LinesTarget {
  /** `host:port`, several by commas, or `/path`. */
  readonly at: string
  readonly discovery?: 'static' | 'dns'
  /** Sent in the handshake; no handshake when absent. */
  readonly name?: string
  readonly credentials?: () => string | Promise<string>
  readonly probe?: boolean
  readonly reset?: boolean
  readonly audit?: boolean
  readonly cancel?: boolean
}

export interface LinesClient {
  readonly link: Link
  /** An idempotent read. */
  ask(text: string, options?: CallOptions): Promise<string>
  /** A write that may be executed once only. */
  tell(text: string, options?: CallOptions): Promise<string>
  /** One request with `1 + more` replies. */
  askMany(text: string, more: number, options?: CallOptions): Promise<string[]>
  /** A read that is known by its first word: elastic lanes learn how long that takes. */
  look(text: string, options?: CallOptions): Promise<string>
  /** A call that may leave state behind. */
  taint(text: string, options?: CallOptions): Promise<string>
  /** `1 + more` replies, as they come. */
  stream(text: string, more: number, options?: CallOptions): ReplyStream
  /** Its reply where that came in one piece, or the reply as it comes. `throw` throws when it opens. */
  either(text: string, options?: CallOptions): Promise<string | ReplyStream>
  /** On a connection of its own. */
  askAlone(text: string, options?: CallOptions): Promise<string>
  listen(key: string, handler: InterestHandler, options?: WaitOptions): Promise<Interest>
  session(options?: CallOptions): Promise<LinesSession>
}

export interface LinesSession {
  readonly link: SessionLink
  ask(text: string): Promise<string>
  /** Nothing answers it. */
  say(text: string): Promise<void>
}

function operation(name: string, changes: Partial<Operation<string, string>>): Operation<string, string> {
  return {
    name,
    access: 'read',
    on: 'lane',
    idempotent: false,
    encode(out, text) {
      if (text.includes('\n')) throw new LocalError('ARGUMENT', 'a request is one line')
      out.utf8(text)
      out.u8(10)
      return 0
    },
    decode: (reply) => plain(reply.bytes.toString('utf8', reply.start, reply.end - 1)),
    ...changes,
  }
}

const ASK = operation('ask', { idempotent: true })
const TELL = operation('tell', { access: 'write' })
const LOOK = operation('look', { idempotent: true, fingerprint: (text) => hashOf(text.split(' ', 1)[0] as string) })
const TAINT = operation('taint', { access: 'write', taints: true })
const SAY = operation('say', { access: 'write', answer: 'written', decode: () => '' })
const ALONE = operation('alone', { on: 'session' })
const MANY: Operation<{ text: string; more: number }, string[]> = {
  name: 'many',
  access: 'read',
  on: 'lane',
  idempotent: true,
  encode(out, { text, more }) {
    out.utf8(`${text}\n`)
    return more
  },
  decode: (reply) =>
    reply.bytes
      .toString('utf8', reply.start, reply.end - 1)
      .split('\n')
      .map(plain),
}

const EITHER: Operation<string, string | ReplyStream> = {
  name: 'either',
  access: 'read',
  on: 'lane',
  idempotent: true,
  encode: ASK.encode,
  decode: ASK.decode,
  open(reply, text) {
    if (text.endsWith('throw')) throw new RemoteError('NOT_OPENED', 'told to throw')
    return reply
  },
}

function plain(line: string): string {
  if (line.startsWith('-')) throw new RemoteError('REFUSED_LINE', line.slice(1))
  return line
}

export const lines: Protocol<LinesTarget, LinesIo, null, LinesClient> = {
  kind: 'protocol',
  name: 'lines',
  api: PLUGIN_API,
  io: new URL('./lines/io.js', import.meta.url),
  supports: { replies: 'in-order', lanes: 'one', push: 'asked', serve: false, tls: 'direct' },
  resolve(target) {
    const {
      at,
      discovery = 'static',
      name,
      credentials,
      probe = false,
      reset = true,
      audit = false,
      cancel = false,
    }: LinesTarget = typeof target === 'string' ? { at: target } : target
    return {
      upstreamKey: JSON.stringify([at, discovery, name ?? null]),
      authority: `lines://${at}`,
      name: { discovery, target: at, portDefault: 7777 },
      io: {
        name: name ?? null,
        asksCredentials: credentials !== undefined,
        probe,
        reset,
        audit,
        cancel,
        callsMax: null,
      },
      app: null,
      ...(credentials === undefined ? {} : { credentials }),
    }
  },
  client: (link) => ({
    link,
    ask: (text, options) => link.request(ASK, text, options),
    tell: (text, options) => link.request(TELL, text, options),
    askMany: (text, more, options) => link.request(MANY, { text, more }, options),
    look: (text, options) => link.request(LOOK, text, options),
    taint: (text, options) => link.request(TAINT, text, options),
    stream: (text, more, options) => link.stream(MANY, { text, more }, options),
    either: (text, options) => link.request(EITHER, text, options),
    askAlone: (text, options) => link.request(ALONE, text, options),
    listen: (key, handler, options) => link.interest(key, handler, options),
    async session(options) {
      const session = await link.session(options)
      return {
        link: session,
        ask: (text) => session.request(TELL, text),
        say: async (text) => void (await session.request(SAY, text)),
      }
    },
  }),
}

/** FNV-1a, never 0. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash | 1
}
