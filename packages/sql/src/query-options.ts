/**
 * The options of a call, and what of them the kernel is told.
 *
 * Rules: an unknown option, and one of a wrong type, is `LocalError` `ARGUMENT`, and nothing is sent. `undefined` is
 * none.
 */
import type { CallOptions } from '@iokernel/core/plugin'
import {
  CALL_OPTIONS,
  type Check,
  checkOptions,
  type Kind,
  must,
  mustBeBoolean,
  mustBeDuration,
  mustBeSignal,
  wrong,
} from '@iokernel/core/toolkit'

export interface RowOptions {
  /** `arrays`: values by position, for columns that share a name. Default `objects`. */
  readonly rows?: 'objects' | 'arrays'
}

export interface QueryOptions extends CallOptions, RowOptions {
  /** False: the statement is not kept prepared; the README of the database says how it goes out then. Default true. */
  readonly prepare?: boolean
}

export interface SimpleOptions extends CallOptions, RowOptions {}

/** `deadlineMs`: how long the server may keep a reader waiting, not the whole. */
export interface StreamOptions extends RowOptions, Pick<CallOptions, 'deadlineMs' | 'signal' | 'priority'> {
  /** As for a query. */
  readonly prepare?: boolean
}

/** The check of `rows`, for options of a database's own. */
export const mustBeShape: Check = must((value) => value === 'objects' || value === 'arrays', "'objects' or 'arrays'")

const QUERY_OPTIONS: Kind<QueryOptions> = {
  title: 'option of a query',
  checks: { ...CALL_OPTIONS.checks, rows: mustBeShape, prepare: mustBeBoolean },
}

const SIMPLE_OPTIONS: Kind<SimpleOptions> = {
  title: 'option of simple()',
  checks: { ...CALL_OPTIONS.checks, rows: mustBeShape },
}

const STREAM_OPTIONS: Kind<StreamOptions> = {
  title: 'option of a stream',
  checks: {
    rows: mustBeShape,
    deadlineMs: mustBeDuration,
    signal: mustBeSignal,
    priority: CALL_OPTIONS.checks.priority,
    prepare: mustBeBoolean,
  },
}

/** Options taken apart. A call without any is given the same object each time. */
export interface CheckedOptions {
  readonly asArrays: boolean
  readonly prepared: boolean
  readonly call: CallOptions | undefined
}

const DEFAULTS: CheckedOptions = { asArrays: false, prepared: true, call: undefined }

export function checkedQueryOptions(given: unknown): CheckedOptions {
  if (given === undefined) return DEFAULTS
  checkOptions(given, QUERY_OPTIONS)
  return takenApart(given)
}

export function checkedSimpleOptions(given: unknown): CheckedOptions {
  if (given === undefined) return DEFAULTS
  checkOptions(given, SIMPLE_OPTIONS)
  return takenApart(given)
}

export function checkedStreamOptions(given: unknown): CheckedOptions {
  if (given === undefined) return DEFAULTS
  checkOptions(given, STREAM_OPTIONS)
  return takenApart(given)
}

export function checkedText(text: unknown): string {
  if (typeof text !== 'string') throw wrong('a statement is a string; for a template use sql`…`')
  return text
}

/** `placeholder`: what stands for the first of them, for the words of the refusal. */
export function checkedValues(values: unknown, placeholder: string): readonly unknown[] {
  if (values === undefined) return NO_VALUES
  if (!Array.isArray(values)) {
    throw wrong(`the values of a statement are an array: query("… ${placeholder}", [value])`)
  }
  return values
}

export const NO_VALUES: readonly unknown[] = []

function takenApart({ rows, prepare, ...call }: QueryOptions): CheckedOptions {
  return { asArrays: rows === 'arrays', prepared: prepare !== false, call }
}
