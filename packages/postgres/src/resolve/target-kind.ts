/** Judges the object form of a target: names, types, and which places exclude each other. */

import {
  isPlainObject,
  type Kind,
  must,
  mustBeAddresses,
  mustBeBoolean,
  mustBeCount,
  mustBeDiscovery,
  mustBeOneOf,
  mustBePort,
  mustBeText,
  mustBeTexts,
  mustBeTls,
  problemIn,
} from '@iokernel/core/toolkit'
import type { FramerLimits } from '../limits.ts'
import type { PostgresTarget } from '../resolve.ts'

const LIMITS: Kind<FramerLimits> = { title: 'limit', checks: { frameBytesMax: mustBeCount } }

/** Names of run-time parameters; those that others of our fields say have no business there. */
const PARAMETER_NAME = /^[A-Za-z_][A-Za-z0-9_.$]*$/
const TAKEN: ReadonlySet<string> = new Set(['user', 'database', 'client_encoding', 'replication', 'options'])

export const TARGET: Kind<PostgresTarget> = {
  title: 'field of a target',
  checks: {
    url: mustBeText,
    host: mustBeText,
    port: mustBePort,
    hosts: mustBeAddresses,
    discovery: mustBeDiscovery,
    user: mustBeText,
    password: must(
      (value) => typeof value === 'string' || typeof value === 'function',
      'a string, or a function that returns one',
    ),
    database: mustBeText,
    passfile: mustBeText,
    tls: mustBeTls({
      alpnProtocols: must((value) => value === undefined, 'not given: it is postgresql where the mode is direct'),
      alpnRequired: must((value) => value === undefined, 'not given: it is true where the mode is direct'),
    }),
    sslMode: mustBeOneOf('disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'),
    channelBinding: mustBeOneOf('disable', 'prefer', 'require'),
    requireAuth: mustBeTexts,
    targetSessionAttrs: mustBeOneOf('any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'),
    parameters: (value, name) => parametersProblem(value, name),
    options: mustBeText,
    applicationName: mustBeText,
    protocolVersion: mustBeOneOf('3.0', '3.2', 'latest'),
    prepare: mustBeBoolean,
    statementsMax: mustBeCount,
    types: must((value) => typeof value === 'object' && value !== null, 'an object'),
    trustedFunctions: mustBeTexts,
    insideTransaction: mustBeOneOf('refuse', 'join'),
    limits: (value) => problemIn(value, LIMITS),
  },
}

function parametersProblem(value: unknown, name: string): string | undefined {
  if (!isPlainObject(value)) return `${name} is an object of strings by parameter`
  for (const [parameter, text] of Object.entries(value)) {
    if (!PARAMETER_NAME.test(parameter) || TAKEN.has(parameter)) return `'${parameter}' is no parameter that may be set`
    if (typeof text !== 'string') return `the parameter ${parameter} is a string`
  }
  return undefined
}
