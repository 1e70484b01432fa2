/**
 * Every limit of the kernel, with the reason for its default. `kernel.describe()` prints them.
 *
 * Rules: a limit is a named option, its unit last in the name. What is absent here has no limit, and that would be a
 * defect.
 */

export interface KernelLimits {
  /**
   * Ring from the application to the I/O thread. 1 MB holds 10 000 small requests: more than a turn of either thread
   * makes.
   */
  readonly submissionBytes: number
  /** Ring back. Larger, because replies are larger than requests; memory is touched only as far as it is used. */
  readonly completionBytes: number
  /**
   * Calls of one application thread that are not settled. Beyond it they are refused: memory, not throughput, is at
   * stake.
   */
  readonly inFlightMax: number
  /** Requests that wait in the application because the ring is full. One larger request is let in when none wait. */
  readonly pendingBytesMax: number
  /** Replies that wait on the I/O thread for one application thread that does not look. Past it, its calls fail. */
  readonly overflowBytesMax: number
  /** A drain gives the event loop back after this long: application timers and sockets of others must not starve. */
  readonly drainMsMax: number
  /**
   * How long the I/O thread may show no progress while there is work, before it is replaced. A CPU quota can stop it
   * for 100 ms.
   */
  readonly stallTimeoutMs: number
  /** Restarts of the I/O thread within `restartWindowMs` before the kernel gives up. */
  readonly restartsMax: number
  readonly restartWindowMs: number
  /** Bound of the flush in `process.exit()`. */
  readonly exitFlushMsMax: number
  /**
   * How long an application thread looks into the ring before it sleeps, when replies have lately come that fast. 0:
   * never. Measured with 50 calls in flight: 304 k/s at 600 µs, 160 k/s without, for the same processor time; waking up
   * is what costs.
   */
  readonly pollUsMax: number
}

export const KERNEL_LIMITS: KernelLimits = {
  submissionBytes: 1 << 20,
  completionBytes: 1 << 22,
  inFlightMax: 100_000,
  pendingBytesMax: 256 << 20,
  overflowBytesMax: 256 << 20,
  drainMsMax: 2,
  stallTimeoutMs: 5_000,
  restartsMax: 5,
  restartWindowMs: 60_000,
  exitFlushMsMax: 500,
  pollUsMax: 600,
}

/** What an upstream does with calls while it has nobody to ask. */
export type WhenDown = 'wait' | 'fail'

export interface UpstreamLimits {
  /** Connect and TLS. Longer than a lost SYN's first two retransmissions (1 s, 3 s). */
  readonly connectTimeoutMs: number
  readonly handshakeTimeoutMs: number
  /**
   * Of a call that names none. Longer than any healthy reply; short enough that a hung upstream does not hold slots for
   * ever.
   */
  readonly callDeadlineMs: number
  /** Calls that wait in the kernel for a connection. */
  readonly queueMax: number
  /**
   * Calls written and not answered on one connection. A deep queue inside a server buys nothing, but a lane of Redis
   * needs many.
   */
  readonly pipelineMax: number
  /** Bytes handed to a socket that its peer has not taken; beyond, calls wait in the kernel's queue. */
  readonly unsentBytesMax: number
  /**
   * A request; also what a call is told when it is larger (Redis: 512 MB a bulk, MySQL and Postgres 1 GB a message).
   */
  readonly requestBytesMax: number
  /** A reply on a lane: past it the call fails and the rest is dropped as it comes. */
  readonly replyBytesMax: number
  /** A frame that the framer cannot pass on in parts. */
  readonly frameBytesMax: number
  /** What a streamed reply may have on its way to a reader that has not taken it; beyond, the peer waits. */
  readonly streamBytesMax: number
  /** How long the reader of a stream may take nothing while the peer waits for it. */
  readonly readerTimeoutMs: number
  /**
   * Lanes and sessions together; a push connection and a monitor come besides. One more than `sessionsMax`, so that it
   * binds only where a protocol or a user says so.
   */
  readonly connectionsMax: number
  /** Of those, how many lanes may not take: a transaction can begin while every lane works. */
  readonly sessionsReserved: number
  /** Connections that are lent (transactions, blocking commands). */
  readonly sessionsMax: number
  /** Idle sessions kept for the next borrower. */
  readonly sessionsIdleMax: number
  /**
   * Lanes of an `elastic` or `pool` upstream; `one` has one. 0: no connection is shared; every call has one to itself,
   * which is reset before the next.
   */
  readonly lanesMax: number
  /**
   * Lanes that stay open while nobody calls, 0 or 1. 0 is for peers that close what idles: a connection is opened when
   * somebody calls, and its end while it idled is no trouble.
   */
  readonly lanesMin: number
  /**
   * Elastic lanes: small quick reads written and not answered on one lane; larger ones a quarter of that. A deeper
   * queue in the server buys little and puts everybody behind a slow one: 64 small reads are less than a millisecond of
   * work. (Measured with 50 in flight: 61 k/s, with 32 52 k/s.) Multiplied where the round trip is long.
   */
  readonly windowMax: number
  /**
   * Elastic lanes: a statement is quick when nearly all of its calls take no longer than this beyond the round trip.
   */
  readonly quickMsMax: number
  /** Elastic lanes: nothing more is written behind a call that has not been answered for this long. */
  readonly lateHeadMs: number
  /** Elastic lanes: a quick read that has waited this long for room is reason to open another lane. */
  readonly growAfterMs: number
  /** An elastic lane that nobody has used for this long is closed; one stays. */
  readonly laneIdleMs: number
  /** A lane is replaced when it has lived this long, give or take a tenth: servers leak, balancers forget. */
  readonly laneLifeMs: number
  /** How often a lane is looked over for state that a call left behind. */
  readonly auditIntervalMs: number
  /** How long a call that was given up may still run after the peer was asked to cancel it. */
  readonly cancelTimeoutMs: number
  /** Interests (channels, LISTEN names) of one upstream. */
  readonly interestsMax: number
  /** How often the monitor connection asks. */
  readonly probeIntervalMs: number
  readonly probeTimeoutMs: number
  /** A lane with unanswered calls from which nothing has come for this long is suspect; its monitor decides. */
  readonly laneSilenceMs: number
  /** A connection that is replaced gets this long to finish what was written on it; a streamed reply, all it takes. */
  readonly drainTimeoutMs: number
  /** First wait after a failed connect; doubles, with jitter, to the second. Reset by a successful handshake only. */
  readonly reconnectMinMs: number
  readonly reconnectMaxMs: number
  /** Retries of idempotent calls: this share of the calls… */
  readonly retryPercent: number
  /** …and so many a second besides (finagle's budget is 20 % and 10/s). */
  readonly retriesPerSecond: number
  /**
   * How often one call is sent again. By default the budget and its deadline bound it; where a request may itself be
   * what breaks connections (HTTP), once is enough.
   */
  readonly callRetriesMax: number
  /** Steps of one handshake, probe or reset: a peer that never ends its handshake is cut off. */
  readonly scriptStepsMax: number
  /** DNS: bounds for the time to live of an answer. */
  readonly ttlMinMs: number
  readonly ttlMaxMs: number
}

export const UPSTREAM_LIMITS: UpstreamLimits = {
  connectTimeoutMs: 5_000,
  handshakeTimeoutMs: 5_000,
  callDeadlineMs: 30_000,
  queueMax: 100_000,
  pipelineMax: 10_000,
  unsentBytesMax: 1 << 20,
  requestBytesMax: 512 << 20,
  replyBytesMax: 128 << 20,
  frameBytesMax: 64 << 20,
  streamBytesMax: 1 << 20,
  readerTimeoutMs: 300_000,
  connectionsMax: 65,
  sessionsReserved: 1,
  sessionsMax: 64,
  sessionsIdleMax: 4,
  lanesMax: 10,
  lanesMin: 1,
  windowMax: 64,
  quickMsMax: 2,
  lateHeadMs: 10,
  growAfterMs: 5,
  laneIdleMs: 10_000,
  laneLifeMs: 1_800_000,
  auditIntervalMs: 10_000,
  cancelTimeoutMs: 2_000,
  interestsMax: 10_000,
  probeIntervalMs: 5_000,
  probeTimeoutMs: 2_000,
  laneSilenceMs: 5_000,
  drainTimeoutMs: 30_000,
  reconnectMinMs: 50,
  reconnectMaxMs: 5_000,
  retryPercent: 20,
  retriesPerSecond: 10,
  callRetriesMax: 1_000_000,
  scriptStepsMax: 1_000,
  ttlMinMs: 1_000,
  ttlMaxMs: 60_000,
}

/** Options of `kernel.connect`: limits to change, and policy. */
export interface UpstreamOptions extends Partial<UpstreamLimits> {
  /** Default `wait`: calls wait for their deadline. `fail`: they are refused at once. */
  readonly whenDown?: WhenDown
}
