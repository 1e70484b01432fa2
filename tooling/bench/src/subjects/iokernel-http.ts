/** The kernel with its HTTP plugin, as it comes. */
import { createKernel } from '@iokernel/core'
import { http } from '@iokernel/http'
import { assertOk, httpClient } from './http-operations.ts'
import type { Subject } from './subject.ts'

export const pool: Subject = async (url) => {
  const kernel = await createKernel({ protocols: [http] })
  const client = kernel.connect(http, url)
  await client.get('/')
  return httpClient({
    async getJson(path) {
      const { status, body } = await client.get(path)
      assertOk(status)
      return body.json()
    },
    close: () => kernel.close(),
  })
}
