/**
 * Names of columns as names of properties.
 *
 * Rules: names come from outside. `__proto__` is a property like any other, and no code is made of a name.
 */

/** The engine's own copy of a name: a property is found by it without comparing characters. */
export function internedName(name: string): string {
  const holder: Record<string, unknown> = Object.create(null)
  holder[name] = true
  return Object.keys(holder)[0] as string
}

/** For a name that cannot be assigned to like any other. */
export function defineColumn(row: object, name: string, value: unknown): void {
  Object.defineProperty(row, name, { value, writable: true, enumerable: true, configurable: true })
}
