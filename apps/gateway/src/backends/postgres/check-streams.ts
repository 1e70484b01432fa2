/** The part of the check about what is long: entries in and out, read slowly, with bounded memory. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Caller } from '../../check/caller.ts'
import { expectEqual } from '../../check/expect-equal.ts'

export async function streamsEntries(caller: Caller, id: string): Promise<string> {
  const path = `/accounts/${id}/entries`
  const before = await count(caller.pieces(path))
  const note = 'n'.repeat(NOTE_CHARACTERS)
  const lines = Array.from({ length: ENTRIES }, (_, index) => `{"amount":"0.01","note":"${note}${index}"}\n`).join('')
  await caller.json('POST', path, { body: lines, headers: { 'content-type': 'application/x-ndjson' } })
  const memory = new MemoryWatch()
  const found = await count(slowly(caller.pieces(path), () => memory.look()))
  expectEqual(found.lines, before.lines + ENTRIES, 'the number of entries')
  if (memory.grownBytes > found.bytes) {
    throw new Error(`${found.bytes} bytes were read slowly, and memory grew by ${memory.grownBytes}`)
  }
  await leaves(caller, path)
  const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)
  return `${ENTRIES} entries (${megabytes(found.bytes)} MB) read slowly with ${megabytes(memory.grownBytes)} MB more memory`
}

/** The process has the gateway and this client in it. */
class MemoryWatch {
  readonly #atFirst = used()
  #most = 0

  get grownBytes(): number {
    return this.#most
  }

  look(): void {
    this.#most = Math.max(this.#most, used() - this.#atFirst)
  }
}

/** Bytes that wait to be written or read; garbage of other kinds comes and goes as it likes. */
function used(): number {
  return process.memoryUsage().arrayBuffers
}

async function* slowly(pieces: AsyncIterable<Uint8Array>, look: () => void): AsyncGenerator<Uint8Array> {
  let beganAtMs = performance.now()
  for await (const piece of pieces) {
    yield piece
    look()
    if (performance.now() - beganAtMs < READ_MS) continue
    await sleep(PAUSE_MS)
    look()
    beganAtMs = performance.now()
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
/** Together several times what lies in the sockets' buffers on the way. */
const NOTE_CHARACTERS = 500
/** A reader that is away four fifths of its time. */
const READ_MS = 5
const PAUSE_MS = 20
/** More than there are seats. */
const LEAVING = 10
const LINE_FEED = 10
