/**
 * What a client says of itself: SSLRequest and HandshakeResponse.
 *
 * Theory of operation (documentation, "Protocol::HandshakeResponse41"):
 *
 *   | capabilities u32 | longest packet u32 | collation u8 | 19 of 00 | MariaDB's own capabilities u32 |   SSLRequest
 *   | user, NUL | proof, length-encoded | database, NUL | name of the plugin, NUL | attributes, length-encoded |
 *
 * Rules: LOCAL INFILE is agreed on by sessions alone, and only where the target says so; compression, several
 * statements in one query and packets of progress never.
 */
import { ByteWriter, LocalError } from '@iokernel/core/plugin'
import { Capability } from '../codec/facts.ts'
import { writeLenenc } from '../codec/packet.ts'
import type { MysqlIo } from '../io.ts'
import type { Greeting } from './greeting.ts'

/** What was agreed on. */
export interface Agreement {
  /** Bits of `Capability`. */
  readonly capabilities: number
  /** Bits of MariaDB's own. */
  readonly extended: number
  readonly collation: number
}

export interface Wishes {
  readonly options: Pick<MysqlIo, 'database' | 'collation' | 'foundRows' | 'localInfile'>
  readonly isSession: boolean
  readonly isEncrypted: boolean
}

export function agree(greeting: Greeting, { options, isSession, isEncrypted }: Wishes): Agreement {
  const wanted =
    ALWAYS |
    (options.database === '' ? 0 : Capability.ConnectWithDb) |
    (options.foundRows ? Capability.FoundRows : 0) |
    (options.localInfile && isSession ? Capability.LocalFiles : 0) |
    (isEncrypted ? Capability.Ssl : 0)
  const extended = greeting.extended & EXTENDED_METADATA
  return {
    capabilities: wanted & greeting.capabilities,
    extended,
    collation: options.collation === 'binary' ? BINARY : UTF8MB4_GENERAL_CI,
  }
}

export function hasExtendedMetadata({ extended }: Agreement): boolean {
  return (extended & EXTENDED_METADATA) !== 0
}

/** What SSLRequest is, and HandshakeResponse begins with. */
export function writeAgreement(out: ByteWriter, { capabilities, extended, collation }: Agreement): void {
  out.u32le(capabilities)
  out.u32le(PACKET_BYTES_MAX)
  out.u8(collation)
  for (let index = 0; index < FILLER_BYTES; index++) out.u8(0)
  out.u32le(extended)
}

export interface Response {
  readonly agreement: Agreement
  readonly user: string
  readonly proof: Uint8Array
  readonly database: string
  readonly plugin: string
  readonly attributes: { readonly [name: string]: string }
}

export function writeResponse(out: ByteWriter, response: Response): void {
  const { agreement, proof } = response
  const { capabilities } = agreement
  writeAgreement(out, agreement)
  writeText(out, response.user)
  if ((capabilities & Capability.PluginAuthLenencData) !== 0) writeLenenc(out, proof.length)
  else if (proof.length < 251) out.u8(proof.length)
  else throw new LocalError('ARGUMENT', 'the password is too long for this server')
  out.copy(proof)
  if ((capabilities & Capability.ConnectWithDb) !== 0) writeText(out, response.database)
  if ((capabilities & Capability.PluginAuth) !== 0) writeText(out, response.plugin)
  if ((capabilities & Capability.ConnectAttrs) !== 0) writeAttributes(out, response.attributes)
}

export function writeText(out: ByteWriter, text: string): void {
  if (text.includes('\0'))
    throw new LocalError('ARGUMENT', 'a NUL in the name of a user, of a database or in a password')
  out.utf8(text)
  out.u8(0)
}

const ALWAYS =
  Capability.LongFlag |
  Capability.Protocol41 |
  Capability.Transactions |
  Capability.SecureConnection |
  Capability.MultiResults |
  Capability.PsMultiResults |
  Capability.PluginAuth |
  Capability.ConnectAttrs |
  Capability.PluginAuthLenencData |
  Capability.SessionTrack |
  Capability.DeprecateEof |
  // Bit 0 means "not MariaDB's own capabilities" to MariaDB, which leaves it off in its greeting.
  Capability.LongPassword
const EXTENDED_METADATA = 8
/** Collations that every server has: what follows the handshake says it again by name. */
const UTF8MB4_GENERAL_CI = 45
const BINARY = 63
/** What a server may send, and more than any will. */
const PACKET_BYTES_MAX = 0x4000_0000
const FILLER_BYTES = 19
/** What performance_schema keeps by default is less; servers refuse 64 KB. */
const ATTRIBUTES_BYTES_MAX = 0xf000

function writeAttributes(out: ByteWriter, attributes: { readonly [name: string]: string }): void {
  const all = new ByteWriter(256)
  for (const [name, value] of Object.entries({ _client_name: 'iokernel', ...attributes })) {
    for (const text of [name, value]) {
      const length = Buffer.byteLength(text)
      writeLenenc(all, length)
      all.utf8(text, length)
    }
  }
  if (all.length > ATTRIBUTES_BYTES_MAX) throw new LocalError('ARGUMENT', 'the attributes have more than 60 KB')
  writeLenenc(out, all.length)
  out.copy(all.written())
}
