/**
 * Gives frames to the calls they answer. The framer's sink; the hottest code of the I/O thread.
 *
 * Rules:
 * 1. A frame answers the oldest unanswered call, or the one with its wire id. In an order a tombstone is a call like
 *    any other: it keeps its place, and what comes for it is dropped. With wire ids there is no place to keep: a call
 *    that was given up is forgotten, and a reply that names nobody is dropped. One that names a call which never was is
 *    a fault of the peer's; it is told once.
 * 2. Frames of one call that lie next to each other are passed on as one piece; a reply that is complete within one
 *    look at the buffer is passed on whole.
 * 3. A reply past `replyBytesMax` fails its call at once; the rest is dropped as it comes. Reading goes on. A streamed
 *    reply has no such bound: past `streamBytesMax` unread, its connection pauses.
 * 4. An error whose verdict is `stale` is never shown: what was passed on of that reply is taken back, and the call
 *    goes out again when its last frame has come.
 *
 *    frames  [a][a][a Final][b Final][push][c Part]        runStart..runEnd: frames of one call, side by side
 *    passed  [------ a -----][-- b --]  apart [-- piece of c
 */
import { CallFlag } from '../channel/records.ts'
import type { ByteWriter } from '../plugin/byte-writer.ts'
import { FrameFlag, type FrameSink, type Verdict } from '../plugin/connection.ts'
import { describeError, type IoKernelError } from '../plugin/errors.ts'
import { assert } from '../shared/assert.ts'
import { overflowError } from './attachment.ts'
import { type Call, CallList, CallState } from './call.ts'
import type { ReceiveBuffer } from './receive-buffer.ts'
import type { ScriptRunner } from './script-runner.ts'
import type { Settlement } from './settlement.ts'

/** The connection around it. */
export interface MatcherHost {
  readonly id: number
  readonly isClosed: boolean
  /** The hint while nothing is outstanding: `-1` refuses what is unsolicited, `0` lets it through. */
  readonly idleHint: number
  readonly replyBytesMax: number
  classify(bytes: Buffer, start: number, end: number): Verdict
  onPush(bytes: Buffer, start: number, end: number): void
  /** The peer asks something. */
  onAsked(bytes: Buffer, start: number, end: number): void
  /** A frame that is no push, while nothing was asked. */
  onUnsolicited(bytes: Buffer, start: number, end: number, flags: number): void
  /** A call that was given up no longer stands in the order. */
  onForgotten(): void
  /** A frame that names a call which never was. */
  onUnknownReply(): void
  /** True when the call was taken to be sent again. */
  onNotExecuted(call: Call): boolean
  /** May this call be sent again, although its connection's preparations for it were out of date? */
  maySendAgain(call: Call): boolean
  sendAgain(call: Call): void
  /** A call that something is learned from is about to be answered; it is still the oldest. */
  onAnswered(call: Call): void
  /** More of a streamed reply was passed on; or its reader has enough. */
  onStreamed(call: Call): void
  onVerdict(verdict: Verdict): void
  onDirty(): void
  onCloseFrame(): void
  replyTooLarge(): IoKernelError
  /** What the protocol itself says goes here. */
  out(): ByteWriter
}

/** Before anything was answered. Not a whole number, so that V8 keeps a field for it that holds any time. */
export const NEVER = 0.5

/** What no call asked for. */
const UNASKED = FrameFlag.Push | FrameFlag.Request

export class ReplyMatcher implements FrameSink {
  readonly unanswered: CallList = new CallList()
  /** First call in `unanswered` that was not handed to the socket: nothing that arrives can answer it. */
  unflushed: Call | undefined
  /** The script that has the connection to itself. */
  script: ScriptRunner | undefined
  /** The time of the read under way. */
  nowMs = 0.5
  /** When a call was last answered. */
  lastAnsweredMs: number = NEVER
  readonly #host: MatcherHost
  readonly #receive: ReceiveBuffer
  readonly #settlement: Settlement
  readonly #byWireId: Map<number, Call> | undefined
  #wireId = 0
  #wireIdsGiven = 0
  #runCall: Call | undefined
  #runStart = -1
  #runEnd = -1

  /** `lastWireId`: ids are given from behind it. */
  constructor(
    host: MatcherHost,
    receive: ReceiveBuffer,
    settlement: Settlement,
    correlated: boolean,
    lastWireId: number = 0,
  ) {
    this.#wireId = lastWireId
    this.#host = host
    this.#receive = receive
    this.#settlement = settlement
    this.#byWireId = correlated ? new Map() : undefined
    if (!correlated) return
    this.unanswered.onTombstone = (call) => {
      // Whoever has the connection to himself keeps his place until the owner has decided about the connection.
      if ((call.flags & CallFlag.Exclusive) === 0) this.#letGo(call)
    }
  }

  /** The number that will name this call's reply; 0 where replies come in order. */
  wireIdFor(call: Call): number {
    const byWireId = this.#byWireId
    if (byWireId === undefined) return 0
    // 0 says that nothing answers a call.
    do this.#wireId = (this.#wireId + 1) >>> 0
    while (this.#wireId === 0 || byWireId.has(this.#wireId))
    this.#wireIdsGiven++
    call.wireId = this.#wireId
    byWireId.set(this.#wireId, call)
    return this.#wireId
  }

  /** The connection is closed: what the framer may still report of this read belongs to nobody. */
  close(): void {
    this.script = undefined
    this.#byWireId?.clear()
    this.#runEnd = -1
  }

  /** The call was never written after all. */
  forget(call: Call): void {
    this.#byWireId?.delete(call.wireId)
  }

  substitute(call: Call, by: Call): void {
    this.unanswered.replace(call, by)
    by.wireId = call.wireId
    this.#byWireId?.set(by.wireId, by)
  }

  frame(start: number, end: number, flags: number, wireId?: number): void {
    if ((flags & UNASKED) !== 0) return this.#unasked(start, end, flags)
    if (this.script !== undefined) {
      // A late reply is not what the script waits for.
      if (wireId !== undefined && this.#wasGiven(wireId)) return this.#nobodys(start, end, flags, wireId)
      this.script.frame(this.#receive.bytes, start, end, (flags & FrameFlag.Part) !== 0)
      return
    }
    // Before the call is looked up: one whose reply has become too large is forgotten by it.
    if (this.#runEnd !== -1 && this.#runEnd !== start) this.#passRun()
    const call =
      wireId === undefined || this.#byWireId === undefined ? this.unanswered.first : this.#byWireId.get(wireId)
    if (call === undefined || call === this.unflushed) {
      // The framer may go on for the rest of the bytes after a frame that closed the connection.
      if (this.#host.isClosed) return
      if (wireId !== undefined && this.#byWireId !== undefined) return this.#nobodys(start, end, flags, wireId)
      this.#host.onUnsolicited(this.#receive.bytes, start, end, flags)
      return
    }
    if ((flags & FrameFlag.Final) === 0) {
      if ((flags & FrameFlag.Error) !== 0) this.#judgePart(call, start, end)
      return this.#extendRun(call, start, end)
    }
    if (call.service !== undefined) this.#host.onAnswered(call)
    this.lastAnsweredMs = this.nowMs
    let from = start
    if (this.#runEnd === start && this.#runCall === call) from = this.#runStart
    else if (this.#runEnd !== -1) this.#passRun()
    this.#runEnd = -1
    const tooLarge = call.replyBytes + end - from > this.#host.replyBytesMax && (call.flags & CallFlag.Stream) === 0
    this.#byWireId?.delete(call.wireId)
    if (flags === FrameFlag.Final && !tooLarge && !call.stale) {
      this.unanswered.remove(call)
      this.#settlement.reply(call, this.#host.id, this.#receive.bytes, from, end, this.nowMs)
      return
    }
    this.#answerFlagged(call, from, start, end, flags, tooLarge)
  }

  hint(): number {
    if (this.script !== undefined) return 0
    const call = this.unanswered.first
    // What came before a request has left cannot be the beginning of its reply.
    return call === undefined || call === this.unflushed ? this.#host.idleHint : call.hint
  }

  out(): ByteWriter {
    return this.#host.out()
  }

  /** The framer has returned: what it reported must be passed on before the buffer moves. */
  endScan(): void {
    if (this.#runEnd !== -1) this.#passRun()
  }

  #unasked(start: number, end: number, flags: number): void {
    const host = this.#host
    if (host.isClosed) return
    assert((flags & FrameFlag.Part) === 0, 'what comes unasked is reported whole')
    if ((flags & FrameFlag.Push) !== 0) host.onPush(this.#receive.bytes, start, end)
    else host.onAsked(this.#receive.bytes, start, end)
    if ((flags & FrameFlag.Close) !== 0) host.onCloseFrame()
  }

  /** Given up: its reply is nobody's, if it comes at all. */
  #letGo(call: Call): void {
    if (call === this.unflushed) this.unflushed = call.next
    this.unanswered.remove(call)
    this.#byWireId?.delete(call.wireId)
    this.#settlement.finishTombstone(call)
    this.#host.onForgotten()
  }

  /** For a call that was given up, or one that never was. What it says of the connection holds all the same. */
  #nobodys(start: number, end: number, flags: number, wireId: number): void {
    const host = this.#host
    if ((flags & FrameFlag.Final) !== 0 && !this.#wasGiven(wireId)) host.onUnknownReply()
    if ((flags & FrameFlag.Dirty) !== 0) host.onDirty()
    if ((flags & FrameFlag.Error) !== 0) {
      const verdict = host.classify(this.#receive.bytes, start, end)
      if (verdict === 'retire' || verdict === 'role-lost') host.onVerdict(verdict)
    }
    if ((flags & FrameFlag.Close) !== 0) host.onCloseFrame()
  }

  /** A call had this number: it was given up, or answered. */
  #wasGiven(wireId: number): boolean {
    return wireId !== 0 && (this.#wireId - wireId) >>> 0 < this.#wireIdsGiven
  }

  #answerFlagged(call: Call, from: number, start: number, end: number, flags: number, tooLarge: boolean): void {
    const host = this.#host
    const bytes = this.#receive.bytes
    if ((flags & FrameFlag.Dirty) !== 0) host.onDirty()
    const verdict = (flags & FrameFlag.Error) === 0 ? 'call' : host.classify(bytes, start, end)
    const whole = from === start && call.replyBytes === 0
    // Not before `classify`: if that throws, the call is the connection's to end.
    this.unanswered.remove(call)
    if (verdict === 'stale') this.#noteStale(call)
    if (call.stale && call.state !== CallState.Tombstone) {
      call.stale = false
      host.sendAgain(call)
    } else if (tooLarge) {
      this.#settlement.fail(call, describeError(host.replyTooLarge()), this.nowMs)
    } else if (verdict !== 'not-executed' || !whole || !host.onNotExecuted(call)) {
      this.#settlement.reply(call, host.id, bytes, from, end, this.nowMs)
    }
    if (verdict !== 'call' && verdict !== 'stale') host.onVerdict(verdict)
    if ((flags & FrameFlag.Unread) !== 0) this.unflushed = this.unanswered.first
    if ((flags & FrameFlag.Close) !== 0) host.onCloseFrame()
  }

  /** An error inside a batch: the call goes on, but the connection may have to go. */
  #judgePart(call: Call, start: number, end: number): void {
    const verdict = this.#host.classify(this.#receive.bytes, start, end)
    if (verdict === 'stale') return this.#noteStale(call)
    if (verdict !== 'call' && verdict !== 'not-executed') this.#host.onVerdict(verdict)
  }

  /** What was passed on of the reply is void, if the call may go out again. */
  #noteStale(call: Call): void {
    // What a reader has of a stream cannot be taken back.
    const isBegun = (call.flags & CallFlag.Stream) !== 0 && call.replyBytes > 0
    if (isBegun || call.state === CallState.Tombstone || !this.#host.maySendAgain(call)) return
    call.stale = true
    if (call.replyBytes > 0) call.client?.attachment.restart(call)
    call.replyBytes = 0
  }

  #extendRun(call: Call, start: number, end: number): void {
    if (this.#runEnd !== start || this.#runCall !== call) {
      if (this.#runEnd !== -1) this.#passRun()
      this.#runStart = start
      this.#runCall = call
    }
    this.#runEnd = end
  }

  #passRun(): void {
    const call = this.#runCall as Call
    const from = this.#runStart
    const to = this.#runEnd
    this.#runEnd = -1
    if (call.state === CallState.Tombstone || call.stale) return
    call.replyBytes += to - from
    if ((call.flags & CallFlag.Stream) !== 0) return this.#passStreamed(call, from, to)
    if (call.replyBytes > this.#host.replyBytesMax) {
      return this.#settlement.settleEarly(call, describeError(this.#host.replyTooLarge()), this.nowMs)
    }
    const passed =
      call.client?.attachment.piece(call, this.#host.id, this.#receive.bytes, from, to, this.nowMs) ?? false
    if (!passed) this.#settlement.settleEarly(call, describeError(overflowError()), this.nowMs)
  }

  #passStreamed(call: Call, from: number, to: number): void {
    call.unread += to - from
    const passed =
      call.client?.attachment.piece(call, this.#host.id, this.#receive.bytes, from, to, this.nowMs) ?? false
    if (passed) this.#host.onStreamed(call)
    else this.#settlement.settleEarly(call, describeError(overflowError()), this.nowMs)
  }
}
