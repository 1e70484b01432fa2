/**
 * Bounds on what a server may send. Each is an option of the target (`limits`), with the reason for its default
 * beside it.
 */

export interface FramerLimits {
  /** One reply, with all its elements. */
  readonly frameBytesMax: number
  /** Aggregates inside aggregates. */
  readonly depthMax: number
  /** Elements of one aggregate; a map's pairs count twice. */
  readonly elementsMax: number
  /** A simple string or an error. */
  readonly lineBytesMax: number
}

export const FRAMER_LIMITS: FramerLimits = {
  // Redis's proto-max-bulk-len is 512 MB; a megabyte more for headers and short neighbours.
  frameBytesMax: 513 * 1024 * 1024,
  // hiredis's cap since its overflow reports; also what a recursive decoder survives on a default stack.
  depthMax: 1024,
  // Redis limits a request to 1 M arguments, replies not at all; 16 M elements of 4 bytes are a 64 MB reply.
  elementsMax: 16 * 1024 * 1024,
  // Redis's own lines stay below 1 KB; a script's status or error may be longer. As much as Redis reads for an inline
  // command.
  lineBytesMax: 64 * 1024,
}

/** The most that `depthMax` may be set to: the RESP2 decoder recurses, and 3 stack frames a level must fit. */
export const DEPTH_MAX_LARGEST = 1024
