/**
 * What a request is between the two halves: the bytes that cross the channel, and the hint beside them.
 *
 * Rules: `encode` writes it on the application's thread; `submit` reads it on the I/O thread and writes what goes to
 * the server. A request says nothing of the connection it will go over: the statement's number there, and whether it
 * has been prepared there, is for `submit` to know.
 *
 *   Text, Multi, LocalInfile     finished packets of one COM_QUERY, sequence numbers from 0:
 *
 *     0             3      4   5
 *     | length u24  | seq  | 3 | text …                       what is longer than 16 MB goes on in further packets
 *
 *   Prepared     0        4         8          10                 10 + n
 *                | hash   | n       | values   | text (n bytes)   | null bitmap | 1 | types | values …          |
 *                  u32le    u32le     u16le      of the statement   as in COM_STMT_EXECUTE behind the iteration
 *                                     (count)                       count; nothing where `values` is 0
 *
 *   FileData     bytes of the file as they are, at most `FILE_DATA_BYTES_MAX`; none at all for its end
 *
 * The reply is what the server answers, packet for packet with their headers: a chain of OK, ERR and result sets. What
 * the connection itself had to ask before (PREPARE, SET_OPTION) is not in it. Where preparing fails, its ERR is the
 * first packet.
 */

/** The hint of a request. What `encode` returns, `submit` and the framer are given. */
export const RequestKind = {
  /** A COM_QUERY of one statement. */
  Text: 1,
  /** One execution of a statement, prepared beforehand where this connection has not seen it. Rows are binary. */
  Prepared: 2,
  /** A COM_QUERY of several statements. On sessions only. */
  Multi: 3,
  /**
   * A COM_QUERY that may be answered by a request for a file (a packet that begins with FB): the file's bytes follow as
   * `FileData`, once that packet has come. On sessions only, where the target has `localInfile`.
   */
  LocalInfile: 4,
  /** A piece of the file that was asked for; an empty one is its end. Nothing answers it (`answer: 'written'`). */
  FileData: 5,
} as const

/** Bits that may be added to a hint. */
export const RequestFlag = {
  /**
   * Values were put into the text, escaped with backslashes. The connection refuses it where the server would not take
   * a backslash for one (sql_mode NO_BACKSLASH_ESCAPES): there the text could say something else.
   */
  Escaped: 16,
} as const

/** The part of a hint that names the kind. */
export const KIND_MASK = 15

/** Offsets in a `Prepared` request. */
export const PREPARED = { hash: 0, length: 4, values: 8, statement: 10 } as const

/** One packet less than the longest, so that none has to be followed by an empty one, which would end the file. */
export const FILE_DATA_BYTES_MAX = 0xff_fffe
