/**
 * Throw-away certificates: an authority, a server certificate for localhost and a client certificate, valid for two
 * days, made by `openssl` in a folder that the keeper removes. Not for anything but tests.
 */
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findProgram, type Surroundings } from './surroundings.ts'

export interface Certificates {
  /** PEM texts, as `node:tls` takes them. */
  readonly ca: string
  readonly clientCert: string
  readonly clientKey: string
  /** PEM files, as servers take them. */
  readonly files: {
    readonly ca: string
    readonly serverCert: string
    readonly serverKey: string
    readonly clientCert: string
    readonly clientKey: string
  }
}

export async function makeCertificates(folder: string, surroundings: Surroundings): Promise<Certificates> {
  const found = await findProgram({ name: 'openssl', folders: [], debianPackages: ['openssl'] }, surroundings)
  const openssl = found.source === 'container' ? 'openssl' : found.path
  const sign = (args: readonly string[]) => promisify(execFile)(openssl, args, { cwd: folder })
  const pair = (name: string) => ['-keyout', `${name}.key`, '-out', `${name}.crt`, '-days', '2', '-nodes']
  const newKey = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']

  await sign([...newKey, ...pair('ca'), '-subj', '/CN=iokernel test authority'])
  for (const [name, extensions] of Object.entries(EXTENSIONS)) {
    await writeFile(join(folder, `${name}.cnf`), extensions)
    await sign([
      'req',
      '-new',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-subj',
      `/CN=iokernel test ${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
    ])
    await sign([
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      `${name}.cnf`,
      '-out',
      `${name}.crt`,
    ])
  }
  const files = {
    ca: join(folder, 'ca.crt'),
    serverCert: join(folder, 'server.crt'),
    serverKey: join(folder, 'server.key'),
    clientCert: join(folder, 'client.crt'),
    clientKey: join(folder, 'client.key'),
  }
  const [ca, clientCert, clientKey] = await Promise.all(
    [files.ca, files.clientCert, files.clientKey].map((file) => readFile(file, 'utf8')),
  )
  return { ca: ca as string, clientCert: clientCert as string, clientKey: clientKey as string, files }
}

const EXTENSIONS = {
  server: 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\nextendedKeyUsage=serverAuth\n',
  client: 'extendedKeyUsage=clientAuth\n',
}
