/**
 * `createKernel` and `getKernel`: where an application begins.
 *
 * Rules: the whole registry is checked here before anything starts. The process's kernels are kept under a registered
 * symbol, so that `getKernel` finds them across copies of this package and hot reloads.
 */

import type { DnsOptions, LogLevel } from './channel/start.ts'
import { Kernel } from './main/kernel.ts'
import { checkFunction, checkNames, kernelLimits } from './main/options.ts'
import { Registry } from './main/registry.ts'
import { startThread } from './main/thread.ts'
import { LocalError } from './plugin/errors.ts'
import type { AnyDiscovery, AnyProtocol } from './plugin/protocol.ts'
import type { KernelLimits } from './shared/limits.ts'

export interface KernelOptions {
  readonly protocols: readonly AnyProtocol[]
  readonly discovery?: readonly AnyDiscovery[]
  /**
   * `worker` (default): one thread owns every socket. `inline`: the same kernel in this thread, for tests and small
   * containers.
   */
  readonly thread?: 'worker' | 'inline'
  readonly limits?: Partial<KernelLimits>
  /** What `getKernel(name)` finds it by. Default `default`. */
  readonly name?: string
  /** Gets the lines that would go to stderr. */
  readonly logger?: (line: string) => void
  /** Where a bundler has put the I/O half of a plugin, by the plugin's name. */
  readonly ioModules?: { readonly [name: string]: string | URL }
  /** Let the parent's `--import` and `--require` run in the I/O thread too. Default false. */
  readonly keepPreloads?: boolean
  readonly dns?: DnsOptions
}

const OPTION_NAMES: readonly (keyof KernelOptions)[] = [
  'protocols',
  'discovery',
  'thread',
  'limits',
  'name',
  'logger',
  'ioModules',
  'keepPreloads',
  'dns',
]

const KERNELS = Symbol.for('iokernel.kernels')

/**
 * Starts a kernel. Rejects with `LocalError` (`PLUGIN_REGISTRATION`, `IO_THREAD_START`, `OPTION`) that names each
 * plugin and reason.
 */
export async function createKernel(options: KernelOptions): Promise<Kernel> {
  checkOptions(options)
  const registry = new Registry(options.protocols, options.discovery ?? [], options.ioModules ?? {})
  const mode = options.thread ?? 'worker'
  const name = options.name ?? 'default'
  const start = mode === 'worker' ? startThread : (await import('./inline.ts')).startInline
  const kernels = registered()
  const kernel = new Kernel({
    registry,
    limits: kernelLimits(options.limits ?? {}),
    start,
    mode,
    logLevel: logLevel(),
    logger: options.logger,
    keepPreloads: options.keepPreloads ?? false,
    dns: options.dns ?? {},
    onClosed: () => {
      if (kernels.get(name) === kernel) kernels.delete(name)
    },
  })
  await kernel.start()
  kernels.set(name, kernel)
  return kernel
}

function checkOptions(options: KernelOptions): void {
  if (typeof options !== 'object' || options === null || !Array.isArray(options.protocols)) {
    throw new LocalError('OPTION', 'write createKernel({ protocols: [redis] })')
  }
  checkNames('createKernel()', options, OPTION_NAMES)
  const { thread, name, logger } = options
  if (thread !== undefined && thread !== 'worker' && thread !== 'inline') {
    throw new LocalError('OPTION', "thread is 'worker' or 'inline'")
  }
  if (name !== undefined && typeof name !== 'string') throw new LocalError('OPTION', 'name is text')
  checkFunction('logger', logger)
}

/** The kernel of this process with that name, or undefined. The newest one, where several were created. */
export function getKernel(name: string = 'default'): Kernel | undefined {
  return registered().get(name)
}

function registered(): Map<string, Kernel> {
  const global = globalThis as { [KERNELS]?: Map<string, Kernel> }
  global[KERNELS] ??= new Map()
  return global[KERNELS]
}

function logLevel(): LogLevel {
  const level = process.env['IOKERNEL_LOG']
  return level === 'silent' || level === 'debug' ? level : 'warn'
}
