/**
 * The writing half of a connection: requests on their way to the socket.
 *
 * Rules:
 * 1. One write per turn: `write` gathers, `flush` hands over. Neighbours in the request store leave as one range.
 * 2. A request that the plugin cannot write fails alone, and nothing of it is sent.
 * 3. A call that nothing answers takes no wire id and stands in no order: it is settled when its bytes have left.
 */
import { CallFlag } from '../channel/records.ts'
import type { ByteWriter } from '../plugin/byte-writer.ts'
import type { Connection } from '../plugin/connection.ts'
import { describeError } from '../plugin/errors.ts'
import { type Call, CallState } from './call.ts'
import type { ConnectionErrors } from './connection-errors.ts'
import type { ConnectionServices, ConnectionSettings } from './connection-owner.ts'
import { Outgoing } from './outgoing.ts'
import type { ReplyMatcher } from './reply-matcher.ts'
import type { Chunk } from './request-store.ts'
import { SilentCalls } from './silent-calls.ts'
import { NOTHING, type Transport } from './transport.ts'

export class CallWriter {
  readonly #settings: ConnectionSettings
  readonly #matcher: ReplyMatcher
  readonly #errors: ConnectionErrors
  readonly #services: ConnectionServices
  readonly #outgoing: Outgoing
  readonly #silent: SilentCalls

  constructor(
    settings: ConnectionSettings,
    matcher: ReplyMatcher,
    errors: ConnectionErrors,
    services: ConnectionServices,
    onLeft: () => void,
  ) {
    this.#settings = settings
    this.#matcher = matcher
    this.#errors = errors
    this.#services = services
    this.#outgoing = new Outgoing(services.store)
    this.#silent = new SilentCalls(services.settlement, settings.id, onLeft)
  }

  /** Bytes gathered and not handed to the transport. */
  get bytes(): number {
    return this.#outgoing.bytes
  }

  /** Calls that nothing answers have not left. */
  get hasSilent(): boolean {
    return !this.#silent.isEmpty
  }

  /** For bytes that belong to no call. */
  out(): ByteWriter {
    return this.#outgoing.writerFor(this.#settings.limits.requestBytesMax)
  }

  /** Gathers the call's bytes. False when it could not be written, and has failed. */
  write(call: Call, nowMs: number): boolean {
    const silent = (call.flags & CallFlag.Silent) !== 0
    const { protocol } = this.#settings
    // An answer to the peer is finished bytes: it names what it answers itself.
    if (protocol.submit === undefined) this.#outgoing.add(call.chunk as Chunk, call.offset, call.offset + call.length)
    else if ((call.flags & CallFlag.Answer) !== 0) this.out().copy(payloadOf(call))
    else if (!this.#submit(protocol, call, silent, nowMs)) return false
    call.state = CallState.Written
    if (silent) this.#silent.add(call)
    return true
  }

  flush(transport: Transport): void {
    this.#outgoing.flush(transport, this.#silent.depart(() => this.#services.environment.nowMs()) ?? NOTHING)
  }

  /** The connection is gone: nothing more is written. */
  drop(): void {
    this.#outgoing.drop()
  }

  /** What had no answer to wait for, and has not left. */
  failSilent(error: Parameters<SilentCalls['fail']>[0], nowMs: number): void {
    this.#silent.fail(error, nowMs)
  }

  #submit(protocol: Connection, call: Call, silent: boolean, nowMs: number): boolean {
    const matcher = this.#matcher
    const out = this.out()
    const before = out.length
    call.wireId = silent ? 0 : matcher.wireIdFor(call)
    try {
      protocol.submit?.(payloadOf(call), call.hint, call.wireId, out)
      return true
    } catch (error) {
      out.position = out.start + before
      matcher.forget(call)
      this.#services.settlement.fail(call, describeError(this.#errors.fromPlugin(error), { sent: 'no' }), nowMs)
      return false
    }
  }
}

function payloadOf(call: Call): Buffer {
  return (call.chunk as Chunk).bytes.subarray(call.offset, call.offset + call.length)
}
