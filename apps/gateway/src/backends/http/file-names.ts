/** Names of files: text, in paths of the service as UTF-8 that is percent-encoded, so that nothing of it is syntax. */
import { isUtf8 } from 'node:buffer'
import { RequestError } from '../../http/failures.ts'

/** The path of the file in the service; undefined for bytes that are no name. */
export function pathIfName(name: Buffer): string | undefined {
  return isUtf8(name) ? `/files/${encodeURIComponent(name.toString('utf8'))}` : undefined
}

export function filePath(name: Buffer): string {
  const path = pathIfName(name)
  if (path === undefined) throw new RequestError(400, 'ARGUMENT', 'the name of a file is UTF-8')
  return path
}
