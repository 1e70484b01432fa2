/**
 * SQL as words, names, literals and signs, by the rules of PostgreSQL's own scanner.
 *
 * Rules:
 * 1. What lies in a literal or a comment is never mistaken for SQL, nor the other way round: nested comments, dollar
 *    quotes, `E''` with backslashes (also in its continuation on a later line), `U&""` with escapes.
 * 2. Letters fold as the server folds them: ASCII only. The Kelvin sign is no `k`.
 * 3. Text that no server would accept (an open quote) is marked as such, and read no further.
 *
 * Limits: `standard_conforming_strings` is taken to be on (the default since 2010, and what the handshake asks for): a
 * backslash in a plain literal is an ordinary character. Signs are read one character each: nothing here has to know
 * operators.
 */

export const TokenKind = {
  /** Unquoted: a keyword or a name, in small letters. */
  Word: 1,
  /** A quoted name, as it is meant. */
  Name: 2,
  /** A literal in quotes of any kind. */
  Text: 3,
  Number: 4,
  /** `$1`. */
  Parameter: 5,
  /** One character of anything else. */
  Sign: 6,
} as const

export interface Tokens {
  readonly kinds: readonly number[]
  /** What a word, a name or a sign is; empty for all others. */
  readonly texts: readonly string[]
  /** False where the text breaks off inside a literal, a name or a comment. */
  readonly complete: boolean
}

export function tokensOf(sql: string): Tokens {
  return new Scanner(sql).scan()
}

/** A quote that is never closed. */
const OPEN = -1

class Scanner {
  readonly #sql: string
  readonly #kinds: number[] = []
  readonly #texts: string[] = []

  constructor(sql: string) {
    this.#sql = sql
  }

  scan(): Tokens {
    const end = this.#sql.length
    let at = 0
    while (at < end && at !== OPEN) at = this.#next(at)
    return { kinds: this.#kinds, texts: this.#texts, complete: at !== OPEN }
  }

  /** Reads what begins at `at`; returns where the next begins. */
  #next(at: number): number {
    const sql = this.#sql
    const code = sql.charCodeAt(at)
    if (isSpace(code)) return at + 1
    if (code === DASH && sql.charCodeAt(at + 1) === DASH) return lineEnd(sql, at)
    if (code === SLASH && sql.charCodeAt(at + 1) === STAR) return commentEnd(sql, at)
    if (code === QUOTE) return this.#literal(at + 1, false)
    if (code === DOUBLE_QUOTE) return this.#quotedName(at + 1, false)
    if (isNameStart(code)) return this.#word(at, code)
    if (code === DOLLAR) return this.#dollar(at)
    if (isDigit(code) || (code === DOT && isDigit(sql.charCodeAt(at + 1)))) return this.#number(at)
    return this.#push(TokenKind.Sign, sql[at] as string, at + 1)
  }

  #push(kind: number, text: string, next: number): number {
    this.#kinds.push(kind)
    this.#texts.push(text)
    return next
  }

  /** A word, or the letter before a literal: `E''`, `B''`, `X''`, `N''`, `U&''`, `U&""`. */
  #word(at: number, code: number): number {
    const sql = this.#sql
    const after = sql.charCodeAt(at + 1)
    if (after === QUOTE && LITERAL_LETTERS.has(code)) {
      return this.#literal(at + 2, code === LETTER_E || code === LETTER_E_SMALL)
    }
    if (after === AMPERSAND && (code === LETTER_U || code === LETTER_U_SMALL)) {
      if (sql.charCodeAt(at + 2) === QUOTE) return this.#literal(at + 3, false)
      if (sql.charCodeAt(at + 2) === DOUBLE_QUOTE) return this.#quotedName(at + 3, true)
    }
    let end = at + 1
    while (isNamePart(sql.charCodeAt(end))) end++
    return this.#push(TokenKind.Word, foldCase(sql.slice(at, end)), end)
  }

  /** `at`: behind the opening quote. */
  #literal(at: number, escapes: boolean): number {
    const sql = this.#sql
    let from = at
    for (;;) {
      const close = literalEnd(sql, from, escapes)
      if (close === OPEN) return OPEN
      const more = continuation(sql, close)
      if (more === OPEN) return this.#push(TokenKind.Text, '', close)
      from = more
    }
  }

  #quotedName(at: number, unicode: boolean): number {
    const sql = this.#sql
    let end = at
    for (;;) {
      end = sql.indexOf('"', end)
      if (end < 0) return OPEN
      if (sql.charCodeAt(end + 1) !== DOUBLE_QUOTE) break
      end += 2
    }
    const name = sql.slice(at, end).replaceAll('""', '"')
    if (!unicode) return this.#push(TokenKind.Name, name, end + 1)
    const { character, next } = escapeAfter(sql, end + 1)
    return this.#push(TokenKind.Name, unescaped(name, character), next)
  }

  /** `$1`, `$$…$$`, `$tag$…$tag$`, or a lone sign. */
  #dollar(at: number): number {
    const sql = this.#sql
    let end = at + 1
    if (isDigit(sql.charCodeAt(end))) {
      while (isDigit(sql.charCodeAt(end))) end++
      return this.#push(TokenKind.Parameter, '', end)
    }
    if (isNameStart(sql.charCodeAt(end))) {
      // A tag is a name without dollars.
      while (isNamePart(sql.charCodeAt(end)) && sql.charCodeAt(end) !== DOLLAR) end++
    }
    if (sql.charCodeAt(end) !== DOLLAR) return this.#push(TokenKind.Sign, '$', at + 1)
    const quote = sql.slice(at, end + 1)
    const close = sql.indexOf(quote, end + 1)
    return close < 0 ? OPEN : this.#push(TokenKind.Text, '', close + quote.length)
  }

  #number(at: number): number {
    const sql = this.#sql
    let end = at
    while (isDigit(sql.charCodeAt(end))) end++
    if (sql.charCodeAt(end) === DOT) {
      end++
      while (isDigit(sql.charCodeAt(end))) end++
    }
    return this.#push(TokenKind.Number, '', end)
  }
}

/** Behind the closing quote of a literal whose text begins at `at`. */
function literalEnd(sql: string, at: number, escapes: boolean): number {
  for (let index = at; index < sql.length; index++) {
    const code = sql.charCodeAt(index)
    if (code === BACKSLASH && escapes) index++
    else if (code === QUOTE) {
      if (sql.charCodeAt(index + 1) !== QUOTE) return index + 1
      index++
    }
  }
  return OPEN
}

/**
 * Behind the quote that goes on with a literal which ended at `at`: there is white space with a line's end between the
 * two, and perhaps comments of the kind that ends with its line.
 */
function continuation(sql: string, at: number): number {
  let lines = false
  let index = at
  while (index < sql.length) {
    const code = sql.charCodeAt(index)
    if (code === QUOTE) return lines ? index + 1 : OPEN
    if (code === LF || code === CR) lines = true
    else if (code === DASH && sql.charCodeAt(index + 1) === DASH) {
      index = lineEnd(sql, index)
      continue
    } else if (!isSpace(code)) return OPEN
    index++
  }
  return OPEN
}

/** Where the line ends: at its CR or LF. */
function lineEnd(sql: string, at: number): number {
  let end = at
  while (end < sql.length && sql.charCodeAt(end) !== LF && sql.charCodeAt(end) !== CR) end++
  return end
}

/** Comments nest. */
function commentEnd(sql: string, at: number): number {
  let depth = 1
  let index = at + 2
  while (index < sql.length) {
    const code = sql.charCodeAt(index)
    const after = sql.charCodeAt(index + 1)
    if (code === SLASH && after === STAR) {
      depth++
      index += 2
    } else if (code === STAR && after === SLASH) {
      index += 2
      if (--depth === 0) return index
    } else index++
  }
  return OPEN
}

/** `UESCAPE 'c'` behind a name with escapes. */
function escapeAfter(sql: string, at: number): { character: string; next: number } {
  const found = UESCAPE.exec(sql.slice(at, at + UESCAPE_CHARS_MAX))
  if (found === null) return { character: '\\', next: at }
  return { character: found[1] as string, next: at + found[0].length }
}

function unescaped(name: string, mark: string): string {
  let text = ''
  for (let at = 0; at < name.length; at++) {
    if (name[at] !== mark) {
      text += name[at]
      continue
    }
    if (name[at + 1] === mark) {
      text += mark
      at++
      continue
    }
    const long = name[at + 1] === '+'
    const digits = long ? name.slice(at + 2, at + 8) : name.slice(at + 1, at + 5)
    const code = Number.parseInt(digits, 16)
    text += Number.isNaN(code) || code > 0x10ffff ? '\ufffd' : String.fromCodePoint(code)
    at += long ? 7 : 4
  }
  return text
}

export function foldCase(word: string): string {
  return word.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

function isSpace(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13)
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

/** Everything beyond ASCII is a letter to the server. */
function isNameStart(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 95 || code >= 128
}

function isNamePart(code: number): boolean {
  return isNameStart(code) || isDigit(code) || code === DOLLAR
}

const LF = 10
const CR = 13
const DOUBLE_QUOTE = 34
const DOLLAR = 36
const AMPERSAND = 38
const QUOTE = 39
const STAR = 42
const DASH = 45
const DOT = 46
const SLASH = 47
const LETTER_E = 69
const LETTER_U = 85
const BACKSLASH = 92
const LETTER_E_SMALL = 101
const LETTER_U_SMALL = 117
const LITERAL_LETTERS: ReadonlySet<number> = new Set([...'eEbBxXnN'].map((letter) => letter.charCodeAt(0)))
const UESCAPE = /^[\s]*uescape[\s]*'([^0-9a-f+'"\s])'/i
/** White space between the two is short; where it is longer the backslash counts, and the name is an unknown one. */
const UESCAPE_CHARS_MAX = 256
