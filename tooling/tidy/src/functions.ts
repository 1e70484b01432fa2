/**
 * Finds functions and their lengths by their braces: a `{` after a parameter list or an arrow opens one. Good enough
 * to find the long ones; classes, objects and control flow are not functions.
 */
import { lineOf } from './source-file.ts'

export interface FoundFunction {
  readonly line: number
  readonly lines: number
}

export function functionsOf(skeleton: string): readonly FoundFunction[] {
  const found: FoundFunction[] = []
  const open: { readonly at: number; readonly isFunction: boolean }[] = []
  for (let at = 0; at < skeleton.length; at++) {
    if (skeleton[at] === '{') open.push({ at, isFunction: opensFunction(skeleton, at) })
    if (skeleton[at] !== '}') continue
    const brace = open.pop()
    if (!brace?.isFunction) continue
    const line = lineOf(skeleton, brace.at)
    found.push({ line, lines: lineOf(skeleton, at) - line + 1 })
  }
  return found
}

function opensFunction(skeleton: string, brace: number): boolean {
  const before = skeleton.slice(Math.max(0, brace - SIGNATURE_CHARACTERS_MAX), brace).trimEnd()
  if (before.endsWith('=>')) return true
  const parameters = /\)(?:\s*:[\w\s<>[\]|&.,'"]+)?$/.exec(before)
  if (!parameters) return false
  return !/\b(?:if|for|while|switch|catch|with|await)\s*$/.test(before.slice(0, matching(before, parameters.index)))
}

/** Where the bracket opens that closes here. */
function matching(text: string, close: number): number {
  let depth = 0
  for (let at = close; at >= 0; at--) {
    if (text[at] === ')') depth++
    if (text[at] === '(' && --depth === 0) return at
  }
  return 0
}

const SIGNATURE_CHARACTERS_MAX = 2_000
