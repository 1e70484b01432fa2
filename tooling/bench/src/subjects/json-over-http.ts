/**
 * JSON over HTTP/1.1 with undici's `request`: one connection carries one call at a time, so a pool has one for each of
 * the calls that are in flight.
 */
import { Pool } from 'undici'
import { echoAddress } from '../echo/echo.ts'
import { type EchoValue, echoClient } from './echo-operations.ts'
import { assertOk, CONNECTIONS } from './http-operations.ts'
import type { Subject } from './subject.ts'

export const pool: Subject = async (url) => {
  const connections = new Pool(`http://${echoAddress(url, 'json')}`, {
    connections: CONNECTIONS,
    keepAliveTimeout: 600_000,
  })
  const echo = async (value: EchoValue): Promise<EchoValue> => {
    const { statusCode, body } = await connections.request({
      path: '/echo',
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(value),
    })
    assertOk(statusCode)
    return (await body.json()) as EchoValue
  }
  return echoClient({ echo, close: () => connections.close() })
}
