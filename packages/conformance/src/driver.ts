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
 * nothing is refused, but on a push connection, where it is kept as a stray.
 */
import assert, { AssertionError } from 'node:assert/strict'
import {
  ByteWriter,
  type Connection,
  FrameFlag,
  type FrameSink,
  type Place,
  RemoteError,
  RemoteProtocolError,
  type Script,
} from '@iokernel/core/plugin'
import type { Arrival } from './arrivals.ts'
import { POISON, PoisonedMemory } from './poison.ts'
import { ScriptRun } from './script-run.ts'
import { bytesOf, type Outstanding } from './subject.ts'

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

export class Driver implements FrameSink {
  readonly connection: Connection
  readonly arrivals: Arrival[] = []
  /** What the connection's `submit`, `subscribe` and `unsubscribe` have written. */
  readonly written: ByteWriter = new ByteWriter()
  readonly #purpose: Place['purpose']
  readonly #correlated: boolean
  readonly #memory = new PoisonedMemory()
  #pending: Buffer = Buffer.alloc(0)
  #unanswered: Call[] = []
  #calls = 0
  #run: ScriptRun | undefined
  #closed = false
  /** During a scan: where the next frame may begin, where it must end, and how many more there may be. */
  #floor = 0
  #ceiling = 0
  #framesLeft = -1
  /** What the sink threw in this scan. */
  #thrown: unknown
  #frameBytes = 0
  #announced: number | undefined

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

  /** One more request is on its way. */
  request(outstanding: Outstanding): void {
    const { hint, payload = '' } = typeof outstanding === 'number' ? { hint: outstanding } : outstanding
    const index = this.#calls++
    const call: Call = { index, hint, wireId: index + 1, frames: [] }
    this.#unanswered.push(call)
    if (this.connection.submit === undefined) return
    const lent = Buffer.from(bytesOf(payload))
    this.connection.submit(lent, hint, this.#correlated ? call.wireId : 0, this.written)
    lent.fill(POISON)
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
    try {
      this.#checkFrame(start, end, flags)
      this.#take(Buffer.from(this.#memory.bytes.subarray(start, end)), start, end, flags, wireId)
    } catch (error) {
      this.#thrown ??= error
      throw error
    }
  }

  expect(length: number): void {
    try {
      assert(Number.isInteger(length) && length > 0, `expect(${length}): a length is a positive whole number`)
      this.#announced = length
    } catch (error) {
      this.#thrown ??= error
      throw error
    }
  }

  hint(): number {
    if (this.#run !== undefined) return 0
    const oldest = this.#unanswered[0]
    if (oldest !== undefined) return oldest.hint
    return this.#purpose === 'push' ? 0 : -1
  }

  out(): ByteWriter {
    return this.written
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
    const length = this.#pending.length
    memory.show(this.#pending)
    const done = this.#guard(memory.start, memory.end, () =>
      this.connection.scan(memory.bytes, memory.start, memory.end, this),
    )
    memory.withdraw()
    assert(Number.isInteger(done), `scan returned ${String(done)}`)
    assert(done >= 0 && done <= length, `scan was done with ${done} bytes and had been shown ${length}`)
    const reported = this.#floor - memory.start
    assert(
      done >= reported,
      `scan reported a frame up to byte ${reported} and was done with ${done}: it would come again`,
    )
    this.#pending = this.#pending.subarray(done)
  }

  /** Lets the plugin report frames in [start, end). */
  #guard(start: number, end: number, body: () => number): number {
    this.#floor = start
    this.#ceiling = end
    // Frames may be empty (the end of a body that had no bound), but a loop that reports nothing for ever must end.
    this.#framesLeft = 2 * (end - start) + EMPTY_FRAMES_MAX
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
      this.#framesLeft = -1
    }
  }

  #checkFrame(start: number, end: number, flags: number): void {
    assert(this.#framesLeft >= 0, 'a frame was reported outside of scan() and closed()')
    assert(this.#framesLeft-- > 0, 'frames without end, and no bytes in them')
    assert(this.#thrown === undefined, 'a frame was reported after the sink had thrown')
    assert(Number.isInteger(start) && Number.isInteger(end), `frame(${start}, ${end}): positions are whole numbers`)
    assert(start <= end, `frame(${start}, ${end}) ends before it begins`)
    const at = (position: number): string => `${position - this.#memory.start}`
    assert(
      start >= this.#floor,
      `a frame begins at byte ${at(start)}, before byte ${at(this.#floor)} where the last ended`,
    )
    assert(end <= this.#ceiling, `a frame ends at byte ${at(end)}; the bytes end at ${at(this.#ceiling)}`)
    this.#floor = end
    assert(Number.isInteger(flags) && flags >= 0 && flags <= FLAGS_ALL, `frame flags ${flags}: unknown bits`)
    const has = (bits: number): boolean => (flags & bits) === bits
    assert(!has(FrameFlag.Part | FrameFlag.Final), 'a frame is Final, or Part with more to come')
    assert(!has(FrameFlag.Push | FrameFlag.Final), 'a frame is Push, or Final for a request')
    assert(!has(FrameFlag.Push | FrameFlag.Part), 'a push is reported whole')
    if (!has(FrameFlag.Push)) this.#checkAnnounced(end - start, has(FrameFlag.Part))
  }

  #checkAnnounced(length: number, more: boolean): void {
    this.#frameBytes += length
    const announced = this.#announced
    if (announced !== undefined) {
      assert(this.#frameBytes <= announced, `expect(${announced}) was said of a frame that is longer`)
      assert(
        more || this.#frameBytes === announced,
        `expect(${announced}), and the frame has ${this.#frameBytes} bytes`,
      )
    }
    if (more) return
    this.#frameBytes = 0
    this.#announced = undefined
  }

  #take(copy: Buffer, start: number, end: number, flags: number, wireId: number | undefined): void {
    if (this.#closed) return
    if ((flags & FrameFlag.Push) !== 0) {
      const route = this.connection.route?.(this.#memory.bytes, start, end)
      this.arrivals.push({ kind: 'push', bytes: copy, route })
      return
    }
    if (this.#run !== undefined) {
      this.#run.frame(copy, (flags & FrameFlag.Part) !== 0)
      this.#settleScript()
      return
    }
    const call = this.#callOf(wireId)
    if (call === undefined) return this.#unsolicited(copy, flags)
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

/** Empty frames in one scan, beside one for every byte. */
const EMPTY_FRAMES_MAX = 16
const FLAGS_ALL = Object.values(FrameFlag).reduce((all, bit) => all | bit, 0)
const VERDICTS: ReadonlySet<string> = new Set(['call', 'role-lost', 'retire', 'overloaded', 'not-executed'])
