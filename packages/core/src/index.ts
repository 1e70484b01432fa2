/**
 * `@iokernel/core`: the kernel for applications. Plugin authors read `@iokernel/core/plugin`.
 */

export type { DnsOptions } from './channel/start.ts'
export { createKernel, getKernel, type KernelOptions } from './create-kernel.ts'
export type { KernelDescription, UpstreamDescription } from './main/describe.ts'
export type { Kernel } from './main/kernel.ts'
export {
  AbortedError,
  DeadlineError,
  type ErrorDetails,
  IoKernelError,
  LocalError,
  RefusedError,
  RemoteError,
  RemoteProtocolError,
  type Sent,
  type Side,
  type TimeoutCause,
} from './plugin/errors.ts'
export type { CallOptions, CallTiming, UpstreamHandle, UpstreamState, UpstreamStatus } from './plugin/protocol.ts'
export type { KernelLimits, UpstreamLimits, UpstreamOptions, WhenDown } from './shared/limits.ts'
