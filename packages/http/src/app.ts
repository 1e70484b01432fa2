/**
 * What stays on the application thread of a target: what every request to it says, and how its replies are bounded.
 *
 * Rules: plain data, already checked by `resolve`. Nothing here crosses to the I/O half, and nothing here decides which
 * server is asked, so two clients that differ in it alone may share connections.
 */
import type { FieldsGiven } from './codec/template.ts'

export interface HttpApp {
  /** The value of Host: `api.internal`, `api.internal:8080`, `[::1]:8080`. */
  readonly host: string
  /** `http://api.internal` where a proxy is given whole URLs; otherwise empty. */
  readonly origin: string
  /** Of every request, unless a call says otherwise. */
  readonly headers: FieldsGiven
  /** For a proxy that is given whole URLs: `Basic …`. */
  readonly proxyAuthorization: string | undefined
  /** Safe requests share a connection. */
  readonly isPipelined: boolean
  /** The most that `bytes()`, `text()` and `json()` gather of a body that is a stream. */
  readonly bodyBytesMax: number
}
