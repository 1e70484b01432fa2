/**
 * `@iokernel/sql`: what SQL databases have in common on the application's side.
 *
 * Rules: for the application thread; an I/O half needs none of it. No protocol: nothing here knows a database, none is
 * registered. What a database writes or judges in its own way it hands over as an object.
 */
export { Caller, type CallerParts } from './caller.ts'
export { type BaseTransactionOptions, ClientCaller, type ClientSetup, type TransactionDialect } from './client.ts'
export { defineColumn, internedName } from './column-names.ts'
export type {
  Dialect,
  Execution,
  JudgedStatement,
  Judgement,
  Operations,
  RowsOf,
  SendRows,
  SqlTypes,
} from './dialect.ts'
export {
  type CheckedOptions,
  checkedQueryOptions,
  checkedSimpleOptions,
  checkedStreamOptions,
  checkedText,
  checkedValues,
  mustBeShape,
  NO_VALUES,
  type QueryOptions,
  type RowOptions,
  type SimpleOptions,
  type StreamOptions,
} from './query-options.ts'
export { type RowParser, type RowStream, readRows } from './row-stream.ts'
export { SessionCaller } from './session.ts'
export { SharedLimits } from './shared-limits.ts'
export { StatementCache } from './statement-cache.ts'
export { type Send, SqlFragment, SqlQuery, type TemplateDialect, Templates } from './templates.ts'
export { integerIn, textIn } from './text.ts'
export { TransactionCaller, TransactionLife } from './transaction.ts'
