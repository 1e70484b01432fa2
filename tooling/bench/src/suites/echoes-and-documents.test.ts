/** Operations of the http-client and msgpack-rpc suites: the right answer is taken, and no other. */
import { expect, test } from 'vitest'
import { echoAddress } from '../echo/echo.ts'
import type { Operation } from '../harness/operation.ts'
import { type EchoValue, echoClient, echoValue } from '../subjects/echo-operations.ts'
import { assertOk, httpClient } from '../subjects/http-operations.ts'
import { documentPath, documentText } from '../subjects/json-documents.ts'

async function verdict(operation: Operation): Promise<readonly boolean[]> {
  const answer = await operation.run()
  const isPlausible = operation.isPlausible(answer)
  return [isPlausible, isPlausible && operation.isExact(answer)]
}

test('a document is of the size that was asked for, and no other is taken for it', async () => {
  expect([documentText(7, 200).length, documentText(100, 200).length]).toEqual([200, 200])
  expect(documentPath(7, 200)).toBe('iokernel-bench-200/7.json')
  const idOf = (path: string): number => Number(/(\d+)\.json/.exec(path)?.[1])
  const answering = (answer: (id: number) => unknown): Operation =>
    httpClient({ getJson: async (path) => answer(idOf(path)), close: async () => {} }).operation('json', 200)
  const right = (id: number): object => JSON.parse(documentText(id, 200))
  expect(await verdict(answering(right))).toEqual([true, true])
  expect(await verdict(answering((id) => right((id % 100) + 1)))).toEqual([false, false])
  expect(await verdict(answering((id) => ({ ...right(id), note: 'x' })))).toEqual([true, false])
  expect(() => assertOk(404)).toThrow('404')
})

test('callers that ask at once get their own documents', async () => {
  const asked: (() => void)[] = []
  const operation = httpClient({
    getJson: (path) =>
      new Promise((resolve) => {
        const id = Number(/(\d+)\.json/.exec(path)?.[1])
        asked.push(() => resolve(JSON.parse(documentText(id, 200))))
      }),
    close: async () => {},
  }).operation('json', 200)
  const answers = Promise.all([operation.run(), operation.run(), operation.run()])
  for (const answer of asked.reverse()) answer()
  expect((await answers).map((answer) => operation.isPlausible(answer))).toEqual([true, true, true])
})

test('an echo is the map that was sent, in whatever order its fields come', async () => {
  const answering = (answer: (value: EchoValue) => EchoValue): Operation =>
    echoClient({ echo: async (value) => answer(value), close: async () => {} }).operation('echo', 100)
  const reversed = ({ id, name, balance, active, note }: EchoValue): EchoValue => ({ note, active, balance, name, id })
  expect(Math.abs(JSON.stringify(echoValue(123, 100)).length - 100)).toBeLessThan(5)
  expect(await verdict(answering((value) => value))).toEqual([true, true])
  expect(await verdict(answering(reversed))).toEqual([true, true])
  expect(await verdict(answering((value) => ({ ...value, id: value.id + 1 })))).toEqual([false, false])
  expect(await verdict(answering((value) => ({ ...value, active: !value.active })))).toEqual([true, false])
})

test('one URL names three servers', () => {
  const url = 'echo://127.0.0.1/?msgpack-rpc=1&grpc=2&json=3'
  expect([echoAddress(url, 'msgpack-rpc'), echoAddress(url, 'json')]).toEqual(['127.0.0.1:1', '127.0.0.1:3'])
})
