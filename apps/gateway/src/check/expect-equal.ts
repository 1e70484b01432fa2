/** What a check says when something is not as it should be. */
export function expectEqual(found: unknown, wanted: unknown, what: string): void {
  if (found !== wanted) throw new Error(`${what} is ${JSON.stringify(found)} and not ${JSON.stringify(wanted)}`)
}
