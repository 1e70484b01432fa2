/**
 * What the service's refusals mean here: those that the client can do something about are his, with the service's own
 * code and words; all others are the service's, and so 502.
 */
import { RemoteError } from '@iokernel/core'
import type { HttpResponse } from '@iokernel/http'
import { RequestError } from '../../http/failures.ts'

/** Returns the response if it is none. */
export async function accepted(response: HttpResponse): Promise<HttpResponse> {
  const { status } = response
  if (status >= 200 && status < 300) return response
  const { code, message } = await reasonOf(response)
  if (CLIENTS.includes(status)) throw new RequestError(status, code, message)
  throw new RemoteError(code, `the file service answered ${status}: ${message}`)
}

async function reasonOf({ body }: HttpResponse): Promise<{ readonly code: string; readonly message: string }> {
  const given: unknown = await body.json().catch(() => undefined)
  const { code, message } = (given ?? {}) as Readonly<Record<string, unknown>>
  if (typeof code === 'string' && typeof message === 'string') return { code, message }
  return { code: 'HTTP_STATUS', message: 'it does not say why' }
}

/** Wrong, not there, too large, full, busy. */
const CLIENTS: readonly number[] = [400, 404, 413, 503, 507]
