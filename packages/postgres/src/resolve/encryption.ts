/**
 * What `sslmode` and its neighbours come to: how a connection is encrypted, and what is checked.
 *
 *   disable                in the clear
 *   allow, prefer          encrypted where the server offers it; nothing is checked. The default, as with libpq
 *   require                encrypted; the chain is checked where `sslrootcert` is given
 *   verify-ca              the chain
 *   verify-full            the chain, and that the certificate is for this host
 *
 * Rules: certificates are read from the files that are named, when the target is resolved. Nothing is looked for in the
 * home directory. Authorities that are not named are Node's (`sslrootcert=system` says so, and means `verify-full`).
 * A failure to read a file names the file and the reason.
 */
import { readFileSync } from 'node:fs'
import type { TlsOptions } from '@iokernel/core/plugin'
import { badTarget } from '@iokernel/core/toolkit'
import type { SslMode } from '../io.ts'
import type { Settings } from '../target.ts'

export interface Encryption {
  readonly mode: SslMode
  /** Undefined where nothing is ever encrypted. */
  readonly tls: TlsOptions | undefined
}

/** The protocol's name in ALPN: a server that is asked for TLS directly must choose it. */
const ALPN = 'postgresql'

export function encryptionOf(given: boolean | TlsOptions | undefined, settings: Settings): Encryption {
  const mode = modeOf(given, settings)
  const isDirect = directOf(typeof given === 'object' ? given : {}, settings, mode)
  if (mode === 'disable') return { mode, tls: undefined }
  const direct = isDirect ? { alpnProtocols: [ALPN], alpnRequired: true } : {}
  const written = { ...checksOf(mode, settings), ...filesOf(settings) }
  const asked = typeof given === 'object' ? given : {}
  return { mode, tls: { ...written, ...asked, ...direct, mode: isDirect ? 'direct' : 'negotiated' } }
}

const MODES: readonly SslMode[] = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']

function modeOf(given: boolean | TlsOptions | undefined, settings: Settings): SslMode {
  if (given === false) return 'disable'
  if (given === true) return 'verify-full'
  if (given !== undefined) {
    if (given.rejectUnauthorized === false) return 'require'
    return given.verifyName === false ? 'verify-ca' : 'verify-full'
  }
  const system = settings.get('sslrootcert') === 'system'
  const text = settings.get('sslmode')
  const mode = MODES.find((each) => each === text)
  if (text !== undefined && mode === undefined) throw badTarget(`sslmode is one of ${MODES.join(', ')}`)
  if (system && mode !== undefined && mode !== 'verify-full')
    throw badTarget('sslrootcert=system needs sslmode=verify-full')
  return mode ?? (system ? 'verify-full' : 'prefer')
}

function directOf(given: TlsOptions, settings: Settings, mode: SslMode): boolean {
  const text = settings.get('sslnegotiation') ?? 'postgres'
  if (text !== 'postgres' && text !== 'direct') throw badTarget('sslnegotiation is postgres or direct')
  const isDirect = given.mode === undefined ? text === 'direct' : given.mode === 'direct'
  if (isDirect && ['disable', 'allow', 'prefer'].includes(mode)) {
    throw badTarget(
      `sslnegotiation=direct needs sslmode=require or more: with ${mode} the server's refusal would be no error`,
    )
  }
  return isDirect
}

function checksOf(mode: SslMode, settings: Settings): TlsOptions {
  if (mode === 'verify-full') return { rejectUnauthorized: true }
  const withRoot = mode === 'require' && settings.has('sslrootcert')
  if (mode === 'verify-ca' || withRoot) return { rejectUnauthorized: true, verifyName: false }
  return { rejectUnauthorized: false }
}

function filesOf(settings: Settings): TlsOptions {
  const root = settings.get('sslrootcert')
  const cert = settings.get('sslcert')
  const key = settings.get('sslkey')
  const passphrase = settings.get('sslpassword')
  const version = settings.get('ssl_min_protocol_version')
  if (settings.get('sslsni') === '0') throw badTarget('sslsni=0 is not supported: the name is always sent')
  if ((cert === undefined) !== (key === undefined)) throw badTarget('sslcert and sslkey go together')
  if (version !== undefined && version !== 'TLSv1.2' && version !== 'TLSv1.3') {
    throw badTarget('ssl_min_protocol_version is TLSv1.2 or TLSv1.3: older ones are not spoken')
  }
  return {
    ...(root === undefined || root === 'system' ? {} : { ca: readPem('sslrootcert', root) }),
    ...(cert === undefined ? {} : { cert: readPem('sslcert', cert) }),
    ...(key === undefined ? {} : { key: readPem('sslkey', key) }),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(version === undefined ? {} : { minVersion: version }),
  }
}

function readPem(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable'
    throw badTarget(`${name}: the file ${path} cannot be read (${reason})`)
  }
}
