/**
 * Free ports on the loopback interface.
 *
 * Limit: between the moment a port is found free and the moment the server binds it, somebody else can take it.
 * Whoever starts a server on one has to look for "address in use" and try again with another.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

/** That many ports, all different. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}
