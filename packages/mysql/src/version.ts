/** Versions of servers, as far as they decide what can be asked. */

export interface ServerVersion {
  readonly server: 'mysql' | 'mariadb'
  /** `10.11.19-MariaDB-0+deb12u1`, `8.4.3`, `5.7.44-log`. */
  readonly version: string
}

/** From which version on, of either. */
export interface Since {
  readonly mysql: readonly [major: number, minor: number, patch: number]
  readonly mariadb: readonly [major: number, minor: number, patch: number]
}

/** False where the version cannot be read. */
export function isSince({ server, version }: ServerVersion, since: Since): boolean {
  const numbers = /^(\d+)\.(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number)
  if (numbers === undefined) return false
  const wanted = since[server]
  for (let index = 0; index < wanted.length; index++) {
    const [is, least] = [numbers[index] as number, wanted[index] as number]
    if (is !== least) return is > least
  }
  return true
}
