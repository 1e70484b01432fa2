/**
 * The package suite: what a kernel and its users can count on before a byte is read.
 *
 * Rules: the manifest file, the two halves and `resolve` are looked at from outside, as npm and the kernel see them.
 * The I/O half touches no socket, clock or file, by its import graph; neither half brings the other along.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { deserialize, serialize } from 'node:v8'
import { LocalError, PLUGIN_API_SUPPORTED, type Resolved } from '@iokernel/core/plugin'
import { type ImportGraph, importGraph, sourceOf } from '../import-graph.ts'
import { connectionOf } from '../play.ts'
import type { Runner } from '../runner.ts'
import { assertNoSecret } from '../secrets.ts'
import type { Subject } from '../subject.ts'

/** What talks to the world or measures time, in a half that gets bytes and numbers as arguments. */
const FORBIDDEN =
  /^(?:node:)?(net|tls|dns|dgram|https?|http2|worker_threads|child_process|cluster|fs|timers|perf_hooks)(\/.*)?$/
const NAME = /^[a-z][a-z0-9+.-]*$/
/** Of a number: `connectionsMax`, `connectTimeoutMs`. */
const LIMIT_NAME = /^[a-z][A-Za-z]*$/

export function packageSuite({ describe, test }: Runner, subject: Subject): void {
  const { protocol, io } = subject
  describe('package', () => {
    test('its manifest says what it is', () => checkManifest(manifestOf(subject)))
    test('it exports its two halves', () => {
      for (const name of ['.', './io']) entryOf(subject, name)
    })
    test('both halves say the same name and a contract that the kernel knows', () => {
      assert.equal(protocol.kind, 'protocol')
      assert.match(protocol.name, NAME, 'the name is a scheme of URLs')
      assert.equal(io.name, protocol.name, 'the name of the I/O half')
      assert.equal(io.api, protocol.api, 'the api of the I/O half')
      assert(
        PLUGIN_API_SUPPORTED.includes(protocol.api),
        `api ${protocol.api} is none of ${PLUGIN_API_SUPPORTED.join(', ')}`,
      )
    })
    test('the protocol says where its I/O half lies', () => {
      assert(protocol.io instanceof URL, `io is new URL('./io.js', import.meta.url)`)
      assert.equal(sourceOf(protocol.io)?.href, entryOf(subject, './io').href, 'protocol.io and the export ./io differ')
    })
    test('the I/O half imports no socket, clock or file', () => {
      for (const [specifier, file] of graphOf(subject, './io').outside) {
        assert(!FORBIDDEN.test(specifier), `${file} imports ${specifier}: bytes in, bytes out`)
      }
    })
    test('neither half brings the other along', () => {
      const [client, inner] = [entryOf(subject, '.'), entryOf(subject, './io')]
      assert(!graphOf(subject, '.').files.has(inner.href), 'the application half imports the I/O half: name it by URL')
      assert(!graphOf(subject, './io').files.has(client.href), 'the I/O half imports the application half')
    })
    test('what is supported is said in the words of the contract', () => checkSupports(subject))
    test('its limits are numbers by name', () => checkLimits(protocol.limits, 'the protocol'))
    resolveTests({ describe, test }, subject)
  })
}

interface Manifest {
  readonly name?: unknown
  readonly license?: unknown
  readonly keywords?: unknown
  readonly exports?: { readonly [name: string]: string | { readonly [condition: string]: unknown } | undefined }
  readonly dependencies?: { readonly [name: string]: string }
  readonly peerDependencies?: { readonly [name: string]: string }
}

function manifestOf({ root }: Subject): Manifest {
  const file = new URL('package.json', root)
  assert(
    existsSync(file),
    `${fileURLToPath(file)} is missing: root is the folder of the package, with a slash at the end`,
  )
  return JSON.parse(readFileSync(file, 'utf8')) as Manifest
}

function checkManifest({ name, license, keywords, dependencies, peerDependencies }: Manifest): void {
  assert(typeof name === 'string' && name !== '', 'name')
  assert(typeof license === 'string' && license !== '', 'license: companies do not install what has none')
  assert(
    Array.isArray(keywords) && keywords.includes('iokernel-plugin'),
    'the keyword iokernel-plugin, by which it is found',
  )
  const range = peerDependencies?.['@iokernel/core']
  assert(range !== undefined, '@iokernel/core is a peer dependency: two copies of it would not know each other')
  assert.equal(dependencies?.['@iokernel/core'], undefined, '@iokernel/core is a peer, and no dependency')
  assert(
    !/^(workspace:)?=?\d+\.\d+\.\d+/.test(range),
    `the peer range ${range} is one version: every minor of core would break it`,
  )
}

/** The source of an export. */
function entryOf(subject: Subject, name: string): URL {
  const target = manifestOf(subject).exports?.[name]
  const path = typeof target === 'object' ? (target['import'] ?? target['default']) : target
  assert(typeof path === 'string', `exports has ${name}, with a default`)
  const file = sourceOf(new URL(path, subject.root))
  assert(file !== undefined, `exports["${name}"] names ${path}, which does not exist`)
  return file
}

function graphOf(subject: Subject, name: string): ImportGraph {
  return importGraph(entryOf(subject, name))
}

function checkSupports(subject: Subject): void {
  const { replies, lanes, push, serve, tls } = subject.protocol.supports
  assert(['in-order', 'correlated'].includes(replies), `replies: ${replies}`)
  assert(['one', 'elastic', 'pool'].includes(lanes), `lanes: ${lanes}`)
  assert(['none', 'direct', 'negotiated'].includes(tls), `tls: ${tls}`)
  assert(['none', 'asked', 'lanes'].includes(push), `push: ${String(push)}`)
  assert.equal(typeof serve, 'boolean', 'serve')
  checkServing(subject)
  for (const purpose of ['lane', 'session', 'monitor'] as const) connectionOf(subject.io, subject.options, { purpose })
}

/** The side that is dialled: fixtures show it, or there is none. */
function checkServing(subject: Subject): void {
  const shown = subject.fixtures.some(({ side }) => side === 'server')
  const accepted = (): unknown => connectionOf(subject.io, subject.options, { side: 'server' })
  if (subject.protocol.supports.serve) assert(shown, 'supports.serve is true: no fixture shows the server side')
  if (shown) accepted()
  else assert.throws(accepted, LocalError, 'supports.serve is false: a connection on the server side is refused')
}

function checkLimits(limits: { readonly [option: string]: number } | undefined, whose: string): void {
  for (const [option, value] of Object.entries(limits ?? {})) {
    assert.match(option, LIMIT_NAME, `limits of ${whose}: ${option} is no option of connect()`)
    assert(Number.isSafeInteger(value) && value >= 0, `limits of ${whose}: ${option} is ${String(value)}`)
  }
}

function resolveTests({ test }: Runner, subject: Subject): void {
  const resolve = (target: string): Resolved<unknown & never, unknown> => subject.protocol.resolve(target) as never
  test('targets become plain data, the same each time', async () => {
    assert(subject.targets.length > 0)
    for (const target of subject.targets) {
      const resolved = resolve(target)
      const credentials = await resolved.credentials?.()
      for (const [what, value] of Object.entries({
        io: resolved.io,
        tls: resolved.tls,
        name: resolved.name,
        credentials,
      })) {
        assert.deepEqual(deserialize(serialize(value)), value, `${what} does not survive the way to another thread`)
      }
      assert.equal(resolve(target).upstreamKey, resolved.upstreamKey, 'one target, one upstream')
      checkLimits(resolved.limits, 'a target')
      connectionOf(subject.io, resolved.io, {})
    }
  })
  test('different targets are different upstreams', () => {
    const keys = subject.targets.map((target) => resolve(target).upstreamKey)
    assert.equal(new Set(keys).size, keys.length, 'two targets of one upstreamKey')
  })
  test('the authority is for people and holds no secret', () => {
    for (const target of subject.targets) {
      const { authority } = resolve(target)
      assert(typeof authority === 'string' && authority !== '', 'authority')
      assertNoSecret(authority, subject.secrets, 'the authority')
    }
  })
  test('what is no target is refused with a LocalError', () => {
    assert(subject.badTargets.length > 0)
    for (const target of subject.badTargets) {
      assert.throws(() => resolve(target), isLocal, `the target ${target}`)
    }
  })

  function isLocal(error: unknown): true {
    assert(error instanceof LocalError, `a target that is not understood is a LocalError, not ${String(error)}`)
    assertNoSecret(error, subject.secrets, 'the error')
    return true
  }
}
