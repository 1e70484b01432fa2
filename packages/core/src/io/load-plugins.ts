/**
 * Loads the plugins' I/O halves: once, at start, all of them, with one list of everything that is wrong.
 */
import type { PluginModule } from '../channel/start.ts'
import type { Cloneable } from '../plugin/cloneable.ts'
import type { IoProtocol } from '../plugin/connection.ts'
import type { IoDiscovery } from '../plugin/discovery.ts'
import { PLUGIN_API_SUPPORTED } from '../plugin/version.ts'
import type { IoPlugins } from './kernel.ts'

export async function loadPlugins(
  references: readonly PluginModule[],
): Promise<{ readonly plugins: IoPlugins; readonly problems: readonly string[] }> {
  const protocols = new Map<string, IoProtocol<Cloneable>>()
  const discoveries = new Map<string, { discovery: IoDiscovery<Cloneable>; options: Cloneable }>()
  const problems: string[] = []
  for (const { kind, name, href, options } of references) {
    let half: unknown
    try {
      half = ((await import(href)) as { default?: unknown }).default
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      problems.push(
        `plugin '${name}': its I/O half ${href} could not be loaded (${reason}). ` +
          `If a bundler moved it, write createKernel({ ioModules: { ${JSON.stringify(name)}: url } })`,
      )
      continue
    }
    const problem = problemWith(half, name, href)
    if (problem !== undefined) problems.push(problem)
    else if (kind === 'protocol') protocols.set(name, half as IoProtocol<Cloneable>)
    else discoveries.set(name, { discovery: half as IoDiscovery<Cloneable>, options: options as Cloneable })
  }
  return { plugins: { protocols, discoveries }, problems }
}

function problemWith(half: unknown, name: string, href: string): string | undefined {
  if (typeof half !== 'object' || half === null)
    return `plugin '${name}': ${href} has no default export; its author exports the I/O half`
  const { name: halfName, api } = half as { name?: unknown; api?: unknown }
  if (halfName !== name)
    return `plugin '${name}': the I/O half in ${href} calls itself '${String(halfName)}'; both halves have one name`
  if (!PLUGIN_API_SUPPORTED.includes(api as number)) {
    const known = PLUGIN_API_SUPPORTED.join(', ')
    return `plugin '${name}': its I/O half was written for contract ${String(api)}, this kernel knows ${known}`
  }
  return undefined
}
