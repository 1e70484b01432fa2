/** Judges the object form of a target: names, types, and which places exclude each other. */
import {
  type Check,
  isPlainObject,
  type Kind,
  must,
  mustBeAddresses,
  mustBeBoolean,
  mustBeCount,
  mustBeDiscovery,
  mustBeFunction,
  mustBeOneOf,
  mustBePort,
  mustBeText,
  mustBeTexts,
  mustBeTls,
  problemIn,
} from '@iokernel/core/toolkit'
import type { TypeName } from '../codec/types.ts'
import type { FramerLimits } from '../limits.ts'
import type { MysqlTarget } from '../resolve.ts'

const LIMITS: Kind<FramerLimits> = { title: 'limit', checks: { frameBytesMax: mustBeCount } }

const TYPES: Kind<Record<TypeName, unknown>> = {
  title: 'type',
  checks: {
    TINYINT: mustBeFunction,
    SMALLINT: mustBeFunction,
    MEDIUMINT: mustBeFunction,
    INT: mustBeFunction,
    BIGINT: mustBeFunction,
    FLOAT: mustBeFunction,
    DOUBLE: mustBeFunction,
    DECIMAL: mustBeFunction,
    BIT: mustBeFunction,
    DATE: mustBeFunction,
    TIME: mustBeFunction,
    DATETIME: mustBeFunction,
    TIMESTAMP: mustBeFunction,
    YEAR: mustBeFunction,
    CHAR: mustBeFunction,
    VARCHAR: mustBeFunction,
    TEXT: mustBeFunction,
    BINARY: mustBeFunction,
    VARBINARY: mustBeFunction,
    BLOB: mustBeFunction,
    ENUM: mustBeFunction,
    SET: mustBeFunction,
    JSON: mustBeFunction,
    GEOMETRY: mustBeFunction,
    VECTOR: mustBeFunction,
    NULL: mustBeFunction,
  },
}

const mustBeTlsToNegotiate: Check = mustBeTls({
  mode: must((value) => value === 'negotiated', "'negotiated': these servers begin in the clear"),
})

export const TARGET: Kind<MysqlTarget> = {
  title: 'field of a target',
  checks: {
    url: mustBeText,
    host: mustBeText,
    port: mustBePort,
    hosts: mustBeAddresses,
    socket: mustBeText,
    discovery: mustBeDiscovery,
    user: mustBeText,
    password: must(
      (value) => typeof value === 'string' || typeof value === 'function',
      'a string, or a function that returns one',
    ),
    database: mustBeText,
    tls: mustBeTlsToNegotiate,
    sslMode: mustBeOneOf('disable', 'prefer', 'require', 'verify-ca', 'verify-full'),
    requireAuth: mustBeTexts,
    serverPublicKey: mustBeText,
    allowPublicKeyRetrieval: mustBeBoolean,
    allowClearText: mustBeBoolean,
    targetRole: mustBeOneOf('any', 'primary', 'replica'),
    collation: mustBeText,
    variables: variablesProblem,
    attributes: attributesProblem,
    applicationName: mustBeText,
    foundRows: mustBeBoolean,
    localInfile: mustBeBoolean,
    pipelining: mustBeOneOf('auto', 'never', 'always'),
    prepare: mustBeBoolean,
    statementsMax: mustBeCount,
    timezone: mustBeText,
    dates: mustBeOneOf('usual', 'strings', 'objects'),
    bigints: mustBeOneOf('unsafe', 'always'),
    types: (value) => problemIn(value, TYPES),
    trustedFunctions: mustBeTexts,
    insideTransaction: mustBeOneOf('refuse', 'join'),
    limits: (value) => problemIn(value, LIMITS),
  },
}

/** Names of session variables; those that others of our fields say, or that would undo a promise, are taken. */
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/
const TAKEN: ReadonlySet<string> = new Set([
  'autocommit',
  'character_set_client',
  'character_set_connection',
  'character_set_results',
  'collation_connection',
])

function variablesProblem(value: unknown, name: string): string | undefined {
  if (!isPlainObject(value)) return `${name} is an object of strings and numbers by variable`
  for (const [variable, given] of Object.entries(value)) {
    if (!VARIABLE_NAME.test(variable) || TAKEN.has(variable.toLowerCase())) {
      return `'${variable}' is no variable that may be set`
    }
    const isNumber = typeof given === 'number' && Number.isFinite(given)
    if (typeof given !== 'string' && !isNumber) return `the variable ${variable} is a string or a number`
  }
  return undefined
}

function attributesProblem(value: unknown, name: string): string | undefined {
  const isRight = isPlainObject(value) && Object.values(value).every((text) => typeof text === 'string')
  return isRight ? undefined : `${name} is an object of strings by attribute`
}
