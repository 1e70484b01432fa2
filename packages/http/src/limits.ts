/**
 * Bounds on what a peer may send, each with the reason for its number. Bodies have none: they are passed on as they
 * come, and nobody holds them.
 */

/** Options of the target (`limits`). */
export interface FramerLimits {
  /** One head: start line, fields and the empty line. Also the longest that trailers may be, together. */
  readonly headBytesMax: number
  /** Fields of one head, or of one trailer section. */
  readonly fieldsMax: number
  /** Interim heads (1xx) before the final one. */
  readonly interimMax: number
  /** Extensions of all chunks of one body together. */
  readonly chunkExtensionBytesMax: number
}

export const FRAMER_LIMITS: FramerLimits = {
  // Node reads 16 KB of head, Chrome 256 KB, nginx's proxy 4 to 8 KB, servers with large cookies and policies 32 KB.
  headBytesMax: 64 * 1024,
  // Node: 2 000 (`maxHeadersCount`); Apache: 100. 64 KB have room for about 1 500 of 40 bytes.
  fieldsMax: 1_000,
  // A server sends a 100 and a few 103; a 102 every 20 s would be ten minutes' worth.
  interimMax: 32,
  // What Node allows since CVE-2024-22019: extensions that nobody reads kept its server busy without a bound.
  chunkExtensionBytesMax: 16 * 1024,
}

/** The most that `headBytesMax` may be set to: a head is held whole, on both threads. */
export const HEAD_BYTES_MAX_LARGEST: number = 1 << 20

/**
 * A reply of a known length up to this stays in the buffer until it is complete, and crosses in one piece. A TLS
 * record's size. One of unknown length (chunked, until the end of the connection) is passed on as it comes: it may be
 * a stream of events whose next byte is an hour away.
 */
export const WHOLE_BYTES_MAX: number = 16 * 1024
