/** The part of the check about what is long: entries in and out, read slowly, with bounded memory. */
import type { Caller } from '../../check/caller.ts'
import { expectEqual } from '../../check/expect-equal.ts'
import { MemoryWatch, slowly } from '../../check/memory-watch.ts'

export async function streamsEntries(caller: Caller, id: string): Promise<string> {
  const path = `/accounts/${id}/entries`
  const before = await count(caller.pieces(path))
  await book(caller, path)
  const memory = new MemoryWatch()
  const found = await count(slowly(caller.pieces(path), () => memory.look()))
  await memory.look()
  expectEqual(found.lines, before.lines + ENTRIES, 'the number of entries')
  if (memory.grownBytes > found.bytes / 2) {
    throw new Error(`${found.bytes} bytes were read slowly, and memory grew by ${memory.grownBytes}`)
  }
  await leaves(caller, path)
  const [megabytes, grown] = [found.bytes, memory.grownBytes].map((bytes) => (bytes / 1e6).toFixed(1))
  return `${ENTRIES} entries (${megabytes} MB) read slowly with ${grown} MB more memory`
}

/** As it is made: a text of all of it would lie about when memory is looked at. */
async function book(caller: Caller, path: string): Promise<void> {
  const body = ReadableStream.from(entryLines())
  await caller.json('POST', path, { body, headers: { 'content-type': 'application/x-ndjson' } })
}

function* entryLines(): Generator<Uint8Array> {
  const note = 'n'.repeat(NOTE_CHARACTERS)
  for (let first = 0; first < ENTRIES; first += LINES_A_PIECE) {
    const line = (_: unknown, index: number): string => `{"amount":"0.01","note":"${note}${first + index}"}\n`
    yield Buffer.from(Array.from({ length: LINES_A_PIECE }, line).join(''))
  }
}

/** Ten who leave at once: they hold no seat and no connection. */
async function leaves(caller: Caller, path: string): Promise<void> {
  for (let left = 0; left < LEAVING; left++) {
    for await (const _ of caller.pieces(path)) break
  }
}

async function count(pieces: AsyncIterable<Uint8Array>): Promise<{ readonly lines: number; readonly bytes: number }> {
  let lines = 0
  let bytes = 0
  for await (const piece of pieces) {
    bytes += piece.length
    for (let at = piece.indexOf(LINE_FEED); at >= 0; at = piece.indexOf(LINE_FEED, at + 1)) lines++
  }
  return { lines, bytes }
}

const ENTRIES = 50_000
/** A few packets. */
const LINES_A_PIECE = 50
/** Together several times what lies in the sockets' buffers on the way. */
const NOTE_CHARACTERS = 900
/** More than there are seats. */
const LEAVING = 10
const LINE_FEED = 10
