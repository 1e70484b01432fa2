/**
 * SQL as words, names, literals and signs, by the rules of MySQL's and MariaDB's own scanners.
 *
 * Rules:
 * 1. What lies in a literal or a comment is never mistaken for SQL, nor the other way round. What the server's settings
 *    decide is read both ways by whoever judges (`Reading`): a backslash in a literal (`NO_BACKSLASH_ESCAPES`), and a
 *    comment that some versions run.
 * 2. Double quotes hold a text or a name (`ANSI_QUOTES`): they are their own kind of token, and may be either.
 * 3. Text that no server would accept (an open quote) is marked as such, and read no further.
 *
 * Theory of operation: `/*!50700 … ` and `/*M!100100 … ` are code to servers of that version and later, a comment to
 * others. Read as code, its inside is tokens like any other, and its end is skipped where it stands. `--` begins a
 * comment only before a space or a control character, `#` always; both end at a line feed.
 *
 * Limits: signs are read one character each, but for `:=`, `@` and `@@`, which mean a variable.
 */

export const TokenKind = {
  /** Unquoted: a keyword or a name, in small letters. */
  Word: 1,
  /** A name in backticks, as it is meant. */
  Name: 2,
  /** A literal in single quotes. */
  Text: 3,
  Number: 4,
  /** `?`, and `??`, which stands for a name. */
  Parameter: 5,
  /** One character of anything else; `@` with what follows it is `@name` or `@@name`. */
  Sign: 6,
  /** In double quotes: a literal or a name. */
  TextOrName: 7,
} as const

export interface Tokens {
  readonly kinds: readonly number[]
  /** What a word, a name, a variable or a sign is; empty for all others. */
  readonly texts: readonly string[]
  /** Where each `?` and `??` stands in the text. */
  readonly placeholders: readonly number[]
  /** False where the text breaks off inside a literal, a name or a comment. */
  readonly complete: boolean
  /** A backslash stands in a literal. */
  readonly hasBackslash: boolean
  /** One of them in double quotes, where it escapes nothing to a server that takes them for a name (ANSI_QUOTES). */
  readonly hasBackslashInDoubleQuotes: boolean
  /** A comment stands there that some versions run. */
  readonly hasVersions: boolean
}

/** What the text alone does not say. */
export interface Reading {
  /** A backslash in a literal takes the next character with it: the default of every server. */
  readonly backslashEscapes: boolean
  /** What stands in comments for some versions is code. */
  readonly versionedComments: boolean
}

export const USUAL_READING: Reading = { backslashEscapes: true, versionedComments: true }

export function tokensOf(sql: string, reading: Reading = USUAL_READING): Tokens {
  return new Scanner(sql, reading).scan()
}

/** A quote that is never closed. */
const OPEN = -1

class Scanner {
  readonly #sql: string
  readonly #reading: Reading
  readonly #kinds: number[] = []
  readonly #texts: string[] = []
  readonly #placeholders: number[] = []
  /** Comments that are code and have not ended. */
  #codeDepth = 0
  #hasBackslash = false
  #hasBackslashInDoubleQuotes = false
  #hasVersions = false

  constructor(sql: string, reading: Reading) {
    this.#sql = sql
    this.#reading = reading
  }

  scan(): Tokens {
    const end = this.#sql.length
    let at = 0
    while (at < end && at !== OPEN) at = this.#next(at)
    return {
      kinds: this.#kinds,
      texts: this.#texts,
      placeholders: this.#placeholders,
      complete: at !== OPEN && this.#codeDepth === 0,
      hasBackslash: this.#hasBackslash,
      hasBackslashInDoubleQuotes: this.#hasBackslashInDoubleQuotes,
      hasVersions: this.#hasVersions,
    }
  }

  /** Reads what begins at `at`; returns where the next begins. */
  #next(at: number): number {
    const sql = this.#sql
    const code = sql.charCodeAt(at)
    if (isSpace(code)) return at + 1
    switch (code) {
      case DASH:
        return beginsDashComment(sql, at) ? lineEnd(sql, at) : this.#push(TokenKind.Sign, '-', at + 1)
      case HASH:
        return lineEnd(sql, at)
      case SLASH:
        return sql.charCodeAt(at + 1) === STAR ? this.#comment(at) : this.#push(TokenKind.Sign, '/', at + 1)
      case STAR:
        if (this.#codeDepth === 0 || sql.charCodeAt(at + 1) !== SLASH) return this.#push(TokenKind.Sign, '*', at + 1)
        this.#codeDepth--
        return at + 2
      case QUOTE:
        return this.#quoted(at, TokenKind.Text)
      case DOUBLE_QUOTE:
        return this.#quoted(at, TokenKind.TextOrName)
      case BACKTICK:
        return this.#name(at)
      case AT:
        return this.#variable(at)
      case QUESTION:
        this.#placeholders.push(at)
        return this.#push(TokenKind.Parameter, '', sql.charCodeAt(at + 1) === QUESTION ? at + 2 : at + 1)
      case COLON:
        return sql.charCodeAt(at + 1) === EQUALS
          ? this.#push(TokenKind.Sign, ':=', at + 2)
          : this.#push(TokenKind.Sign, ':', at + 1)
      default:
        return this.#wordOrSign(at, code)
    }
  }

  #wordOrSign(at: number, code: number): number {
    const sql = this.#sql
    if (code === DOT && isDigit(sql.charCodeAt(at + 1)) && !this.#isAfterName(at)) return this.#number(at)
    if (!isNamePart(code)) return this.#push(TokenKind.Sign, sql[at] as string, at + 1)
    let end = at + 1
    while (isNamePart(sql.charCodeAt(end))) end++
    // `1e5` and `0x1F` are numbers, `1a` is a name; which of the two does not matter to anybody here.
    if (isDigit(code)) return this.#number(at)
    return this.#push(TokenKind.Word, foldCase(sql.slice(at, end)), end)
  }

  /** `t.1` is a column called `1`, and no number. */
  #isAfterName(at: number): boolean {
    return at > 0 && (isNamePart(this.#sql.charCodeAt(at - 1)) || this.#sql.charCodeAt(at - 1) === BACKTICK)
  }

  #push(kind: number, text: string, next: number): number {
    this.#kinds.push(kind)
    this.#texts.push(text)
    return next
  }

  /** A comment, or the beginning of one that is code. */
  #comment(at: number): number {
    const sql = this.#sql
    const marked = VERSIONED.exec(sql.slice(at, at + VERSIONED_CHARS_MAX))
    if (marked !== null) {
      this.#hasVersions = true
      if (this.#reading.versionedComments) {
        this.#codeDepth++
        return at + marked[0].length
      }
      return commentEnd(sql, at + 2, true)
    }
    return commentEnd(sql, at + 2, false)
  }

  #quoted(at: number, kind: number): number {
    const sql = this.#sql
    const quote = sql.charCodeAt(at)
    for (let index = at + 1; index < sql.length; index++) {
      const code = sql.charCodeAt(index)
      if (code === BACKSLASH) {
        this.#hasBackslash = true
        if (kind === TokenKind.TextOrName) this.#hasBackslashInDoubleQuotes = true
        if (this.#reading.backslashEscapes) index++
      } else if (code === quote) {
        if (sql.charCodeAt(index + 1) !== quote) return this.#push(kind, '', index + 1)
        index++
      }
    }
    return OPEN
  }

  #name(at: number): number {
    const sql = this.#sql
    let end = at + 1
    for (;;) {
      end = sql.indexOf('`', end)
      if (end < 0) return OPEN
      if (sql.charCodeAt(end + 1) !== BACKTICK) break
      end += 2
    }
    return this.#push(TokenKind.Name, sql.slice(at + 1, end).replaceAll('``', '`'), end + 1)
  }

  /** `@x`, `@'x'`, `@@x`, `@@global.x`: one token, in small letters. `user@host` gives `@host`, which errs safely. */
  #variable(at: number): number {
    const sql = this.#sql
    const marks = sql.charCodeAt(at + 1) === AT ? 2 : 1
    let end = at + marks
    const quote = sql.charCodeAt(end)
    if (quote === QUOTE || quote === DOUBLE_QUOTE || quote === BACKTICK) {
      return this.#push(TokenKind.Sign, sql.slice(at, end), end)
    }
    while (isNamePart(sql.charCodeAt(end)) || sql.charCodeAt(end) === DOT) end++
    return this.#push(TokenKind.Sign, foldCase(sql.slice(at, end)), end)
  }

  #number(at: number): number {
    const sql = this.#sql
    let end = at
    while (isNamePart(sql.charCodeAt(end)) || sql.charCodeAt(end) === DOT) end++
    return this.#push(TokenKind.Number, '', end)
  }
}

/** `--` before a space, a control character or the end. */
function beginsDashComment(sql: string, at: number): boolean {
  if (sql.charCodeAt(at + 1) !== DASH) return false
  const after = sql.charCodeAt(at + 2)
  return Number.isNaN(after) || after <= 32 || after === 127
}

function lineEnd(sql: string, at: number): number {
  const end = sql.indexOf('\n', at)
  return end < 0 ? sql.length : end + 1
}

/** Behind the end of the comment whose text begins at `at`. Those that may be code have comments inside them. */
function commentEnd(sql: string, at: number, nests: boolean): number {
  let index = at
  for (;;) {
    const end = sql.indexOf('*/', index)
    if (end < 0) return OPEN
    const inner = nests ? sql.indexOf('/*', index) : -1
    if (inner < 0 || inner > end) return end + 2
    index = end + 2
  }
}

/** Whether two readings of one text come to the same. */
export function areSame(first: Tokens, second: Tokens): boolean {
  const { kinds, texts, placeholders } = first
  if (kinds.length !== second.kinds.length || first.complete !== second.complete) return false
  if (placeholders.length !== second.placeholders.length) return false
  return (
    kinds.every((kind, at) => kind === second.kinds[at] && texts[at] === second.texts[at]) &&
    placeholders.every((position, index) => position === second.placeholders[index])
  )
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

/** Everything beyond ASCII is a letter to the server, and so is the dollar. */
function isNamePart(code: number): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    isDigit(code) ||
    code === UNDERSCORE ||
    code === DOLLAR ||
    code >= 128
  )
}

/** `/*!`, `/*!50700`, `/*!080034`, `/*M!100100`. */
const VERSIONED = /^\/\*M?!(\d{5,6})?/
const VERSIONED_CHARS_MAX = 10

const DOUBLE_QUOTE = 34
const HASH = 35
const DOLLAR = 36
const QUOTE = 39
const STAR = 42
const DASH = 45
const DOT = 46
const SLASH = 47
const COLON = 58
const EQUALS = 61
const QUESTION = 63
const AT = 64
const BACKSLASH = 92
const UNDERSCORE = 95
const BACKTICK = 96
