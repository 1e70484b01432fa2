/**
 * What a request is between the two halves: the bytes that cross the channel, and the hint beside them.
 *
 * Rules: `encode` writes it on the application's thread; `submit` reads it on the I/O thread and writes what goes to
 * the server. A request says nothing of the connection it will go over: the statement's name there, and whether it has
 * been parsed there, is for `submit` to know.
 *
 *   Prepared     0        4                8                          8 + n
 *                | hash   | n              | statement (n bytes)      | values …                          |
 *                  u32      u32              as in Parse, after the     as in Bind, after the names
 *                                            name: text, NUL, u16
 *                                            count, u32 types
 *
 * All other kinds are the messages themselves, and go out as they are.
 */

/** The hint of a request. What `encode` returns, `submit` and the framer are given. */
export const RequestKind = {
  /** Messages that end in one Sync, or one Query: answered by everything up to one ReadyForQuery. */
  Plain: 1,
  /** One execution of a statement, parsed beforehand where this connection has not seen it. */
  Prepared: 2,
  /** A Query that may be answered by CopyInResponse, before the data that follows it. */
  CopyIn: 3,
  /** CopyData, CopyDone, CopyFail: nothing answers them. */
  Silent: 4,
} as const

/** Offsets in a `Prepared` request. */
export const PREPARED = { hash: 0, length: 4, statement: 8 } as const
