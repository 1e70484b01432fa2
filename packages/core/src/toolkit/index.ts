/**
 * `@iokernel/core/toolkit`: what the client half of nearly every protocol needs, and would otherwise write again.
 *
 * Rules: for the application thread; an I/O half needs none of it. Built on the contract alone (`plugin/`), so that
 * whatever is here a plugin may as well write itself.
 */
export { Feed, type Gap } from './feed.ts'
export {
  CALL_OPTIONS,
  CLOSE_OPTIONS,
  mustBeAddresses,
  mustBeDiscovery,
  mustBePort,
  mustBeTls,
  TLS_OPTIONS,
  WAIT_OPTIONS,
} from './option-kinds.ts'
export {
  type Check,
  checkCount,
  checkOptions,
  isPlainObject,
  isTextOrBytes,
  type Kind,
  must,
  mustBeBoolean,
  mustBeCount,
  mustBeDuration,
  mustBeFunction,
  mustBeOneOf,
  mustBeSignal,
  mustBeText,
  mustBeTextOrBytes,
  mustBeTexts,
  optionsAfter,
  problemIn,
  takeOptions,
  wrong,
} from './options.ts'
export {
  FEED_OPTIONS,
  type FeedOptions,
  openSubscription,
  type PushReader,
  type Subscription,
} from './subscription.ts'
export {
  type Address,
  addressOf,
  addressText,
  badTarget,
  checkCredentials,
  checkTarget,
  type DiscoveryTarget,
  decoded,
  directTls,
  discoveryIn,
  type Identity,
  isSocket,
  nameTarget,
  type TargetUrl,
  takeAddress,
  takeHost,
  takePort,
  takeSocket,
  takeUrl,
} from './target.ts'
export { identityOf, upstreamKey } from './upstream-key.ts'
