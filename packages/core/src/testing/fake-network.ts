/**
 * Sockets without sockets: a dialer, transports and peers in one virtual time, with faults.
 *
 * Rules: it keeps the promises of `Transport`: `onClosed` comes exactly once and last; nothing is called from inside
 * `dial`, `write` or `destroy`. It uses what a transport may use: memory given to `write` is read when it leaves and
 * not before, so memory that was reused too early arrives damaged.
 */

import type { DialRequest, Transport } from '../io/transport.ts'
import type { TlsOptions } from '../plugin/protocol.ts'
import type { Random } from './random.ts'

interface Clock {
  read(delayMs: number, action: () => void): void
  nowMs(): number
}

export interface Faults {
  /** Probability that a delivery takes up to this much longer than `latencyMs`. */
  delay: number
  delayMsMax: number
  /** Probability, for each delivery, that the connection is reset instead. */
  reset: number
  /** The largest piece a peer's bytes arrive in. */
  chunkBytesMax: number
  /** Probability that what was written leaves only after `delayMsMax`. */
  stall: number
}

const NO_FAULTS: Faults = {
  delay: 0,
  delayMsMax: 0,
  reset: 0,
  chunkBytesMax: Number.MAX_SAFE_INTEGER,
  stall: 0,
}

/** What listens at an address. `undefined` answers with a refusal, `black-hole` not at all. */
export type Listener = ((peer: FakePeer) => void) | 'black-hole' | undefined

export class FakeNetwork {
  latencyMs = 1
  faults: Faults = NO_FAULTS
  readonly #clock: Clock
  readonly #random: Random
  readonly #listeners = new Map<string, Listener>()
  /** Every attempt, in order. */
  readonly dialled: { readonly id: string; readonly atMs: number }[] = []
  readonly peers: FakePeer[] = []

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  listen(id: string, listener: Listener): void {
    this.#listeners.set(id, listener)
  }

  /** Peers of connections that are open. */
  open(id?: string): FakePeer[] {
    return this.peers.filter((peer) => peer.isOpen && (id === undefined || peer.id === id))
  }

  dial(request: DialRequest): Transport {
    this.dialled.push({ id: request.endpoint.id, atMs: this.#clock.nowMs() })
    const transport = new FakeTransport(request, this)
    this.later(transport, () => {
      const listener = this.#listeners.get(request.endpoint.id)
      if (listener === 'black-hole') return
      if (listener === undefined) return transport.fail('ECONNREFUSED')
      const peer = new FakePeer(request.endpoint.id, transport)
      this.peers.push(peer)
      transport.connected(peer, listener)
    })
    return transport
  }

  /** Runs `action` after the latency of the line, in the order of the calls for one line. */
  later(line: { freeAtMs: number }, action: () => void): void {
    const { delay, delayMsMax } = this.faults
    const extraMs = this.#random.chance(delay) ? this.#random.unit() * delayMsMax : 0
    const atMs = Math.max(line.freeAtMs, this.#clock.nowMs() + this.latencyMs + extraMs)
    line.freeAtMs = atMs
    this.#clock.read(Math.max(0, atMs - this.#clock.nowMs()), action)
  }

  breaks(): boolean {
    return this.#random.chance(this.faults.reset)
  }

  stalls(): boolean {
    return this.#random.chance(this.faults.stall)
  }

  chunks(bytes: Uint8Array): readonly Uint8Array[] {
    const max = this.faults.chunkBytesMax
    return bytes.length <= 1 || max >= bytes.length ? [bytes] : this.#random.pieces(bytes, max)
  }
}

/** The other side of a connection, as the test plays it. */
export class FakePeer {
  readonly id: string
  readonly #transport: FakeTransport
  onData: (bytes: Buffer) => void = () => undefined
  onClose: () => void = () => undefined
  /** Everything the peer has received. */
  received: Buffer = Buffer.alloc(0)

  constructor(id: string, transport: FakeTransport) {
    this.id = id
    this.#transport = transport
  }

  get isOpen(): boolean {
    return this.#transport.isOpen
  }

  send(bytes: Uint8Array | string): void {
    this.#transport.arrive(Buffer.from(bytes as Uint8Array))
  }

  /** Half-close: no more will come from here. */
  end(): void {
    this.#transport.ended()
  }

  reset(): void {
    this.#transport.broken()
  }

  /** Takes nothing any more until `resume`. */
  pause(): void {
    this.#transport.stalled = true
  }

  resume(): void {
    this.#transport.unstall()
  }
}

interface Write {
  readonly bytes: Uint8Array
  readonly taken: (left: boolean) => void
}

class FakeTransport implements Transport {
  readonly #request: DialRequest
  readonly #network: FakeNetwork
  #peer: FakePeer | undefined
  #writes: Write[] = []
  #phase: 'opening' | 'open' | 'closed' = 'opening'
  #told = false
  /** Its owner has given it up. */
  #given = false
  stalled = false
  unsentBytes = 0
  freeAtMs = 0
  readonly #back = { freeAtMs: 0 }
  #flip = false
  #paused = false
  #kept: (() => void)[] = []

  constructor(request: DialRequest, network: FakeNetwork) {
    this.#request = request
    this.#network = network
  }

  get isOpen(): boolean {
    return this.#phase === 'open'
  }

  connected(peer: FakePeer, listener: (peer: FakePeer) => void): void {
    if (this.#phase !== 'opening') return
    this.#phase = 'open'
    this.#peer = peer
    this.#request.events.onOpen()
    listener(peer)
  }

  write(bytes: Uint8Array, taken: (left: boolean) => void): void {
    if (this.#given) throw new Error('a transport is not written to after destroy')
    this.#writes.push({ bytes, taken })
    this.unsentBytes += bytes.length
    if (this.#network.stalls()) {
      this.stalled = true
      this.#network.later({ freeAtMs: 0 }, () => this.#network.later(this, () => this.unstall()))
    }
    if (!this.stalled) this.#network.later(this, () => this.#leave())
  }

  cork(): void {}
  uncork(): void {}

  upgrade(_tls: TlsOptions, _host: string, done: (certificate: Uint8Array) => void): void {
    this.#network.later(this.#back, () => {
      if (this.#phase === 'open') done(Buffer.from('certificate'))
    })
  }

  peerCertificate(): Uint8Array {
    return Buffer.from('certificate')
  }

  destroy(): void {
    this.#given = true
    this.#drop()
  }

  fail(code: string): void {
    if (this.#phase === 'closed') return
    const error: NodeJS.ErrnoException = new Error(`connect ${code} ${this.#request.endpoint.id}`)
    error.code = code
    this.#close(error)
  }

  arrive(bytes: Buffer): void {
    for (const chunk of this.#network.chunks(bytes)) {
      this.#network.later(this.#back, () => {
        if (this.#phase !== 'open') return
        if (this.#network.breaks()) return this.fail('ECONNRESET')
        this.#whenReading(() => {
          if (this.#phase !== 'open') return
          this.#read(chunk)
          this.#request.events.onReceived()
        })
      })
    }
  }

  ended(): void {
    const end = (): void => {
      if (this.#phase !== 'open') return
      this.#request.events.onEnd()
      this.#network.later(this.#back, () => this.#drop())
    }
    this.#network.later(this.#back, () => this.#whenReading(end))
  }

  broken(): void {
    this.#network.later({ freeAtMs: 0 }, () => this.fail('ECONNRESET'))
  }

  unstall(): void {
    if (!this.stalled) return
    this.stalled = false
    this.#network.later(this, () => this.#leave())
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#network.later(this.#back, () => this.#readKept())
  }

  /** What is on its way already comes behind it. */
  #readKept(): void {
    while (!this.#paused && this.#kept.length > 0) (this.#kept.shift() as () => void)()
  }

  /** What a paused side does not read waits in order. */
  #whenReading(action: () => void): void {
    if (this.#paused || this.#kept.length > 0) this.#kept.push(action)
    else action()
  }

  /** Both ways in which a real transport fills the buffer. */
  #read(chunk: Uint8Array): void {
    const { receive } = this.#request
    this.#flip = !this.#flip
    if (this.#flip) return receive.append(chunk)
    for (let at = 0; at < chunk.length; ) {
      const space = receive.space()
      const part = chunk.subarray(at, at + space.length)
      space.set(part)
      receive.filled(part.length)
      at += part.length
    }
  }

  #leave(): void {
    if (this.#phase !== 'open' || this.stalled) return
    const writes = this.#writes
    if (writes.length === 0) return
    this.#writes = []
    for (const { bytes, taken } of writes) {
      const copy = Buffer.from(bytes)
      this.unsentBytes -= copy.length
      taken(true)
      const peer = this.#peer as FakePeer
      if (this.#network.breaks()) return this.fail('ECONNRESET')
      peer.received = Buffer.concat([peer.received, copy])
      peer.onData(copy)
    }
    if (this.isOpen) this.#request.events.onDrain()
  }

  #drop(): void {
    if (this.#phase !== 'closed') this.#close(undefined)
  }

  #close(error: Error | undefined): void {
    this.#phase = 'closed'
    this.#network.later({ freeAtMs: 0 }, () => {
      if (this.#told) return
      this.#told = true
      const writes = this.#writes
      this.#writes = []
      // Node tells the callback of a write that never left, too.
      for (const { taken } of writes) taken(false)
      this.#request.events.onClosed(error)
      this.#peer?.onClose()
    })
  }
}
