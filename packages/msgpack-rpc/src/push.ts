/**
 * What the peer says unasked: to which interest a notification or a request belongs, and what is said to a request that
 * nobody takes.
 *
 * Rules: a key is one letter for the kind, a colon, and the bytes of the method as latin1: `n:` notifications, `r:`
 * requests. Nothing is registered with the peer: it sends what it likes, over any connection.
 */
import type { ByteWriter, PushRoute } from '@iokernel/core/plugin'
import { writeRefusal } from './codec/encode.ts'
import { MessageHead, MessageType } from './message.ts'

export type PushKind = 'notification' | 'request'

export function keyOf(kind: PushKind, method: string): string {
  return `${LETTERS[kind]}:${Buffer.from(method).toString('latin1')}`
}

export function routeOf(bytes: Buffer, start: number, end: number): PushRoute {
  if (!HEAD.read(bytes, start, end) || HEAD.type === MessageType.Response) return NOBODY
  const letter = HEAD.type === MessageType.Notification ? LETTERS.notification : LETTERS.request
  return { key: `${letter}:${bytes.toString('latin1', HEAD.methodStart, HEAD.methodEnd)}`, kind: 'message' }
}

/** Answers a request that has no handler here, or one that does not keep up. */
export function refuse(bytes: Buffer, start: number, end: number, out: ByteWriter): void {
  if (HEAD.read(bytes, start, end)) writeRefusal(out, HEAD.id, REFUSAL)
}

const LETTERS = { notification: 'n', request: 'r' } as const
const HEAD = new MessageHead()
const NOBODY: PushRoute = { key: undefined, kind: 'message' }
const REFUSAL = 'nobody takes this request: there is no such method, or its handlers do not keep up'
