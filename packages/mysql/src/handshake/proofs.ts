/**
 * How a password is proved to a server that has sent a nonce, by the name of the plugin.
 *
 *   mysql_native_password    SHA1(password) XOR SHA1(nonce, SHA1(SHA1(password)))
 *   caching_sha2_password    SHA256(password) XOR SHA256(SHA256(SHA256(password)), nonce)
 *   client_ed25519           an Ed25519 signature of the nonce, whose secret is the password itself (ed25519.ts)
 *   sealed                   (password, NUL) XOR nonce, repeated; RSA with OAEP: for caching_sha2_password and
 *                            sha256_password without TLS
 *
 * Rules: an empty password has an empty proof, but for the last two.
 */
import { constants, createHash, createPublicKey, type KeyObject, publicEncrypt } from 'node:crypto'
import { RefusedError } from '@iokernel/core/plugin'

export function nativeProof(password: string, nonce: Uint8Array): Uint8Array {
  if (password === '') return NOTHING
  const once = hash('sha1', Buffer.from(password))
  return xor(once, hash('sha1', nonce, hash('sha1', once)))
}

export function cachingProof(password: string, nonce: Uint8Array): Uint8Array {
  if (password === '') return NOTHING
  const once = hash('sha256', Buffer.from(password))
  return xor(once, hash('sha256', hash('sha256', once), nonce))
}

/** `pem` is the server's key, pinned or as it came. */
export function sealedPassword(password: string, nonce: Uint8Array, pem: string): Uint8Array {
  const plain = Buffer.from(`${password}\0`)
  const key = rsaKey(pem)
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (plain.length > bits / 8 - OAEP_BYTES) {
    throw new RefusedError('AUTHENTICATION', "the password is too long for the server's RSA key: use TLS")
  }
  try {
    return publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING }, xor(plain, nonce))
  } catch {
    // A modulus or an exponent with which nothing can be computed: an even number, a zero.
    throw new RefusedError('AUTHENTICATION', "nothing can be sealed with the server's RSA key: use TLS")
  }
}

function rsaKey(pem: string): KeyObject {
  let key: KeyObject | undefined
  try {
    key = createPublicKey(pem)
  } catch {
    key = undefined
  }
  const bits = key?.asymmetricKeyDetails?.modulusLength ?? 0
  if (key === undefined || key.asymmetricKeyType !== 'rsa' || bits < RSA_BITS_MIN || bits > RSA_BITS_MAX) {
    throw new RefusedError('AUTHENTICATION', "the server's public key is no RSA key of 1024 to 16384 bits in PEM")
  }
  return key
}

const NOTHING = new Uint8Array(0)
/** Two hashes of 20 bytes and two bytes more. */
const OAEP_BYTES = 42
/** What servers make has 2048; less than 1024 can be broken. */
const RSA_BITS_MIN = 1024
/** Beyond, one encryption would take the thread's time; OpenSSL refuses them elsewhere. */
const RSA_BITS_MAX = 16_384

function hash(algorithm: 'sha1' | 'sha256', ...parts: readonly Uint8Array[]): Buffer {
  const running = createHash(algorithm)
  for (const part of parts) running.update(part)
  return running.digest()
}

/** `right` is repeated where it is shorter. */
function xor(left: Uint8Array, right: Uint8Array): Uint8Array {
  return left.map((byte, index) => byte ^ (right[index % right.length] as number))
}
