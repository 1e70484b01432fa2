/**
 * Who we are: what the server asks for, what we give, and what we never give.
 *
 * Rules:
 * 1. A server may ask once. What it asks for must be allowed by `require_auth`, as with libpq.
 * 2. A password in clear text goes over TLS or a unix socket alone, unless `require_auth` names `password`: who
 *    pretends to be the server must not get it for the asking.
 * 3. `channel_binding=require` is kept by SCRAM-SHA-256-PLUS and by nothing else; a server that asks for nothing has
 *    not kept it (CVE-2025-49146 of pgjdbc).
 */
import type { Place, Script } from '@iokernel/core/plugin'
import { RefusedError, RemoteProtocolError, send } from '@iokernel/core/plugin'
import type { PostgresIo } from '../io.ts'
import { serverEndPoint } from './certificate.ts'
import { md5Password } from './md5.ts'
import { authenticationCode, authenticationData, passwordMessage, serverMessage, writeText } from './messages.ts'
import { scram } from './scram.ts'

export interface Identity {
  readonly user: string
  readonly password: string | undefined
}

export interface AuthenticationTerms {
  readonly options: Pick<PostgresIo, 'requireAuth' | 'channelBinding'>
  readonly identity: Identity
  readonly place: Place
  /** Of the server, where there is TLS. */
  readonly certificate: Uint8Array | undefined
}

/** `first` is the server's first demand. Returns when it has said AuthenticationOk. */
export function* authenticate(first: Buffer, terms: AuthenticationTerms): Script<void> {
  const code = authenticationCode(first)
  const method = METHODS[code]
  if (method === undefined) {
    throw new RefusedError(
      'AUTHENTICATION',
      `the server asks for ${OTHERS[code] ?? `method ${code}`}, which is not known`,
    )
  }
  checkAllowed(method, terms.options.requireAuth)
  if (terms.options.channelBinding === 'require' && method !== 'scram-sha-256') {
    throw new RefusedError('CHANNEL_BINDING', 'channel_binding is require, and the server did not ask for SCRAM')
  }
  switch (method) {
    case 'none':
      return
    case 'password':
      yield* clearText(terms)
      break
    case 'md5':
      yield* md5(first, terms)
      break
    case 'scram-sha-256':
      yield* scram(first, {
        password: passwordOf(terms),
        endPoint: terms.certificate === undefined ? undefined : serverEndPoint(terms.certificate),
        channelBinding: terms.options.channelBinding,
        random: (length) => terms.place.random(length),
      })
  }
  const last = yield* serverMessage('authentication')
  if (authenticationCode(last) !== OK) throw new RemoteProtocolError('the server asks for authentication twice')
}

const OK = 0
/** By their names in `require_auth`. */
const METHODS: { readonly [code: number]: 'none' | 'password' | 'md5' | 'scram-sha-256' | undefined } = {
  [OK]: 'none',
  3: 'password',
  5: 'md5',
  10: 'scram-sha-256',
}
const OTHERS: { readonly [code: number]: string | undefined } = {
  2: 'Kerberos 5',
  6: 'SCM credentials',
  7: 'GSSAPI',
  9: 'SSPI',
}

/** Names that are allowed, or, each with a `!`, names that are not. */
function checkAllowed(method: string, required: readonly string[] | undefined): void {
  if (required === undefined) return
  const isNegative = required.every((name) => name.startsWith('!'))
  const allowed = isNegative ? !required.includes(`!${method}`) : required.includes(method)
  if (allowed) return
  const asked = method === 'none' ? 'no authentication' : method
  throw new RefusedError('AUTHENTICATION', `require_auth is ${required.join(',')}, and the server asks for ${asked}`)
}

function* clearText(terms: AuthenticationTerms): Script<void> {
  const { place, options, certificate } = terms
  const isPrivate = certificate !== undefined || place.encrypted || place.endpoint.port === 0
  if (!isPrivate && options.requireAuth?.includes('password') !== true) {
    throw new RefusedError(
      'AUTHENTICATION',
      'the server asks for the password in clear text over a connection without TLS: ' +
        'use sslmode=require, or require_auth=password where the network can be trusted',
    )
  }
  const password = passwordOf(terms)
  yield* send(passwordMessage((out) => writeText(out, password)))
}

function* md5(first: Buffer, terms: AuthenticationTerms): Script<void> {
  const salt = authenticationData(first)
  if (salt.length !== 4) throw new RemoteProtocolError('AuthenticationMD5Password without a salt of 4 bytes')
  const answer = md5Password(terms.identity.user, passwordOf(terms), salt)
  yield* send(passwordMessage((out) => writeText(out, answer)))
}

function passwordOf({ identity: { password } }: AuthenticationTerms): string {
  if (password !== undefined && password !== '') return password
  throw new RefusedError(
    'NO_PASSWORD',
    'the server asks for a password: give one in the target, in PGPASSWORD or in the password file',
  )
}
