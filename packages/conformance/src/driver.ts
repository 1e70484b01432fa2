/**
 * Feeds a connection the way the kernel does, and keeps what the kernel would pass on.
 *
 * Rules:
 * 1. `scan` is called once for each arrival of bytes. What it was not done with is shown again, in front of what came
 *    next, in poisoned memory at another offset (`poison.ts`).
 * 2. A breach of the contract is an `AssertionError`, thrown from `receive` even where the plugin swallowed it;
 *    everything else that is thrown is the plugin's own.
 * 3. After something was thrown the connection is closed and is shown nothing more.
 *
 * Theory of operation: a frame without `Final` belongs to the oldest unanswered request and is kept until its `Final`
 * comes; a push may come in between. While a script runs, what is no push is the script's. A frame that answers
 * nothing is refused, but on a push connection, where it is kept as a stray; where replies are correlated, one that
 * names nobody is dropped. Nobody takes the peer's requests here: each is refused, as the kernel does for want of a
 * handler.
 */
import assert, { AssertionError } from 'node:assert/strict'
import {
  ByteWriter,
  type Connection,
  FrameFlag,
  type FrameSink,
  type Place,
  type PushRoute,
  RemoteError,
  RemoteProtocolError,
  type Script,
} from '@iokernel/core/plugin'
import type { Arrival } from './arrivals.ts'
import { FrameCheck } from './frame-check.ts'
import { POISON, PoisonedMemory } from './poison.ts'
import { ScriptRun } from './script-run.ts'
import { bytesOf, isSilent, type Outstanding } from './subject.ts'

export interface DriverOptions {
  /** Default `lane`. */
  readonly purpose?: Place['purpose']
  /** `supports.replies === 'correlated'`: replies name their request by wire id. */
  readonly correlated?: boolean
}

interface Call {
  readonly index: number
  readonly hint: number
  readonly wireId: number
  readonly frames: Buffer[]
}

/** A request of the peer's whose end is not in yet. */
interface Asked {
  readonly route: PushRoute | undefined
  readonly refused: Buffer | undefined
  readonly pieces: Buffer[]
}

export class Driver implements FrameSink {
  readonly connection: Connection
  readonly arrivals: Arrival[] = []
  /** What the connection's `submit`, `subscribe` and `unsubscribe` have written. */
  readonly written: ByteWriter = new ByteWriter()
  /** What it has said by itself (`FrameSink.out`), a script's time apart. */
  readonly said: ByteWriter = new ByteWriter()
  readonly #purpose: Place['purpose']
  readonly #correlated: boolean
  readonly #memory = new PoisonedMemory()
  #pending: Buffer = Buffer.alloc(0)
  #unanswered: Call[] = []
  #calls = 0
  #run: ScriptRun | undefined
  #closed = false
  #asked: Asked | undefined
  readonly #check = new FrameCheck()
  /** What the sink threw in this scan. */
  #thrown: unknown
  /** Of `said`, when the last scan returned. */
  #saidBytes = 0

  constructor(connection: Connection, options: DriverOptions = {}) {
    this.connection = connection
    this.#purpose = options.purpose ?? 'lane'
    this.#correlated = options.correlated ?? false
  }

  /** Requests that are not completely answered. */
  get unanswered(): number {
    return this.#unanswered.length
  }

  /** Bytes that the framer is not done with. */
  get bytesWaiting(): number {
    return this.#pending.length
  }

  get closed(): boolean {
    return this.#closed
  }

  /** How many requests the kernel would let stand unanswered here, so far as the connection says. */
  get callsMax(): number {
    this.#checkCallsMax()
    return this.connection.callsMax?.() ?? Number.POSITIVE_INFINITY
  }

  /** One more request is on its way. `wireId`: what its reply will name it by. */
  request(outstanding: Outstanding, wireId: number = this.#calls + 1): void {
    const { hint, payload = '', silent = false } = typeof outstanding === 'number' ? { hint: outstanding } : outstanding
    if (!silent) this.#unanswered.push({ index: this.#calls++, hint, wireId, frames: [] })
    this.#checkCallsMax()
    if (this.connection.submit === undefined) return
    const lent = Buffer.from(bytesOf(payload))
    this.connection.submit(lent, hint, this.#correlated && !silent ? wireId : 0, this.written)
    lent.fill(POISON)
  }

  /**
   * The requests of one fixture. Its bytes name the first one 1, however often it is read on one connection: the oldest
   * of several with one number is meant.
   */
  ask(requests: readonly Outstanding[] = []): void {
    let wireId = 1
    for (const outstanding of requests) {
      this.request(outstanding, wireId)
      if (!isSilent(outstanding)) wireId++
    }
  }

  subscribe(key: string): void {
    assert(this.connection.subscribe !== undefined, 'a protocol that supports pushes has subscribe()')
    this.connection.subscribe(key, this.written)
  }

  /** Begins a script; it goes on as bytes are received. */
  start(script: Script<unknown>): ScriptRun {
    assert.equal(this.#unanswered.length, 0, 'a script has its connection to itself')
    const run = new ScriptRun(script)
    this.#run = run
    run.start()
    this.#settleScript()
    return run
  }

  /** The socket has been upgraded for a script that waits for it. */
  upgraded(certificate: Uint8Array): void {
    assert(this.#run?.upgrading === true, 'nobody waits for TLS')
    this.#run.give(certificate)
    this.#settleScript()
  }

  receive(chunk: Uint8Array): void {
    if (this.#closed) return
    this.#pending = Buffer.concat([this.#pending, chunk])
    while (!this.#closed && this.#pending.length > 0 && this.#receiveOnce());
  }

  /** The peer half-closes: what only this completes is reported, and the connection is gone. */
  end(): void {
    if (this.#closed) return
    this.#guard(this.#memory.end, this.#memory.end, () => {
      this.connection.closed?.(this)
      return 0
    })
    this.#close(new RemoteError('CLOSED_BY_PEER', 'the peer closed the connection'))
  }

  // ---- FrameSink -------------------------------------------------------------------------------------------

  frame(start: number, end: number, flags: number, wireId?: number): void {
    this.#checked(() => {
      assert(this.#thrown === undefined, 'a frame was reported after the sink had thrown')
      this.#check.frame(start, end, flags)
      this.#take(Buffer.from(this.#memory.bytes.subarray(start, end)), start, end, flags, wireId)
    })
  }

  hint(): number {
    if (this.#run !== undefined) return 0
    const oldest = this.#unanswered[0]
    if (oldest !== undefined) return oldest.hint
    return this.#purpose === 'push' ? 0 : -1
  }

  out(): ByteWriter {
    this.#checked(() => assert(this.#check.isOpen, 'out() was asked for outside of scan() and closed()'))
    return this.said
  }

  // ---- Receiving -------------------------------------------------------------------------------------------

  /** True when there is reason to look again: only raw bytes leave the rest unframed. */
  #receiveOnce(): boolean {
    const run = this.#run
    if (run?.upgrading === true) {
      this.#close(new RemoteProtocolError('bytes arrived in plain text where TLS should begin'))
      return false
    }
    const wanted = run?.rawWanted ?? 0
    if (run !== undefined && wanted > 0) {
      if (this.#pending.length < wanted) return false
      const raw = this.#pending.subarray(0, wanted)
      this.#pending = this.#pending.subarray(wanted)
      run.give(raw)
      this.#settleScript()
      return true
    }
    this.#scan()
    this.#settleScript()
    return false
  }

  #scan(): void {
    const memory = this.#memory
    const run = this.#run
    const length = this.#pending.length
    memory.show(this.#pending)
    const done = this.#guard(memory.start, memory.end, () =>
      this.connection.scan(memory.bytes, memory.start, memory.end, this),
    )
    memory.withdraw()
    assert(Number.isInteger(done), `scan returned ${String(done)}`)
    assert(done >= 0 && done <= length, `scan was done with ${done} bytes and had been shown ${length}`)
    const { reported } = this.#check
    assert(
      done >= reported,
      `scan reported a frame up to byte ${reported} and was done with ${done}: it would come again`,
    )
    this.#pending = this.#pending.subarray(done)
    this.#checkCallsMax()
    if (run !== undefined) this.#giveSaid(run)
  }

  /** What is said while a script runs goes the same way as what the script sends. */
  #giveSaid(run: ScriptRun): void {
    run.said(Uint8Array.from(this.said.written()))
    this.said.clear()
    this.#saidBytes = 0
  }

  /** Lets the plugin report frames in [start, end). */
  #guard(start: number, end: number, body: () => number): number {
    assert.equal(this.said.length, this.#saidBytes, 'bytes were written to out() after scan() had returned')
    this.#check.open(start, end)
    this.#thrown = undefined
    try {
      const done = body()
      if (this.#thrown instanceof AssertionError) throw this.#thrown
      assert(this.#thrown === undefined, `the framer swallowed what the sink threw: ${String(this.#thrown)}`)
      return done
    } catch (error) {
      if (this.#thrown instanceof AssertionError) throw this.#thrown
      // Closed by a frame: the rest of the bytes is nobody's, and so is what the framer thinks of it.
      if (this.#closed && !(error instanceof AssertionError)) return end - start
      this.#close(error)
      throw error
    } finally {
      this.#check.close()
      this.#saidBytes = this.said.length
    }
  }

  /** What is thrown to the framer is remembered: it must not be swallowed. */
  #checked(body: () => void): void {
    try {
      body()
    } catch (error) {
      this.#thrown ??= error
      throw error
    }
  }

  #take(copy: Buffer, start: number, end: number, flags: number, wireId: number | undefined): void {
    if (this.#closed) return
    if ((flags & FrameFlag.Push) !== 0) {
      const route = this.connection.route?.(this.#memory.bytes, start, end)
      this.arrivals.push({ kind: 'push', bytes: copy, route })
      return
    }
    if ((flags & FrameFlag.Request) !== 0) return this.#takeRequest(copy, start, end, flags)
    if (this.#run !== undefined) {
      this.#run.frame(copy, (flags & FrameFlag.Part) !== 0)
      this.#settleScript()
      return
    }
    const call = this.#callOf(wireId)
    if (call === undefined) {
      if (!this.#correlated || wireId === undefined) this.#unsolicited(copy, flags)
      return
    }
    call.frames.push(copy)
    if ((flags & FrameFlag.Final) === 0) return
    const verdict =
      (flags & FrameFlag.Error) === 0 ? undefined : this.connection.classify?.(this.#memory.bytes, start, end)
    assert(verdict === undefined || VERDICTS.has(verdict), `classify() returned ${String(verdict)}`)
    this.#unanswered.splice(this.#unanswered.indexOf(call), 1)
    const bytes = Buffer.concat(call.frames)
    this.arrivals.push({ kind: 'reply', call: call.index, bytes, flags: flags & ~FrameFlag.Final, verdict })
    if ((flags & FrameFlag.Close) !== 0) this.#closed = true
  }

  /** The first piece names the key, and is what is refused. */
  #takeRequest(copy: Buffer, start: number, end: number, flags: number): void {
    this.#asked ??= {
      route: this.connection.route?.(this.#memory.bytes, start, end),
      refused: this.#refusalOf(start, end),
      pieces: [],
    }
    const { route, refused, pieces } = this.#asked
    pieces.push(copy)
    if ((flags & FrameFlag.Part) !== 0) return
    this.#asked = undefined
    this.arrivals.push({ kind: 'request', bytes: Buffer.concat(pieces), route, refused })
    if ((flags & FrameFlag.Close) !== 0) this.#closed = true
  }

  #refusalOf(start: number, end: number): Buffer | undefined {
    if (this.connection.refuse === undefined) return undefined
    const out = new ByteWriter()
    this.connection.refuse(this.#memory.bytes, start, end, out)
    return Buffer.from(out.written())
  }

  /** Asked each time there is room, so that it must hold at any time. */
  #checkCallsMax(): void {
    const most = this.connection.callsMax?.()
    const isBound = most !== undefined && most !== Number.POSITIVE_INFINITY
    assert(
      !isBound || (Number.isSafeInteger(most) && most >= 1),
      `callsMax() returned ${String(most)}: a whole number, and at least one call may be unanswered`,
    )
  }

  #callOf(wireId: number | undefined): Call | undefined {
    if (!this.#correlated || wireId === undefined) return this.#unanswered[0]
    return this.#unanswered.find((call) => call.wireId === wireId)
  }

  #unsolicited(copy: Buffer, flags: number): void {
    if (this.#purpose === 'push') {
      this.arrivals.push({ kind: 'stray', bytes: copy, flags: flags & ~FrameFlag.Final })
      return
    }
    if ((flags & (FrameFlag.Error | FrameFlag.Close)) === 0) throw new RemoteProtocolError('a reply to no request')
    this.#close(new RemoteError('CLOSED_BY_PEER', 'an error to no request'))
  }

  #settleScript(): void {
    const outcome = this.#run?.outcome
    if (outcome === undefined || outcome.kind === 'waiting') return
    this.#run = undefined
    if (outcome.kind === 'failed') this.#closed = true
  }

  #close(error: unknown): void {
    this.#closed = true
    this.#run?.fail(error)
    this.#run = undefined
  }
}

const VERDICTS: ReadonlySet<string> = new Set(['call', 'role-lost', 'retire', 'overloaded', 'not-executed', 'stale'])
