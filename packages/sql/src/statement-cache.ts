/**
 * Statements by their text, so that each is analysed, hashed and encoded once.
 *
 * Rules: bounded by number and by length, for programs that write values into their texts have a new one each time.
 * What is used stays.
 *
 * Theory of operation: two generations. A text is looked for in the young one, then in the old one, from which it moves
 * to the young; when the young one is full it becomes the old one, and what was in the old one is forgotten. A hit
 * costs one look-up and moves nothing, where an order by last use would be written anew each time.
 *
 * Limits: at most `2 × GENERATION_MAX` texts of `TEXT_CHARS_MAX` characters, each kept as text and as bytes: 50 MB at
 * the very worst, and a megabyte or two for a thousand ordinary statements.
 */

/** A large application has some hundreds of statements; ORMs some thousands with every combination of filters. */
const GENERATION_MAX = 2048
/** What is longer is data more than a statement: a list of values written out. It costs what it costs, each time. */
const TEXT_CHARS_MAX = 4096

export class StatementCache<Statement> {
  readonly #make: (text: string) => Statement
  #young = new Map<string, Statement>()
  #old = new Map<string, Statement>()

  constructor(make: (text: string) => Statement) {
    this.#make = make
  }

  of(text: string): Statement {
    return this.#young.get(text) ?? this.#find(text)
  }

  #find(text: string): Statement {
    const found = this.#old.get(text) ?? this.#make(text)
    if (text.length <= TEXT_CHARS_MAX) {
      if (this.#young.size >= GENERATION_MAX) {
        this.#old = this.#young
        this.#young = new Map()
      }
      this.#young.set(text, found)
    }
    return found
  }
}
