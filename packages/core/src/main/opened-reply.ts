/**
 * Replies of any size: one that comes in one piece is decoded, any other becomes a stream at its first piece.
 *
 * Rules: the caller's promise settles with what `Operation.open` makes of the stream. From then on the call's slot
 * belongs to the stream: what settles the slot ends the stream, and so the call still settles once.
 */
import type { CallOptions } from '../plugin/protocol.ts'
import type { StreamOpener } from './incoming-stream.ts'
import type { AnyOperation, CallSlot } from './slots.ts'

/** The first piece is here. `tell` is told where the call's time went, before the caller goes on. */
export function openReply(
  call: CallSlot,
  opener: StreamOpener,
  tell: (onTiming: NonNullable<CallOptions['onTiming']>, submittedAtMs: number) => void,
): void {
  const { args, onTiming, submittedAtMs } = call
  const operation = call.operation as AnyOperation
  const resolve = call.resolve as (value: unknown) => void
  const reject = call.reject as (error: unknown) => void
  const ended = new Promise((resolveEnd, rejectEnd) => {
    call.resolve = resolveEnd
    call.reject = rejectEnd
  })
  call.opener = undefined
  call.onTiming = undefined
  const stream = opener.open(call.id, ended)
  call.sink = stream
  if (onTiming !== undefined) tell(onTiming, submittedAtMs)
  try {
    const opened = operation.open?.(stream, args)
    resolve(opened)
    // Whoever fails later than that does not read on either.
    if (opened instanceof Promise) opened.catch(() => stream.close())
  } catch (error) {
    reject(error)
    void stream.close()
  }
}
