/**
 * One statement among the tokens of a text.
 *
 * Rules: positions are those of the whole text's tokens; what lies outside the statement reads as nothing. A `;` ends a
 * statement unless it stands in parentheses. A statement that has a body (CREATE PROCEDURE and its kin, a block of
 * MariaDB's) goes on to the end of the text: the server takes it so, and what its body says runs elsewhere or at once.
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
    const count = tokens.kinds.length
    for (let at = 0; at <= count; at++) {
      const ends = at === count || (isSign(tokens, at, ';') && depths[at] === 0)
      if (!ends) continue
      if (at > start) {
        const piece = new Piece(tokens, start, at, partners, depths)
        if (at < count && piece.hasBody()) {
          pieces.push(new Piece(tokens, start, count, partners, depths))
          break
        }
        pieces.push(piece)
      }
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

  /** The name at `at`, quoted or not; `undefined` if it is none. What stands in double quotes may be one. */
  name(at: number): string | undefined {
    if (at < this.#start || at >= this.end) return undefined
    const kind = this.#tokens.kinds[at]
    const isName = kind === TokenKind.Word || kind === TokenKind.Name || kind === TokenKind.TextOrName
    return isName ? this.#tokens.texts[at] : undefined
  }

  sign(at: number): string {
    if (at < this.#start || at >= this.end || this.#tokens.kinds[at] !== TokenKind.Sign) return ''
    return this.#tokens.texts[at] as string
  }

  isQuoted(at: number): boolean {
    if (at < this.#start || at >= this.end) return false
    const kind = this.#tokens.kinds[at]
    return kind === TokenKind.Name || kind === TokenKind.TextOrName
  }

  isText(at: number): boolean {
    return at >= this.#start && at < this.end && this.#tokens.kinds[at] === TokenKind.Text
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
    const depth = this.depth(start)
    for (let at = start; at < this.end; at++) if (this.word(at) === word && this.depth(at) === depth) return at
    return -1
  }

  /** What `;` does not end. */
  hasBody(): boolean {
    const at = this.firstWord()
    const verb = this.word(at)
    if (verb === 'begin') return this.word(at + 1) === 'not'
    if (BLOCKS.has(verb)) return true
    // A label: `again: loop … end loop`.
    if (this.sign(at + 1) === ':' && BLOCKS.has(this.word(at + 2))) return true
    if (verb !== 'create' && verb !== 'alter') return false
    // OR REPLACE, DEFINER = user@host, AGGREGATE, IF NOT EXISTS stand between.
    const until = Math.min(this.end, at + WORDS_BEFORE_KIND_MAX)
    for (let index = at + 1; index < until; index++) {
      if (WITH_BODIES.has(this.word(index)) && this.depth(index) === this.depth(at)) return true
    }
    return false
  }
}

/** Statements of MariaDB that are made of statements. */
const BLOCKS: ReadonlySet<string> = new Set(['if', 'case', 'loop', 'repeat', 'while', 'for', 'declare'])
const WITH_BODIES: ReadonlySet<string> = new Set(['procedure', 'function', 'trigger', 'event', 'package'])
/** `create or replace definer = user @host sql security … aggregate function`: no more than this stands before. */
const WORDS_BEFORE_KIND_MAX = 12

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
