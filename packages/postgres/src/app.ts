/**
 * What stays on the application thread of a target: how values are read, which functions are vouched for.
 *
 * Rules: plain data and functions of the caller's, already checked by `resolve`. Nothing here crosses to the I/O half,
 * and nothing here decides which server is asked, so two clients that differ in it alone may share connections.
 */

/** Turns the text of a value into what the application wants of it. Never called for NULL. */
export type TypeParser = (text: string) => unknown

/**
 * Parsers by the OID of a type: `{ 20: Number }` makes int8 a number. What is not named is read as usual. Or an object
 * with `getTypeParser`, as `pg-types` is one: it is then asked for every type.
 */
export type TypeParsers =
  | { readonly [oid: number]: TypeParser }
  | { getTypeParser(oid: number, format: 'text'): TypeParser }

export interface PostgresApp {
  /** Default: as the README says. */
  readonly types: TypeParsers | undefined
  /** Functions that leave nothing behind on a connection: `my_function`, `schema.my_function`. Default: none. */
  readonly trustedFunctions: readonly string[]
  /** What a call on the client does inside one of its own transactions. Default `refuse`. */
  readonly insideTransaction: 'refuse' | 'join'
  /**
   * Whether statements are prepared on the server and kept by name. Default true; false is for what stands between and
   * knows no prepared statements.
   */
  readonly prepare: boolean
}

/** What `resolve` hands over where a target says nothing. */
export const APP_DEFAULTS: PostgresApp = {
  types: undefined,
  trustedFunctions: [],
  insideTransaction: 'refuse',
  prepare: true,
}
