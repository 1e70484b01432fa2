/** What a caller is told whose time is over: where the time went, and whether the call may have been executed. */
import { CallFlag } from '../channel/records.ts'
import { DeadlineError } from '../plugin/errors.ts'
import { type Call, CallState } from './call.ts'

/** `lateMs`: how long after the deadline it was noticed. */
export function deadlineError(call: Call, lateMs: number): DeadlineError {
  const totalMs = call.deadlineAtMs - call.arrivedAtMs
  const written = call.state === CallState.Written
  const place = call.client === undefined ? {} : { upstream: call.client.upstream.configuration.authority }
  // The thread itself was kept from looking for as long as the call had: no verdict about the peer is possible.
  const busy = lateMs > totalMs
  if (written && (call.flags & CallFlag.Stream) !== 0) return streamDeadlineError(call, place)
  if (!written) {
    const trouble = call.client?.upstream.trouble
    const why = trouble === undefined ? '' : ` (${trouble})`
    const said = call.retries === 0 ? 'it was not sent' : 'it was to be sent again and may have been executed'
    return new DeadlineError(
      `the deadline of ${Math.round(totalMs)} ms passed while the call waited for a connection; ${said}${why}`,
      busy ? 'kernel-busy' : 'queued',
      { sent: 'no', ...place },
    )
  }
  return new DeadlineError(
    `the deadline of ${Math.round(totalMs)} ms passed: ${Math.round(call.writtenAtMs - call.arrivedAtMs)} ms until ` +
      'written, then no complete reply; it may have been executed',
    busy ? 'kernel-busy' : 'upstream',
    { sent: 'maybe', ...place },
  )
}

function streamDeadlineError(call: Call, place: { upstream?: string }): DeadlineError {
  const why =
    call.source?.isPaused === true
      ? 'its reader took nothing for too long (readerTimeoutMs)'
      : `nothing of it came for ${call.patienceMs} ms (deadlineMs)`
  return new DeadlineError(
    `a streamed reply was given up: ${why}`,
    call.source?.isPaused === true ? 'application-busy' : 'upstream',
    { sent: 'maybe', ...place },
  )
}
