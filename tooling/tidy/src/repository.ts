/**
 * Reads the working tree, and knows where things lie in it. The only file here that touches the disk.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type SourceFile, sourceFile } from './source-file.ts'

export const ROOT: string = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))))

/** Every text file that belongs to the repository. Tracked or not: a new file must obey before it is committed. */
export function readRepository(): readonly SourceFile[] {
  return list('').map((path) => sourceFile(path, readFileSync(join(ROOT, path), 'utf8')))
}

function list(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (entry.isDirectory()) return GENERATED.has(entry.name) ? [] : list(path)
    // What was recorded from elsewhere does not obey our laws; what is said about it does.
    const recorded = folder.split('/').includes('fixtures') && entry.name !== 'README.md'
    return entry.isFile() && TEXT.test(entry.name) && !recorded ? [path] : []
  })
}

const GENERATED = new Set(['.git', 'node_modules', 'dist', '.reports', '.turbo', '.cache', 'coverage'])
const TEXT = /(\.(ts|js|mjs|json|md|ya?ml|sh)|^run|^LICENSE|^\.npmrc)$/
