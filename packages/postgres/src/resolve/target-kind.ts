/** Judges the object form of a target: names, types, and which places exclude each other. */
import type { TlsOptions } from '@iokernel/core/plugin'
import type { FramerLimits } from '../limits.ts'
import {
  type Check,
  isPlainObject,
  type Kind,
  must,
  mustBeBoolean,
  mustBeCount,
  mustBeText,
  problemIn,
} from '../options.ts'
import type { PostgresTarget } from '../resolve.ts'

function isText(value: unknown): boolean {
  return typeof value === 'string'
}

function oneOf(...values: readonly string[]): Check {
  return must((value) => values.includes(value as string), `one of ${values.join(', ')}`)
}

const mustBeName = must((value) => isText(value) || value instanceof Uint8Array, 'a string or a Uint8Array')

const mustBeTexts = must((value) => Array.isArray(value) && [...value].every(isText), 'a list of strings')

const mustBePem = must(
  (value) => (Array.isArray(value) ? value : [value]).every((part) => mustBeName(part, '') === undefined),
  'PEM: a string, a Uint8Array or a list of them',
)

const TLS: Kind<TlsOptions> = {
  title: 'option of tls',
  checks: {
    ca: mustBePem,
    cert: mustBeName,
    key: mustBeName,
    passphrase: mustBeText,
    servername: mustBeText,
    rejectUnauthorized: mustBeBoolean,
    verifyName: mustBeBoolean,
    alpnProtocols: must((value) => value === undefined, 'not given: it is postgresql where the mode is direct'),
    alpnRequired: must((value) => value === undefined, 'not given: it is true where the mode is direct'),
    minVersion: oneOf('TLSv1.2', 'TLSv1.3'),
    mode: oneOf('direct', 'negotiated'),
  },
}

const LIMITS: Kind<FramerLimits> = { title: 'limit', checks: { frameBytesMax: mustBeCount } }

const DISCOVERY: Kind<{ readonly name: string; readonly target: string }> = {
  title: 'field of a discovery',
  checks: { name: mustBeText, target: mustBeText },
}

/** Names of run-time parameters; those that others of our fields say have no business there. */
const PARAMETER_NAME = /^[A-Za-z_][A-Za-z0-9_.$]*$/
const TAKEN: ReadonlySet<string> = new Set(['user', 'database', 'client_encoding', 'replication', 'options'])

export const TARGET: Kind<PostgresTarget> = {
  title: 'field of a target',
  checks: {
    url: mustBeText,
    host: mustBeText,
    port: must(isPort, 'a whole number from 1 to 65535'),
    hosts: must((value) => Array.isArray(value) && value.length > 0 && [...value].every(isText), 'a list of addresses'),
    discovery: (value, name) => problemIn(value, DISCOVERY) ?? lacking(value, name, ['name', 'target']),
    user: mustBeText,
    password: must((value) => isText(value) || typeof value === 'function', 'a string, or a function that returns one'),
    database: mustBeText,
    passfile: mustBeText,
    tls: (value) => (typeof value === 'boolean' ? undefined : problemIn(value, TLS)),
    sslMode: oneOf('disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'),
    channelBinding: oneOf('disable', 'prefer', 'require'),
    requireAuth: mustBeTexts,
    targetSessionAttrs: oneOf('any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'),
    parameters: (value, name) => parametersProblem(value, name),
    options: mustBeText,
    applicationName: mustBeText,
    protocolVersion: oneOf('3.0', '3.2', 'latest'),
    prepare: mustBeBoolean,
    statementsMax: mustBeCount,
    types: must((value) => typeof value === 'object' && value !== null, 'an object'),
    trustedFunctions: mustBeTexts,
    insideTransaction: oneOf('refuse', 'join'),
    limits: (value) => problemIn(value, LIMITS),
  },
}

function isPort(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65_535
}

function lacking(value: unknown, name: string, fields: readonly string[]): string | undefined {
  const given = value as { readonly [field: string]: unknown }
  const field = fields.find((each) => given[each] === undefined)
  return field === undefined ? undefined : `${name} lacks its ${field}`
}

function parametersProblem(value: unknown, name: string): string | undefined {
  if (!isPlainObject(value)) return `${name} is an object of strings by parameter`
  for (const [parameter, text] of Object.entries(value)) {
    if (!PARAMETER_NAME.test(parameter) || TAKEN.has(parameter)) return `'${parameter}' is no parameter that may be set`
    if (!isText(text)) return `the parameter ${parameter} is a string`
  }
  return undefined
}
