/** The kernel with its msgpack-rpc plugin, as it comes: one connection. */
import { createKernel } from '@iokernel/core'
import { msgpackRpc } from '@iokernel/msgpack-rpc'
import { echoAddress } from '../echo/echo.ts'
import { echoClient } from './echo-operations.ts'
import type { Subject } from './subject.ts'

export const client: Subject = async (url) => {
  const kernel = await createKernel({ protocols: [msgpackRpc] })
  const rpc = kernel.connect(msgpackRpc, `msgpack-rpc://${echoAddress(url, 'msgpack-rpc')}`)
  await rpc.ready()
  return echoClient({
    echo: (value) => rpc.call('echo', [value]),
    close: () => kernel.close(),
  })
}
