/**
 * Bounds on what a server may send and what a connection keeps, each with the reason for its number.
 */

/** Options of the target (`limits`). */
export interface FramerLimits {
  /** One message of the server's, type byte and length included. */
  readonly frameBytesMax: number
}

export const FRAMER_LIMITS: FramerLimits = {
  // A server builds a message in a string of at most 1 GB less one byte (MaxAllocSize); the type byte is not in it.
  frameBytesMax: 0x4000_0000,
}

/** Statements that a connection keeps prepared, and the largest that may be set. */
export const STATEMENTS: { readonly max: number; readonly maxLargest: number; readonly bytesMax: number } = {
  // An application has some hundred statements. Each costs the server its text, its tree and, after some executions, a
  // plan: 256 of 20 to 100 KB are a few megabytes of a backend. What `prepareThreshold` caches keep elsewhere, too.
  max: 256,
  // Beyond, looking for the one to evict (a walk over all) would show.
  maxLargest: 65_536,
  // A longer one is generated (lists of values), seldom seen twice, and costs less to parse than to keep:
  // 256 of 16 KB are 4 MB of a connection.
  bytesMax: 16 * 1024,
}

/**
 * The most that one message to the server may have: it refuses longer ones, and a length that does not fit its four
 * bytes would turn the rest of the statement into messages of its own (CVE-2024-27304).
 */
export const MESSAGE_BYTES_MAX = 0x3fff_ffff

/**
 * SCRAM rounds that a server may ask for. They stop the I/O thread for as long as they take: one million took 0.35 s
 * where this was written, 4 096 (the server's default) 1.4 ms. Recommendations for passwords at rest go up to 600 000.
 * RFC 7677 has 4 096 for a minimum, servers and libpq have one.
 */
export const SCRAM_ITERATIONS_MAX = 1_000_000
