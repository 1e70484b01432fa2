/**
 * Requests of one connection that are not answered yet, in their order.
 *
 * Rules: a ring of two columns, so that nothing is allocated per request: the sequence number that the reply begins
 * with, and the statement that the request relies on. It doubles when it is full.
 */
export class Unanswered<Statement> {
  #relied: (Statement | undefined)[] = new Array<Statement | undefined>(RING_FIRST).fill(undefined)
  #sequences = new Uint8Array(RING_FIRST)
  #oldest = 0
  #count = 0

  get count(): number {
    return this.#count
  }

  /** With which sequence number the reply to the oldest begins; 1 where there is none. */
  get sequence(): number {
    return this.#count === 0 ? 1 : (this.#sequences[this.#oldest] as number)
  }

  /** What the oldest relies on. */
  get relied(): Statement | undefined {
    return this.#relied[this.#oldest]
  }

  setSequence(sequence: number): void {
    this.#sequences[this.#oldest] = sequence
  }

  push(sequence: number, statement: Statement | undefined): void {
    if (this.#count === this.#sequences.length) this.#grow()
    const at = (this.#oldest + this.#count++) & (this.#sequences.length - 1)
    this.#relied[at] = statement
    this.#sequences[at] = sequence
  }

  shift(): void {
    this.#relied[this.#oldest] = undefined
    this.#oldest = (this.#oldest + 1) & (this.#sequences.length - 1)
    this.#count--
  }

  #grow(): void {
    const size = this.#sequences.length
    const sequences = new Uint8Array(2 * size)
    const relied = new Array<Statement | undefined>(2 * size).fill(undefined)
    for (let index = 0; index < size; index++) {
      const at = (this.#oldest + index) & (size - 1)
      sequences[index] = this.#sequences[at] as number
      relied[index] = this.#relied[at]
    }
    this.#sequences = sequences
    this.#relied = relied
    this.#oldest = 0
  }
}

/** A power of two: twice the window of a shared lane. */
const RING_FIRST = 64
