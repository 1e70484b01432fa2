/**
 * What one connection will write at the end of the turn.
 *
 * Rules: neighbours in the request store become one range; several ranges leave as one `writev`. A chunk is referred to
 * until the operating system has taken its bytes. What plugins write themselves (`submit`, `subscribe`, from within
 * `scan`) goes through a writer of its own memory. Both leave in the order in which they came: a protocol mostly uses
 * one or the other, and where a range comes behind written bytes, these are copied.
 */
import { ByteWriter } from '../plugin/byte-writer.ts'
import type { Chunk, RequestStore } from './request-store.ts'
import { NOTHING, type Transport } from './transport.ts'

interface Range {
  readonly chunk: Chunk
  readonly from: number
  readonly to: number
}

export class Outgoing {
  readonly #store: RequestStore
  #ranges: (Range | Buffer)[] = []
  /** The range that grows. */
  #chunk: Chunk | undefined
  #from = 0
  #to = 0
  #bytes = 0
  #writer: ByteWriter | undefined

  constructor(store: RequestStore) {
    this.#store = store
  }

  /** Bytes gathered and not handed to the transport. */
  get bytes(): number {
    return this.#bytes + (this.#writer?.length ?? 0)
  }

  /** For bytes that are not in the store: what one request adds may be `bytesMax` long, whatever lies before it. */
  writerFor(bytesMax: number): ByteWriter {
    this.#writer ??= new ByteWriter(1024)
    this.#writer.lengthMax = this.#writer.length + bytesMax
    return this.#writer
  }

  add(chunk: Chunk, from: number, to: number): void {
    if (this.#writer !== undefined && this.#writer.length > 0) this.#seal(this.#writer)
    this.#bytes += to - from
    if (chunk === this.#chunk && from === this.#to) {
      this.#to = to
      return
    }
    this.#endRange()
    chunk.references++
    this.#chunk = chunk
    this.#from = from
    this.#to = to
  }

  /** `taken` is called when the operating system has what was gathered. */
  flush(transport: Transport, taken: (left: boolean) => void): void {
    const writer = this.#writer
    const written = writer !== undefined && writer.length > 0
    const several = this.#ranges.length > 0
    const isEmpty = this.#chunk === undefined && !written
    if (several) transport.cork()
    for (const range of this.#ranges) {
      if ('chunk' in range) this.#write(transport, range.chunk, range.from, range.to)
      else transport.write(range, NOTHING)
    }
    if (this.#chunk !== undefined)
      this.#write(transport, this.#chunk, this.#from, this.#to, written ? undefined : taken)
    this.#forget()
    if (written) {
      this.#writer = undefined
      transport.write(writer.written(), taken)
    } else if (isEmpty) {
      taken(true)
    }
    if (several) transport.uncork()
  }

  /** The connection is gone: nothing will be written. */
  drop(): void {
    for (const range of this.#ranges) if ('chunk' in range) this.#store.release(range.chunk)
    if (this.#chunk !== undefined) this.#store.release(this.#chunk)
    this.#forget()
    this.#writer = undefined
  }

  #write(transport: Transport, chunk: Chunk, from: number, to: number, taken?: (left: boolean) => void): void {
    transport.write(chunk.bytes.subarray(from, to), (left) => {
      this.#store.release(chunk)
      taken?.(left)
    })
  }

  /** What was written comes before what is added now. Its memory stays the writer's: a framer may still hold it. */
  #seal(writer: ByteWriter): void {
    this.#endRange()
    this.#ranges.push(Buffer.from(writer.written()))
    this.#bytes += writer.length
    writer.clear()
  }

  #endRange(): void {
    if (this.#chunk !== undefined) this.#ranges.push({ chunk: this.#chunk, from: this.#from, to: this.#to })
    this.#chunk = undefined
  }

  #forget(): void {
    this.#ranges = []
    this.#chunk = undefined
    this.#bytes = 0
  }
}
