/**
 * Where a PostgreSQL comes from, and as whom it runs.
 *
 * PostgreSQL refuses to be root. Where we are, it runs as the system's own account for it or as `nobody`; the
 * folders it needs are given to that account.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { type NpmMajor, postgresFromNpm } from './postgres-from-npm.ts'
import {
  type Account,
  accountForRoot,
  findProgram,
  type ProgramNeed,
  ServerUnavailableError,
  type Surroundings,
} from './surroundings.ts'

export interface PostgresProgram {
  readonly source: 'machine' | 'debian' | 'npm'
  /** As the program itself says it: `15.20`. */
  readonly version: string
  readonly account: Account | undefined
  /** The path of one of the programs beside `postgres`. */
  path(name: 'postgres' | 'initdb' | 'pg_ctl' | 'pg_basebackup'): string
}

export type PostgresVersion = 'system' | NpmMajor

/**
 * `system` is what the machine has or may install; where that is nothing, the newest of npm. The folders are an
 * argument so that a test can describe a machine that has none.
 */
export async function findPostgres(
  version: PostgresVersion,
  surroundings: Surroundings,
  folders: readonly string[] = POSTGRES.folders,
): Promise<PostgresProgram> {
  if (version !== 'system') return fromNpm(version)
  try {
    return await onSystem({ ...POSTGRES, folders }, surroundings)
  } catch (error) {
    if (!(error instanceof ServerUnavailableError)) throw error
    return await fromNpm(NPM_NEWEST).catch((another: unknown) => {
      throw new ServerUnavailableError(`${error.message} ${String(another)}`)
    })
  }
}

async function onSystem(need: ProgramNeed, surroundings: Surroundings): Promise<PostgresProgram> {
  const found = await findProgram(need, surroundings)
  if (found.source === 'container') throw new ServerUnavailableError('PostgreSQL is not run in a container here')
  // Only where the file itself lies are the others beside it.
  const folder = dirname(await realpath(found.path))
  return programIn(folder, found.source, accountForRoot(ACCOUNTS))
}

async function fromNpm(major: NpmMajor): Promise<PostgresProgram> {
  const account = accountForRoot(ACCOUNTS)
  const folder = await postgresFromNpm(major, account)
  return programIn(folder, 'npm', account).catch((error: unknown) => {
    throw new ServerUnavailableError(`PostgreSQL ${major} from npm does not run on this machine: ${String(error)}`)
  })
}

async function programIn(
  folder: string,
  source: PostgresProgram['source'],
  account: Account | undefined,
): Promise<PostgresProgram> {
  const { stdout } = await promisify(execFile)(join(folder, 'postgres'), ['--version'])
  return {
    source,
    version: /\) (\S+)/.exec(stdout)?.[1] ?? 'unknown',
    account,
    path(name) {
      const path = join(folder, name)
      if (existsSync(path)) return path
      const advice = source === 'npm' ? '; a standby needs a PostgreSQL that is installed on the machine' : ''
      throw new ServerUnavailableError(`there is no ${name} in ${folder}${advice}`)
    },
  }
}

export const POSTGRES_URL_VARIABLE = 'IOKERNEL_POSTGRES_URL'

export const POSTGRES: ProgramNeed = {
  name: 'postgres',
  folders: ['/usr/lib/postgresql/*/bin'],
  debianPackages: ['postgresql'],
  urlVariable: POSTGRES_URL_VARIABLE,
}

const NPM_NEWEST = 18
const ACCOUNTS = ['postgres', 'nobody']
