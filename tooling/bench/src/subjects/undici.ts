/** undici's `request`, over a pool of as many connections as the kernel has. */
import { Pool } from 'undici'
import { assertOk, CONNECTIONS, httpClient } from './http-operations.ts'
import type { Subject } from './subject.ts'

export const pool: Subject = async (url) => {
  // While the others have their turns nobody asks it, and connecting again is not what is measured: the default of
  // four seconds would close its connections then.
  const connections = new Pool(url, { connections: CONNECTIONS, keepAliveTimeout: 600_000 })
  await connections.request({ path: '/', method: 'GET' }).then(({ body }) => body.dump())
  return httpClient({
    async getJson(path) {
      const { statusCode, body } = await connections.request({ path, method: 'GET' })
      assertOk(statusCode)
      return body.json()
    },
    close: () => connections.close(),
  })
}
