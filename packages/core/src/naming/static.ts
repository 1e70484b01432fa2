/** Static names: addresses written down, separated by commas. They never change. */
import type { Cloneable } from '../plugin/cloneable.ts'
import type { Endpoint, IoDiscovery } from '../plugin/discovery.ts'
import { LocalError } from '../plugin/errors.ts'
import { PLUGIN_API } from '../plugin/version.ts'
import { formatAddress, parseAddress } from '../shared/address.ts'

export const staticDiscovery: IoDiscovery<Cloneable> = {
  name: 'static',
  api: PLUGIN_API,
  async *watch(target, _options, { portDefault }) {
    yield staticEndpoints(target, portDefault)
  },
}

export function staticEndpoints(target: string, portDefault: number): readonly Endpoint[] {
  return target.split(',').map((text) => {
    const address = parseAddress(text.trim(), portDefault)
    if (address === undefined) {
      throw new LocalError(
        'TARGET',
        `'${text}' is no address: write host:port, [v6]:port or /path, several separated by commas`,
      )
    }
    return { id: formatAddress(address.host, address.port), ...address }
  })
}
