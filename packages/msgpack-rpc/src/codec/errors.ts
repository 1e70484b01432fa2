/**
 * The peer's errors, and ours for the peer.
 *
 * Rules: the protocol allows any value for an error, so the value is kept as it is; the message is the text in it,
 * where there is one. In the other direction what a handler throws becomes the error: the message of an `Error`, the
 * value of an `RpcError`, anything else as it is. Never nil, which would say that all went well.
 */
import { RemoteError } from '@iokernel/core/plugin'

/** The peer answered a call with an error. Thrown by a handler: its value is what the peer gets. */
export class RpcError extends RemoteError {
  /** What the peer said: a text, `[type, text]` of Neovim, anything. */
  readonly error: unknown

  constructor(error: unknown, details: ConstructorParameters<typeof RemoteError>[2] = {}) {
    super('CALL_FAILED', textOf(error) ?? 'the call failed; what the peer says is no text: see `error`', details)
    this.name = 'RpcError'
    this.error = error
  }
}

/** What is answered for something that a handler threw. */
export function errorValueOf(thrown: unknown): unknown {
  try {
    if (thrown instanceof RpcError) return thrown.error ?? UNSAID
    if (thrown instanceof Error) return wordsIn(thrown.message) ?? wordsIn(thrown.name) ?? UNSAID
  } catch {
    // A getter, or a proxy, that throws in its turn.
    return UNSAID
  }
  return thrown ?? UNSAID
}

/** Whoever made an error may have put anything there. */
function wordsIn(text: unknown): string | undefined {
  return typeof text === 'string' && text !== '' ? text : undefined
}

const UNSAID = 'the handler failed and did not say why'

/** As much as one reads. */
const TEXT_CHARS_MAX = 1024

function textOf(error: unknown): string | undefined {
  if (typeof error === 'string') return error.slice(0, TEXT_CHARS_MAX)
  // Of a codec that leaves texts as they are.
  if (error instanceof Uint8Array) return Buffer.from(error.subarray(0, TEXT_CHARS_MAX)).toString()
  // Neovim: [kind, text].
  if (Array.isArray(error)) return textOf(error.find((part) => typeof part === 'string' || part instanceof Uint8Array))
  if (typeof error !== 'object' || error === null) return undefined
  return textOf((error as { readonly message?: unknown }).message)
}
