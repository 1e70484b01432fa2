/**
 * Which lane a call goes to. Sans-I/O and sans-clock: it sees loads and answers with an index.
 *
 * Rules: a scheduler decides late, for one call at a time, and keeps no call. `Open` asks for one more lane, and the
 * call waits meanwhile; `Wait` leaves it in the queue. It may be replaced: the upstream knows this interface only.
 */
export interface LaneLoad {
  readonly hasRoom: boolean
  /** Calls written and not answered. */
  readonly unanswered: { readonly count: number }
}

export const Choice = { Wait: -1, Open: -2 } as const

export interface Scheduler {
  /** Index into `lanes`, or a `Choice`. `opening` lanes are on their way. */
  choose(lanes: readonly LaneLoad[], opening: number): number
  /** Lanes that shall be open while nobody calls. */
  readonly lanesMin: number
  readonly lanesMax: number
}

/** One lane for everything: callers rely on the order of calls they do not await. */
export const oneLane: Scheduler = {
  lanesMin: 1,
  lanesMax: 1,
  choose(lanes, opening) {
    const lane = lanes[0]
    if (lane === undefined) return opening > 0 ? Choice.Wait : Choice.Open
    return lane.hasRoom ? 0 : Choice.Wait
  },
}

/** One call at a time on each lane, as many lanes as needed up to a limit. */
export function pool(lanesMax: number): Scheduler {
  return {
    lanesMin: 1,
    lanesMax,
    choose(lanes, opening) {
      for (let index = 0; index < lanes.length; index++) {
        const lane = lanes[index] as LaneLoad
        if (lane.unanswered.count === 0 && lane.hasRoom) return index
      }
      return lanes.length + opening < lanesMax ? Choice.Open : Choice.Wait
    },
  }
}
