/**
 * `@iokernel/core/plugin`: the contract between the kernel and the protocols and discoveries that register with it.
 *
 * Rules: imports nothing outside this folder. What a plugin author reads is here. `PLUGIN_API` changes only when a
 * plugin that was written against the old contract would break; the kernel accepts every number in
 * `PLUGIN_API_SUPPORTED`.
 */
export { ByteWriter } from './byte-writer.ts'
export type { Cloneable } from './cloneable.ts'
export type { Connection, FrameSink, IoProtocol, Place, PushRoute, Verdict } from './connection.ts'
export { FrameFlag } from './connection.ts'
export type { Discovery, Endpoint, IoDiscovery, WatchContext } from './discovery.ts'
export type { ErrorDetails, Sent, Side, TimeoutCause } from './errors.ts'
export {
  AbortedError,
  DeadlineError,
  IoKernelError,
  LocalError,
  RefusedError,
  RemoteError,
  RemoteProtocolError,
  RoleError,
} from './errors.ts'
export type {
  Answer,
  CallOptions,
  CallTiming,
  GapReason,
  Interest,
  InterestHandler,
  Link,
  NameTarget,
  Operation,
  Pollution,
  Priority,
  Protocol,
  ReplyBytes,
  ReplyPiece,
  ReplyStream,
  Resolved,
  SessionLink,
  Supports,
  TlsOptions,
  UpstreamHandle,
  UpstreamState,
  UpstreamStatus,
  WaitOptions,
} from './protocol.ts'
export type { Script, Step } from './script.ts'
export { frame, read, send, upgradeTls } from './script.ts'
export { PLUGIN_API, PLUGIN_API_SUPPORTED } from './version.ts'
