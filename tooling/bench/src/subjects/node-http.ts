/** Node's own client, with an agent that keeps as many connections as the kernel has. */
import { Agent, request } from 'node:http'
import { assertOk, CONNECTIONS, httpClient } from './http-operations.ts'
import type { Subject } from './subject.ts'

export const agent: Subject = async (url) => {
  const { hostname: host, port } = new URL(url)
  const connections = new Agent({ keepAlive: true, maxSockets: CONNECTIONS, maxFreeSockets: CONNECTIONS })
  const getText = (path: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const asked = request({ agent: connections, host, port, path }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (piece: string) => {
          text += piece
        })
        response.on('end', () => {
          try {
            assertOk(response.statusCode)
            resolve(text)
          } catch (error) {
            reject(error)
          }
        })
        response.on('error', reject)
      })
      asked.on('error', reject)
      asked.end()
    })
  return httpClient({
    getJson: async (path) => JSON.parse(await getText(path)),
    close: async () => connections.destroy(),
  })
}
