/**
 * Elastic lanes: as few as the work allows, and nobody behind a slow query. A scheduler; see `scheduler.ts`.
 *
 * Rules:
 * 1. Only reads that are known to be quick share a lane, `windowMax` deep (more where the round trip is long).
 *    Everything else (unknown, slow, writing) has a lane to itself while it runs.
 * 2. Small quick reads fill the first lane with room, and go to an idle one when they have waited a moment; larger ones
 *    take idle lanes first. Calls of their own take the last free one: work gathers at one end, and lanes at the other
 *    fall idle and are closed.
 * 3. Nothing more is written behind a head that is late; and its age is learned from before it is answered, so that a
 *    statement which has become slow does not fill one lane after the other.
 * 4. While quick reads come, calls of their own leave one lane to them: ten slow queries do not stop the fast ones.
 *    While calls of their own wait, quick reads leave them up to half of the lanes that are not taken: a flood of them
 *    stops nobody either. With a single lane, whoever waits longer has it.
 *
 * Theory of operation: the queue lives in the kernel and not in the server, so that each call is bound to a lane when
 * there is room and not before. A deep queue in the server buys little (Postgres, one lane: depth 4 gives 57 k/s, 8
 * 79 k/s, 200 92 k/s) and puts everybody behind the slowest. What is quick is learned (`service-times.ts`).
 *
 *   lane 0  [q q q q q q q q]   full window        q: quick reads, shared
 *   lane 1  [q q q . . . . .]   <- the next quick read
 *   lane 2  [. . . . . . . .]   idle: closed after laneIdleMs
 *   lane 3  [S]                 S: a call of its own
 *
 * Growth: a call of its own that finds no free lane opens one at once, as every pool does. Quick reads open one only
 * when the first has waited `growAfterMs`: a server works off a window in less than that, unless it is the lane that is
 * the bottleneck.
 */
import { CallFlag } from '../channel/records.ts'
import type { UpstreamLimits } from '../shared/limits.ts'
import type { Call } from './call.ts'
import { isFree, type LaneLoad, type Scheduler, type Waiting } from './scheduler.ts'
import type { ServiceTimes } from './service-times.ts'

/**
 * Quick reads that came within this time keep a lane from being taken by others. Whoever asks less often than that
 * cannot tell a lane that was kept from one that had to be opened.
 */
const SHARING_LATELY_MS = 100
/** A window covers what a server works off during a round trip: at 20 µs a read that is 50 for each millisecond. */
const READS_PER_MS = 50
/**
 * Up to this (beyond the round trip, nearly always) a read is small: it is packed behind others while a lane next to it
 * is idle. A read by primary key takes a server 10 to 20 µs, and is seen to take up to 300 when replies come together.
 */
const SMALL_MS = 0.5
/** How long a small read waits in the kernel before an idle lane is used for it: about as long as a window lasts. */
const WAKE_AFTER_MS = 1
/** Larger reads take idle lanes first, and then share them this much less deeply. */
const LARGER = 4
/** Whatever the round trip: as deep as a lane of one protocol message each still answers within a few milliseconds. */
const WINDOW_LARGEST = 1_000
/** Handshakes at once: each is a process on the server and a key exchange here. */
const OPENING_MAX = 4

export class ElasticLanes implements Scheduler {
  readonly lanesMin: number
  readonly lanesMax: number
  readonly #limits: UpstreamLimits
  readonly #times: ServiceTimes
  #sharedAtMs = Number.NEGATIVE_INFINITY

  constructor(lanesMax: number, limits: UpstreamLimits, times: ServiceTimes) {
    this.lanesMax = lanesMax
    this.lanesMin = limits.lanesMin
    this.#limits = limits
    this.#times = times
  }

  /** Quick reads that may be outstanding on one lane. */
  get window(): number {
    const { windowMax } = this.#limits
    const beyondLoopback = Math.max(0, this.#times.roundTripMs - 1)
    return Math.min(Math.max(windowMax, WINDOW_LARGEST), Math.ceil(windowMax + beyondLoopback * READS_PER_MS))
  }

  shares(call: Call): boolean {
    if ((call.flags & (CallFlag.Read | CallFlag.Taints)) !== CallFlag.Read) return false
    const time = call.service ?? this.#times.of(call.fingerprint)
    call.service = time
    return time !== undefined && this.#times.isQuick(time)
  }

  choose(call: Call, shares: boolean, lanes: readonly LaneLoad[], waiting: Waiting, nowMs: number): number {
    // With a single lane both kinds need the same one, and whoever waits longer has it.
    if (lanes.length === 1) {
      const others = shares ? waiting.alone : waiting.sharing
      if (others > 0 && call.arrivedAtMs > (shares ? waiting.aloneSinceMs : waiting.sharingSinceMs)) return -1
    }
    if (!shares) return this.#freeLane(lanes, nowMs)
    this.#sharedAtMs = nowMs
    const { window } = this
    let open = lanes.length
    if (waiting.alone > 0) {
      // The far half runs empty for those who need a lane: else a flood of quick reads would keep all of them filled.
      const usable = this.#usable(lanes, nowMs)
      open = usable - Math.min(waiting.alone, usable >> 1)
    }
    // A small call costs its server less than the change to another process does; a larger one is worth its own.
    const packs = call.service !== undefined && call.service.highMs <= SMALL_MS
    const stuckMs = SMALL_MS + this.#times.roundTripMs
    let mayWake = !packs || nowMs - call.arrivedAtMs >= WAKE_AFTER_MS
    const depth = packs ? window : Math.ceil(window / LARGER)
    let first = -1
    let isFirst = true
    for (let index = 0; index < lanes.length && open > 0; index++) {
      const lane = lanes[index] as LaneLoad
      if (lane.taken || !lane.hasRoom || this.isLate(lane, nowMs)) continue
      const { count } = lane.unanswered
      if (count === 0 && (mayWake || isFirst)) return index
      if (count > 0 && count < depth) {
        // Its head takes longer than a small read does: not late yet, and reason enough to look for an idle lane.
        const isStuck = nowMs - lane.headSinceMs > stuckMs
        if (packs && !isStuck) return index
        if (isStuck) mayWake = true
        if (first === -1) first = index
      }
      isFirst = false
      open--
    }
    return first
  }

  more(waiting: Waiting, lanes: readonly LaneLoad[], opening: number, nowMs: number): number {
    const room = Math.min(this.lanesMax - lanes.length, OPENING_MAX) - opening
    if (room <= 0) return 0
    if (waiting.alone > 0) return Math.min(room, waiting.alone - opening)
    const waits = waiting.sharing > 0 && opening === 0
    // Every lane is stuck behind somebody, or one is no longer enough.
    if (waits && (nowMs - waiting.sharingSinceMs >= this.#limits.growAfterMs || lanes.every((lane) => lane.taken))) {
      return 1
    }
    return 0
  }

  isLate(lane: LaneLoad, nowMs: number): boolean {
    if (lane.unanswered.count === 0) return false
    return nowMs - lane.headSinceMs > this.#limits.lateHeadMs + 2 * this.#times.roundTripMs
  }

  answered(call: Call, lane: LaneLoad, nowMs: number): void {
    if (call.service !== undefined) {
      this.#times.observe(call.service, nowMs - lane.headSinceMs, call.writtenAtMs >= lane.headSinceMs)
    }
  }

  late(lane: LaneLoad, head: Call, nowMs: number): void {
    if (head.service !== undefined) this.#times.observe(head.service, nowMs - lane.headSinceMs, false)
  }

  connected(ms: number): void {
    this.#times.connected(ms)
  }

  /** The last free lane; none when it is the only one left for quick reads. */
  #freeLane(lanes: readonly LaneLoad[], nowMs: number): number {
    const keepsOne = lanes.length > 1 && nowMs - this.#sharedAtMs < SHARING_LATELY_MS
    if (keepsOne && this.#usable(lanes, nowMs) < 2) return -1
    return lanes.findLastIndex(isFree)
  }

  /** Lanes that quick reads could be written on now, or when their window has room. */
  #usable(lanes: readonly LaneLoad[], nowMs: number): number {
    let count = 0
    for (const lane of lanes) if (!lane.taken && lane.hasRoom && !this.isLate(lane, nowMs)) count++
    return count
  }
}
