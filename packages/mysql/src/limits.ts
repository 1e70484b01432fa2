/**
 * Bounds on what a server may send and what a connection keeps, each with the reason for its number.
 */

/** Options of the target (`limits`). */
export interface FramerLimits {
  /** One payload of the server's: a row, a column definition, an error. Continued ones count as one. */
  readonly frameBytesMax: number
}

export const FRAMER_LIMITS: FramerLimits = {
  // max_allowed_packet of a server is at most 1 GB, and no row is longer; the headers of its packets are not counted.
  frameBytesMax: 0x4000_0000,
}

/** Statements that a connection keeps prepared, and the largest that may be set. */
export const STATEMENTS: { readonly max: number; readonly maxLargest: number; readonly bytesMax: number } = {
  // max_prepared_stmt_count is 16 382 for the whole server by default: 256 on each connection let 63 of them be full.
  max: 256,
  // Statements have 16 382 places on a server, whoever is connected.
  maxLargest: 16_382,
  // A longer one is generated (lists of values), seldom seen twice, and costs less to parse than to keep:
  // 256 of 16 KB are 4 MB of a connection.
  bytesMax: 16 * 1024,
}
