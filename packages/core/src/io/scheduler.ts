/**
 * Which lane a call goes to. Sans-I/O and sans-clock: it sees loads and is told the time.
 *
 * Rules:
 * 1. A scheduler decides late, for one call at a time, and keeps no call.
 * 2. It may be replaced: the upstream knows this interface only.
 */
import { CallFlag } from '../channel/records.ts'
import type { Call } from './call.ts'

/** What a scheduler sees of a lane. */
export interface LaneLoad {
  /** It is ready, and its peer takes what it is given. */
  readonly hasRoom: boolean
  /** Calls written and not answered. */
  readonly unanswered: { readonly count: number }
  /** Its one call wants it to itself. */
  readonly taken: boolean
  /** When its oldest unanswered call could begin to be worked on: written, and the one before it answered. */
  readonly headSinceMs: number
}

/** Who waits for a lane. */
export interface Waiting {
  /** Calls that may share a lane, and since when the next of them waits. */
  readonly sharing: number
  readonly sharingSinceMs: number
  /** Calls that want a lane to themselves. */
  readonly alone: number
  readonly aloneSinceMs: number
}

export interface Scheduler {
  /** Lanes that shall be open while nobody calls. */
  readonly lanesMin: number
  readonly lanesMax: number
  /** May this call share a lane with others? */
  shares(call: Call): boolean
  /** Index into `lanes`, or -1 when the call has to wait. `shares` is what was said of it just now. */
  choose(call: Call, shares: boolean, lanes: readonly LaneLoad[], waiting: Waiting, nowMs: number): number
  /** How many more lanes to open for those who wait; `opening` are on their way. */
  more(waiting: Waiting, lanes: readonly LaneLoad[], opening: number, nowMs: number): number
  /** Nothing more is written on this lane, and what can be moved from it is. */
  isLate(lane: LaneLoad, nowMs: number): boolean
  /** A call of a lane was answered. */
  answered?(call: Call, lane: LaneLoad, nowMs: number): void
  /** The head of a lane is late, and not answered yet; said again and again. */
  late?(lane: LaneLoad, head: Call, nowMs: number): void
  /** A lane was connected in this time. */
  connected?(ms: number): void
}

/** One lane for everything: callers rely on the order of calls they do not await. */
export const oneLane: Scheduler = {
  lanesMin: 1,
  lanesMax: 1,
  shares: () => true,
  choose: (_call, _shares, lanes) => (lanes[0]?.hasRoom === true ? 0 : -1),
  more: (_waiting, lanes, opening) => (lanes.length + opening === 0 ? 1 : 0),
  isLate: () => false,
}

/**
 * One call at a time on each lane, as many lanes as needed up to a limit. Reads with a fingerprint share: when no more
 * lanes may be opened, they stand behind others where the protocol lets a connection have more than one call.
 */
export function pool(lanesMax: number, lanesMin: number = 1, mayOpen: () => boolean = () => true): Scheduler {
  return {
    lanesMin,
    lanesMax,
    shares: ({ flags, fingerprint }) =>
      (flags & (CallFlag.Read | CallFlag.Taints | CallFlag.Stream)) === CallFlag.Read && fingerprint !== 0,
    choose: (_call, shares, lanes) => {
      const free = lanes.findIndex(isFree)
      return free !== -1 || !shares || (lanes.length < lanesMax && mayOpen()) ? free : shortest(lanes)
    },
    more: ({ alone, sharing }, lanes, opening) =>
      Math.min(alone + sharing - opening, lanesMax - lanes.length - opening),
    isLate: () => false,
  }
}

/** The lane with the fewest calls that takes one more. */
function shortest(lanes: readonly LaneLoad[]): number {
  let best = -1
  let fewest = Number.POSITIVE_INFINITY
  for (const [index, lane] of lanes.entries()) {
    if (lane.taken || !lane.hasRoom || lane.unanswered.count >= fewest) continue
    best = index
    fewest = lane.unanswered.count
  }
  return best
}

/** Nobody uses it, and it can be used. */
export function isFree(lane: LaneLoad): boolean {
  return lane.unanswered.count === 0 && lane.hasRoom
}
