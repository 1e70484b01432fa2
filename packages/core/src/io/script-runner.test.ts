/** Scripts: handshakes, probes and resets run against frames and raw bytes, and cannot be made to run for ever. */
import { describe, expect, test } from 'vitest'
import { RemoteProtocolError } from '../plugin/errors.ts'
import { frame, read, type Script, send, upgradeTls } from '../plugin/script.ts'
import { ScriptRunner } from './script-runner.ts'

interface Seen {
  readonly runner: ScriptRunner
  readonly sent: string[]
  readonly finished: unknown[]
  readonly failed: Error[]
  upgrade: ((certificate: Uint8Array) => void) | undefined
}

function start(script: Script<unknown>, stepsMax = 100, bytesMax = 1_000): Seen {
  const seen: Omit<Seen, 'runner'> = { sent: [], finished: [], failed: [], upgrade: undefined }
  const runner = new ScriptRunner(
    script,
    {
      send: (bytes) => seen.sent.push(Buffer.from(bytes).toString()),
      upgrade: (done) => {
        seen.upgrade = done
      },
      finished: (result) => seen.finished.push(result),
      failed: (error) => seen.failed.push(error as Error),
    },
    stepsMax,
    bytesMax,
  )
  runner.start()
  return Object.assign(seen, { runner })
}

function give({ runner }: Seen, text: string, more = false): void {
  const bytes = Buffer.from(`??${text}??`)
  runner.frame(bytes, 2, 2 + text.length, more)
  bytes.fill(0xaa)
}

test('reads like the specification: sends, frames, raw bytes and TLS in their order', () => {
  const seen = start(
    (function* () {
      yield* send(Buffer.from('SSLRequest'))
      const answer = yield* read(1)
      const certificate = yield* upgradeTls()
      yield* send(Buffer.from('user'))
      const first = yield* frame()
      const second = yield* frame()
      return [answer, certificate, first, second].map((bytes) => Buffer.from(bytes).toString())
    })(),
  )
  expect(seen.runner.rawWanted).toBe(1)
  seen.runner.raw(Buffer.from('S'))
  expect(seen.runner.rawWanted).toBe(0)
  expect(seen.runner.upgrading).toBe(true)
  expect(seen.sent).toEqual(['SSLRequest'])
  seen.upgrade?.(Buffer.from('cert'))
  expect(seen.runner.upgrading).toBe(false)
  expect(seen.sent).toEqual(['SSLRequest', 'user'])
  give(seen, 'one')
  expect(seen.runner.done).toBe(false)
  give(seen, 'two')
  expect(seen.finished).toEqual([['S', 'cert', 'one', 'two']])
  expect(seen.runner.done).toBe(true)
  expect(seen.failed).toEqual([])
})

test('frames that come before they are asked for wait their turn; parts are put together', () => {
  const seen = start(
    (function* () {
      const length = yield* read(3)
      const texts: string[] = []
      for (let count = 0; count < 3; count++) texts.push(Buffer.from(yield* frame()).toString())
      return [length.length, ...texts]
    })(),
  )
  give(seen, 'early')
  give(seen, 'pa', true)
  give(seen, 'rt', true)
  give(seen, 's')
  seen.runner.raw(Buffer.from('abc'))
  expect(seen.finished).toEqual([])
  give(seen, 'last')
  expect(seen.finished).toEqual([[3, 'early', 'parts', 'last']])
})

test('a script that ends at once is finished at once', () => {
  expect(start((function* () {})() as Script<unknown>).finished).toEqual([undefined])
})

describe('is ended', () => {
  test('by its own exception, at any step, once', () => {
    for (const steps of [0, 1, 2]) {
      const seen = start(
        (function* () {
          for (let count = 0; count < steps; count++) yield* frame()
          throw new TypeError('a bug in the plugin')
        })(),
      )
      for (let count = 0; count < steps; count++) give(seen, 'x')
      expect(seen.failed.map(({ message }) => message)).toEqual(['a bug in the plugin'])
      expect(seen.finished).toEqual([])
      expect(seen.runner.done).toBe(true)
    }
  })

  test('by too many steps: a peer that never ends its handshake', () => {
    const seen = start(
      (function* () {
        for (;;) yield* frame()
      })(),
      50,
    )
    for (let count = 0; count < 100 && seen.failed.length === 0; count++) give(seen, 'again')
    expect(seen.failed[0]).toBeInstanceOf(RemoteProtocolError)
    expect(seen.failed[0]?.message).toContain('scriptStepsMax')
    const endless = start(
      (function* () {
        for (;;) yield* send(Buffer.from('x'))
      })(),
      50,
    )
    expect(endless.failed).toHaveLength(1)
    expect(endless.sent.length).toBeLessThanOrEqual(50)
  })

  test('by more bytes than it asked for', () => {
    const seen = start(
      (function* () {
        yield* read(4)
      })(),
    )
    give(seen, 'x'.repeat(900))
    expect(() => give(seen, 'x'.repeat(200))).toThrow(RemoteProtocolError)
    const parts = start(
      (function* () {
        yield* frame()
      })(),
    )
    give(parts, 'x'.repeat(900), true)
    expect(() => give(parts, 'x'.repeat(200), true)).toThrow(RemoteProtocolError)
  })

  test('but not by many frames that it reads', () => {
    const seen = start(
      (function* () {
        for (let count = 0; count < 90; count++) yield* frame()
        return 'done'
      })(),
    )
    for (let count = 0; count < 90; count++) give(seen, 'x'.repeat(500))
    expect(seen.finished).toEqual(['done'])
  })

  test.each([0, -1, Number.NaN])('by asking for %d bytes', (length) => {
    const seen = start(
      (function* () {
        yield* read(length)
      })(),
    )
    expect(seen.failed).toHaveLength(1)
  })
})
