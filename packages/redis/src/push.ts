/**
 * The push connection: what it has been asked to send, whose each reply is, and to which interest a push belongs.
 *
 * Rules:
 * 1. A key is one letter for the kind, a colon, and the bytes of the name as latin1: `s:` channel, `p:` pattern, `h:`
 *    shard channel, `t:` prefix of keys whose invalidations are wanted.
 * 2. Every command written here leaves an expectation, in order. A reply that nothing expects is the peer's fault.
 * 3. To the kernel, one reply answers one subscribe. Replies it did not ask for (to an unsubscribe, inside a batch of
 *    ours) are reported as pushes that concern nobody.
 *
 * Theory of operation: SUBSCRIBE and its kin answer with a push and no reply in RESP3, with an array in RESP2, and
 * with an error where they are refused. CLIENT TRACKING answers +OK. Redis refuses prefixes that overlap on one
 * connection, and can only add them, so the ledger keeps the smallest set that covers what is wanted:
 *
 *   wanted  user:  user:7:  cart:      registered  user:  cart:       (user:7: is covered; the subscriber filters)
 *
 * A prefix that is covered already costs a PING, so that there is a reply to wait for. One that covers others, and
 * one that goes, need tracking switched off and on again; MULTI around both leaves no moment without it.
 *
 * Limits: invalidations need RESP3 (in RESP2 they need a second connection): the command then written is one that
 * every server refuses, and the interest fails by that error. A connection holds what the kernel asks for; the kernel
 * bounds interests.
 */
import type { ByteWriter, PushRoute } from '@iokernel/core/plugin'
import { FrameFlag, RemoteProtocolError } from '@iokernel/core/plugin'
import { writeArrayHeader, writeCommand, writeLatin1, writeText } from './codec/encode.ts'

type Expected =
  /** A push that names this key, or an error. */
  | { readonly kind: 'subscribe' | 'unsubscribe'; readonly key: string }
  /** A reply that answers a subscribe to tracking; an error takes the prefix back. */
  | { readonly kind: 'tracking'; readonly prefix: string }
  /** A reply that answers nobody. */
  | { readonly kind: 'silent' }

const NOBODY: PushRoute = { key: undefined, kind: 'message' }
const INVALIDATION: PushRoute = { key: 't:', kind: 'all' }
const SILENT: Expected = { kind: 'silent' }
const MINUS = 45

export class PushLedger {
  /** True once the handshake is over and the connection carries interests. */
  active = false
  #resp3 = true
  readonly #expected: Expected[] = []
  readonly #wanted = new Set<string>()
  #registered: readonly string[] = []
  /** A command was refused: what the server has registered is not known, and is said again in full the next time. */
  #uncertain = false

  /** The handshake is over. */
  activate(protocolVersion: 2 | 3): void {
    this.active = true
    this.#resp3 = protocolVersion === 3
  }

  subscribe(key: string, out: ByteWriter): void {
    const name = key.slice(2)
    if (key.startsWith('t:')) {
      this.#track(name, out)
      return
    }
    this.#expected.push({ kind: 'subscribe', key })
    writeNamed(out, verb(key, ''), name)
  }

  unsubscribe(key: string, out: ByteWriter): void {
    const name = key.slice(2)
    if (key.startsWith('t:')) {
      this.#untrack(name, out)
      return
    }
    this.#expected.push({ kind: 'unsubscribe', key })
    writeNamed(out, verb(key, 'UN'), name)
  }

  /** What the complete frame is to the kernel: flags, without `Error`. */
  judge(bytes: Buffer, start: number, end: number): number {
    const route = this.route(bytes, start, end)
    if (route !== undefined) {
      if (route.kind === 'confirmed' || route.kind === 'ended') this.#confirm(route)
      return FrameFlag.Push
    }
    const expected = this.#expected.shift()
    if (expected === undefined) throw new RemoteProtocolError('a reply to no request on a push connection')
    const failed = bytes[start] === MINUS
    if (expected.kind === 'tracking') {
      if (failed) {
        this.#wanted.delete(expected.prefix)
        this.#uncertain = true
      }
      return FrameFlag.Final
    }
    return expected.kind === 'subscribe' ? FrameFlag.Final : FrameFlag.Push
  }

  /** Which interest a push belongs to; `undefined` for what is no push. */
  route(bytes: Buffer, start: number, end: number): PushRoute | undefined {
    const first = afterLine(bytes, start, end)
    const isPush = bytes[start] === 62
    if (!isPush && (this.#resp3 || bytes[start] !== 42)) return undefined
    const kind = bulkText(bytes, first, end)
    switch (kind) {
      case 'message':
        return { key: `s:${second(bytes, first, end)}`, kind: 'message' }
      case 'pmessage':
        return { key: `p:${second(bytes, first, end)}`, kind: 'message' }
      case 'smessage':
        return { key: `h:${second(bytes, first, end)}`, kind: 'message' }
      case 'subscribe':
      case 'psubscribe':
      case 'ssubscribe':
        return { key: `${letter(kind, 0)}:${second(bytes, first, end)}`, kind: 'confirmed' }
      case 'unsubscribe':
      case 'punsubscribe':
      case 'sunsubscribe':
        return { key: `${letter(kind, 2)}:${second(bytes, first, end)}`, kind: 'ended' }
      case 'invalidate':
        return INVALIDATION
      default:
        return isPush || kind === 'pong' ? NOBODY : undefined
    }
  }

  /** The peer spoke of this key: what was expected of it has come. */
  #confirm(route: PushRoute): void {
    const expected = this.#expected[0]
    // A server may end a shard subscription by itself, when the slot moves; nothing of ours is answered by that.
    if (expected === undefined || expected.kind === 'silent' || expected.kind === 'tracking') return
    const wanted = expected.kind === 'subscribe' ? 'confirmed' : 'ended'
    if (expected.key === route.key && route.kind === wanted) this.#expected.shift()
  }

  #track(prefix: string, out: ByteWriter): void {
    if (!this.#resp3) {
      this.#expected.push({ kind: 'tracking', prefix })
      writeCommand(out, ['CLIENT', 'TRACKING', 'REQUIRES-RESP3'])
      return
    }
    this.#wanted.add(prefix)
    const before = this.#registered
    this.#registered = smallestCover(this.#wanted)
    const answer: Expected = { kind: 'tracking', prefix }
    if (sameList(before, this.#registered) && !this.#uncertain) {
      this.#expected.push(answer)
      writeCommand(out, ['PING'])
    } else if (before.every((known) => this.#registered.includes(known)) && !this.#uncertain) {
      this.#expected.push(answer)
      writeTracking(out, [prefix])
    } else {
      this.#expected.push(SILENT, SILENT, SILENT, answer)
      this.#writeAgain(out)
    }
  }

  #untrack(prefix: string, out: ByteWriter): void {
    if (!this.#wanted.delete(prefix)) return
    const before = this.#registered
    this.#registered = smallestCover(this.#wanted)
    if (sameList(before, this.#registered) && !this.#uncertain) return
    if (this.#registered.length === 0) {
      this.#expected.push(SILENT)
      writeCommand(out, ['CLIENT', 'TRACKING', 'OFF'])
      return
    }
    this.#expected.push(SILENT, SILENT, SILENT, SILENT)
    this.#writeAgain(out)
  }

  #writeAgain(out: ByteWriter): void {
    this.#uncertain = false
    writeCommand(out, ['MULTI'])
    writeCommand(out, ['CLIENT', 'TRACKING', 'OFF'])
    writeTracking(out, this.#registered)
    writeCommand(out, ['EXEC'])
  }
}

/** The prefixes of which no other is a prefix, in order. */
export function smallestCover(prefixes: Iterable<string>): readonly string[] {
  const cover: string[] = []
  for (const prefix of [...prefixes].sort()) {
    // Sorted, a prefix comes before everything that begins with it.
    const last = cover.at(-1)
    if (last === undefined || !prefix.startsWith(last)) cover.push(prefix)
  }
  return cover
}

function sameList(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((value, index) => value === right[index])
}

function verb(key: string, prefix: '' | 'UN'): string {
  const kind = key.slice(0, 2)
  const letterOfKind = kind === 'p:' ? 'P' : kind === 'h:' ? 'S' : ''
  return `${letterOfKind}${prefix}SUBSCRIBE`
}

function writeNamed(out: ByteWriter, command: string, name: string): void {
  writeArrayHeader(out, 2)
  writeText(out, command)
  writeLatin1(out, name)
}

function writeTracking(out: ByteWriter, prefixes: readonly string[]): void {
  writeArrayHeader(out, 4 + 2 * prefixes.length)
  for (const word of ['CLIENT', 'TRACKING', 'ON', 'BCAST']) writeText(out, word)
  for (const prefix of prefixes) {
    writeText(out, 'PREFIX')
    writeLatin1(out, prefix)
  }
}

/**
 * `s`, `p` or `h` from the first letter of psubscribe, ssubscribe, punsubscribe, ... whose plain form has `length`
 * letters more.
 */
function letter(kind: string, length: number): string {
  if (kind.length === 'subscribe'.length + length) return 's'
  return kind.startsWith('p') ? 'p' : 'h'
}

/** The second element as latin1; empty for null (unsubscribe of nothing). */
function second(bytes: Buffer, first: number, end: number): string {
  return bulkText(bytes, afterBulk(bytes, first, end), end) ?? ''
}

/** The bulk string at `at` as latin1; `undefined` for what is none. The framer has checked its form. */
function bulkText(bytes: Buffer, at: number, end: number): string | undefined {
  if (at >= end || bytes[at] !== 36 || bytes[at + 1] === MINUS) return undefined
  const payload = afterLine(bytes, at, end)
  return bytes.toString('latin1', payload, payload + lengthAt(bytes, at))
}

function afterBulk(bytes: Buffer, at: number, end: number): number {
  if (at >= end || bytes[at] !== 36) return end
  return afterLine(bytes, at, end) + lengthAt(bytes, at) + 2
}

function lengthAt(bytes: Buffer, at: number): number {
  let length = 0
  for (let position = at + 1; bytes[position] !== 13; position++)
    length = length * 10 + (bytes[position] as number) - 48
  return length
}

function afterLine(bytes: Buffer, at: number, end: number): number {
  let position = at
  while (position < end && bytes[position] !== 10) position++
  return position + 1
}
