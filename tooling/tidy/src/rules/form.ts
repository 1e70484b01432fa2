/**
 * Laws 5 and 7: what a file may look like. Most of these are cheap habits with one reason: the next reader has to be
 * able to hold a file in mind, and to trust that what it says is all there is.
 */
import { functionsOf } from '../functions.ts'
import { packagesOf } from '../packages.ts'
import { isCode, isTest, matches, type Rule, type SourceFile, type Violation } from '../source-file.ts'

export const fileLength: Rule = (files) =>
  sources(files)
    .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > FILE_LINES_MAX)
    .map(({ path, lines }) => ({ path, message: `${lines} lines; a file has at most ${FILE_LINES_MAX}` }))

export const functionLength: Rule = (files) =>
  sources(files).flatMap((file) =>
    functionsOf(file.skeleton)
      .filter(({ lines }) => lines > FUNCTION_LINES_MAX)
      .map(({ line, lines }) => ({
        path: file.path,
        line,
        message: `a function of ${lines} lines; the most is ${FUNCTION_LINES_MAX}`,
      })),
  )

export const lineWidth: Rule = (files) =>
  code(files).flatMap(({ path, text }) =>
    text
      .split('\n')
      .map((line, index) => ({ path, line: index + 1, width: [...line].length, message: '' }))
      .filter(({ width }) => width > LINE_WIDTH_MAX)
      .map(({ path, line, width }) => ({ path, line, message: `${width} columns; the most is ${LINE_WIDTH_MAX}` })),
  )

export const header: Rule = (files) =>
  code(files)
    .filter(({ text }) => !/^(#!.*\n)?(\/\*\*|\/\/)/.test(text))
    .map(({ path }) => ({ path, line: 1, message: 'begins with a comment: what it is for, what may not happen in it' }))

export const names: Rule = (files) => {
  const entries = new Set(packagesOf(files).flatMap((one) => one.entries))
  return code(files).flatMap(({ path }): readonly Violation[] => {
    const name = path.split('/').at(-1) as string
    if (/^(utils?|helpers?|misc|common)\.[jt]s$/.test(name))
      return [{ path, message: 'a file is named for what it does' }]
    const barrel = name === 'index.ts' && !entries.has(path)
    return barrel ? [{ path, message: 'index.ts is for package entries; import the file that is meant' }] : []
  })
}

export const words: Rule = (files) => [
  ...code(files).flatMap((file) => [
    ...matches(file, file.text, /\b(?:TO[D]O|FIX[M]E|XX[X])\b/g, 'unfinished: finish it, or file an issue'),
    ...matches(file, file.text, /@ts-(?:ignore|nocheck)\b/g, 'no switching the compiler off'),
    ...matches(file, file.skeleton, /(?::|\bas|<)\s*any\b(?!\()/g, 'no any: unknown, and a check'),
    ...(isTest(file.path) ? matches(file, file.skeleton, /\.(?:only|skip)\(/g, 'every test runs') : []),
    ...(mayExportDefault(file.path) ? [] : matches(file, file.skeleton, /\bexport default\b/g, 'exports have names')),
  ]),
]

/** A path of somebody's machine works on one machine; so does the address of somebody's registry. */
export const machinePaths: Rule = (files) =>
  files.flatMap((file) => [
    ...matches(file, file.text, /(?<![\w.:/)}-])\/(?:root|work|home|Users)\/\w/g, 'a path of one machine'),
    ...(/(^|\/)(pnpm-lock\.yaml|\.npmrc)$/.test(file.path)
      ? matches(file, file.text, /\btarball:|^\s*(?:@\w+:)?registry\s*=/gm, 'an address of one registry')
      : []),
  ])

function code(files: readonly SourceFile[]): readonly SourceFile[] {
  return files.filter(({ path }) => isCode(path))
}

function sources(files: readonly SourceFile[]): readonly SourceFile[] {
  return code(files).filter(({ path }) => !isTest(path))
}

/** The I/O half, which the thread imports by URL, and the configuration of tools that insist. */
function mayExportDefault(path: string): boolean {
  return /\/io\.ts$|\.config\.ts$/.test(path)
}

const FILE_LINES_MAX = 450
const FUNCTION_LINES_MAX = 80
const LINE_WIDTH_MAX = 120
