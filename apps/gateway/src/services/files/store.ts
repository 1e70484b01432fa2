/**
 * Files in memory: whole ones, with their content type and the digest of what they hold.
 *
 * Rules: a file is there when its last byte is, and never a part of it; until then the one of that name stays. What is
 * being uploaded counts as stored, so that many uploads at once cannot take more than one after the other could.
 */
import { createHash } from 'node:crypto'

export interface StoredFile {
  readonly name: string
  readonly contentType: string
  readonly pieces: readonly Uint8Array[]
  readonly bytes: number
  /** Of its bytes, in hexadecimal digits. */
  readonly sha256: string
  readonly storedAt: Date
}

export interface StoreLimits {
  readonly fileBytesMax: number
  readonly totalBytesMax: number
  readonly filesMax: number
}

/** Why a file is not taken. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: 'FILE_TOO_LARGE' | 'STORE_FULL'

  constructor(code: StoreError['code'], message: string) {
    super(message)
    this.code = code
  }
}

export class FileStore {
  readonly #limits: StoreLimits
  readonly #files = new Map<string, StoredFile>()
  #bytes = 0

  constructor(limits: StoreLimits) {
    this.#limits = limits
  }

  find(name: string): StoredFile | undefined {
    return this.#files.get(name)
  }

  /** By name. */
  list(): readonly StoredFile[] {
    return [...this.#files.values()].sort((one, other) => (one.name < other.name ? -1 : 1))
  }

  /** Reads `content` to its end. Throws `StoreError`, or what the content throws; then nothing has changed. */
  async put(name: string, contentType: string, content: AsyncIterable<Uint8Array>): Promise<StoredFile> {
    const pieces: Uint8Array[] = []
    const hash = createHash('sha256')
    let bytes = 0
    try {
      for await (const piece of content) {
        this.#bytes += piece.length
        bytes += piece.length
        this.#checkRoom(bytes)
        hash.update(piece)
        pieces.push(piece)
      }
      if (!this.#files.has(name) && this.#files.size >= this.#limits.filesMax) {
        throw new StoreError('STORE_FULL', `there are ${this.#limits.filesMax} files, which is the most: remove some`)
      }
    } catch (error) {
      this.#bytes -= bytes
      throw error
    }
    this.remove(name)
    const file = { name, contentType, pieces, bytes, sha256: hash.digest('hex'), storedAt: new Date() }
    this.#files.set(name, file)
    return file
  }

  /** False if there is none. Whoever is reading it reads it to its end. */
  remove(name: string): boolean {
    this.#bytes -= this.#files.get(name)?.bytes ?? 0
    return this.#files.delete(name)
  }

  #checkRoom(bytes: number): void {
    const { fileBytesMax, totalBytesMax } = this.#limits
    if (bytes > fileBytesMax) throw new StoreError('FILE_TOO_LARGE', `a file has at most ${fileBytesMax} bytes`)
    if (this.#bytes <= totalBytesMax) return
    throw new StoreError('STORE_FULL', `all files together have at most ${totalBytesMax} bytes: remove some`)
  }
}
