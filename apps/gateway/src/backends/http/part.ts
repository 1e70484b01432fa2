/** What the HTTP service adds to an answer made of several upstreams: the file of that name. */
import type { CallOptions } from '@iokernel/core'
import type { HttpClient } from '@iokernel/http'
import { pathIfName } from './file-names.ts'
import { accepted } from './refusals.ts'

export async function httpPart(client: HttpClient, key: Buffer, options: CallOptions): Promise<unknown> {
  const path = pathIfName(key)
  if (path === undefined) return { found: false }
  const response = await client.get(`${path}/about`, options)
  if (response.status === 404) return { found: false }
  const { body } = await accepted(response)
  return { found: true, file: await body.json() }
}
