/**
 * `tls-server-end-point` (RFC 5929, section 4.1): a hash of the server's certificate, by which the password proof is
 * bound to this TLS connection.
 *
 * Rules: the hash is that of the certificate's signature algorithm, with SHA-256 in place of MD5 and SHA-1. Where there
 * is none to be named (Ed25519) there is no channel binding, as with libpq. Nothing here trusts a length.
 *
 *   Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { OID, parameters }, signature }
 */
import { createHash } from 'node:crypto'

/** Undefined where the certificate names no hash, or is none. */
export function serverEndPoint(certificate: Uint8Array): Buffer | undefined {
  const hash = signatureHash(certificate)
  return hash === undefined ? undefined : createHash(hash).update(certificate).digest()
}

const SEQUENCE = 0x30
const OID = 0x06
const PARAMETER_0 = 0xa0

/** Object identifiers by the bytes of their encoding, in hex. */
const HASHES: { readonly [oid: string]: string | undefined } = {
  // With RSA, PKCS #1 1.5: MD5, SHA-1, SHA-256, -384, -512, -224.
  '2a864886f70d010104': 'sha256',
  '2a864886f70d010105': 'sha256',
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a864886f70d01010e': 'sha224',
  // With ECDSA: SHA-1, SHA-224, -256, -384, -512.
  '2a8648ce3d0401': 'sha256',
  '2a8648ce3d040301': 'sha224',
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
  // With DSA: SHA-1, SHA-224, SHA-256.
  '2a8648ce380403': 'sha256',
  '608648016503040301': 'sha224',
  '608648016503040302': 'sha256',
  // The hashes themselves, for RSASSA-PSS: SHA-1, SHA-256, -384, -512, -224.
  '2b0e03021a': 'sha256',
  '608648016503040201': 'sha256',
  '608648016503040202': 'sha384',
  '608648016503040203': 'sha512',
  '608648016503040204': 'sha224',
}

/** RSASSA-PSS names its hash in its parameters; without them it is SHA-1. */
const PSS = '2a864886f70d01010a'

interface Element {
  readonly tag: number
  /** Of the content. */
  readonly start: number
  readonly end: number
}

function signatureHash(bytes: Uint8Array): string | undefined {
  const certificate = elementAt(bytes, 0, bytes.length, SEQUENCE)
  const signed = certificate && elementAt(bytes, certificate.start, certificate.end, SEQUENCE)
  const algorithm = certificate && signed && elementAt(bytes, signed.end, certificate.end, SEQUENCE)
  const oid = algorithm && elementAt(bytes, algorithm.start, algorithm.end, OID)
  if (algorithm === undefined || oid === undefined) return undefined
  const name = hex(bytes, oid)
  if (name !== PSS) return HASHES[name]
  const parameters = elementAt(bytes, oid.end, algorithm.end, SEQUENCE)
  const wrapped = parameters && elementAt(bytes, parameters.start, parameters.end, PARAMETER_0)
  const hash = wrapped && elementAt(bytes, wrapped.start, wrapped.end, SEQUENCE)
  const hashOid = hash && elementAt(bytes, hash.start, hash.end, OID)
  return hashOid === undefined ? 'sha256' : HASHES[hex(bytes, hashOid)]
}

/** The DER element at `at`, where it has this tag and lies within `end`. */
function elementAt(bytes: Uint8Array, at: number, end: number, tag: number): Element | undefined {
  if (at + 2 > end || bytes[at] !== tag) return undefined
  const first = bytes[at + 1] as number
  if (first < 0x80) return within(tag, at + 2, first, end)
  const count = first & 0x7f
  // Four bytes say 4 GB; a certificate has some thousand.
  if (count === 0 || count > 4 || at + 2 + count > end) return undefined
  let length = 0
  for (let index = 0; index < count; index++) length = length * 256 + (bytes[at + 2 + index] as number)
  return within(tag, at + 2 + count, length, end)
}

function within(tag: number, start: number, length: number, end: number): Element | undefined {
  return start + length > end ? undefined : { tag, start, end: start + length }
}

function hex(bytes: Uint8Array, { start, end }: Element): string {
  return Buffer.from(bytes.subarray(start, end)).toString('hex')
}
