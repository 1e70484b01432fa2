/**
 * Every limit of the gateway, with the reason for its default.
 *
 * Rules: a limit is a named option, its unit last in the name. What a client can make grow and has no limit here is a
 * defect. Limits of the kernel (calls in flight, queues, replies) are the kernel's own; `GET /describe` shows both.
 */
export interface GatewayLimits {
  /** A request's body. Read whole before it is passed on, so it bounds memory for each request. */
  readonly bodyBytesMax: number
  /** A body that is passed on as it comes: no memory here, but the upstream keeps it until the end of the request. */
  readonly importBytesMax: number
  /** One line of such a body, which is read whole. */
  readonly lineBytesMax: number
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
  /** Of a statement that makes rows of a whole import: as long as its request may take. */
  readonly importDeadlineMs: number
  /** Of one upstream's part in an answer made of several: the others do not wait for a slow one longer than this. */
  readonly partDeadlineMs: number
  /** Event streams of a backend that are open at a time; each holds a client's connection for as long as it likes. */
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
  /** Accounts on one page of a listing. */
  readonly listedAccountsMax: number
  /** Connections to Postgres: those below that last, and eight for what is brief. A server's default bears 100. */
  readonly postgresConnectionsMax: number
  /** Bodies that stream from or to Postgres at a time; each holds a connection, and for imports a transaction. */
  readonly postgresStreamsMax: number
  /** Connections to MySQL: those that stream, and as many for what is brief. A server's default bears 151. */
  readonly mysqlConnectionsMax: number
  /** Rows that stream from MySQL at a time; each holds a connection. */
  readonly mysqlStreamsMax: number
  /** How often an order is tried again after a deadlock; each try takes a few milliseconds. */
  readonly orderRetriesMax: number
  /** Files that stream up or down at a time. Each holds a connection to the service, and one of a client. */
  readonly fileStreamsMax: number
  /** Requests that wait for a job to end. They share one connection, so all they cost is a place in two tables. */
  readonly jobWaitersMax: number
  /** The longest such wait. */
  readonly jobWaitMsMax: number
  /** Questions of jobs that wait for somebody to answer, and for how long: then the answer is no. */
  readonly questionsMax: number
  readonly questionWaitMsMax: number
  /** Of what is slow on purpose, at each backend: at a time, and how long one may be. Each holds a connection. */
  readonly slowCallsMax: number
  readonly slowMsMax: number
  /** A client that takes nothing of its stream for this long loses it: it holds a connection to an upstream. */
  readonly readerTimeoutMs: number
  /** A transaction in which nothing happens for this long is ended by Postgres, and its locks with it. */
  readonly idleTransactionTimeoutMs: number
  /** How often a transfer is tried again after a conflict with another one; each try takes a millisecond or so. */
  readonly transferRetriesMax: number
  /** What `Retry-After` says when an upstream is down: the kernel tries again at least this often. */
  readonly retryAfterSeconds: number
  /** What is being answered when the gateway stops gets this long to finish. */
  readonly drainTimeoutMs: number
}

export const GATEWAY_LIMITS: GatewayLimits = {
  bodyBytesMax: 16 << 20,
  importBytesMax: 256 << 20,
  lineBytesMax: 64 << 10,
  keyBytesMax: 1_024,
  headerBytesMax: 16 << 10,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  keepAliveTimeoutMs: 10_000,
  connectionsMax: 900,
  callDeadlineMs: 5_000,
  importDeadlineMs: 60_000,
  partDeadlineMs: 1_000,
  eventStreamsMax: 100,
  eventsQueuedMax: 1_000,
  heartbeatIntervalMs: 15_000,
  listWaitersMax: 48,
  listWaitMsMax: 60_000,
  listedKeysMax: 1_000,
  listedAccountsMax: 1_000,
  postgresConnectionsMax: 20,
  postgresStreamsMax: 8,
  mysqlConnectionsMax: 20,
  mysqlStreamsMax: 8,
  orderRetriesMax: 5,
  fileStreamsMax: 48,
  jobWaitersMax: 500,
  jobWaitMsMax: 60_000,
  questionsMax: 100,
  questionWaitMsMax: 60_000,
  slowCallsMax: 4,
  slowMsMax: 10_000,
  readerTimeoutMs: 30_000,
  idleTransactionTimeoutMs: 60_000,
  transferRetriesMax: 5,
  retryAfterSeconds: 5,
  drainTimeoutMs: 5_000,
}
