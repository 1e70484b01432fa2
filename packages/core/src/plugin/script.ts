/**
 * Scripts: how a handshake, a probe or a reset is written down.
 *
 * Rules: a script is a generator over the four steps below and nothing else: no sockets, no clock, no random numbers
 * but those it was given. Reading it from top to bottom is reading the specification's chapter. Its result crosses the
 * threads.
 *
 * Theory of operation: the kernel runs a script on a connection that nobody else uses meanwhile. `send` queues bytes
 * and goes on at once; `frame` waits for the next frame that the connection's own `scan` reports (pushes are delivered
 * elsewhere and never seen here); `read` waits for raw bytes before framing begins (the one-byte answer to an
 * SSLRequest); `tls` upgrades the socket. Bytes that arrive between a `read` and the `tls` after it are an attack
 * (CVE-2021-23222) and end the connection.
 *
 * Limits: `scriptStepsMax` steps, `handshakeTimeoutMs` for the whole of a handshake, `probeTimeoutMs` for a probe.
 */
export type Step =
  | { readonly do: 'send'; readonly bytes: Uint8Array }
  | { readonly do: 'frame' }
  | { readonly do: 'read'; readonly length: number }
  | { readonly do: 'tls' }

export type Script<Result> = Generator<Step, Result, Uint8Array>

/** Writes bytes. Does not wait. */
export function* send(bytes: Uint8Array): Script<void> {
  yield { do: 'send', bytes }
}

/** The next whole frame, as a copy the script may keep. */
export function* frame(): Script<Uint8Array> {
  return yield { do: 'frame' }
}

/** Exactly `length` raw bytes, unframed. */
export function* read(length: number): Script<Uint8Array> {
  return yield { do: 'read', length }
}

/**
 * Upgrades to TLS, unless the connection is encrypted already. Returns the peer's certificate (DER), for channel
 * binding; empty when there is none.
 */
export function* upgradeTls(): Script<Uint8Array> {
  return yield { do: 'tls' }
}
