/** Polls what nothing announces, with a bound. */
export async function until(what: string, condition: () => Promise<boolean> | boolean): Promise<void> {
  const giveUpAtMs = Date.now() + 10_000
  while (!(await condition())) {
    if (Date.now() > giveUpAtMs) throw new Error(`${what} did not come true within 10 s`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
