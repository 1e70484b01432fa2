/**
 * The fields of a head, or of trailers, as they came.
 *
 * Rules: order and spelling of the names are kept; names are compared without regard to case. Values are latin1, as
 * they are on the wire. Nothing is taken apart before somebody asks: most replies are read for their status and body.
 *
 * Theory of operation: the object holds the text of the lines, `name: value CRLF` each, already judged by the framer.
 * The first question makes three lists of them.
 */

export class HttpFields implements Iterable<readonly [name: string, value: string]> {
  readonly #text: string
  readonly #from: number
  readonly #to: number
  /** As they were spelled; undefined until somebody asks. */
  #names: string[] | undefined
  #lowerNames: string[] = []
  #values: string[] = []

  /** `text` from `from` to `to` are lines, each with its end. */
  constructor(text: string, from: number, to: number) {
    this.#text = text
    this.#from = from
    this.#to = to
  }

  /** How many lines there are. */
  get length(): number {
    return this.#read().length
  }

  /**
   * The value; of several with this name, all of them joined by a comma, which is what they mean. `set-cookie` is the
   * exception: a comma does not separate cookies, so the first is given; ask `getAll`.
   */
  get(name: string): string | undefined {
    this.#read()
    const key = name.toLowerCase()
    const first = this.#lowerNames.indexOf(key)
    if (first < 0) return undefined
    const value = this.#values[first] as string
    if (this.#lowerNames.indexOf(key, first + 1) < 0 || key === 'set-cookie') return value
    return this.getAll(key).join(', ')
  }

  /** The values of each line with this name, in their order. */
  getAll(name: string): string[] {
    this.#read()
    const key = name.toLowerCase()
    return this.#values.filter((_, index) => this.#lowerNames[index] === key)
  }

  has(name: string): boolean {
    this.#read()
    return this.#lowerNames.includes(name.toLowerCase())
  }

  /** Each line by itself, in order, its name as it was spelled. */
  *[Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    const names = this.#read()
    for (let index = 0; index < names.length; index++) yield [names[index] as string, this.#values[index] as string]
  }

  /** By lower-case name, as `get` gives them; `set-cookie` is always a list. For logs and `JSON.stringify`. */
  toJSON(): { [name: string]: string | string[] } {
    this.#read()
    const entries = this.#lowerNames.map((name): [string, string | string[]] => [
      name,
      name === 'set-cookie' ? this.getAll(name) : (this.get(name) as string),
    ])
    // A name may be `__proto__`: entries define what assignments would set.
    return Object.fromEntries(entries)
  }

  #read(): string[] {
    if (this.#names !== undefined) return this.#names
    const text = this.#text
    const names: string[] = []
    for (let at = this.#from; at < this.#to; ) {
      const end = text.indexOf('\r\n', at)
      const colon = text.indexOf(':', at)
      const name = text.slice(at, colon)
      names.push(name)
      this.#lowerNames.push(name.toLowerCase())
      this.#values.push(withoutSpace(text, colon + 1, end))
      at = end + 2
    }
    this.#names = names
    return names
  }
}

export const NO_FIELDS: HttpFields = new HttpFields('', 0, 0)

function withoutSpace(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isSpace(text.charCodeAt(start))) start++
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09
}
