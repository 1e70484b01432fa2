/** What the callers of `@iokernel/sql` need to know of MySQL. */
import type { Dialect } from '@iokernel/sql'
import {
  isPrepared,
  QUERY_READ,
  QUERY_SESSION,
  QUERY_TAINT,
  QUERY_WRITE,
  SIMPLE_READ,
  SIMPLE_SESSION,
  SIMPLE_TAINT,
  SIMPLE_WRITE,
  STREAM_READ,
  STREAM_WRITE,
} from './operations.ts'
import type { MysqlTypes } from './queries.ts'
import { sqlTag } from './sql.ts'
import { PacketRows } from './stream.ts'

export const DIALECT: Dialect<MysqlTypes> = {
  query: { read: QUERY_READ, write: QUERY_WRITE, taint: QUERY_TAINT, session: QUERY_SESSION },
  simple: { read: SIMPLE_READ, write: SIMPLE_WRITE, taint: SIMPLE_TAINT, session: SIMPLE_SESSION },
  stream: { read: STREAM_READ, write: STREAM_WRITE },
  simpleTakesValues: true,
  placeholder: '?',
  words: {
    several: 'make one call for each, or use simple() of a session',
    severalShared: "several statements in one text need a connection of one's own: db.session()",
    endsTransaction:
      'this statement would end the transaction. It ends with its function: return to commit, throw to roll back; ' +
      'what commits by itself (DDL, locks of tables) runs before or after it',
  },
  isPrepared,
  parserOf: (execution) => new PacketRows(execution),
  tag: sqlTag,
}
