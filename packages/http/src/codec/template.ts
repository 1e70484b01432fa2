/**
 * The fields of a request, judged and made ready once, for all calls that give the same.
 *
 * Rules:
 * 1. Names are tokens, values are latin1 without control characters: what callers put together from input cannot add a
 *    field, end the head or begin another request.
 * 2. What says where a message ends, and what belongs to one connection, is not the caller's: such fields are refused
 *    with the name of what to use instead, or taken where they say what would be said anyway.
 * 3. A field that is given replaces the one of the same name that the target has.
 *
 * Theory of operation: `TemplateCache` keeps the last few sets of fields by their names and values, not by the object
 * they came in, because objects change: comparing a handful of strings that are nearly always the same strings costs
 * less than judging and writing them again.
 */
import { LocalError } from '@iokernel/core/plugin'

/** Fields as callers give them: an object, or pairs (a `Headers`, a `Map`, a list). */
export type FieldsGiven =
  | { readonly [name: string]: string | readonly string[] | undefined }
  | Iterable<readonly [name: string, value: string]>

export interface HeadTemplate {
  /** From behind the path: ` HTTP/1.1`, then each line with its end. The empty line is not in it. */
  readonly bytes: Buffer
  /** `connection: close` was asked for. */
  readonly closes: boolean
  /** What the caller says of the length of the body. */
  readonly bodyBytes: number | undefined
  readonly hasContentType: boolean
}

/** What a target adds to every request. */
export interface TemplateDefaults {
  /** Of the field Host. */
  readonly host: string
  readonly fields: FieldsGiven
}

/** Sets of fields that are kept: more than a program uses in one place, few enough to be compared one by one. */
const KEPT_MAX = 8

interface Kept {
  readonly names: readonly string[]
  readonly values: readonly string[]
  readonly template: HeadTemplate
}

export class TemplateCache {
  readonly #defaults: TemplateDefaults
  readonly #plain: HeadTemplate
  readonly #kept: Kept[] = []
  #next = 0

  constructor(defaults: TemplateDefaults) {
    this.#defaults = defaults
    this.#plain = makeTemplate(defaults, undefined)
  }

  of(given: FieldsGiven | undefined): HeadTemplate {
    if (given === undefined) return this.#plain
    if (Symbol.iterator in given) return makeTemplate(this.#defaults, given)
    for (const kept of this.#kept) if (isSame(kept, given)) return kept.template
    const template = makeTemplate(this.#defaults, given)
    const entries = Object.entries(given)
    // A list may change without becoming another.
    if (entries.every(([, value]) => typeof value === 'string')) {
      const values = entries.map(([, value]) => value as string)
      this.#kept[this.#next] = { names: entries.map(([name]) => name), values, template }
      this.#next = (this.#next + 1) % KEPT_MAX
    }
    return template
  }

  /** The same with lines of our own in it. Not kept. */
  with(given: FieldsGiven | undefined, lines: readonly (readonly [name: string, value: string])[]): HeadTemplate {
    return makeTemplate(this.#defaults, given, lines)
  }
}

function isSame(kept: Kept, given: { readonly [name: string]: unknown }): boolean {
  const { names, values } = kept
  let index = 0
  for (const name in given) {
    if (index === names.length || names[index] !== name || values[index] !== given[name]) return false
    index++
  }
  return index === names.length
}

/** `ours` are written as they are, besides those that were given. */
export function makeTemplate(
  { host, fields }: TemplateDefaults,
  given: FieldsGiven | undefined,
  ours: readonly (readonly [name: string, value: string])[] = [],
): HeadTemplate {
  const own = given === undefined ? [] : pairsOf(given)
  const replaced = new Set([...own, ...ours].map(([name]) => name.toLowerCase()))
  const kept = pairsOf(fields).filter(([name]) => !replaced.has(name.toLowerCase()))
  const state = { host: undefined as string | undefined, closes: false, bodyBytes: undefined as number | undefined }
  const lines: string[] = []
  let hasContentType = false
  for (const [name, value] of [...kept, ...own]) {
    const key = name.toLowerCase()
    if (key === 'content-type') hasContentType = true
    if (!takeSpecial(key, value, state)) lines.push(`${name}: ${value}\r\n`)
  }
  for (const [name, value] of ours) lines.push(`${name}: ${value}\r\n`)
  if (state.closes) lines.push('connection: close\r\n')
  const text = ` HTTP/1.1\r\nhost: ${state.host ?? host}\r\n${lines.join('')}`
  return {
    bytes: Buffer.from(text, 'latin1'),
    closes: state.closes,
    bodyBytes: state.bodyBytes,
    hasContentType,
  }
}

/** Fields behind a body, each line with its end. */
export function trailerLines(given: FieldsGiven): string {
  return pairsOf(given)
    .map(([name, value]) => {
      if (NOT_IN_TRAILERS.has(name.toLowerCase())) {
        throw wrong(`'${name}' has no business in trailers: it says how a message is read`)
      }
      return `${name}: ${value}\r\n`
    })
    .join('')
}

export function isToken(text: string): boolean {
  return TOKEN.test(text)
}

interface SpecialFields {
  host: string | undefined
  closes: boolean
  bodyBytes: number | undefined
}

/** True where the field is not written as it is. */
function takeSpecial(key: string, value: string, state: SpecialFields): boolean {
  const instead = NOT_THE_CALLERS.get(key)
  if (instead !== undefined) throw wrong(`the header '${key}' is not given by hand: ${instead}`)
  if (key === 'host') {
    if (state.host !== undefined || !AUTHORITY.test(value)) throw wrong("the header 'host' is one host, or host:port")
    state.host = value
    return true
  }
  if (key === 'connection') {
    const option = value.toLowerCase()
    if (option === 'close') state.closes = true
    else if (option !== 'keep-alive') {
      throw wrong("the header 'connection' is 'close' or absent; for others use upgrade()")
    }
    return true
  }
  if (key === 'content-length') {
    if (state.bodyBytes !== undefined || !/^\d{1,15}$/.test(value)) {
      throw wrong("the header 'content-length' is one whole number, the bytes of the body")
    }
    state.bodyBytes = Number(value)
    return true
  }
  return false
}

/** Checked, in order, lists as lines of their own, `undefined` left out. */
export function pairsOf(given: FieldsGiven): [name: string, value: string][] {
  if (typeof given !== 'object' || given === null) throw wrong('headers are an object, or pairs of name and value')
  const pairs: [string, string][] = []
  if (Symbol.iterator in given) {
    for (const pair of given) {
      if (typeof pair !== 'object' || pair === null || pair.length !== 2) throw wrong('a header is a name and a value')
      pairs.push([checkedName(pair[0]), checkedValue(pair[0], pair[1])])
    }
    return pairs
  }
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    const values: readonly unknown[] = Array.isArray(value) ? value : [value]
    for (const each of values) pairs.push([checkedName(name), checkedValue(name, each)])
  }
  return pairs
}

function checkedName(name: unknown): string {
  if (typeof name === 'string' && TOKEN.test(name)) return name
  throw wrong("the name of a header is letters, digits and - _ . ! # $ % & ' * + ^ ` | ~, and not empty")
}

function checkedValue(name: string, value: unknown): string {
  if (typeof value !== 'string') throw wrong(`the header '${name}' is a string, or a list of them`)
  if (!VALUE.test(value)) {
    throw wrong(`the header '${name}' holds a control character, or one beyond latin1: encode it`)
  }
  return value.replace(SPACE_AROUND, '')
}

function wrong(problem: string): LocalError {
  return new LocalError('ARGUMENT', problem)
}

const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
const SPACE_AROUND = /^[\t ]+|[\t ]+$/g
/** A host of any script in its ASCII form, an address, IPv6 in brackets; a port. */
const AUTHORITY = /^([A-Za-z0-9._~%!$&'()*+;=-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/

const UPGRADE_INSTEAD = 'use upgrade()'
const CONNECTION_INSTEAD = 'it is for one connection, and those are shared'
/** By lower-case name: what to use instead. */
const NOT_THE_CALLERS: ReadonlyMap<string, string> = new Map([
  ['transfer-encoding', 'a body whose length is not known goes out in chunks by itself'],
  ['upgrade', UPGRADE_INSTEAD],
  ['http2-settings', UPGRADE_INSTEAD],
  ['expect', 'use the option expectContinue'],
  ['te', CONNECTION_INSTEAD],
  ['keep-alive', CONNECTION_INSTEAD],
  ['proxy-connection', CONNECTION_INSTEAD],
])

/** RFC 9110, section 6.5.1: what says how to delimit, route, or authorise is too late behind the body. */
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set([
  'transfer-encoding',
  'content-length',
  'host',
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'range',
  'authorization',
  'proxy-authorization',
  'cookie',
  'content-encoding',
  'content-type',
  'content-range',
])
