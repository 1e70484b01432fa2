/**
 * The composition root for `thread: 'inline'`: the same kernel over the same rings, with both ends in one thread.
 *
 * Rules: the only file that imports both `main/` and `io/`. A doorbell is a scheduled function: ringing it twice in a
 * turn runs it once.
 */
import { applicationEnd, channelMemory, ioEnd } from './channel/channel.ts'
import { IoKernel } from './io/kernel.ts'
import { loadPlugins } from './io/load-plugins.ts'
import { realWorld } from './io/world.ts'
import type { IoHandle, StartRequest } from './main/thread.ts'
import { LocalError } from './plugin/errors.ts'

/** Longer than any process lives without another reason; the timer exists to be referenced. */
const KEEP_ALIVE_MS = 0x7fffffff

export async function startInline(request: StartRequest): Promise<IoHandle> {
  const { plugins, problems } = await loadPlugins(request.modules)
  if (problems.length > 0) throw new LocalError('IO_THREAD_START', problems.join('\n'))
  const memory = channelMemory(request.limits.submissionBytes, request.limits.completionBytes)
  const environment = realWorld({
    logLevel: request.logLevel,
    log: request.logsToApplication ? (line) => attachment.event({ type: 'log', line }) : undefined,
    unref: true,
  })
  const kernel = new IoKernel(request.limits, plugins, request.dns, environment)
  let ended = false
  const toApplication = once(() => {
    if (!ended) request.onDoorbell()
  })
  const toKernel = once(() => {
    if (!ended) kernel.drain(attachment)
  })
  const attachment = kernel.attach(ioEnd(memory, { ring: toApplication }))
  toKernel()
  const reference = setInterval(() => undefined, KEEP_ALIVE_MS).unref()
  return {
    end: applicationEnd(memory, { ring: toKernel }),
    reference,
    flushNow: () => kernel.flushNow(attachment),
    terminate: async () => {
      ended = true
      clearInterval(reference)
    },
  }
}

/** Runs `action` once in the next check phase, however often it is asked for. */
function once(action: () => void): () => void {
  let scheduled = false
  return () => {
    if (scheduled) return
    scheduled = true
    setImmediate(() => {
      scheduled = false
      action()
    })
  }
}
