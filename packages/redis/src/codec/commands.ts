/**
 * What the kernel has to know about a command before it sends it: may it be repeated, does it block, may it go over a
 * connection that others use.
 *
 * Rules:
 * 1. A command that is not named here is an ordinary write: modules and new commands work without a new release.
 * 2. Only reads are repeated by themselves. SET is idempotent on paper; but sent again after a reconnect it may undo
 *    what another client wrote in between, and what un-awaited calls behind it built on it. Who knows better says so:
 *    `{ idempotent: true }`.
 * 3. On a shared connection nothing may change what the next caller finds: its database, its identity, its reply
 *    mode, a transaction. Such commands are refused with the name of what to use instead.
 * 4. What makes replies uncountable is refused everywhere: MONITOR, CLIENT REPLY, the SUBSCRIBE family (in RESP3 they
 *    have no reply).
 *
 * Theory of operation: three places to stand in. `lane`: shared. `session`: lent to one caller, reset afterwards by
 * RESET and a new handshake, so that state is welcome. `multi`: inside a batch, where nothing blocks.
 */
import type { Argument } from './encode.ts'

export type Place = 'lane' | 'session' | 'multi'

/** Commands that read, and nothing else: they may be sent again. */
const READS = wordSet(`
  BITCOUNT BITFIELD_RO BITPOS DBSIZE DUMP ECHO EVALSHA_RO EVAL_RO EXISTS EXPIRETIME FCALL_RO GEODIST GEOHASH GEOPOS
  GEORADIUSBYMEMBER_RO GEORADIUS_RO GEOSEARCH GET GETBIT GETRANGE HEXISTS HEXPIRETIME HGET HGETALL HKEYS HLEN HMGET
  HPEXPIRETIME HPTTL HRANDFIELD HSCAN HSTRLEN HTTL HVALS INFO KEYS LASTSAVE LCS LINDEX LLEN LOLWUT LPOS LRANGE
  MEMORY MGET OBJECT PEXPIRETIME PFCOUNT PING PTTL RANDOMKEY ROLE SCAN SCARD SDIFF SINTER SINTERCARD SISMEMBER
  SMEMBERS SMISMEMBER SORT_RO SRANDMEMBER SSCAN STRLEN SUBSTR SUNION TIME TTL TYPE XINFO XLEN XPENDING XRANGE XREAD
  XREVRANGE ZCARD ZCOUNT ZDIFF ZINTER ZINTERCARD ZLEXCOUNT ZMSCORE ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE
  ZRANK ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE ZUNION`)

/** Subcommands that write under a name that reads. */
const WRITING_SUBCOMMANDS = wordSet('MEMORY:PURGE MEMORY:DOCTOR MEMORY:MALLOC-STATS')

export function isRead(command: string, subcommand: Argument | undefined): boolean {
  if (!READS.has(command)) return false
  const word = wordOf(subcommand)
  return word === undefined || !WRITING_SUBCOMMANDS.has(`${command}:${word}`)
}

/**
 * An argument as the word that the server will read in it, in upper case: text or bytes, up to a NUL, where a server
 * in C may stop reading. `undefined` for what is no word.
 */
export function wordOf(value: unknown): string | undefined {
  const text = textOf(value)?.slice(0, WORD_LENGTH_MAX)
  if (text === undefined) return undefined
  const end = text.indexOf('\0')
  return (end < 0 ? text : text.slice(0, end)).toUpperCase()
}

/** Longer than any word of a command: payloads are not copied to be looked at. */
const WORD_LENGTH_MAX = 64

/** Where the timeout stands: `last` and `first` in seconds, `block` in milliseconds after the word BLOCK. */
const BLOCKING: { readonly [command: string]: 'last' | 'first' | 'block' | undefined } = {
  BLPOP: 'last',
  BRPOP: 'last',
  BRPOPLPUSH: 'last',
  BLMOVE: 'last',
  BZPOPMIN: 'last',
  BZPOPMAX: 'last',
  BLMPOP: 'first',
  BZMPOP: 'first',
  XREAD: 'block',
  XREADGROUP: 'block',
}

export function mayBlock(command: string): boolean {
  return BLOCKING[command] !== undefined
}

/** How long the server may hold the call, in milliseconds; 0 for ever, `undefined` when it does not block. */
export function blockingMs(command: string, parameters: readonly Argument[]): number | undefined {
  const where = BLOCKING[command]
  if (where === undefined) return undefined
  if (where === 'block') return blockOption(parameters)
  const timeout = numberOf(where === 'last' ? parameters.at(-1) : parameters[0])
  // Not a number: the server will refuse it at once.
  return timeout > 0 ? timeout * 1000 : 0
}

function numberOf(value: unknown): number {
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : Number(textOf(value))
}

function blockOption(parameters: readonly Argument[]): number | undefined {
  for (let at = 0; at + 1 < parameters.length; at++) {
    const upper = wordOf(parameters[at])
    // Keys follow, and a key may be called BLOCK.
    if (upper === 'STREAMS') return undefined
    if (upper === 'BLOCK') return numberOf(parameters[at + 1]) || 0
    // Their values may be words too: `GROUP block consumer`.
    if (upper === 'GROUP') at += 2
    else if (upper === 'COUNT') at++
  }
  return undefined
}

const MULTI_INSTEAD = 'use multi(): a batch leaves as one request, and nobody comes between its commands'
const SUBSCRIBE_INSTEAD = 'use subscribe(), psubscribe() or ssubscribe(): the kernel has a connection for them'
const SESSION_INSTEAD = 'use session(): it changes the connection, which others share'

/** Refused wherever they stand. */
const NEVER: { readonly [command: string]: string | undefined } = {
  MULTI: MULTI_INSTEAD,
  EXEC: MULTI_INSTEAD,
  DISCARD: MULTI_INSTEAD,
  SUBSCRIBE: SUBSCRIBE_INSTEAD,
  PSUBSCRIBE: SUBSCRIBE_INSTEAD,
  SSUBSCRIBE: SUBSCRIBE_INSTEAD,
  UNSUBSCRIBE: 'close the subscription instead',
  PUNSUBSCRIBE: 'close the subscription instead',
  SUNSUBSCRIBE: 'close the subscription instead',
  MONITOR: 'its output cannot be told from replies: use redis-cli, or SLOWLOG',
  'CLIENT:REPLY': 'replies could not be matched with calls any more: leave calls un-awaited instead',
  'CLIENT:TRACKING': 'use invalidations(): the kernel has a connection for them',
  'CLIENT:CACHING': 'use invalidations(), which need no consent for each key',
  HELLO: 'the kernel has chosen the protocol at the handshake: set protocolVersion in the target',
  RESET: 'the kernel resets a session by itself when it is closed',
  QUIT: 'use close()',
  SYNC: 'it turns the connection into a replica, whose stream this client cannot read',
  PSYNC: 'it turns the connection into a replica, whose stream this client cannot read',
  REPLCONF: 'it is part of replication and has no reply',
  'SCRIPT:DEBUG': 'the debugger speaks a protocol of its own: use redis-cli --ldb',
}

/** Refused on a shared connection; welcome on a session, which is reset afterwards. */
const NOT_SHARED: { readonly [command: string]: string | undefined } = {
  SELECT: 'put the database into the target (redis://host/3), or use session()',
  AUTH: 'put the user into the target, or use session()',
  WATCH: 'use session(): what is watched belongs to one connection',
  UNWATCH: 'use session(): what is watched belongs to one connection',
  READONLY: SESSION_INSTEAD,
  READWRITE: SESSION_INSTEAD,
  ASKING: 'use session(): it is meant for the very next command',
  WAIT: 'use session(): it waits for the writes of its own connection, and holds up every call behind it',
  WAITAOF: 'use session(): it waits for the writes of its own connection, and holds up every call behind it',
  'CLIENT:SETNAME': 'put clientName into the target, or use session()',
  'CLIENT:SETINFO': SESSION_INSTEAD,
  'CLIENT:NO-EVICT': SESSION_INSTEAD,
  'CLIENT:NO-TOUCH': SESSION_INSTEAD,
  SHUTDOWN: 'use session(): the server does not answer it, it goes',
  DEBUG: 'use session(): much of it stops the server while it runs',
}

/**
 * In a batch that leaves over a shared connection: what is tied to a connection is not allowed, what blocks does not
 * block there.
 */
const IN_MULTI_TOO = wordSet('WAIT WAITAOF')

/** Commands whose second word decides. */
const WITH_SUBCOMMANDS = wordSet('CLIENT SCRIPT')

/** Why this command may not be sent from here, and what to use instead; `undefined` when it may. */
export function refusalOf(command: string, subcommand: Argument | undefined, place: Place): string | undefined {
  let name = command
  const word = WITH_SUBCOMMANDS.has(command) ? wordOf(subcommand) : undefined
  if (word !== undefined) name = `${command}:${word}`
  const never = NEVER[name]
  if (never !== undefined) return never
  if (place === 'session' || (place === 'multi' && IN_MULTI_TOO.has(name))) return undefined
  return NOT_SHARED[name]
}

/** True when the second word may change the answer of `refusalOf` or `isRead`. */
export function hasSubcommands(command: string): boolean {
  return WITH_SUBCOMMANDS.has(command) || command === 'MEMORY'
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (!(value instanceof Uint8Array)) return undefined
  return Buffer.from(value.buffer, value.byteOffset, Math.min(value.length, WORD_LENGTH_MAX)).toString('latin1')
}

function wordSet(words: string): ReadonlySet<string> {
  return new Set(words.trim().split(/\s+/))
}
