/**
 * What the operating system says about names: `/etc/hosts` and `/etc/resolv.conf`.
 *
 * c-ares in Node reads neither the hosts file for `resolve4` nor the search list, so that Kubernetes short names
 * (`cache`) would fail: we read both. Sans-I/O but for `readSystemFile`. Format: hosts(5), resolv.conf(5).
 */
import { readFile } from 'node:fs/promises'

/** The size past which such a file is not read: ad-blocking hosts files reach a few megabytes. */
const FILE_BYTES_MAX = 16 << 20

export async function readSystemFile(path: string): Promise<string> {
  try {
    const text = await readFile(path, 'utf8')
    return text.length > FILE_BYTES_MAX ? '' : text
  } catch {
    // A machine without the file has nothing to say about names.
    return ''
  }
}

/** Addresses of `name` in the order of the file. */
export function hostsAddresses(hostsFile: string, name: string): readonly string[] {
  const wanted = name.toLowerCase().replace(/\.$/, '')
  const found: string[] = []
  for (const line of hostsFile.split('\n')) {
    const words = (line.split('#', 1)[0] as string).trim().split(/\s+/)
    const address = words[0] as string
    if (address !== '' && words.slice(1).some((each) => each.toLowerCase() === wanted)) found.push(address)
  }
  return found
}

export interface SearchRules {
  readonly search: readonly string[]
  /** A name with at least this many dots is tried as it is before the search list. */
  readonly ndots: number
}

/** resolv.conf(5): the last `search` or `domain` wins; `ndots` is capped at 15. */
export function searchRules(resolvConf: string): SearchRules {
  let search: string[] = []
  let ndots = 1
  for (const line of resolvConf.split('\n')) {
    const words = (line.split(/[#;]/, 1)[0] as string).trim().split(/\s+/)
    if (words[0] === 'search' || words[0] === 'domain') search = words.slice(1)
    if (words[0] !== 'options') continue
    for (const option of words.slice(1)) {
      const match = /^ndots:(\d+)$/.exec(option)
      if (match !== null) ndots = Math.min(Number(match[1]), 15)
    }
  }
  return { search, ndots }
}

/** The full names to ask for, in order. A trailing dot says that the name is full already. */
export function candidateNames(name: string, rules: SearchRules): readonly string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)]
  const searched = rules.search.map((suffix) => `${name}.${suffix.replace(/\.$/, '')}`)
  const dots = name.split('.').length - 1
  return dots >= rules.ndots ? [name, ...searched] : [...searched, name]
}
