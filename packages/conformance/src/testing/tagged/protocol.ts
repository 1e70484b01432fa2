/**
 * The numbered lines, a small healthy plugin whose peer speaks unasked: `tagged://host:port`.
 */
import { type Link, LocalError, PLUGIN_API, type Protocol } from '@iokernel/core/plugin'
import { TaggedClient } from './client.ts'
import type { TaggedIo } from './io.ts'

const PORT_DEFAULT = 8

export const tagged: Protocol<never, TaggedIo, undefined, TaggedClient> = {
  kind: 'protocol',
  name: 'tagged',
  api: PLUGIN_API,
  io: new URL('./io.js', import.meta.url),
  supports: { replies: 'correlated', lanes: 'one', push: 'lanes', serve: true, tls: 'none' },
  limits: { lanesMin: 0 },
  resolve(target) {
    if (!URL.canParse(target) || !target.startsWith('tagged://')) {
      throw new LocalError('TARGET', 'a target of tagged is tagged://host:port')
    }
    const { hostname, port } = new URL(target)
    const place = `${hostname}:${port === '' ? PORT_DEFAULT : port}`
    return {
      upstreamKey: `tagged ${place}`,
      authority: `tagged://${place}`,
      name: { discovery: 'dns', target: place, portDefault: PORT_DEFAULT },
      // Longer than anything the tests send; not measured.
      io: { lineBytesMax: 1 << 21 },
      app: undefined,
    }
  },
  client: (link: Link) => new TaggedClient(link),
}
