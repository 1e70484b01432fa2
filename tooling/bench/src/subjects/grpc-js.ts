/** @grpc/grpc-js: unary calls over the one connection of a channel, with the same map as a message. */
import { Client, credentials, type MethodDefinition, type ServiceDefinition } from '@grpc/grpc-js'
import { fromJSON } from '@grpc/proto-loader'
import { echoAddress } from '../echo/echo.ts'
import { type EchoValue, echoClient } from './echo-operations.ts'
import type { Subject } from './subject.ts'

export const unary: Subject = async (url) => {
  const client = new Client(echoAddress(url, 'grpc'), credentials.createInsecure())
  const { path, requestSerialize, responseDeserialize } = echoMethod()
  await new Promise<void>((resolve, reject) => {
    client.waitForReady(Date.now() + CONNECT_TIMEOUT_MS, (error) => (error ? reject(error) : resolve()))
  })
  return echoClient({
    echo: (value) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(path, requestSerialize, responseDeserialize, value, (error, answer) =>
          error ? reject(error) : resolve(answer as EchoValue),
        )
      }),
    close: async () => client.close(),
  })
}

function echoMethod(): MethodDefinition<EchoValue, EchoValue> {
  // False is proto3's default and not sent: without `defaults` it would not come back.
  const definition = fromJSON(PROTO, { keepCase: true, defaults: true })['bench.Echo'] as ServiceDefinition
  return definition['Echo'] as MethodDefinition<EchoValue, EchoValue>
}

/** What a .proto file says, in the form that needs none. */
const PROTO = {
  nested: {
    bench: {
      nested: {
        Account: {
          fields: {
            id: { type: 'int32', id: 1 },
            name: { type: 'string', id: 2 },
            balance: { type: 'double', id: 3 },
            active: { type: 'bool', id: 4 },
            note: { type: 'string', id: 5 },
          },
        },
        Echo: { methods: { Echo: { requestType: 'Account', responseType: 'Account', comment: '' } } },
      },
    },
  },
}

const CONNECT_TIMEOUT_MS = 5_000
