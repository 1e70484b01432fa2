/**
 * The first packet of a server: what it is, what it can do, and the nonce that passwords are proved with.
 *
 * Theory of operation (documentation, "Protocol::HandshakeV10"; MariaDB's, "Initial handshake packet"):
 *
 *   | 10 | version, NUL | connection u32 | nonce, 8 | 00 | capabilities, low u16 | collation u8 | status u16 |
 *   | capabilities, high u16 | length of the nonce u8 | 6 of 00 | MariaDB's own capabilities u32 | nonce, 12 | 00 |
 *   | name of a plugin, NUL |
 *
 * MariaDB says that it is one by leaving bit 0 of its capabilities off (since 10.2), and says `5.5.5-` before its
 * version to be let through by clients that replicate. Versions without a second half of the nonce are older than
 * passwords that can be proved, and are refused.
 *
 * Rules: read to the end with every bound checked. An ERR in its place is the server's refusal.
 */
import { RefusedError, RemoteProtocolError } from '@iokernel/core/plugin'
import { Capability } from '../codec/facts.ts'
import { HEADER_BYTES, u16, u32 } from '../codec/packet.ts'

export interface Greeting {
  readonly server: 'mysql' | 'mariadb'
  /** Without `5.5.5-`. */
  readonly version: string
  readonly connectionId: number
  /** 20 bytes. */
  readonly nonce: Buffer
  readonly capabilities: number
  /** MariaDB's own; 0 elsewhere. */
  readonly extended: number
  /** What the server would like passwords to be proved by; empty where it does not say. */
  readonly plugin: string
}

/** `packet` is whole, header included, and no ERR. */
export function greetingIn(packet: Buffer): Greeting {
  const end = packet.length
  if (packet[HEADER_BYTES] !== VERSION) {
    throw new RemoteProtocolError('the server does not greet as MySQL does (version 10 of its handshake)')
  }
  const versionEnd = packet.indexOf(0, HEADER_BYTES + 1)
  const at = versionEnd + 1
  if (versionEnd < 0 || versionEnd > HEADER_BYTES + VERSION_CHARS_MAX || at + FIXED_BYTES > end) throw cutShort()
  const said = packet.toString('latin1', HEADER_BYTES + 1, versionEnd)
  const capabilities = u16(packet, at + LOW) + u16(packet, at + HIGH) * 0x1_0000
  if ((capabilities & NEEDED) !== NEEDED) {
    throw new RefusedError('SERVER_TOO_OLD', 'the server is older than MySQL 4.1, or speaks a protocol of that time')
  }
  const restEnd = at + FIXED_BYTES + NONCE_REST_BYTES
  if (restEnd > end) throw cutShort()
  const first = packet.subarray(at + NONCE, at + NONCE + NONCE_FIRST_BYTES)
  const nonce = Buffer.concat([first, packet.subarray(at + FIXED_BYTES, restEnd)])
  const isMariadb = (capabilities & Capability.LongPassword) === 0
  const version = said.startsWith('5.5.5-') ? said.slice('5.5.5-'.length) : said
  return {
    server: isMariadb || /mariadb/i.test(said) ? 'mariadb' : 'mysql',
    version,
    connectionId: u32(packet, at),
    nonce,
    capabilities,
    extended: isMariadb ? u32(packet, at + EXTENDED) : 0,
    plugin: pluginIn(packet, restEnd, capabilities),
  }
}

/** Behind the nonce and its NUL; servers of 5.5 forgot the NUL behind the name. */
function pluginIn(packet: Buffer, nonceEnd: number, capabilities: number): string {
  if ((capabilities & Capability.PluginAuth) === 0) return ''
  const start = packet[nonceEnd] === 0 ? nonceEnd + 1 : nonceEnd
  const stop = packet.indexOf(0, start)
  const end = stop < 0 ? packet.length : stop
  if (end - start > PLUGIN_CHARS_MAX) throw cutShort()
  return packet.toString('latin1', start, end)
}

const VERSION = 10
/** No server says so much; what is longer is something else. */
const VERSION_CHARS_MAX = 256
/** Names of plugins are identifiers: 64 characters. */
const PLUGIN_CHARS_MAX = 64
const NEEDED = Capability.Protocol41 | Capability.SecureConnection
/** Offsets behind the version. */
const NONCE = 4
const LOW = 13
const HIGH = 18
const EXTENDED = 27
const FIXED_BYTES = 31
const NONCE_FIRST_BYTES = 8
const NONCE_REST_BYTES = 12

function cutShort(): RemoteProtocolError {
  return new RemoteProtocolError('a greeting that is cut short, or goes on for too long')
}
