/** What the callers of `@iokernel/sql` need to know of PostgreSQL. */
import type { Dialect } from '@iokernel/sql'
import {
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
import type { PostgresTypes } from './queries.ts'
import { sqlTag } from './sql.ts'
import { MessageRows } from './stream.ts'

export const DIALECT: Dialect<PostgresTypes> = {
  query: { read: QUERY_READ, write: QUERY_WRITE, taint: QUERY_TAINT, session: QUERY_SESSION },
  simple: { read: SIMPLE_READ, write: SIMPLE_WRITE, taint: SIMPLE_TAINT, session: SIMPLE_SESSION },
  stream: { read: STREAM_READ, write: STREAM_WRITE },
  simpleTakesValues: false,
  placeholder: '$1',
  words: {
    several: 'use simple(), or one call for each',
    severalShared: undefined,
    endsTransaction: 'a transaction ends with its function: return to commit, throw to roll back',
  },
  isPrepared: () => true,
  parserOf: (execution) => new MessageRows(execution),
  tag: sqlTag,
}
