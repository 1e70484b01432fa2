/**
 * What is asked of an echo server, the same for every client: a small map, another one each time, which has to come
 * back as it was.
 */
import type { Operation } from '../harness/operation.ts'
import type { SubjectClient } from './subject.ts'

/** Of every type that the protocols have in common. */
export interface EchoValue {
  readonly id: number
  readonly name: string
  readonly balance: number
  readonly active: boolean
  readonly note: string
}

export interface EchoCalls {
  echo(value: EchoValue): Promise<EchoValue>
  close(): Promise<unknown>
}

export function echoClient(calls: EchoCalls): SubjectClient {
  return {
    operation: (name, bytes) => {
      if (name !== 'echo') throw new Error(`there is no operation '${name}' for an echo`)
      return echo(calls, bytes)
    },
    close: async () => {
      await calls.close()
    },
  }
}

/** `bytes` is the size of the map as JSON, about. */
export function echoValue(id: number, bytes: number): EchoValue {
  const note = 'note '.repeat(Math.ceil(bytes / 5)).slice(0, Math.max(1, bytes - OTHER_FIELDS_BYTES))
  return { id, name: `account ${id}`, balance: id + 0.25, active: id % 2 === 0, note }
}

function echo(calls: EchoCalls, bytes: number): Operation {
  const values = Array.from({ length: VALUES }, (_, index) => echoValue(index + 1, bytes))
  let last = 0
  return {
    async run() {
      last = (last + 1) % VALUES
      const value = values[last] as EchoValue
      const answer = await calls.echo(value)
      return answer.id === value.id ? answer : undefined
    },
    isPlausible: (answer) => answer !== undefined,
    isExact: (answer) => fieldsOf(answer as EchoValue) === fieldsOf(values[(answer as EchoValue).id - 1] as EchoValue),
  }
}

/** The order of its properties is a client's own. */
function fieldsOf({ id, name, balance, active, note }: EchoValue): string {
  return JSON.stringify([id, name, balance, active, note])
}

const VALUES = 1_000
/** `{"id":123,"name":"account 123","balance":123.25,"active":true,"note":""}`. */
const OTHER_FIELDS_BYTES = 72
