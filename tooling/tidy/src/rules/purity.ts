/**
 * Law 2: sockets, TLS and DNS are imported in one file each; what parses, schedules and balances does no I/O, reads no
 * clock and draws no random numbers. What is pure can be tested byte by byte and replayed from a seed.
 */
import { importsOf } from '../imports.ts'
import { isCode, isTest, matches, type Rule, type SourceFile, type Violation } from '../source-file.ts'

export const oneDoorEach: Rule = (files) =>
  DOORS.flatMap((module) => {
    const importers = files.filter(
      (file) =>
        isCoreCode(file) && importsOf(file).some(({ specifier, typeOnly }) => specifier === module && !typeOnly),
    )
    if (importers.length <= 1) return []
    const paths = importers.map(({ path }) => path).join(', ')
    return [{ path: importers[1]?.path as string, message: `${module} has one door, but is imported by ${paths}` }]
  })

export const sansIo: Rule = (files) =>
  files.filter(isPure).flatMap((file): readonly Violation[] => [
    ...importsOf(file)
      .filter(({ specifier }) => FORBIDDEN_MODULES.test(specifier))
      .map(({ specifier, line }) => ({ path: file.path, line, message: `sans-I/O code must not import ${specifier}` })),
    ...matches(file, file.skeleton, FORBIDDEN_CALLS, 'time and random numbers come as arguments here'),
  ])

export const oneClock: Rule = (files) =>
  files
    .filter((file) => isCoreCode(file) && !CLOCK_READERS.has(file.path))
    .flatMap((file) => matches(file, file.skeleton, CLOCK, 'only shared/clock.ts reads the clock'))

function isCoreCode({ path }: SourceFile): boolean {
  return path.startsWith('packages/core/src/') && !path.includes('/testing/') && isCode(path) && !isTest(path)
}

function isPure({ path }: SourceFile): boolean {
  return isCode(path) && !isTest(path) && /^packages\/[^/]+\/src\//.test(path) && PURE.test(path)
}

const DOORS = ['node:net', 'node:tls', 'node:dns']
const PURE = /\/(codec\/.*|framer|handshake|probe|(scheduler|balancer)[^/]*)(\.ts|\/.*)?$/
const FORBIDDEN_MODULES = /^(node:)?(net|tls|dns|worker_threads|fs|timers)(\/.*)?$/
const CLOCK = /\bDate\.now\b|\bperformance\.now\b|\bhrtime\b|\bnew Date\(\)/g
const FORBIDDEN_CALLS = new RegExp(
  `${CLOCK.source}|\\bMath\\.random\\b|\\brandom(Bytes|UUID|Int)\\b|\\bset(Timeout|Interval|Immediate)\\b`,
  'g',
)

/** Each further reader needs its reason beside it. */
const CLOCK_READERS = new Set(['packages/core/src/shared/clock.ts'])
