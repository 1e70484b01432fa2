/**
 * Broken packages: copies of the healthy one with a file changed, in a temporary folder.
 */
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { LocalError } from '@iokernel/core/plugin'
import type { Subject } from '../../subject.ts'
import type { LinesIo } from '../lines/io.ts'
import { healthy } from '../lines/subject.ts'
import type { Broken } from './broken.ts'

type LinesProtocol = Subject<LinesIo>['protocol']
type ResolvedLines = ReturnType<LinesProtocol['resolve']>

/** Makes the packages below `folder`; whoever asks for them removes it. */
export function brokenPackages(folder: string): readonly Broken[] {
  const changed = (name: string, says: RegExp, file: string, change: (text: string) => string): Broken => {
    const root = mkdtempSync(join(folder, 'lines-'))
    cpSync(healthy.root, root, { recursive: true })
    const path = join(root, file)
    const text = change(readFileSync(path, 'utf8'))
    writeFileSync(path, text)
    return { name, suite: 'package', says, subject: at(root) }
  }
  const manifest = (name: string, says: RegExp, from: string, to: string): Broken =>
    changed(name, says, 'package.json', (text) => text.replace(from, to))
  const first = (line: string) => (text: string) => `${line}\n${text}`
  return [
    manifest('cannot be found', /the keyword/, 'iokernel-plugin', 'plugin'),
    manifest('has no licence', /license/, '"license": "MIT",', ''),
    manifest('brings its own core', /peer/, '"peerDependencies"', '"dependencies"'),
    manifest('fits one version of core', /every minor/, '>=0.1.0 <1', '0.1.0'),
    manifest('hides its I/O half', /exports has \.\/io/, '"./io"', '"./inner"'),
    changed('opens sockets', /imports node:net/, 'framer.ts', first(`import { connect } from 'node:net'`)),
    changed('has timers, by a detour', /imports timers/, 'handshake.ts', first(`import 'timers/promises'`)),
    changed('imports its I/O half', /name it by URL/, 'client.ts', first(`export * from './io.ts'`)),
    changed('imports its application half', /application half/, 'framer.ts', first(`import './protocol.ts'`)),
  ]
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'iokernel-shelf-'))
}

/** The same objects, said to lie in another folder. */
function at(root: string): Subject {
  const folder = pathToFileURL(`${root}/`)
  return { ...healthy, root: folder, protocol: { ...healthy.protocol, io: new URL('io.js', folder) } } as Subject
}

function broken(name: string, says: RegExp, change: Partial<LinesProtocol>): Broken {
  return {
    name,
    suite: 'package',
    says,
    subject: { ...healthy, protocol: { ...healthy.protocol, ...change } } as Subject,
  }
}

/** The healthy `resolve` with other results. */
function resolving(change: (resolved: ResolvedLines, target: string) => object): Partial<LinesProtocol> {
  return {
    resolve: (target) => {
      const resolved = healthy.protocol.resolve(target)
      return { ...resolved, ...change(resolved, target) }
    },
  }
}

export const BROKEN_PROTOCOLS: readonly Broken[] = [
  {
    name: 'has halves of two names',
    suite: 'package',
    says: /the name of the I\/O half/,
    subject: { ...healthy, io: { ...healthy.io, name: 'line' } } as Subject,
  },
  broken('is of another age', /api/, { api: 99 }),
  broken('points elsewhere for its I/O half', /differ/, { io: new URL('./client.js', healthy.root) }),
  broken(
    'shows the password',
    /contains a secret/,
    resolving((_, target) => ({ authority: target })),
  ),
  broken(
    'sends a URL to the other thread',
    /does not survive/,
    resolving(({ io }) => ({ io: withUrl(io) })),
  ),
  broken(
    'takes two servers for one',
    /two targets of one upstreamKey/,
    resolving(() => ({ upstreamKey: 'lines' })),
  ),
  broken('says yes to serving, and shows nothing of it', /no fixture shows the server side/, {
    supports: { ...healthy.protocol.supports, serve: true },
  }),
  broken('says half of what it does about TLS', /tls: maybe/, {
    supports: { ...healthy.protocol.supports, tls: 'maybe' as never },
  }),
  broken('allows fewer connections than none', /connectionsMax is -1/, { limits: { connectionsMax: -1 } }),
  broken('names limits that are none', /is no option of connect/, { limits: { 'connections-max': 1 } }),
  broken(
    'has half a connection for a target',
    /limits of a target: lanesMax is 0\.5/,
    resolving(() => ({ limits: { lanesMax: 0.5 } })),
  ),
  broken('fails to parse without a word', /is a LocalError, not/, {
    resolve(target) {
      try {
        return healthy.protocol.resolve(target)
      } catch (error) {
        if (error instanceof LocalError) throw new TypeError('Invalid URL')
        throw error
      }
    },
  }),
]

function withUrl(io: unknown): object {
  return { ...(io as LinesIo), where: new URL('lines://a') }
}
