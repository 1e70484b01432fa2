/**
 * What has arrived on a connection, as the kernel would pass it on, and how two readings are compared.
 *
 * Rules: the order is that in which things are complete. How a reply was cut into parts is no part of the result: it
 * differs with the splits. Comparison is over one line of text for each arrival, so that a difference can be read.
 */
import { createHash } from 'node:crypto'
import { FrameFlag, type PushRoute, type Verdict } from '@iokernel/core/plugin'
import { type Bytes, bytesOf, type Expected } from './subject.ts'

export type Arrival =
  /** All frames of one reply. `flags` are those of its last frame, without `Final`. */
  | {
      readonly kind: 'reply'
      readonly call: number
      readonly bytes: Buffer
      readonly flags: number
      readonly verdict: Verdict | undefined
    }
  | { readonly kind: 'push'; readonly bytes: Buffer; readonly route: PushRoute | undefined }
  /** All frames of one request of the peer's. `refused`: what it was answered with, where there is `refuse`. */
  | {
      readonly kind: 'request'
      readonly bytes: Buffer
      readonly route: PushRoute | undefined
      readonly refused: Buffer | undefined
    }
  /** A frame that answers no request, on a push connection. */
  | { readonly kind: 'stray'; readonly bytes: Buffer; readonly flags: number }

/** One line for each arrival. */
export function linesOf(arrivals: readonly Arrival[]): readonly string[] {
  return arrivals.map((one) => {
    if (one.kind === 'push') return `push: ${briefly(one.bytes)}`
    if (one.kind === 'request') return requestLine(one.bytes, one.refused)
    const what = one.kind === 'reply' ? `reply ${one.call}` : 'stray'
    return `${what}: ${briefly(one.bytes)}${flagNames(one.flags)}`
  })
}

/** The same lines, for what a fixture expects of `calls` requests. */
export function expectedLines(expected: readonly Expected[], calls: number): readonly string[] {
  const open = Array.from({ length: calls }, (_, call) => call)
  return expected.map((one) => {
    if ('push' in one) return `push: ${briefly(one.push)}`
    if ('request' in one) return requestLine(one.request, one.refused)
    if ('stray' in one) return `stray: ${briefly(one.stray)}${flagNames(one.flags ?? 0)}`
    const call = one.call ?? open[0] ?? -1
    if (open.includes(call)) open.splice(open.indexOf(call), 1)
    return `reply ${call}: ${briefly(one.reply)}${flagNames(one.flags ?? 0)}`
  })
}

/** Bytes for a person: text where they are text, and no more than fits a line. */
export function briefly(bytes: Bytes): string {
  const all = bytesOf(bytes)
  if (all.length <= BRIEF_BYTES_MAX) return JSON.stringify(all.toString('latin1'))
  const digest = createHash('sha256').update(all).digest('hex').slice(0, 16)
  return `${JSON.stringify(all.toString('latin1', 0, BRIEF_BYTES_MAX))}... (${all.length} bytes, sha256 ${digest})`
}

/** Two lines of a terminal. */
const BRIEF_BYTES_MAX = 160

function requestLine(request: Bytes, refused: Bytes | undefined): string {
  return `request: ${briefly(request)}${refused === undefined ? '' : `, refused with ${briefly(refused)}`}`
}

function flagNames(flags: number): string {
  if (flags === 0) return ''
  const names = Object.entries(FrameFlag).filter(([, bit]) => bit !== FrameFlag.Final && (flags & bit) !== 0)
  return names.map(([name]) => ` ${name}`).join('')
}
