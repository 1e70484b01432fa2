/**
 * The registry: which plugins this kernel has, checked before anything starts.
 *
 * Rules: all of it is checked and every mistake is reported at once; a message names the plugin, the reason and the
 * line to write.
 */

import type { PluginModule } from '../channel/start.ts'
import { LocalError } from '../plugin/errors.ts'
import type { AnyDiscovery, AnyProtocol } from '../plugin/protocol.ts'
import { PLUGIN_API_SUPPORTED } from '../plugin/version.ts'

/** Discoveries that come with the kernel. */
const BUILT_IN: readonly string[] = ['dns', 'static']

export class Registry {
  readonly modules: readonly PluginModule[]
  readonly #protocols = new Map<string, AnyProtocol>()

  constructor(
    protocols: readonly AnyProtocol[],
    discovery: readonly AnyDiscovery[],
    ioModules: { readonly [name: string]: string | URL },
  ) {
    const problems: string[] = []
    const modules: PluginModule[] = []
    const names = new Set<string>(BUILT_IN)
    for (const plugin of [...protocols, ...discovery]) {
      const problem = problemWith(plugin, names)
      if (problem !== undefined) {
        problems.push(problem)
        continue
      }
      names.add(plugin.name)
      const module = ioModules[plugin.name] ?? plugin.io
      modules.push({
        kind: plugin.kind,
        name: plugin.name,
        href: String(module),
        options: plugin.kind === 'discovery' ? plugin.options : undefined,
      })
      if (plugin.kind === 'protocol') this.#protocols.set(plugin.name, plugin)
    }
    if (problems.length > 0) throw new LocalError('PLUGIN_REGISTRATION', problems.join('\n'))
    this.modules = modules
  }

  get names(): readonly string[] {
    return this.modules.map((module) => module.name)
  }

  /** Throws for a discovery that nobody has registered: no call could ever be answered. */
  assertDiscovery(name: string): void {
    if (BUILT_IN.includes(name) || this.modules.some((each) => each.kind === 'discovery' && each.name === name)) return
    throw new LocalError(
      'UNREGISTERED_DISCOVERY',
      `the discovery '${name}' is not registered with this kernel: write createKernel({ discovery: [${name}()] })`,
    )
  }

  /** Throws for a protocol that was not registered. Another copy of the same package is the same protocol. */
  assertRegistered(protocol: { readonly name: string }): void {
    if (this.#protocols.has(protocol?.name)) return
    const name = String(protocol?.name)
    const known = [...this.#protocols.keys(), name].join(', ')
    throw new LocalError(
      'UNREGISTERED_PROTOCOL',
      `the protocol '${name}' is not registered with this kernel: write createKernel({ protocols: [${known}] })`,
    )
  }
}

function problemWith(plugin: AnyProtocol | AnyDiscovery, names: ReadonlySet<string>): string | undefined {
  if (typeof plugin !== 'object' || plugin === null) {
    return `a plugin is ${String(plugin)}: write createKernel({ protocols: [redis] }), with what the package exports`
  }
  const name = String(plugin.name)
  if (plugin.kind !== 'protocol' && plugin.kind !== 'discovery') {
    const kind = String((plugin as { kind?: unknown }).kind)
    return `'${name}' is no plugin (its kind is ${kind}): pass the object that its package exports`
  }
  if (!PLUGIN_API_SUPPORTED.includes(plugin.api)) {
    const known = PLUGIN_API_SUPPORTED.join(', ')
    return (
      `plugin '${name}' was written for contract ${String(plugin.api)}, this kernel knows ${known}: ` +
      'install a matching version of its package or of @iokernel/core'
    )
  }
  if (names.has(name)) return `two plugins are called '${name}': register each once`
  if (!(plugin.io instanceof URL)) {
    return `plugin '${name}' names no I/O half: its author writes io: new URL('./io.js', import.meta.url)`
  }
  return undefined
}
