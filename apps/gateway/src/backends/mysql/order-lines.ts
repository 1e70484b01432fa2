/** The lines of an order, as a client writes them: each names an item once, and how many of it. */
import { checkFields, type Fields, idIn, integerIn, wrong } from '../../http/fields.ts'

export interface OrderLine {
  readonly item: string
  readonly quantity: number
}

export function linesIn({ lines }: Fields): readonly OrderLine[] {
  if (!Array.isArray(lines) || lines.length === 0 || lines.length > LINES_MAX) {
    throw wrong(`lines is an array of 1 to ${LINES_MAX} objects: { "item": "tea", "quantity": 2 }`)
  }
  const taken = lines.map(lineIn)
  if (new Set(taken.map(({ item }) => item)).size < taken.length) throw wrong('each item has one line')
  return taken
}

function lineIn(given: unknown): OrderLine {
  if (typeof given !== 'object' || given === null) throw wrong('a line is an object: { "item": "tea", "quantity": 2 }')
  const fields = given as Fields
  checkFields(fields, ['item', 'quantity'])
  return { item: idIn(fields, 'item'), quantity: integerIn(fields, 'quantity', 1, QUANTITY_MAX) }
}

/** Each is two statements, and all are one transaction. */
const LINES_MAX = 100
/** Whoever needs more than this has a bug. */
const QUANTITY_MAX = 1_000_000
