/** Words that the command tables share. */
import type { CallOptions } from '@iokernel/core/plugin'
import type { Argument } from '../codec/encode.ts'
import type { CommandRow } from './command.ts'

/** A key, a member, a field: text (sent as UTF-8) or bytes. */
export type Key = string | Uint8Array

/** Data: text, a number, a bigint or bytes. */
export type Value = Argument

/** Any number of the same, and perhaps options last. */
export type Rest<T> = T[] | [...T[], CallOptions]

/** At least one, and perhaps options last. */
export type Some<T> = [T, ...T[]] | [T, ...T[], CallOptions]

/** An integer that may be beyond 2^53: a number where it is safe, else a bigint. */
export type Integer = number | bigint

/** One row for each method of an interface: neither can be without the other. */
export type Table<Methods> = { readonly [Method in keyof Methods]: CommandRow }
