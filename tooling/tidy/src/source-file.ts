/**
 * What the rules look at: files as path and text, and the same text with comments, or strings too, blanked out.
 *
 * Rules: rules are pure functions from files to violations. Only `repository.ts` touches the disk, so every rule can be
 * shown a planted violation.
 */
import { blank } from './blank.ts'

export interface SourceFile {
  /** Relative to the root, with slashes. */
  readonly path: string
  readonly text: string
  /** The text without comments: same length, same lines. */
  readonly code: string
  /** The text without comments and without what strings say: same length, same lines. */
  readonly skeleton: string
}

export interface Violation {
  readonly path: string
  readonly line?: number
  readonly message: string
}

export type Rule = (files: readonly SourceFile[]) => readonly Violation[]

export function sourceFile(path: string, text: string): SourceFile {
  if (!isCode(path)) return { path, text, code: text, skeleton: text }
  return { path, text, code: blank(text, 'comments'), skeleton: blank(text, 'comments and strings') }
}

export function isCode(path: string): boolean {
  return /\.[cm]?[jt]s$/.test(path) && !path.endsWith('.d.ts')
}

export function isTest(path: string): boolean {
  return /\.test\.[jt]s$/.test(path)
}

export function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}

/** One violation for every place where the pattern, which must be global, matches. */
export function matches(file: SourceFile, text: string, pattern: RegExp, message: string): readonly Violation[] {
  return [...text.matchAll(pattern)].map(({ index }) => ({ path: file.path, line: lineOf(text, index), message }))
}
