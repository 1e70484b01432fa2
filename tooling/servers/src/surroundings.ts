/**
 * What the machine has: programs, the right to install packages, containers. The only file that looks.
 *
 * Rules: looking changes nothing; `installDebianPackages` changes the machine and is reached only when every other
 * way to a binary has failed and the process may install. A failure is a sentence that says what to do.
 */
import { execFile, spawnSync } from 'node:child_process'
import { accessSync, constants, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

/** An argument rather than `process.env`, so that a test can describe a machine that has nothing. */
export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly mayInstall: boolean
  readonly mayUseContainers: boolean
}

export interface ProgramNeed {
  readonly name: string
  /** Where packages put the program when not on the PATH. One `*` stands for a version; the newest is the first. */
  readonly folders: readonly string[]
  readonly debianPackages: readonly string[]
  readonly containerImage?: string
  /** The environment variable that names a server to use instead. */
  readonly urlVariable?: string
  /** What the program has to have with it, and whether the one at a path does. */
  readonly library?: { readonly name: string; isThere(path: string): boolean }
}

/** A server that somebody else may provide. */
export interface ServerNeed extends ProgramNeed {
  readonly urlVariable: string
}

export type FoundProgram =
  | { readonly source: 'machine' | 'debian'; readonly path: string }
  | { readonly source: 'container'; readonly image: string }

/** The server cannot be had here; the message names every way that was tried and how to open one of them. */
export class ServerUnavailableError extends Error {
  override readonly name = 'ServerUnavailableError'
  readonly code = 'SERVER_UNAVAILABLE'
}

export function thisMachine(): Surroundings {
  const root = process.getuid?.() === 0
  return {
    environment: process.env,
    mayInstall: root && process.env['IOKERNEL_SERVERS_INSTALL'] !== '0',
    mayUseContainers: process.env['IOKERNEL_SERVERS_CONTAINERS'] !== '0',
  }
}

export async function findProgram(need: ProgramNeed, surroundings: Surroundings): Promise<FoundProgram> {
  const path = onMachine(need, surroundings)
  if (path) return { source: 'machine', path }
  const wanted = need.library ? `${need.name} with ${need.library.name}` : need.name
  const tried = [`no ${wanted} on the PATH${need.folders.length > 0 ? ` or in ${need.folders.join(', ')}` : ''}`]
  const debian = await fromDebian(need, surroundings)
  if ('path' in debian) return { source: 'debian', path: debian.path }
  tried.push(debian.refusal)
  if (need.containerImage && surroundings.mayUseContainers) {
    if (await containersRun(surroundings)) return { source: 'container', image: need.containerImage }
    tried.push('`docker info` does not answer')
  }
  throw new ServerUnavailableError(explain(need, tried))
}

/** Where the program lies, or undefined. Installs nothing. */
function onMachine(need: ProgramNeed, surroundings: Surroundings): string | undefined {
  const folders = [...(surroundings.environment['PATH'] ?? '').split(delimiter), ...need.folders]
  return folders
    .filter((folder) => folder !== '')
    .flatMap(allVersions)
    .map((folder) => join(folder, need.name))
    .find((path) => isExecutable(path) && (need.library?.isThere(path) ?? true))
}

function allVersions(folder: string): readonly string[] {
  const [before, after] = folder.split('*')
  if (before === undefined || after === undefined) return [folder]
  try {
    const newestFirst = readdirSync(before).sort((a, b) => Number.parseFloat(b) - Number.parseFloat(a))
    return newestFirst.map((version) => `${before}${version}${after}`)
  } catch {
    return []
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export interface Account {
  readonly uid: number
  readonly gid: number
}

/** The first of these system accounts that exists. Undefined where we are not root: a program runs as who we are. */
export function accountForRoot(names: readonly string[]): Account | undefined {
  if (process.getuid?.() !== 0) return undefined
  for (const name of names) {
    const [uid, gid] = ['-u', '-g'].map((which) => spawnSync('id', [which, name], { encoding: 'utf8' }))
    if (uid?.status === 0 && gid?.status === 0) return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
  }
  throw new ServerUnavailableError(`a server that refuses to run as root needs one of the accounts ${names.join(', ')}`)
}

async function fromDebian(
  need: ProgramNeed,
  surroundings: Surroundings,
): Promise<{ readonly path: string } | { readonly refusal: string }> {
  if (!surroundings.mayInstall) return { refusal: 'this process may not install Debian packages' }
  const apt: ProgramNeed = { name: 'apt-get', folders: [], debianPackages: [] }
  if (!onMachine(apt, surroundings)) return { refusal: 'there is no apt-get here' }
  const failure = installDebianPackages(need.debianPackages)
  if (failure) return { refusal: `apt-get failed: ${failure}` }
  const path = onMachine({ ...need, folders: [...need.folders, '/usr/bin', '/usr/sbin'] }, surroundings)
  return path ? { path } : { refusal: `${need.debianPackages.join(', ')} installed, but without ${need.name}` }
}

/**
 * One installation at a time on a machine (`flock`), and no service started by it: a package that brings a server
 * would start one on the standard port, and that would be a server nobody stops. A policy that is already there
 * belongs to the machine's owner and stays in force.
 */
function installDebianPackages(packages: readonly string[]): string | undefined {
  const run = spawnSync('flock', ['/tmp/iokernel-apt-get.lock', 'sh', '-c', INSTALL_SCRIPT, 'install', ...packages], {
    encoding: 'utf8',
    timeout: INSTALL_TIMEOUT_MS,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
  if (run.status === 0) return undefined
  return run.error?.message ?? run.stderr.trim().split('\n').slice(-3).join(' / ')
}

async function containersRun(surroundings: Surroundings): Promise<boolean> {
  const docker = onMachine({ name: 'docker', folders: [], debianPackages: [] }, surroundings)
  if (!docker) return false
  return promisify(execFile)(docker, ['info'], { timeout: DOCKER_INFO_TIMEOUT_MS }).then(
    () => true,
    () => false,
  )
}

function explain(need: ProgramNeed, tried: readonly string[]): string {
  const ways = [
    need.urlVariable ? `set ${need.urlVariable} to the URL of a server that tests may write to` : undefined,
    `install ${need.name} (Debian: apt-get install ${need.debianPackages.join(' ')}), ` +
      'or run as root to have it installed',
    need.containerImage ? `start Docker (image ${need.containerImage})` : undefined,
  ]
  return `${need.name} cannot be had: ${tried.join('; ')}. To get it: ${ways.filter(Boolean).join('; or ')}.`
}

const INSTALL_SCRIPT = `
set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT TERM HUP
  printf '#!/bin/sh\\nexit 101\\n' > "$policy"
  chmod 755 "$policy"
fi
apt-get update -qq
apt-get install -y -qq --no-install-recommends "$@"
`

/** A slow mirror and a cold cache; a hang must still end within a CI run. */
const INSTALL_TIMEOUT_MS = 300_000
const DOCKER_INFO_TIMEOUT_MS = 5_000
