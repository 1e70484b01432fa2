/**
 * Files and folders for a server that runs under an account of its own, because it refuses to be root or must not be.
 */
import { chown, writeFile } from 'node:fs/promises'
import type { Account } from './surroundings.ts'

/** Readable by the account alone. */
export async function writeFor(account: Account | undefined, file: string, text: string | Uint8Array): Promise<void> {
  await writeFile(file, text, { mode: 0o600 })
  await giveTo(account, file)
}

export async function giveTo(account: Account | undefined, ...paths: readonly string[]): Promise<void> {
  if (!account) return
  await Promise.all(paths.map((path) => chown(path, account.uid, account.gid)))
}
