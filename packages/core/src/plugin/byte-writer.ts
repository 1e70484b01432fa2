/**
 * Writes bytes: into the ring, into a connection's write buffer, or into memory of its own.
 *
 * Rules:
 * 1. One class for every place a plugin writes to, so that `encode` and `submit` see one shape and stay fast.
 * 2. A writer never loses what was written: at `limit` it moves to a private buffer twice as large and goes on there.
 *    Whoever lent the memory looks at `spilled` afterwards.
 * 3. Nothing here knows a protocol.
 *
 * Theory of operation:
 *
 *        start            position            limit
 *          |  written so far  |   room left     |
 *   bytes  [==================].................[   not ours
 *
 * Positions are absolute in `bytes`; `length` is `position - start`. A caller that guessed wrong (text that turned out
 * not to be ASCII) may set `position` back and write again; offsets given to `patch…` are relative to `start`, because
 * a spill moves `start`. `lend`, `clear`, `limit`, `lengthMax` and `spilled` are the kernel's; the rest is the
 * plugin's.
 *
 * Limits: `lengthMax` bytes in one request (an assertion of the kernel turns the error into a local one before anything
 * is written).
 */
import { LocalError } from './errors.ts'

/** Below this, a loop over the characters beats the call into native code (measured on Node 20: break-even near 40). */
const LOOP_CHARS_MAX = 40

export class ByteWriter {
  bytes: Buffer
  start: number
  position: number
  limit: number
  /** True once the writer has left the memory it was given. */
  spilled: boolean
  /** More than this and writing throws `REQUEST_TOO_LARGE`. */
  lengthMax: number

  constructor(bytesInitial: number = 1024, lengthMax: number = 1 << 30) {
    this.bytes = Buffer.allocUnsafe(bytesInitial)
    this.start = 0
    this.position = 0
    this.limit = bytesInitial
    this.spilled = false
    this.lengthMax = lengthMax
  }

  /** Bytes written so far. */
  get length(): number {
    return this.position - this.start
  }

  /** What was written, as a view. Valid until the next write or `lend`. */
  written(): Buffer {
    return this.bytes.subarray(this.start, this.position)
  }

  /** Writes into somebody else's memory from here on. */
  lend(bytes: Buffer, start: number, limit: number): void {
    this.bytes = bytes
    this.start = start
    this.position = start
    this.limit = Math.min(limit, start + this.lengthMax)
    this.spilled = false
  }

  /** Begins again in the same memory. */
  clear(): void {
    this.position = this.start
  }

  /** Makes room for `size` more bytes. Everything else here calls it first. */
  ensure(size: number): void {
    if (this.position + size > this.limit) this.#spill(size)
  }

  u8(value: number): void {
    if (this.position === this.limit) this.#spill(1)
    this.bytes[this.position++] = value
  }

  u16be(value: number): void {
    this.ensure(2)
    this.position = this.bytes.writeUInt16BE(value, this.position)
  }

  u16le(value: number): void {
    this.ensure(2)
    this.position = this.bytes.writeUInt16LE(value, this.position)
  }

  u24le(value: number): void {
    this.ensure(3)
    this.position = this.bytes.writeUIntLE(value, this.position, 3)
  }

  u32be(value: number): void {
    this.ensure(4)
    this.position = this.bytes.writeUInt32BE(value, this.position)
  }

  u32le(value: number): void {
    this.ensure(4)
    this.position = this.bytes.writeUInt32LE(value, this.position)
  }

  i64le(value: bigint): void {
    this.ensure(8)
    this.position = this.bytes.writeBigInt64LE(value, this.position)
  }

  f64le(value: number): void {
    this.ensure(8)
    this.position = this.bytes.writeDoubleLE(value, this.position)
  }

  /** Text that the caller knows to be ASCII (a keyword, digits). */
  ascii(text: string): void {
    const length = text.length
    this.ensure(length)
    if (length > LOOP_CHARS_MAX) {
      this.bytes.write(text, this.position, length, 'latin1')
      this.position += length
      return
    }
    const bytes = this.bytes
    let at = this.position
    for (let index = 0; index < length; index++) bytes[at++] = text.charCodeAt(index)
    this.position = at
  }

  /** Writes `text` as UTF-8 and returns how many bytes that took. */
  utf8(text: string, byteLength: number = Buffer.byteLength(text)): number {
    this.ensure(byteLength)
    this.bytes.write(text, this.position, byteLength, 'utf8')
    this.position += byteLength
    return byteLength
  }

  copy(source: Uint8Array): void {
    this.copyRange(source, 0, source.length)
  }

  copyRange(source: Uint8Array, from: number, to: number): void {
    const length = to - from
    this.ensure(length)
    if (length > LOOP_CHARS_MAX) {
      this.bytes.set(from === 0 && to === source.length ? source : source.subarray(from, to), this.position)
      this.position += length
      return
    }
    const bytes = this.bytes
    let at = this.position
    for (let index = from; index < to; index++) bytes[at++] = source[index] as number
    this.position = at
  }

  /** Leaves `size` bytes to be patched later; returns where, relative to `start`. */
  reserve(size: number): number {
    this.ensure(size)
    const at = this.position - this.start
    this.position += size
    return at
  }

  patchU32be(at: number, value: number): void {
    this.bytes.writeUInt32BE(value, this.start + at)
  }

  patchU8(at: number, value: number): void {
    this.bytes[this.start + at] = value
  }

  #spill(size: number): void {
    const length = this.position - this.start
    if (length + size > this.lengthMax) {
      throw new LocalError(
        'REQUEST_TOO_LARGE',
        `the request would be larger than requestBytesMax (${this.lengthMax} bytes): ` +
          'split it, or raise the limit in the options of connect()',
      )
    }
    const larger = Buffer.allocUnsafe(Math.max(2 * (length + size), 1024))
    this.bytes.copy(larger, 0, this.start, this.position)
    this.bytes = larger
    this.start = 0
    this.position = length
    this.limit = Math.min(larger.length, this.lengthMax)
    this.spilled = true
  }
}
