/**
 * The options that clients and targets of every protocol have: calls, waits, closing, TLS, places.
 *
 * Rules: a protocol that has more spreads `checks` and adds to them; one that has less replaces a check by one that
 * says why.
 */
import type { CallOptions, TlsOptions, WaitOptions } from '../plugin/protocol.ts'
import {
  type Check,
  type Kind,
  must,
  mustBeBoolean,
  mustBeDuration,
  mustBeFunction,
  mustBeOneOf,
  mustBeSignal,
  mustBeText,
  mustBeTextOrBytes,
  mustBeTexts,
  problemIn,
} from './options.ts'

export const WAIT_OPTIONS: Kind<WaitOptions> = {
  title: 'option of a wait',
  checks: { signal: mustBeSignal, deadlineMs: mustBeDuration },
}

export const CLOSE_OPTIONS: Kind<{ readonly deadlineMs?: number }> = {
  title: 'option of close()',
  checks: { deadlineMs: mustBeDuration },
}

export const CALL_OPTIONS: Kind<CallOptions> = {
  title: 'call option',
  checks: {
    signal: mustBeSignal,
    deadlineMs: mustBeDuration,
    idempotent: mustBeBoolean,
    priority: mustBeOneOf('high', 'normal', 'low'),
    onTiming: mustBeFunction,
  },
}

const mustBePem: Check = must(
  (value) => (Array.isArray(value) ? [...value] : [value]).every((part) => mustBeTextOrBytes(part, '') === undefined),
  'PEM: a string, a Uint8Array or a list of them',
)

export const TLS_OPTIONS: Kind<TlsOptions> = {
  title: 'option of tls',
  checks: {
    ca: mustBePem,
    cert: mustBeTextOrBytes,
    key: mustBeTextOrBytes,
    passphrase: mustBeText,
    servername: mustBeText,
    rejectUnauthorized: mustBeBoolean,
    verifyName: mustBeBoolean,
    alpnProtocols: mustBeTexts,
    alpnRequired: mustBeBoolean,
    minVersion: mustBeOneOf('TLSv1.2', 'TLSv1.3'),
    mode: mustBeOneOf('direct', 'negotiated'),
  },
}

/** The `tls` of a target: `true`, `false` or options. `replaced`: what this protocol does not take as it is. */
export function mustBeTls(replaced: Partial<Kind<TlsOptions>['checks']> = {}): Check {
  const kind: Kind<TlsOptions> = { ...TLS_OPTIONS, checks: { ...TLS_OPTIONS.checks, ...replaced } }
  return (value) => (typeof value === 'boolean' ? undefined : problemIn(value, kind))
}

export const mustBePort: Check = must(
  (value) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65_535,
  'a whole number from 1 to 65535',
)

export const mustBeAddresses: Check = must(
  (value) => mustBeTexts(value, '') === undefined && (value as readonly string[]).length > 0,
  'a list of addresses',
)

/** The `discovery` of a target: a registered one, and what it understands. */
export const mustBeDiscovery: Check = (value, name) => problemIn(value, DISCOVERY) ?? lacking(value, name)

interface DiscoveryChoice {
  readonly name: string
  readonly target: string
}

const DISCOVERY: Kind<DiscoveryChoice> = {
  title: 'field of a discovery',
  checks: { name: mustBeText, target: mustBeText },
}

function lacking(value: unknown, name: string): string | undefined {
  const given = value as Partial<DiscoveryChoice>
  if (given.name === undefined) return `${name} lacks its name`
  return given.target === undefined ? `${name} lacks its target` : undefined
}
