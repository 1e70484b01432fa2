/**
 * The newline protocol, a small healthy plugin: `lines://user:password@host:port`.
 */
import { type Link, LocalError, PLUGIN_API, type Protocol } from '@iokernel/core/plugin'
import { LinesClient } from './client.ts'
import type { LinesIo } from './io.ts'

const PORT_DEFAULT = 7

export const lines: Protocol<never, LinesIo, undefined, LinesClient> = {
  kind: 'protocol',
  name: 'lines',
  api: PLUGIN_API,
  io: new URL('./io.js', import.meta.url),
  supports: { replies: 'in-order', lanes: 'elastic', push: 'asked', serve: false, tls: 'none' },
  resolve(target) {
    if (!URL.canParse(target) || !target.startsWith('lines://')) {
      throw new LocalError('TARGET', 'a target of lines is lines://user:password@host:port')
    }
    const { hostname, port, username, password } = new URL(target)
    const place = `${hostname}:${port === '' ? PORT_DEFAULT : port}`
    return {
      upstreamKey: `lines ${place} ${username} ${password}`,
      authority: `lines://${place}`,
      name: { discovery: 'dns', target: place, portDefault: PORT_DEFAULT },
      // Longer than anything a person types; not measured.
      io: { user: decodeURIComponent(username), password: decodeURIComponent(password), lineBytesMax: 1 << 21 },
      app: undefined,
    }
  },
  client: (link: Link) => new LinesClient(link),
}
