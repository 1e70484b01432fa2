/**
 * What the application's side tells the I/O thread to start with, and what that answers.
 *
 * Rules: told once, by structured cloning, before any record; both sides read this one description of it. After READY
 * the port carries doorbells only.
 */
import type { MessagePort } from 'node:worker_threads'
import type { KernelLimits } from '../shared/limits.ts'
import type { ChannelMemory } from './channel.ts'

/** A plugin's I/O half, to be loaded. `href` and not `URL`: a URL clones to `{}`. */
export interface PluginModule {
  readonly kind: 'protocol' | 'discovery'
  readonly name: string
  readonly href: string
  readonly options: unknown
}

export interface DnsOptions {
  /** `host:port` of name servers to ask instead of the system's. */
  readonly servers?: readonly string[] | undefined
  /** Default `/etc/hosts`. */
  readonly hostsFile?: string | undefined
  /** Default `/etc/resolv.conf`. */
  readonly resolvConf?: string | undefined
}

export type LogLevel = 'silent' | 'warn' | 'debug'

export interface IoThreadData {
  readonly memory: ChannelMemory
  readonly doorbell: MessagePort
  readonly modules: readonly PluginModule[]
  readonly limits: KernelLimits
  readonly dns: DnsOptions
  readonly logLevel: LogLevel
  /** True when the application has a logger: lines are sent there instead of to stderr. */
  readonly logsToApplication: boolean
}

/** Once: READY, or everything that is wrong. */
export type StartAnswer = { readonly ready: true } | { readonly ready: false; readonly problems: readonly string[] }
