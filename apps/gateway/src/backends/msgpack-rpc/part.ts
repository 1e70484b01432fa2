/** What the msgpack-rpc service adds to an answer made of several upstreams: the job of that name. */
import type { CallOptions } from '@iokernel/core'
import type { RpcClient } from '@iokernel/msgpack-rpc'
import { isId } from '../../http/fields.ts'
import type { Job } from './job-fields.ts'

export async function msgpackRpcPart(client: RpcClient, key: Buffer, options: CallOptions): Promise<unknown> {
  const id = key.toString('latin1')
  // Asked all the same: an overview shows whether the service answers.
  const job = await client.call<Job | null>('find', [isId(id) ? id : ''], options)
  return job === null ? { found: false } : { found: true, job }
}
