/**
 * Values: what MessagePack says as JavaScript, and back. Built on @msgpack/msgpack, and exact where that is not.
 *
 * Rules:
 * 1. Integers are exact in both directions: a number where it is safe, a bigint beyond. A bigint that has no encoding
 *    is refused, not cut.
 * 2. What is decoded owns its memory: bytes and extensions are copies.
 * 3. Texts are UTF-8. A map is a plain object; a key that is no text and no number is refused, and so is `__proto__`.
 * 4. What would be lost in silence is refused: a Map, a Set, a promise that somebody forgot to wait for.
 *
 * Theory of operation: the library decodes 64-bit integers as rounded numbers or as bigints throughout, and bytes as
 * views. Most messages have neither, and then its result is what is wanted; `inspect` knows. For the others it decodes
 * to bigints and views, and one more pass settles them. What an extension codec made is not looked into: it stands
 * in a `Made` until then. In the other direction the library takes numbers beyond 32 bits or bigints, not both: where
 * there is a bigint, large numbers become bigints too.
 *
 * Limits: `VALUE_DEPTH_MAX` arrays and maps inside one another, which is also what ends a value that contains itself.
 * The library drops the first character of a text of more than 200 bytes if that is U+FEFF.
 */

import { IoKernelError, LocalError, RemoteError } from '@iokernel/core/plugin'
import { Decoder, Encoder, type ExtData, ExtensionCodec, type ExtensionCodecType } from '@msgpack/msgpack'
import { DEPTH_MAX_LARGEST } from '../limits.ts'
import { Found, inspect } from './inspect.ts'

/** What makes bytes of values and values of bytes; one's own may take the place of the built-in one. */
export interface ValueCodec {
  /** The bytes may be used again by the next `encode`. */
  encode(value: unknown): Uint8Array
  /** `bytes` is one value. */
  decode(bytes: Uint8Array): unknown
}

export interface ValueOptions {
  /** For extension types: `new ExtensionCodec()`, and `register` on it. What it does not know becomes `ExtData`. */
  readonly extensionCodec?: ExtensionCodecType<undefined>
  /** Every integer that was sent in 64 bits is a bigint, however small. Default: only those that need it. */
  readonly useBigInt64?: boolean
  /**
   * Texts stay bytes, for peers that call text what is none: Neovim does, for lines of files in other encodings. Keys
   * of maps are text nevertheless, and nobody looks whether they are.
   */
  readonly rawStrings?: boolean
  /** Fields that are `undefined` are left out, as JSON does. Default true; otherwise they are nil. */
  readonly ignoreUndefined?: boolean
}

/** As deep as may be answered. Encoding recurses; Node's default stack bears some ten times this. */
const VALUE_DEPTH_MAX = DEPTH_MAX_LARGEST

export function valueCodec(options: ValueOptions = {}): ValueCodec {
  return new Values(options)
}

/**
 * Somebody else's codec: it is given memory that it may keep, and what it throws gets a code. What it makes is looked
 * at: bytes that are not one value would shift everything behind them, also for others on the connection.
 */
export function foreignCodec(codec: ValueCodec): ValueCodec {
  return {
    encode: (value) =>
      encoding(() => {
        const bytes = codec.encode(value)
        inspect(bytes)
        return bytes
      }),
    decode: (bytes) => decoding(() => codec.decode(Uint8Array.from(bytes))),
  }
}

class Values implements ValueCodec {
  readonly #extensions: ExtensionCodecType<undefined>
  readonly #numbersOnly: Encoder
  readonly #withBigints: Encoder
  readonly #plain: Decoder
  readonly #careful: Decoder
  readonly #bigintsOnly: boolean
  readonly #textsAsBytes: boolean

  constructor({ extensionCodec, useBigInt64 = false, rawStrings = false, ignoreUndefined = true }: ValueOptions) {
    const extensions = extensionCodec ?? ExtensionCodec.defaultCodec
    this.#extensions = extensions
    this.#bigintsOnly = useBigInt64
    this.#textsAsBytes = rawStrings
    const common = { ignoreUndefined, maxDepth: VALUE_DEPTH_MAX }
    this.#numbersOnly = new Encoder({ ...common, extensionCodec: guarded(extensions, true) })
    this.#withBigints = new Encoder({ ...common, extensionCodec: guarded(extensions, false), useBigInt64: true })
    this.#plain = new Decoder({ extensionCodec: owning(extensions, (made) => made), mapKeyConverter: keyOf })
    this.#careful = new Decoder({
      extensionCodec: owning(extensions, (made) => new Made(made)),
      mapKeyConverter: keyOf,
      useBigInt64: true,
      rawStrings,
    })
  }

  encode(value: unknown): Uint8Array {
    return encoding(() => {
      try {
        return this.#numbersOnly.encodeSharedRef(value)
      } catch (error) {
        if (error !== BIGINT_MET) throw error
        return this.#withBigints.encodeSharedRef(this.#widened(value, 0))
      }
    })
  }

  decode(bytes: Uint8Array): unknown {
    return decoding(() => {
      const found = this.#textsAsBytes ? Found.Bytes : inspect(bytes)
      return found === 0 ? this.#plain.decode(bytes) : this.#settled(this.#careful.decode(bytes))
    })
  }

  /** The same value with bigints for numbers that the library would otherwise write as floats. */
  #widened(value: unknown, depth: number): unknown {
    if (typeof value === 'number') return Number.isSafeInteger(value) && !is32Bits(value) ? BigInt(value) : value
    if (typeof value === 'bigint') {
      if (value < INT64_MIN || value > UINT64_MAX) throw new Error('a bigint of more than 64 bits')
      const number = Number(value)
      return is32Bits(number) ? number : value
    }
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
    if (depth > VALUE_DEPTH_MAX) throw new Error(`arrays and objects nested deeper than ${VALUE_DEPTH_MAX}`)
    if (this.#extensions.tryToEncode(value, undefined) !== null) return value
    if (Array.isArray(value)) return Array.from(value, (each: unknown) => this.#widened(each, depth + 1))
    checkObject(value)
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, this.#widened(each, depth + 1)]))
  }

  /** Decoded by `#careful`: nobody else has it yet. */
  #settled(value: unknown): unknown {
    if (typeof value === 'bigint') {
      const isSafe = value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER
      return isSafe && !this.#bigintsOnly ? Number(value) : value
    }
    if (typeof value !== 'object' || value === null) return value
    if (value instanceof Uint8Array) return ownBytes(value)
    if (value instanceof Made) return value.value
    if (Array.isArray(value)) {
      for (let index = 0; index < value.length; index++) value[index] = this.#settled(value[index])
      return value
    }
    const map = value as Record<string, unknown>
    for (const key of Object.keys(map)) map[key] = this.#settled(map[key])
    return map
  }
}

/** What an extension codec made, until it is put in its place. */
class Made {
  readonly value: unknown

  constructor(value: unknown) {
    this.value = value
  }
}

const INT64_MIN = -(2n ** 63n)
const UINT64_MAX = 2n ** 64n - 1n
/** Not an error that anybody sees: it says that the other encoder is needed. */
const BIGINT_MET = new Error('a bigint')

/** Looks at everything that is no plain value on its way to the library. */
function guarded(codec: ExtensionCodecType<undefined>, stopAtBigints: boolean): ExtensionCodecType<undefined> {
  return {
    tryToEncode: (value, context): ExtData | null => {
      if (stopAtBigints && typeof value === 'bigint') throw BIGINT_MET
      const extension = codec.tryToEncode(value, context)
      if (extension === null && typeof value === 'object' && value !== null) checkObject(value)
      // The library would say 1970.
      if (extension?.type === TIMESTAMP && isInvalidDate(value))
        throw new Error('a Date that is invalid has no encoding')
      return extension
    },
    decode: (data, type, context) => codec.decode(data, type, context),
  }
}

function owning(codec: ExtensionCodecType<undefined>, keep: (made: unknown) => unknown): ExtensionCodecType<undefined> {
  return {
    tryToEncode: (value, context) => codec.tryToEncode(value, context),
    decode: (data, type, context) => {
      const made: unknown = codec.decode(ownBytes(data), type, context)
      if (type === TIMESTAMP && isInvalidDate(made)) throw new Error('a timestamp beyond what a Date holds')
      return keep(made)
    },
  }
}

/** The extension type that MessagePack itself gives a meaning. */
const TIMESTAMP = -1

function isInvalidDate(value: unknown): boolean {
  return value instanceof Date && Number.isNaN(value.getTime())
}

function checkObject(value: object): void {
  for (const [type, advice] of WOULD_BE_EMPTY) if (value instanceof type) throw new Error(advice)
}

/** Objects without fields of their own: the library would write an empty map. */
const WOULD_BE_EMPTY = [
  [Map, 'a Map has no encoding: use Object.fromEntries(), or an extension codec'],
  [Set, 'a Set has no encoding: spread it into an array, or use an extension codec'],
  [Promise, 'a promise has no encoding: await it'],
] as const

function keyOf(key: unknown): string | number {
  if (typeof key === 'string' || typeof key === 'number') return key
  if (typeof key === 'bigint') return String(key)
  throw new Error('a map has a key that is neither text nor number')
}

function is32Bits(value: number): boolean {
  return value >= -0x8000_0000 && value <= 0xffff_ffff
}

function ownBytes(view: Uint8Array): Uint8Array {
  const own = new Uint8Array(view.length)
  own.set(view)
  return own
}

function encoding(encode: () => Uint8Array): Uint8Array {
  try {
    return encode()
  } catch (error) {
    const why = error instanceof Error ? error.message : 'the codec failed'
    throw new LocalError('ARGUMENT', `a value cannot be encoded: ${why}`, { cause: error })
  }
}

function decoding(decode: () => unknown): unknown {
  try {
    return decode()
  } catch (error) {
    if (error instanceof IoKernelError) throw error
    throw new RemoteError('UNDECODABLE', 'what the peer sent cannot be decoded: see the cause; another codec may', {
      cause: error,
    })
  }
}
