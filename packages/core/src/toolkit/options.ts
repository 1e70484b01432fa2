/**
 * What users give by name: options of calls, waits, subscriptions and targets. The one mechanism that judges them.
 *
 * Rules:
 * 1. Options are a plain object. An unknown name, a value of a wrong type and `null` are refused, never ignored: a
 *    typing error is a default that nobody wanted. `undefined` is absent.
 * 2. An argument that a method does not take is refused too.
 * 3. Nothing has happened yet when something is refused. No message holds a value.
 *
 * Theory of operation: a `Kind` holds one check for each option of an interface; the compiler sees to it that none is
 * missing. `problemIn` says what is wrong, the others throw it as `LocalError` `ARGUMENT`. What several protocols have
 * is in option-kinds.ts.
 */
import { LocalError } from '../plugin/errors.ts'

/** What is wrong with the value of the option `name`. */
export type Check = (value: unknown, name: string) => string | undefined

export interface Kind<Options> {
  /** `'ttl' is no <title>`. */
  readonly title: string
  /** What to do instead. */
  readonly advice?: string
  readonly checks: { readonly [Name in keyof Required<Options>]: Check }
}

/** What is wrong with options; `undefined` when nothing is. */
export function problemIn<Options extends object>(given: unknown, kind: Kind<Options>): string | undefined {
  if (!isPlainObject(given)) return `what was given is no object: each ${kind.title} has a name`
  const checks = kind.checks as { readonly [name: string]: Check }
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(checks, name)) {
      const advice = kind.advice === undefined ? '' : `: ${kind.advice}`
      return `'${name}' is no ${kind.title} (${Object.keys(checks).join(', ')})${advice}`
    }
    const value = (given as { readonly [name: string]: unknown })[name]
    const problem = value === undefined ? undefined : (checks[name] as Check)(value, name)
    if (problem !== undefined) return problem
  }
  return undefined
}

export function checkOptions<Options extends object>(given: unknown, kind: Kind<Options>): asserts given is Options {
  const problem = problemIn(given, kind)
  if (problem !== undefined) throw wrong(problem)
}

/**
 * Takes options off the end of what a method was given. An `undefined` there is options that were passed on and
 * absent, where without it there are still the `fewest` arguments that the method needs.
 */
export function takeOptions<Options extends object>(
  given: unknown[],
  fewest: number,
  kind: Kind<Options>,
): Options | undefined {
  const last = given.at(-1)
  if (last === undefined) {
    if (given.length > fewest) given.pop()
    return undefined
  }
  if (!isPlainObject(last)) return undefined
  checkOptions(last, kind)
  given.pop()
  return last
}

/** The options of a method that takes nothing after its first `before` arguments but options. */
export function optionsAfter<Options extends object>(
  before: number,
  given: readonly unknown[],
  kind: Kind<Options>,
): Options | undefined {
  checkCount(given, before + 1)
  const options = given[before]
  if (options === undefined) return undefined
  checkOptions(options, kind)
  return options
}

/** Refuses arguments beyond those that a method takes. */
export function checkCount(given: readonly unknown[], most: number): void {
  if (given.length > most) {
    throw wrong(`${given.length} arguments were given, and at most ${most} would be used`)
  }
}

export function wrong(problem: string): LocalError {
  return new LocalError('ARGUMENT', problem)
}

export function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** A name or a value where both forms are taken. */
export function isTextOrBytes(value: unknown): value is string | Uint8Array {
  return isText(value) || value instanceof Uint8Array
}

export function must(isRight: (value: unknown) => boolean, what: string): Check {
  return (value, name) => (isRight(value) ? undefined : `${name} is ${what}`)
}

export function mustBeOneOf(...values: readonly string[]): Check {
  const words: ReadonlySet<unknown> = new Set(values)
  return must((value) => words.has(value), `one of ${values.join(', ')}`)
}

export const mustBeText: Check = must(isText, 'a string')
export const mustBeTextOrBytes: Check = must(isTextOrBytes, 'a string or a Uint8Array')
/** Spread, because `every` passes over the holes of a list. */
export const mustBeTexts: Check = must((value) => Array.isArray(value) && [...value].every(isText), 'a list of strings')
export const mustBeFunction: Check = must((value) => typeof value === 'function', 'a function')
export const mustBeBoolean: Check = must((value) => typeof value === 'boolean', 'true or false')
export const mustBeCount: Check = must(
  (value) => Number.isSafeInteger(value) && (value as number) >= 1,
  'a whole number of at least 1',
)
export const mustBeDuration: Check = must(
  (value) => typeof value === 'number' && value >= 0,
  'a number of at least 0 (milliseconds), or Infinity',
)
/** Anything that behaves as one: polyfills and other realms have classes of their own. */
export const mustBeSignal: Check = must((value) => {
  const signal = value as Partial<AbortSignal> | null
  return (
    typeof signal === 'object' &&
    typeof signal?.aborted === 'boolean' &&
    typeof signal.addEventListener === 'function' &&
    typeof signal.removeEventListener === 'function'
  )
}, 'an AbortSignal')

function isText(value: unknown): value is string {
  return typeof value === 'string'
}
