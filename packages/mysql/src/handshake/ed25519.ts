/**
 * MariaDB's `client_ed25519`: a signature of the server's nonce.
 *
 * Theory of operation: RFC 8032, section 5.1.6, with one difference, for which `node:crypto` has no key: where a secret
 * key of 32 bytes is hashed, the password is, however long it is.
 *
 *   SHA512(password) = a (clamped), prefix
 *   r = SHA512(prefix, nonce)      R = r B      k = SHA512(R, A, nonce)      S = r + k a mod L
 *
 * Rules: numbers of the curve are `@noble/ed25519`'s. It takes about a millisecond, once for each connection.
 */
import { createHash } from 'node:crypto'
import { Point } from '@noble/ed25519'

export function ed25519Proof(password: string, nonce: Uint8Array): Uint8Array {
  const secret = sha512(Buffer.from(password))
  secret[0] = (secret[0] as number) & 0xf8
  secret[31] = ((secret[31] as number) & 0x3f) | 0x40
  const scalar = numberIn(secret.subarray(0, 32)) % ORDER
  const blind = numberIn(sha512(secret.subarray(32), nonce)) % ORDER
  const commitment = Point.BASE.multiply(blind).toBytes()
  const publicKey = Point.BASE.multiply(scalar).toBytes()
  const challenge = numberIn(sha512(commitment, publicKey, nonce)) % ORDER
  return Buffer.concat([commitment, bytesOf((blind + challenge * scalar) % ORDER)])
}

/** Of the group that the base point makes. */
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n

function sha512(...parts: readonly Uint8Array[]): Buffer {
  const running = createHash('sha512')
  for (const part of parts) running.update(part)
  return running.digest()
}

/** Little-endian. */
function numberIn(bytes: Buffer): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
}

function bytesOf(number: bigint): Buffer {
  return Buffer.from(number.toString(16).padStart(64, '0'), 'hex').reverse()
}
