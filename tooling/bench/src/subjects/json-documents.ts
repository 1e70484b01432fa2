/**
 * The documents of the HTTP suite: what each says and how an answer is told from a wrong one. One place for the files
 * that the server serves, the clients that ask and the checks of what they got.
 *
 * Rules: each request asks for another of a hundred documents and has to get that one, so a client that mixes up
 * callers does not win. `bytes` is the size of a document.
 */
import type { Operation } from '../harness/operation.ts'

export interface JsonDocument {
  readonly id: number
  readonly name: string
  readonly tags: readonly string[]
  readonly active: boolean
  readonly note: string
}

export const DOCUMENTS = 100

export function documentText(id: number, bytes: number): string {
  const withoutNote = JSON.stringify(documentOf(id, 0))
  return JSON.stringify(documentOf(id, Math.max(1, bytes - withoutNote.length)))
}

/** Without the first slash. */
export function documentPath(id: number, bytes: number): string {
  return `iokernel-bench-${bytes}/${id}.json`
}

/** `get` rejects for any status but 200, and resolves with what the text says. */
export function readDocuments(get: (path: string) => Promise<unknown>, bytes: number): Operation {
  const texts = Array.from({ length: DOCUMENTS }, (_, index) => documentText(index + 1, bytes))
  const paths = texts.map((_, index) => `/${documentPath(index + 1, bytes)}`)
  let last = 0
  return {
    async run() {
      last = (last + ID_STEP) % DOCUMENTS
      const id = last + 1
      const answer = (await get(paths[id - 1] as string)) as JsonDocument
      return answer.id === id ? answer : undefined
    },
    isPlausible: (answer) => answer !== undefined,
    isExact: (answer) => JSON.stringify(answer) === texts[(answer as JsonDocument).id - 1],
  }
}

function documentOf(id: number, noteLength: number): JsonDocument {
  const note = `${id}-`.repeat(Math.ceil(noteLength / 2)).slice(0, noteLength)
  return { id, name: `document ${id}`, tags: ['small', 'json'], active: id % 2 === 0, note }
}

/** It has no factor in common with a hundred. */
const ID_STEP = 37
