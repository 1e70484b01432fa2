/**
 * What is known of a connection once its handshake is over. Replies are decoded with it.
 *
 * Rules: plain data, for it crosses the threads; taken once, at the end of the handshake.
 */
import type { Cloneable } from '@iokernel/core/plugin'

export interface MysqlFacts {
  readonly [name: string]: Cloneable
  readonly server: 'mysql' | 'mariadb'
  /** As the server says it, without the `5.5.5-` that MariaDB puts before: `10.11.19-MariaDB-0+deb12u1`, `8.4.3`. */
  readonly version: string
  /** Of the server's connection (CONNECTION_ID()). */
  readonly connectionId: number
  /** What was agreed on: bits of `Capability`. */
  readonly capabilities: number
  /**
   * Result sets end in an OK packet that begins with FE, and no EOF stands behind the column definitions. False
   * (servers before MySQL 5.7.5 and MariaDB 10.2): an EOF of 5 bytes in both places.
   */
  readonly deprecateEof: boolean
  /**
   * Column definitions of MariaDB hold one more text (length-encoded) behind the six names: pieces of a kind (u8: 0
   * type, 1 format), a length (u8) and that many bytes. `json` as a format, `uuid` and `inet6` as types.
   */
  readonly extendedMetadata: boolean
  /** The collation that was asked for; what texts come in is utf8mb4 unless `charset` says otherwise. */
  readonly collation: number
  /** OK packets hold what has changed in the session behind their message, which is length-encoded then. */
  readonly sessionTrack: boolean
  readonly role: MysqlRole
  /** Offset or name that `@@time_zone` had after the handshake: `SYSTEM`, `+00:00`. */
  readonly timeZone: string
  readonly sqlMode: string
  /** In bytes: the server takes no longer request. */
  readonly maxAllowedPacket: number
}

/** A `primary` takes writes; a `replica` is told not to (read_only, super_read_only, innodb_read_only). */
export type MysqlRole = 'primary' | 'replica' | 'unknown'

/** Capabilities of a connection, by their bits. */
export const Capability = {
  LongPassword: 1,
  FoundRows: 2,
  LongFlag: 4,
  ConnectWithDb: 8,
  Compress: 0x20,
  LocalFiles: 0x80,
  IgnoreSpace: 0x100,
  Protocol41: 0x200,
  Ssl: 0x800,
  Transactions: 0x2000,
  SecureConnection: 0x8000,
  MultiStatements: 0x1_0000,
  MultiResults: 0x2_0000,
  PsMultiResults: 0x4_0000,
  PluginAuth: 0x8_0000,
  ConnectAttrs: 0x10_0000,
  PluginAuthLenencData: 0x20_0000,
  SessionTrack: 0x80_0000,
  DeprecateEof: 0x100_0000,
} as const

/** Status flags in OK and EOF packets, by their bits. */
export const Status = {
  InTransaction: 1,
  Autocommit: 2,
  MoreResults: 8,
  CursorExists: 0x40,
  LastRowSent: 0x80,
  NoBackslashEscapes: 0x200,
  InTransactionReadOnly: 0x2000,
  SessionStateChanged: 0x4000,
} as const
