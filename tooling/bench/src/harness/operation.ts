/** What is measured: one call, and whether its answer is right. */
export interface Operation {
  run(): Promise<unknown>
  /** Asked of every answer, so it must cost next to nothing: a length, a word. */
  isPlausible(answer: unknown): boolean
  /** Asked of the first answer and then of every `EXACT_EVERY`th. */
  isExact(answer: unknown): boolean
  /** Asked after each round: did what was written arrive? */
  settle?(): Promise<boolean>
}

export class WrongAnswerError extends Error {
  override readonly name = 'WrongAnswerError'
}

/** Comparing 1 MB costs 50 µs; once in a hundred it does not show. */
export const EXACT_EVERY = 100

export function assertRight(operation: Operation, answer: unknown, index: number): void {
  if (!operation.isPlausible(answer) || (index % EXACT_EVERY === 0 && !operation.isExact(answer))) {
    throw new WrongAnswerError(`answer ${index} is wrong: ${describe(answer)}`)
  }
}

function describe(answer: unknown): string {
  const text = typeof answer === 'string' ? answer : String(answer)
  return text.length > 80 ? `${text.slice(0, 80)}... (${text.length} characters)` : text
}
