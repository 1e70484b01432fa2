/**
 * What `ssl-mode` and its neighbours come to: how a connection is encrypted, and what is checked.
 *
 *   disable      DISABLED          in the clear
 *   prefer       PREFERRED         encrypted where the server offers it; nothing is checked. The default, as with the
 *                                  servers' own clients
 *   require      REQUIRED          encrypted; nothing is checked but where `sslCa` is given: then the chain is
 *   verify-ca    VERIFY_CA         the chain
 *   verify-full  VERIFY_IDENTITY   the chain, and that the certificate is for this host
 *
 * Rules: both spellings are understood, in any case. Certificates are read from the files that are named, when the
 * target is resolved. A failure to read a file names the file and the reason.
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

export function encryptionOf(given: boolean | TlsOptions | undefined, settings: Settings): Encryption {
  const mode = modeOf(given, settings)
  if (mode === 'disable') return { mode, tls: undefined }
  const asked = typeof given === 'object' ? given : {}
  return { mode, tls: { ...checksOf(mode, settings), ...filesOf(settings), ...asked, mode: 'negotiated' } }
}

const MODES: ReadonlyMap<string, SslMode> = new Map([
  ['disable', 'disable'],
  ['disabled', 'disable'],
  ['prefer', 'prefer'],
  ['preferred', 'prefer'],
  ['require', 'require'],
  ['required', 'require'],
  ['verifyca', 'verify-ca'],
  ['verifyfull', 'verify-full'],
  ['verifyidentity', 'verify-full'],
])

function modeOf(given: boolean | TlsOptions | undefined, settings: Settings): SslMode {
  if (given === false) return 'disable'
  if (given === true) return 'verify-full'
  if (given !== undefined) {
    if (given.rejectUnauthorized === false) return 'require'
    return given.verifyName === false ? 'verify-ca' : 'verify-full'
  }
  const text = settings.get('sslMode')
  if (text === undefined) return settings.has('sslCa') ? 'verify-ca' : 'prefer'
  const mode = MODES.get(text.toLowerCase().replaceAll(/[-_]/g, ''))
  if (mode === undefined)
    throw badTarget('ssl-mode is one of disabled, preferred, required, verify_ca, verify_identity')
  return mode
}

function checksOf(mode: SslMode, settings: Settings): TlsOptions {
  if (mode === 'verify-full') return { rejectUnauthorized: true }
  const withRoot = mode === 'require' && settings.has('sslCa')
  return mode === 'verify-ca' || withRoot
    ? { rejectUnauthorized: true, verifyName: false }
    : { rejectUnauthorized: false }
}

function filesOf(settings: Settings): TlsOptions {
  const ca = settings.get('sslCa')
  const cert = settings.get('sslCert')
  const key = settings.get('sslKey')
  const version = settings.get('tlsVersion')
  if ((cert === undefined) !== (key === undefined)) throw badTarget('ssl-cert and ssl-key go together')
  if (version !== undefined && version !== 'TLSv1.2' && version !== 'TLSv1.3') {
    throw badTarget('tls-version is TLSv1.2 or TLSv1.3: older ones are not spoken')
  }
  return {
    ...(ca === undefined ? {} : { ca: readPem('ssl-ca', ca) }),
    ...(cert === undefined ? {} : { cert: readPem('ssl-cert', cert) }),
    ...(key === undefined ? {} : { key: readPem('ssl-key', key) }),
    ...(version === undefined ? {} : { minVersion: version }),
  }
}

export function readPem(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable'
    throw badTarget(`${name}: the file ${path} cannot be read (${reason})`)
  }
}
