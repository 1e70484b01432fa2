/**
 * Looks for passwords where none may be: in errors, facts, authorities and keys that people read.
 *
 * Limits: finds a secret as it is and in base64. One that was hashed or cut is not found.
 */
import assert from 'node:assert/strict'
import { inspect } from 'node:util'

export function assertNoSecret(value: unknown, secrets: readonly string[], where: string): void {
  const text = everythingIn(value)
  for (const secret of secrets) {
    for (const form of [secret, Buffer.from(secret).toString('base64'), encodeURIComponent(secret)]) {
      // The message must not repeat what it complains about.
      assert(!text.includes(form), `${where} contains a secret (the one of ${secret.length} characters)`)
    }
  }
}

/** Does the text of `value` hold this secret somewhere? */
export function holdsSecret(value: unknown, secret: string): boolean {
  const text = everythingIn(value)
  return text.includes(secret) || text.includes(encodeURIComponent(secret))
}

/** Fields, stacks, causes, and bytes as text. */
function everythingIn(value: unknown): string {
  const bytes: string[] = []
  const seen = new Set<unknown>()
  const walk = (one: unknown): void => {
    if (typeof one !== 'object' || one === null || seen.has(one)) return
    seen.add(one)
    if (one instanceof Uint8Array) bytes.push(Buffer.from(one).toString('latin1'))
    else for (const name of Object.getOwnPropertyNames(one)) walk((one as Record<string, unknown>)[name])
  }
  walk(value)
  const shown = inspect(value, { depth: null, maxStringLength: null, maxArrayLength: null, showHidden: true })
  return [shown, ...bytes].join('\n')
}
