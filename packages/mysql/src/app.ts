/**
 * What stays on the application thread of a target: how values are read and written, which functions are vouched for.
 *
 * Rules: plain data and functions of the caller's, already checked by `resolve`. Nothing here crosses to the I/O half,
 * and nothing here decides which server is asked, so two clients that differ in it alone may share connections.
 */
import type { Field } from './codec/fields.ts'
import type { TypeName } from './codec/types.ts'

/** Makes of a value what the application wants of it. Never called for NULL. */
export type TypeParser = (value: never, field: Field) => unknown
type TextParser = (text: string, field: Field) => unknown
type BytesParser = (bytes: Buffer, field: Field) => unknown

type BytesType = 'BIT' | 'BINARY' | 'VARBINARY' | 'BLOB' | 'GEOMETRY' | 'VECTOR'

/**
 * Parsers by the name of a type: `{ DECIMAL: Number, TINYINT: (text, { length }) => … }`. They are given the value's
 * text, but bytes for BIT, BINARY, VARBINARY, BLOB, GEOMETRY and VECTOR. What is not named is read as usual.
 */
export type TypeParsers = {
  readonly [Name in TypeName]?: Name extends BytesType ? BytesParser : TextParser
}

export interface MysqlApp {
  /** Default: as the README says. */
  readonly types: TypeParsers | undefined
  /** BIGINT: `unsafe` gives a bigint where no number is exact, `always` for every value. Default `unsafe`. */
  readonly bigints: 'unsafe' | 'always'
  /**
   * `usual`: DATETIME and TIMESTAMP are `Date`, a DATE is text. `strings`: all are text, with every digit. `objects`: a
   * DATE is a `Date` as well. Default `usual`.
   */
  readonly dates: 'usual' | 'strings' | 'objects'
  /** What the clock on the wall of a DATETIME is taken for: minutes east of UTC, or where this process is. */
  readonly zone: number | 'local'
  /** Functions that leave nothing behind on a connection: `my_function`, `schema.my_function`. Default: none. */
  readonly trustedFunctions: readonly string[]
  /** What a call on the client does inside one of its own transactions. Default `refuse`. */
  readonly insideTransaction: 'refuse' | 'join'
  /**
   * Whether statements are prepared on the server. Default true; false is for what stands between and knows no prepared
   * statements: values are then written into the text.
   */
  readonly prepare: boolean
  /** Whether sessions may be asked for a file (`loadLocal`). Default false. */
  readonly localInfile: boolean
}

/** What `resolve` hands over where a target says nothing. */
export const APP_DEFAULTS: MysqlApp = {
  types: undefined,
  bigints: 'unsafe',
  dates: 'usual',
  zone: 'local',
  trustedFunctions: [],
  insideTransaction: 'refuse',
  prepare: true,
  localInfile: false,
}
