/**
 * One statement among the tokens of a text.
 *
 * Rules: positions are those of the whole text's tokens; what lies outside the statement reads as nothing. A `;` ends
 * a statement unless it stands in parentheses (the actions of a rule) or in a body that begins with BEGIN ATOMIC.
 */
import { TokenKind, type Tokens } from './tokens.ts'

export class Piece {
  readonly end: number
  readonly #tokens: Tokens
  readonly #start: number
  /** For each parenthesis its partner; -1 for everything else. */
  readonly #partners: Int32Array
  readonly #depths: Int32Array

  private constructor(tokens: Tokens, start: number, end: number, partners: Int32Array, depths: Int32Array) {
    this.#tokens = tokens
    this.#start = start
    this.end = end
    this.#partners = partners
    this.#depths = depths
  }

  /** The statements of a text; empty ones are none. */
  static split(tokens: Tokens): Piece[] {
    const { partners, depths } = parentheses(tokens)
    const pieces: Piece[] = []
    let start = 0
    let body = 0
    const count = tokens.kinds.length
    for (let at = 0; at <= count; at++) {
      if (at < count) body = bodyDepth(tokens, at, body)
      const ends = at === count || (isSign(tokens, at, ';') && depths[at] === 0 && body === 0)
      if (!ends) continue
      if (at > start) pieces.push(new Piece(tokens, start, at, partners, depths))
      start = at + 1
    }
    return pieces
  }

  /** The same statement without what lies before `start`. */
  from(start: number): Piece {
    return new Piece(this.#tokens, start, this.end, this.#partners, this.#depths)
  }

  /** The unquoted word at `at`, in small letters; empty if it is none. */
  word(at: number): string {
    if (at < this.#start || at >= this.end || this.#tokens.kinds[at] !== TokenKind.Word) return ''
    return this.#tokens.texts[at] as string
  }

  /** The name at `at`, quoted or not; `undefined` if it is none. */
  name(at: number): string | undefined {
    if (at < this.#start || at >= this.end) return undefined
    const kind = this.#tokens.kinds[at]
    return kind === TokenKind.Word || kind === TokenKind.Name ? this.#tokens.texts[at] : undefined
  }

  sign(at: number): string {
    if (at < this.#start || at >= this.end || this.#tokens.kinds[at] !== TokenKind.Sign) return ''
    return this.#tokens.texts[at] as string
  }

  isQuoted(at: number): boolean {
    return at >= this.#start && at < this.end && this.#tokens.kinds[at] === TokenKind.Name
  }

  /** Parentheses around `at`. */
  depth(at: number): number {
    return this.#depths[at] ?? 0
  }

  /** The parenthesis that belongs to the one at `at`; the end where there is none. */
  closing(at: number): number {
    const partner = this.#partners[at] ?? -1
    return partner < 0 ? this.end : partner
  }

  /** The parenthesis that the one at `at` closes; -1 where there is none. */
  opening(at: number): number {
    return this.#partners[at] ?? -1
  }

  /** Where the statement's verb stands: parentheses may come first. */
  firstWord(): number {
    let at = this.#start
    while (this.sign(at) === '(') at++
    return at
  }

  /** The unquoted `word` outside parentheses, from `start`; -1 where it is not. */
  find(word: string, start: number): number {
    for (let at = start; at < this.end; at++) if (this.word(at) === word && this.depth(at) === 0) return at
    return -1
  }

  /** TEMP, TEMPORARY, and both with GLOBAL or LOCAL before them. */
  isTemporary(at: number): boolean {
    const word = this.word(at)
    const next = word === 'global' || word === 'local' ? this.word(at + 1) : word
    return next === 'temp' || next === 'temporary'
  }

  /** `pg_temp.x`, which means something else on each connection. */
  mentionsTemporarySchema(): boolean {
    for (let at = this.#start; at < this.end; at++) {
      if (this.sign(at) === '.' && TEMPORARY_SCHEMA.test(this.name(at - 1) ?? '')) return true
    }
    return false
  }
}

const TEMPORARY_SCHEMA = /^pg_temp(_\d+)?$/

function isSign(tokens: Tokens, at: number, sign: string): boolean {
  return tokens.kinds[at] === TokenKind.Sign && tokens.texts[at] === sign
}

function parentheses(tokens: Tokens): { partners: Int32Array; depths: Int32Array } {
  const count = tokens.kinds.length
  const partners = new Int32Array(count).fill(-1)
  const depths = new Int32Array(count)
  const open: number[] = []
  for (let at = 0; at < count; at++) {
    if (isSign(tokens, at, ')')) {
      const partner = open.pop()
      if (partner !== undefined) {
        partners[at] = partner
        partners[partner] = at
      }
    }
    depths[at] = open.length
    if (isSign(tokens, at, '(')) open.push(at)
  }
  return { partners, depths }
}

/** BEGIN ATOMIC … END, with the ENDs of CASE in between. */
function bodyDepth(tokens: Tokens, at: number, depth: number): number {
  if (tokens.kinds[at] !== TokenKind.Word) return depth
  const word = tokens.texts[at]
  if (word === 'atomic' && tokens.texts[at - 1] === 'begin') return depth + 1
  if (depth === 0) return 0
  if (word === 'case') return depth + 1
  return word === 'end' ? depth - 1 : depth
}
