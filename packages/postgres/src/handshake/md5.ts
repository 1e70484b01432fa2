/** AuthenticationMD5Password: `md5(md5(password + user) + salt)`, kept for servers whose passwords were stored so. */
import { createHash } from 'node:crypto'

export function md5Password(user: string, password: string, salt: Uint8Array): string {
  return `md5${md5(Buffer.concat([Buffer.from(md5(Buffer.from(password + user))), salt]))}`
}

function md5(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex')
}
