/**
 * What a request is between the two halves: the bytes that cross the channel, and the hint beside them.
 *
 * Rules: the payload is what goes to the peer, byte for byte: head, and body with its chunk framing where it has one.
 * Nothing depends on the connection. The hint says what cannot be seen in the reply's bytes and decides where it ends
 * (RFC 9112, section 6.3).
 *
 *   lane      [Request, or more bits]  head and whole body
 *   session   [Request | Upload]       head, and as much of the body as is there
 *             [UploadPart] ...         more of it: silent calls, nothing answers them
 *             [UploadEnd]              its last bytes: the last chunk and the trailers, or the last of content-length
 *   tunnel    [Request | Connect]      head; after a 2xx
 *   upgrade   [Request | Upgrade]      head; after a 101
 *             [UploadPart] ...         what the caller says into the tunnel
 *
 * What comes back is passed on raw and in order: interim heads (1xx), the head, the body with its framing, trailers.
 * After a 101 or a 2xx to CONNECT everything until the connection ends belongs to the same reply.
 */

/** Bits of the hint that `encode` returns; the framer and `submit` are given them. Never 0, which means a script. */
export const RequestHint = {
  /** Set for every request. */
  Request: 1,
  /** HEAD: the reply has no body, whatever its head says. */
  Head: 2,
  /** CONNECT: a 2xx opens a tunnel. */
  Connect: 4,
  /** `Upgrade` was sent: a 101 is allowed, and ends HTTP here. */
  Upgrade: 8,
  /** The body follows in silent calls, up to one with `UploadEnd`. Interim heads are passed on as they come. */
  Upload: 16,
  /** A silent call: more of the body, or bytes for the tunnel. By itself. */
  UploadPart: 32,
  /** A silent call: the last bytes of the body (there may be none). By itself. */
  UploadEnd: 64,
  /** `Connection: close` was sent: nothing may follow on this connection. */
  CloseAfter: 128,
  /** Somebody waits for interim heads (`onInformation`): passed on as they come, not together with the final one. */
  Interim: 256,
} as const
