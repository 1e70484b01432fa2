/**
 * Every limit of the gateway, with the reason for its default.
 *
 * Rules: a limit is a named option, its unit last in the name. What a client can make grow and has no limit here is a
 * defect. Limits of the kernel (calls in flight, queues, replies) are the kernel's own; `GET /describe` shows both.
 */
export interface GatewayLimits {
  /** A request's body. Read whole before it is passed on, so it bounds memory for each request. */
  readonly bodyBytesMax: number
  /** A key, channel or list name after decoding. Redis allows 512 MB; whoever needs more than this has a bug. */
  readonly keyBytesMax: number
  /** A request's line and headers. Node's own default. */
  readonly headerBytesMax: number
  /** How long a client may take to send its headers, and all of its request. */
  readonly headersTimeoutMs: number
  readonly requestTimeoutMs: number
  /** A client's connection between requests: longer than a pause between two clicks, shorter than proxies' patience. */
  readonly keepAliveTimeoutMs: number
  /** Clients' connections. Each costs some 10 KB here, and a file descriptor of the usual 1 024. */
  readonly connectionsMax: number
  /** Of a call to an upstream that does not wait for something to happen. */
  readonly callDeadlineMs: number
  /** Event streams that are open at a time; each holds a client's connection for as long as it likes. */
  readonly eventStreamsMax: number
  /** Events that wait for a client that does not read; what comes beyond is dropped, and the client is told so. */
  readonly eventsQueuedMax: number
  /** A comment is sent this often, so that proxies and clients notice a dead connection. Proxies give up after 60 s. */
  readonly heartbeatIntervalMs: number
  /** Requests that wait for an element of a list. Each takes a connection to Redis, and those are dear. */
  readonly listWaitersMax: number
  /** The longest such wait. */
  readonly listWaitMsMax: number
  /** Keys that one listing may return. */
  readonly listedKeysMax: number
  /** What `Retry-After` says when an upstream is down: the kernel tries again at least this often. */
  readonly retryAfterSeconds: number
  /** What is being answered when the gateway stops gets this long to finish. */
  readonly drainTimeoutMs: number
}

export const GATEWAY_LIMITS: GatewayLimits = {
  bodyBytesMax: 16 << 20,
  keyBytesMax: 1_024,
  headerBytesMax: 16 << 10,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  keepAliveTimeoutMs: 10_000,
  connectionsMax: 900,
  callDeadlineMs: 5_000,
  eventStreamsMax: 100,
  eventsQueuedMax: 1_000,
  heartbeatIntervalMs: 15_000,
  listWaitersMax: 48,
  listWaitMsMax: 60_000,
  listedKeysMax: 1_000,
  retryAfterSeconds: 5,
  drainTimeoutMs: 5_000,
}
