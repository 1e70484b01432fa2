/**
 * Bounds on what a peer may send. Each is an option of the target (`limits`), with the reason for its default beside
 * it.
 */

export interface FramerLimits {
  /** One message. Notifications and requests, which are kept whole, are bounded by the kernel's own limit as well. */
  readonly frameBytesMax: number
  /** Arrays and maps inside one another, the message's own not counted. */
  readonly depthMax: number
  /** Elements of one array; a map's pairs count twice. */
  readonly elementsMax: number
}

export const FRAMER_LIMITS: FramerLimits = {
  // As Redis's: no peer says how much it sends, and a reply of this size is past the kernel's `replyBytesMax` anyway.
  frameBytesMax: 513 * 1024 * 1024,
  // What msgpack for Python unpacks; it packs 512 levels, and msgpack for Ruby unpacks 128 (both tried).
  depthMax: 1024,
  // An element has one byte at least, and becomes 8 in an array: 16 M of them are a message of 16 MB and 128 MB here.
  elementsMax: 16 * 1024 * 1024,
}

/** The most that `depthMax` may be set to: values are decoded in a loop, but encoded and made exact by recursion. */
export const DEPTH_MAX_LARGEST = 1024

/** A method's name. Names are keys of interests and labels of statistics; nobody has longer ones. Both directions. */
export const METHOD_BYTES_MAX = 1024
