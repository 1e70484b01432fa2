/**
 * `@iokernel/msgpack-rpc`: msgpack-rpc for the I/O kernel.
 *
 *   const kernel = await createKernel({ protocols: [msgpackRpc] })
 *   const rpc = kernel.connect(msgpackRpc, 'msgpack-rpc://127.0.0.1:6666')
 *   const sum = await rpc.call('add', [1, 2])
 */
export type { FeedOptions, Gap, Subscription } from '@iokernel/core/toolkit'
// The library's own, so that what is registered here and what is met here are of one class.
export { ExtData, ExtensionCodec } from '@msgpack/msgpack'

import type { Protocol } from '@iokernel/core/plugin'
import { PLUGIN_API } from '@iokernel/core/plugin'
import { type RpcClient, rpcClient } from './client.ts'
import type { RpcIo } from './io.ts'
import { type RpcApp, type RpcTarget, resolve } from './resolve.ts'

export type { HandleOptions, Registration, RequestContext, RequestHandler } from './client/handlers.ts'
export type { Notification, Notifications, Unreadable } from './client/notifications.ts'
export type { RpcSession } from './client/session.ts'
export type { RpcClient } from './client.ts'
export { RpcError } from './codec/errors.ts'
export type { ValueCodec, ValueOptions } from './codec/values.ts'
export type { FramerLimits } from './limits.ts'
export type { RpcTarget } from './resolve.ts'

/** Hand it to `createKernel({ protocols: [msgpackRpc] })`, and to `kernel.connect(msgpackRpc, target)`. */
export const msgpackRpc: Protocol<RpcTarget, RpcIo, RpcApp, RpcClient> = {
  kind: 'protocol',
  name: 'msgpack-rpc',
  api: PLUGIN_API,
  io: new URL('./io.js', import.meta.url),
  supports: { replies: 'correlated', lanes: 'one', push: 'lanes', serve: false, tls: 'direct' },
  resolve,
  client: (link, { codec }) => rpcClient(link, codec),
}
