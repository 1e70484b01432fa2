/**
 * What a handler returns. Handlers never touch the response: status, headers and body are data, and one file
 * (`server.ts`) writes them.
 */
import type { ServerResponse } from 'node:http'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | LongBody | undefined
}

/** A body that goes on: the headers are written, then this runs until it returns or the client leaves. */
export type LongBody = (response: ServerResponse) => Promise<void>

export function json(value: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Answer {
  const body = Buffer.from(`${JSON.stringify(value)}\n`)
  return { status, headers: { 'content-type': 'application/json; charset=utf-8', ...headers }, body }
}

export function bytes(body: Uint8Array, contentType: string): Answer {
  return { status: 200, headers: { 'content-type': contentType }, body }
}

export function text(body: string): Answer {
  return bytes(Buffer.from(body), 'text/plain; charset=utf-8')
}

export function noContent(): Answer {
  return { status: 204, headers: {}, body: undefined }
}
