/**
 * The I/O half: what the kernel's thread loads for Redis.
 *
 * Rules: one `RedisConnection` per socket; it holds the framer's state, what a push connection has been asked for,
 * and nothing else. Bytes in, bytes out.
 */
import type {
  ByteWriter,
  Cloneable,
  Connection,
  FrameSink,
  IoProtocol,
  Place,
  PushRoute,
  Script,
  Verdict,
} from '@iokernel/core/plugin'
import { LocalError, PLUGIN_API } from '@iokernel/core/plugin'
import { classify } from './codec/errors.ts'
import { Framer } from './framer.ts'
import { type HandshakeOptions, handshake, type Identity, identityOf, reset } from './handshake.ts'
import type { FramerLimits } from './limits.ts'
import { probe } from './probe.ts'
import { PushLedger } from './push.ts'

/** What crosses from `resolve` to the I/O thread. */
export interface RedisIo extends HandshakeOptions, Identity {
  readonly [name: string]: Cloneable
  readonly limits: FramerLimits & { readonly [name: string]: Cloneable }
}

const io: IoProtocol<RedisIo> = {
  name: 'redis',
  api: PLUGIN_API,
  connection: (options, place) => new RedisConnection(options, place),
}
export default io

const NOBODY: PushRoute = { key: undefined, kind: 'message' }

class RedisConnection implements Connection {
  readonly #options: RedisIo
  readonly #place: Place
  readonly #ledger: PushLedger | undefined
  readonly #framer: Framer

  constructor(options: RedisIo, place: Place) {
    if (place.side === 'server') throw new LocalError('UNSUPPORTED', '@iokernel/redis has no serving side')
    this.#options = options
    this.#place = place
    this.#ledger = place.purpose === 'push' ? new PushLedger() : undefined
    this.#framer = new Framer(options.limits, this.#ledger)
  }

  *handshake(): Script<Cloneable> {
    const facts = yield* handshake(this.#options, this.#identity())
    this.#framer.speak(facts.resp)
    this.#ledger?.activate(facts.resp)
    return facts
  }

  scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    return this.#framer.scan(bytes, start, end, sink)
  }

  closed(): void {
    this.#framer.closed()
  }

  subscribe(key: string, out: ByteWriter): void {
    this.#ledger?.subscribe(key, out)
  }

  unsubscribe(key: string, out: ByteWriter): void {
    this.#ledger?.unsubscribe(key, out)
  }

  /** Elsewhere than on a push connection nobody has asked for pushes. */
  route(bytes: Buffer, start: number, end: number): PushRoute {
    return this.#ledger?.route(bytes, start, end) ?? NOBODY
  }

  probe(): Script<Cloneable> {
    return probe()
  }

  *reset(): Script<void> {
    // RESET goes back to RESP2, and HELLO forward again: both may be heard.
    this.#framer.speak(3)
    const facts = yield* reset(this.#options, this.#identity())
    this.#framer.speak(facts.resp)
  }

  classify(bytes: Buffer, start: number, end: number): Verdict {
    return classify(bytes, start, end)
  }

  #identity(): Identity {
    return identityOf(this.#place.credentials, this.#options)
  }
}
