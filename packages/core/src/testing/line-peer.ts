/** A server of the `lines` protocol on the fake network, and its request as an operation of its own. */
import type { Operation } from '../plugin/protocol.ts'
import type { FakePeer } from './fake-network.ts'

/** One line out, the bytes of the reply back. The hint is how many more replies the request has. */
export const line: Operation<string, string> = {
  name: 'line',
  access: 'read',
  on: 'lane',
  idempotent: false,
  encode(out, text) {
    out.utf8(`${text}\n`)
    return 0
  },
  decode: ({ bytes, start, end }) => bytes.toString('utf8', start, end),
}

/** What a peer answers to a line; `undefined` for nothing. */
export type Answer = (text: string, peer: FakePeer) => string | undefined

/** Handshakes, probes, resets and subscriptions are answered as the protocol wants, every other line by `answer`. */
export function linePeer(answer: Answer = (text) => text): (peer: FakePeer) => void {
  return (peer) => {
    let rest = ''
    peer.onData = (bytes) => {
      const texts = (rest + bytes.toString()).split('\n')
      rest = texts.pop() as string
      for (const text of texts) {
        const reply = answer(text, peer) ?? undefined
        if (reply !== undefined) peer.send(`${reply === text ? (usual(text) ?? reply) : reply}\n`)
      }
    }
  }
}

function usual(text: string): string | undefined {
  if (text.startsWith('hello ')) return 'welcome'
  if (text === 'ping') return 'pong'
  if (text === 'reset') return 'ok'
  if (text === 'audit') return 'clean'
  if (text.startsWith('sub ')) return `!+${text.slice(4)}`
  return text.startsWith('unsub ') ? `!-${text.slice(6)}` : undefined
}
