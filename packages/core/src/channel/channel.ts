/**
 * A channel: what one application thread and the I/O thread share. Two rings and two doorbells.
 *
 * Rules: the channel knows who wakes whom, never what the records mean.
 *
 *   application thread                                   I/O thread
 *   RingProducer  ---- submission ring ------------->  RingConsumer
 *   RingConsumer  <--- completion ring --------------  RingProducer
 *   doorbell      <---------------------------------->  doorbell
 *
 * A doorbell is an empty message on a MessagePort, because that wakes libuv (measured faster than `Atomics.waitAsync`
 * on Node 20), or a scheduled function where both ends live in one thread. It is rung only for a side that said it
 * sleeps, so a busy channel costs no wake-ups.
 */
import { AWAKE, BLOCKED, RingConsumer, type RingMemory, RingProducer, ringMemory } from './ring.ts'

export interface ChannelMemory {
  readonly submission: RingMemory
  readonly completion: RingMemory
}

export interface Doorbell {
  ring(): void
}

export function channelMemory(submissionBytes: number, completionBytes: number): ChannelMemory {
  return { submission: ringMemory(submissionBytes), completion: ringMemory(completionBytes) }
}

/** One side of a channel: what it writes to, what it reads from, and how it wakes the other. */
export class ChannelEnd {
  readonly out: RingProducer
  readonly in: RingConsumer
  readonly #doorbell: Doorbell

  constructor(out: RingMemory, incoming: RingMemory, doorbell: Doorbell) {
    this.out = new RingProducer(out)
    this.in = new RingConsumer(incoming)
    this.#doorbell = doorbell
  }

  /** Call after `out.commit`. */
  wakeReader(): void {
    const state = this.out.takeConsumerState()
    if (state === AWAKE) return
    if (state === BLOCKED) this.out.unblock()
    else this.#doorbell.ring()
  }

  /** Gives read memory back, and wakes a writer that waits for it. */
  release(): void {
    if (this.in.release()) this.#doorbell.ring()
  }

  invariants(): void {
    this.out.invariants()
    this.in.invariants()
  }
}

export function applicationEnd(memory: ChannelMemory, doorbell: Doorbell): ChannelEnd {
  return new ChannelEnd(memory.submission, memory.completion, doorbell)
}

export function ioEnd(memory: ChannelMemory, doorbell: Doorbell): ChannelEnd {
  return new ChannelEnd(memory.completion, memory.submission, doorbell)
}
