/**
 * Blanks comments, and strings if asked, out of TypeScript, keeping every offset and line.
 *
 * Theory of operation: one pass over the text with a table of what may begin here: comment, string, template, regular
 * expression. TypeScript 7 has no compiler API to ask, and the rules need no more than this.
 *
 * Limits: what `${}` in a template holds is kept as code only as far as the next closing brace; a regular expression
 * is told from a division by the character or keyword before it.
 */

export function blank(text: string, what: 'comments' | 'comments and strings'): string {
  let out = ''
  let at = 0
  while (at < text.length) {
    const token = tokenAt(text, at, out)
    if (!token) {
      out += text[at]
      at++
      continue
    }
    const piece = text.slice(at, token.end)
    const wanted = token.kind === 'comment' || (what === 'comments and strings' && token.kind === 'string')
    out += wanted ? hollow(piece, token.kind) : piece
    at = token.end
  }
  return out
}

interface Token {
  readonly kind: 'comment' | 'string'
  readonly end: number
}

function tokenAt(text: string, at: number, before: string): Token | undefined {
  const character = text[at]
  if (character === '/' && text[at + 1] === '/') return { kind: 'comment', end: endOfLine(text, at) }
  if (character === '/' && text[at + 1] === '*') return { kind: 'comment', end: after(text, '*/', at + 2) }
  if (character === "'" || character === '"') return { kind: 'string', end: closing(text, at + 1, character) }
  if (character === '`') return { kind: 'string', end: closing(text, at + 1, character) }
  if (character === '/' && mayBeginPattern(before)) return { kind: 'string', end: closingPattern(text, at + 1) }
  return undefined
}

/** The quotes stay, so that the skeleton still shows that there is a string. */
function hollow(piece: string, kind: Token['kind']): string {
  const spaces = piece.replace(/[^\n]/g, ' ')
  return kind === 'comment' || piece.length < 2 ? spaces : `${piece[0]}${spaces.slice(1, -1)}${piece.at(-1)}`
}

function closing(text: string, from: number, quote: string): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === quote) return at + 1
    else if (quote === '`' && text[at] === '$' && text[at + 1] === '{') at = closingBrace(text, at + 2) - 1
  }
  return text.length
}

/** Past the brace that ends a `${`, over strings and templates inside it. */
function closingBrace(text: string, from: number): number {
  let depth = 1
  for (let at = from; at < text.length; at++) {
    const character = text[at] as string
    if (character === '{') depth++
    else if (character === '}' && --depth === 0) return at + 1
    else if (character === "'" || character === '"' || character === '`') at = closing(text, at + 1, character) - 1
  }
  return text.length
}

function closingPattern(text: string, from: number): number {
  let inClass = false
  for (let at = from; at < text.length; at++) {
    const character = text[at]
    if (character === '\\') at++
    else if (character === '[') inClass = true
    else if (character === ']') inClass = false
    else if (character === '\n' || (character === '/' && !inClass)) return at + 1
  }
  return text.length
}

function mayBeginPattern(before: string): boolean {
  const last = before.trimEnd()
  return last === '' || /[(,=:[!&|?{};+\-*%<>~^]$/.test(last) || /\b(return|typeof|case|in|of|await)$/.test(last)
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from)
  return end < 0 ? text.length : end
}

function after(text: string, mark: string, from: number): number {
  const found = text.indexOf(mark, from)
  return found < 0 ? text.length : found + mark.length
}
