/** COPY and streams: who waits for whom, and who ends when the other fails. */
import { LocalError, RemoteProtocolError } from '@iokernel/core/plugin'
import { describe, expect, it } from 'vitest'
import { complete, done, FakeLink, selected } from '../../fixtures/link.ts'
import { error, message, query, READY, u16 } from '../../fixtures/messages.ts'
import { APP_DEFAULTS } from '../app.ts'
import { type PostgresClient, postgresClient } from '../client.ts'
import { RequestKind } from '../codec/request.ts'

function clientOf(link: FakeLink): PostgresClient {
  return postgresClient(link, APP_DEFAULTS)
}

/** What the server says when the data has ended. */
const COPIED = message('G', `\0${u16(0)}`) + done('COPY 3')

/** An answer that the test gives when it likes. */
function later(): { answer: Promise<string | Error>; give: (answer: string | Error) => void } {
  let give: (answer: string | Error) => void = () => undefined
  const answer = new Promise<string | Error>((resolve) => {
    give = resolve
  })
  return { answer, give }
}

/** Lets everything that is ready run. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

function data(link: FakeLink): string {
  return link.calls
    .filter(({ name }) => name === 'COPY DATA')
    .map(({ bytes }) => bytes.slice(5))
    .join('')
}

describe('copyFrom()', () => {
  it('sends the statement, its data in pieces, and the end; resolves to the number of rows', async () => {
    const { answer, give } = later()
    const link = new FakeLink([answer])
    const copied = clientOf(link).copyFrom('copy t from stdin', ['1\n', Buffer.from('2\n'), '', 'ü\n'])
    while (link.calls.at(-1)?.name !== 'COPY DONE') await turn()
    give(COPIED)
    expect(await copied).toBe(3)
    expect(link.calls.map(({ name, hint }) => [name, hint])).toEqual([
      ['COPY IN', RequestKind.CopyIn],
      ['COPY DATA', RequestKind.Silent],
      ['COPY DONE', RequestKind.Silent],
    ])
    expect(link.calls[0]?.bytes).toBe(query('copy t from stdin'))
    expect(data(link)).toBe('1\n2\n\xc3\xbc\n')
    expect(link.closed).toBe(1)
  })

  it('cuts and gathers its source into pieces of 64 KB', async () => {
    const { answer, give } = later()
    const link = new FakeLink([answer])
    const source = [...Array.from({ length: 100 }, () => 'x'.repeat(1000)), 'y'.repeat(200_000)]
    const copied = clientOf(link).copyFrom('copy t from stdin', source)
    while (link.calls.at(-1)?.name !== 'COPY DONE') await turn()
    give(COPIED)
    await copied
    const pieces = link.calls.filter(({ name }) => name === 'COPY DATA').map(({ bytes }) => bytes.length - 5)
    expect(Math.max(...pieces)).toBeLessThanOrEqual(64 * 1024)
    expect(pieces.length).toBeLessThan(8)
    expect(data(link)).toBe(source.join(''))
  })

  it('takes a string, bytes, generators and readables', async () => {
    const { Readable } = await import('node:stream')
    const sources = [
      'ab',
      Buffer.from('ab'),
      ['a', 'b'],
      new Set(['a', 'b']),
      (function* () {
        yield 'a'
        yield 'b'
      })(),
      (async function* () {
        yield 'a'
        yield Buffer.from('b')
      })(),
      Readable.from(['a', 'b']),
    ]
    for (const source of sources) {
      const { answer, give } = later()
      const link = new FakeLink([answer])
      const copied = clientOf(link).copyFrom('copy t from stdin', source as never)
      while (link.calls.at(-1)?.name !== 'COPY DONE') await turn()
      give(COPIED)
      await copied
      expect(data(link)).toBe('ab')
    }
  })

  it('ends its source when the server refuses, and rejects with what it said', async () => {
    const { answer, give } = later()
    const link = new FakeLink([answer])
    let ended = false
    async function* endless() {
      try {
        for (;;) {
          await turn()
          yield 'x'.repeat(70_000)
        }
      } finally {
        ended = true
      }
    }
    const copied = clientOf(link).copyFrom('copy t from stdin', endless())
    while (link.calls.length < 3) await turn()
    give(error('22P02') + READY)
    await expect(copied).rejects.toMatchObject({ code: '22P02' })
    const sent = link.calls.length
    while (!ended) await turn()
    expect(link.calls.length).toBe(sent)
    expect(link.calls.map(({ name }) => name)).not.toContain('COPY DONE')
  })

  it('does not wait for a source that gives nothing any more when the server refuses', async () => {
    const link = new FakeLink([error('42P01') + READY])
    const silent = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined) }) }
    await expect(clientOf(link).copyFrom('copy t from stdin', silent)).rejects.toMatchObject({ code: '42P01' })
  })

  it('fails the statement when its source throws, and rejects with what that threw', async () => {
    const link = new FakeLink([error('57014') + READY])
    const failure = new Error('the file ends')
    async function* failing() {
      yield 'x'
      throw failure
    }
    // The server answers when it has been told.
    const { answer, give } = later()
    const slow = new FakeLink([answer])
    const copied = clientOf(slow).copyFrom('copy t from stdin', failing())
    while (slow.calls.at(-1)?.name !== 'COPY FAIL') await turn()
    give(error('57014') + READY)
    await expect(copied).rejects.toBe(failure)
    await expect(clientOf(link).copyFrom('copy t from stdin', [5] as never)).rejects.toThrow()
  })

  it.each(['select 1', 'copy t to stdout', "copy t from '/file'", 'copy t from stdin; select 1', ''])(
    'refuses %j',
    async (text) => {
      const link = new FakeLink()
      await expect(clientOf(link).copyFrom(text, [])).rejects.toMatchObject({ code: 'ARGUMENT' })
      expect(link.calls).toEqual([])
    },
  )

  it('refuses what is no source and no option', async () => {
    const client = clientOf(new FakeLink())
    for (const source of [undefined, null, 5, {}]) {
      await expect(client.copyFrom('copy t from stdin', source as never)).rejects.toMatchObject({ code: 'ARGUMENT' })
    }
    const wrong = client.copyFrom('copy t from stdin', [], { rows: 'arrays' } as never)
    await expect(wrong).rejects.toMatchObject({ code: 'ARGUMENT' })
  })
})

describe('copyTo()', () => {
  const out = message('H', `\0${u16(0)}`) + message('d', '1\n') + message('d', '22\n') + message('c') + done('COPY 2')

  it.each([1, 2, 7, 1000])('gives the data of each message, in pieces of %i', async (pieceBytes) => {
    const link = new FakeLink([out])
    link.pieceBytes = pieceBytes
    const chunks: string[] = []
    for await (const chunk of clientOf(link).copyTo('copy t to stdout')) chunks.push(chunk.toString())
    expect(chunks).toEqual(['1\n', '22\n'])
    expect(link.calls[0]).toMatchObject({ name: 'COPY OUT', on: 'session', bytes: query('copy t to stdout') })
  })

  it('gives up the rest when the loop is left, and the error of the server', async () => {
    const link = new FakeLink([out])
    for await (const _ of clientOf(link).copyTo('copy t to stdout')) break
    expect(link.streamsClosed).toBeGreaterThan(0)
    const failing = clientOf(new FakeLink([error('42P01') + READY])).copyTo('copy t to stdout')
    await expect(failing.next()).rejects.toMatchObject({ code: '42P01' })
    expect(() => clientOf(new FakeLink()).copyTo('select 1')).toThrow(LocalError)
  })
})

describe('stream()', () => {
  const rows = Array.from({ length: 50 }, (_, index) => [String(index), 'x'.repeat(index)])
  const reply = selected([['a', 23], ['b']], ...rows)

  it.each([1, 3, 64, 100_000])('gives row after row, in pieces of %i', async (pieceBytes) => {
    const link = new FakeLink([reply])
    link.pieceBytes = pieceBytes
    const seen: unknown[] = []
    for await (const row of clientOf(link).stream('select a, b from t', [], { rows: 'arrays' })) seen.push(row)
    expect(seen).toEqual(rows.map(([a, b]) => [Number(a), b]))
    expect(link.calls[0]).toMatchObject({ name: 'STREAM READ', access: 'read', on: 'session' })
  })

  it('gives them in order to calls that are made at once', async () => {
    const link = new FakeLink([reply])
    link.pieceBytes = 40
    const stream = clientOf(link).stream<{ a: number }>('select a, b from t')
    const results = await Promise.all(Array.from({ length: 52 }, () => stream.next()))
    expect(results.slice(0, 50).map(({ value }) => value.a)).toEqual(rows.map((_, index) => index))
    expect(results.slice(50)).toEqual([
      { done: true, value: undefined },
      { done: true, value: undefined },
    ])
  })

  it('gives up the rest when the loop is left', async () => {
    const link = new FakeLink([reply])
    for await (const _ of clientOf(link).stream('select 1')) break
    expect(link.streamsClosed).toBe(1)
    const unread = clientOf(link).stream('select 1')
    await unread.close()
    expect(await unread.next()).toEqual({ done: true, value: undefined })
    expect(link.calls).toHaveLength(1)
  })

  it('gives the error of the server behind the rows before it, once', async () => {
    const broken = reply.slice(0, reply.lastIndexOf(complete('SELECT 50'))) + error('22012') + READY
    const link = new FakeLink([broken])
    link.pieceBytes = 64
    const stream = clientOf(link).stream('select 1')
    let count = 0
    const read = async () => {
      for await (const _ of stream) count++
    }
    await expect(read()).rejects.toMatchObject({ code: '22012' })
    expect(count).toBe(50)
    expect(await stream.next()).toEqual({ done: true, value: undefined })
  })

  it.each([
    ['inside a message', reply.slice(0, -3)],
    ['before its end', reply.slice(0, -6)],
  ])('says that it ended %s', async (_, bytes) => {
    const stream = clientOf(new FakeLink([bytes])).stream('select 1')
    const read = async () => {
      for await (const _ of stream);
    }
    await expect(read()).rejects.toBeInstanceOf(RemoteProtocolError)
  })

  it('refuses what a shared connection would not read either', () => {
    const client = clientOf(new FakeLink())
    expect(() => client.stream("select set_config('a', 'b', false)")).toThrow(/db\.session/)
    expect(() => client.stream('select 1; select 2')).toThrow(LocalError)
    expect(() => client.stream('select 1', [], { idempotent: true } as never)).toThrow(LocalError)
  })
})
