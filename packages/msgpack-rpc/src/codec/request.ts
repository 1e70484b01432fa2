/**
 * What a request is between the two halves: its bytes as they go out, and a hint that says what is still missing.
 *
 * Rules: the application half writes a whole message. A call's id is a 32 bit integer of five bytes, always at the same
 * place and zero; the I/O half puts the id of its connection there. Notifications and answers go out as they are.
 *
 *   94   00   ce 00000000   a3 'add'   92 01 02        a call
 *   [    0,   id,           method,    params ]
 *   ^0        ^ID_AT
 *
 * Theory of operation: an id takes five bytes even where one would do, so that a call has the same length whatever its
 * id is, and the bytes can be kept and sent again over another connection, under another id.
 */

export const Hint = {
  /** Copied as it is. Answers to the peer's requests do not come by here: the kernel writes them itself. */
  AsIs: 0,
  /** The id is missing. */
  Call: 1,
} as const

/** Where the four bytes of the id begin. */
export const ID_AT = 3
