/**
 * The options of a call, and what of them the kernel is told.
 *
 * Rules: an unknown option, and one of a wrong type, is `LocalError` `ARGUMENT`, and nothing is sent. `undefined` is
 * none.
 */
import type { CallOptions } from '@iokernel/core/plugin'
import { CALL_OPTIONS, checkOptions, type Kind, must, mustBeBoolean, wrong } from '@iokernel/core/toolkit'

export interface RowOptions {
  /** `arrays`: values by position, for columns that share a name. Default `objects`. */
  readonly rows?: 'objects' | 'arrays'
}

export interface QueryOptions extends CallOptions, RowOptions {
  /** False: sent as text, with its values written into it. Default true. */
  readonly prepare?: boolean
}

export interface SimpleOptions extends CallOptions, RowOptions {}

const mustBeShape = must((value) => value === 'objects' || value === 'arrays', "'objects' or 'arrays'")

const QUERY_OPTIONS: Kind<QueryOptions> = {
  title: 'option of a query',
  checks: { ...CALL_OPTIONS.checks, rows: mustBeShape, prepare: mustBeBoolean },
}

const SIMPLE_OPTIONS: Kind<SimpleOptions> = {
  title: 'option of simple()',
  checks: { ...CALL_OPTIONS.checks, rows: mustBeShape },
}

/** Options of a query, taken apart. One without any is the same object each time. */
export interface CheckedOptions {
  readonly asArrays: boolean
  readonly prepared: boolean
  readonly call: CallOptions | undefined
}

const DEFAULTS: CheckedOptions = { asArrays: false, prepared: true, call: undefined }

export function checkedQueryOptions(given: unknown): CheckedOptions {
  if (given === undefined) return DEFAULTS
  checkOptions(given, QUERY_OPTIONS)
  const { rows, prepare, ...call } = given
  return { asArrays: rows === 'arrays', prepared: prepare !== false, call }
}

export function checkedSimpleOptions(given: unknown): CheckedOptions {
  if (given === undefined) return DEFAULTS
  checkOptions(given, SIMPLE_OPTIONS)
  const { rows, ...call } = given
  return { asArrays: rows === 'arrays', prepared: false, call }
}

export function checkedText(text: unknown): string {
  if (typeof text !== 'string') throw wrong('a statement is a string; for a template use sql`…`')
  return text
}

export function checkedValues(values: unknown): readonly unknown[] {
  if (values === undefined) return NO_VALUES
  if (!Array.isArray(values)) throw wrong('the values of a statement are an array: query("… ?", [value])')
  return values
}

export const NO_VALUES: readonly unknown[] = []
