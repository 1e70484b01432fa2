/**
 * What lanes need besides calls: resets, audits, a watch over late heads, an end.
 *
 * Rules:
 * 1. A lane that ran a call which may leave state behind is reset before it takes another. A lane on which state was
 *    found that nobody announced is drained, dropped and reported: no later call is written on it.
 * 2. Calls behind a late head go elsewhere if they are idempotent, within the retry budget; a ghost keeps their place,
 *    and nothing is written behind ghosts.
 * 3. An audit, and the end of a lane, wait until it is idle; an audit that is due keeps new calls off it until then.
 *
 * Theory of operation: `busy` starts a sweep every `lateHeadMs` while anything is outstanding or waits, and none
 * otherwise; a slow round, once a second, looks after what is due by age.
 */
import { LocalError } from '../plugin/errors.ts'
import type { UpstreamLimits } from '../shared/limits.ts'
import type { IoEnvironment, Timer } from './environment.ts'
import type { LiveConnection } from './live-connection.ts'
import type { Scheduler } from './scheduler.ts'

export interface LaneCareHost {
  readonly environment: IoEnvironment
  readonly limits: UpstreamLimits
  readonly scheduler: Scheduler
  readonly authority: string
  /** Lanes that are ready, scripting or draining. */
  lanes(): readonly LiveConnection[]
  /** Calls wait, or lanes are due to be looked at soon. */
  hasWaiting(): boolean
  /** The lane has room again; or the time has come to look who waits. */
  onRoom(): void
  /** Moves what can be moved from behind the head of this lane. */
  rescue(lane: LiveConnection): void
  onPolluted(lane: LiveConnection, found: string): void
}

/** Ages are in minutes and seconds: more often would be for nothing. */
const ROUND_MS = 1_000
/** A tenth of a lane's life, so that lanes which were opened together do not end together. */
const LIFE_JITTER = 0.1

interface LaneAge {
  readonly endsAtMs: number
  auditAtMs: number
  /** Since the last audit a call was written. */
  used: boolean
  idleSinceMs: number
}

export class LaneCare {
  readonly #host: LaneCareHost
  readonly #ages = new Map<LiveConnection, LaneAge>()
  #sweep: Timer | undefined
  #round: Timer | undefined

  constructor(host: LaneCareHost) {
    this.#host = host
  }

  added(lane: LiveConnection): void {
    const { environment, limits } = this.#host
    const nowMs = environment.nowMs()
    const life = limits.laneLifeMs * (1 + LIFE_JITTER * (2 * environment.randomUnit() - 1))
    this.#ages.set(lane, {
      endsAtMs: nowMs + life,
      auditAtMs: nowMs + limits.auditIntervalMs,
      used: false,
      idleSinceMs: nowMs,
    })
    this.#round ??= this.#nextRound()
  }

  removed(lane: LiveConnection): void {
    this.#ages.delete(lane)
    if (this.#ages.size > 0) return
    this.#round?.cancel()
    this.#round = undefined
  }

  stop(): void {
    this.#sweep?.cancel()
    this.#round?.cancel()
    this.#ages.clear()
  }

  /** A call was written, or waits. */
  busy(): void {
    if (this.#sweep !== undefined) return
    this.#sweep = this.#host.environment.after(this.#host.limits.lateHeadMs, () => {
      this.#sweep = undefined
      this.#sweepNow()
    })
  }

  /** Something was answered on this lane. True when it may take calls. */
  settled(lane: LiveConnection): boolean {
    const age = this.#ages.get(lane)
    if (age === undefined || lane.phase !== 'ready') return true
    // Resets and audits are answered too; they are not what a lane is for.
    if (lane.lastAnsweredMs > age.idleSinceMs) {
      age.used = true
      age.idleSinceMs = lane.lastAnsweredMs
    }
    if (!lane.isIdle) return true
    if (lane.tainted) {
      this.#reset(lane)
      return false
    }
    if (lane.isHeld) {
      this.#audit(lane, age)
      return false
    }
    return true
  }

  /** The peer's own words: state was left behind that was not announced. */
  dirty(lane: LiveConnection): void {
    // What a call that said so leaves behind is what the reset is for.
    if (lane.tainted) return
    this.#drop(lane, 'an open transaction, or a parameter changed')
  }

  #sweepNow(): void {
    const { environment, scheduler, limits } = this.#host
    const nowMs = environment.nowMs()
    let outstanding = false
    for (const lane of this.#host.lanes()) {
      const head = lane.unanswered.first
      if (head === undefined) continue
      outstanding = true
      if (!scheduler.isLate(lane, nowMs)) continue
      scheduler.late?.(lane, head, nowMs)
      if (lane.unanswered.count > 1) this.#host.rescue(lane)
    }
    const waits = this.#host.hasWaiting()
    if (waits) this.#host.onRoom()
    if ((outstanding || waits) && limits.lateHeadMs > 0) this.busy()
  }

  #nextRound(): Timer {
    return this.#host.environment.after(ROUND_MS, () => {
      this.#roundNow()
      this.#round = this.#ages.size === 0 ? undefined : this.#nextRound()
    })
  }

  #roundNow(): void {
    const { environment, limits } = this.#host
    const nowMs = environment.nowMs()
    let open = this.#host.lanes().length
    for (const [lane, age] of [...this.#ages]) {
      if (lane.phase !== 'ready') continue
      if (nowMs >= age.endsAtMs) {
        lane.retire(new LocalError('LANE_LIFE', `a connection of ${this.#host.authority} has lived its life`))
        open--
      } else if (lane.isIdle && nowMs - age.idleSinceMs >= limits.laneIdleMs && open > this.#host.scheduler.lanesMin) {
        lane.retire(new LocalError('LANE_IDLE', `a connection of ${this.#host.authority} was not needed any more`))
        open--
      } else if (age.used && lane.canAudit && nowMs >= age.auditAtMs) {
        lane.isHeld = true
        if (lane.isIdle) this.#audit(lane, age)
      }
    }
  }

  #audit(lane: LiveConnection, age: LaneAge): void {
    age.used = false
    lane.audit((found) => {
      age.auditAtMs = this.#host.environment.nowMs() + this.#host.limits.auditIntervalMs
      lane.isHeld = false
      if (found !== undefined) this.#drop(lane, found)
      else this.#host.onRoom()
    })
  }

  #reset(lane: LiveConnection): void {
    const can = lane.reset(() => {
      lane.isHeld = false
      this.#host.onRoom()
    })
    if (!can) lane.retire(new LocalError('LANE_TAINTED', 'a call may have left state behind, and nothing can reset it'))
  }

  #drop(lane: LiveConnection, found: string): void {
    const { authority } = this.#host
    lane.retire(
      new LocalError(
        'POLLUTED',
        `a call left state behind on a connection of ${authority} that others share: ${found}`,
      ),
    )
    this.#host.onPolluted(lane, found)
  }
}

/** Ends that were decided here: nothing is wrong with the address. */
export const PLANNED_ENDS: readonly string[] = ['LANE_LIFE', 'LANE_IDLE', 'LANE_TAINTED', 'LANE_ABANDONED', 'POLLUTED']
