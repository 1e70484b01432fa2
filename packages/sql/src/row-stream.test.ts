/** Rows come in order, one reader at a time, and what ends them is told once. */
import type { ReplyPiece, ReplyStream } from '@iokernel/core/plugin'
import { describe, expect, it } from 'vitest'
import { type RowParser, readRows } from './row-stream.ts'

/** A reply in these pieces; whatever comes behind them is what the reader has not asked for. */
class Played implements ReplyStream {
  readonly #pieces: readonly string[]
  opened = 0
  closed = 0
  asked = 0

  constructor(...pieces: readonly string[]) {
    this.#pieces = pieces
  }

  readonly open = (): ReplyStream => {
    this.opened++
    return this
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ReplyPiece, void, undefined> {
    for (const piece of this.#pieces) {
      this.asked++
      yield { bytes: Buffer.from(piece), facts: {} }
    }
  }

  async close(): Promise<void> {
    this.closed++
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** A row is what stands before a semicolon; `!` breaks the rules, `?` at the end is the server's refusal. */
class Lines implements RowParser {
  #left = ''

  take({ bytes }: ReplyPiece): readonly unknown[] {
    this.#left += bytes.toString()
    if (this.#left.includes('!')) throw new Error('broken')
    const rows = this.#left.split(';')
    this.#left = rows.pop() as string
    return rows
  }

  end(): void {
    if (this.#left === '?') throw new Error('refused')
    if (this.#left !== '') throw new Error('breaks off')
  }
}

async function read(rows: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = []
  try {
    for await (const row of rows) all.push(row)
  } catch (error) {
    all.push((error as Error).message)
  }
  return all
}

describe('a stream of rows', () => {
  it('gives every row once, however the reply is cut', async () => {
    const reply = 'a;bb;;ccc;'
    const rows = ['a', 'bb', '', 'ccc']
    expect(await read(readRows(new Played(...reply).open, new Lines()))).toEqual(rows)
    for (let cut = 0; cut <= reply.length; cut++) {
      const played = new Played(reply.slice(0, cut), reply.slice(cut))
      expect(await read(readRows(played.open, new Lines()))).toEqual(rows)
    }
  })

  it('asks for nothing before somebody reads, and for no more than is read', async () => {
    const played = new Played('a;b;', 'c;')
    const rows = readRows(played.open, new Lines())
    expect(played.opened).toBe(0)
    expect(await rows.next()).toEqual({ done: false, value: 'a' })
    expect(await rows.next()).toEqual({ done: false, value: 'b' })
    expect([played.opened, played.asked]).toEqual([1, 1])
  })

  it('keeps the order of rows that are asked for at once', async () => {
    const rows = readRows(new Played('a;', '', 'b;c;', 'd;').open, new Lines())
    const all = await Promise.all(Array.from({ length: 6 }, () => rows.next()))
    expect(all.map(({ value }) => value)).toEqual(['a', 'b', 'c', 'd', undefined, undefined])
  })

  it.each([
    ['what the server refuses', ['a;', 'b;?'], ['a', 'b', 'refused']],
    ['a reply that breaks off', ['a;b'], ['a', 'breaks off']],
    ['a reply that breaks the rules', ['a;', '!'], ['a', 'broken']],
  ])('tells %s behind the rows before it, and is over', async (_, pieces, expected) => {
    const failures: unknown[] = []
    const rows = readRows(new Played(...pieces).open, new Lines(), (error) => failures.push(error))
    expect(await read(rows)).toEqual(expected)
    expect(failures.map((error) => (error as Error).message)).toEqual(expected.slice(-1))
    expect(await rows.next()).toEqual({ done: true, value: undefined })
  })

  it('tells that it could not be opened', async () => {
    const refuse = (): never => {
      throw new Error('no connection')
    }
    expect(await read(readRows(refuse, new Lines()))).toEqual(['no connection'])
  })

  it('gives the rest up when its loop is left', async () => {
    const played = new Played('a;b;', 'c;')
    const rows = readRows(played.open, new Lines())
    for await (const row of rows) {
      expect(row).toBe('a')
      break
    }
    expect(played.closed).toBe(1)
    expect(await read(rows)).toEqual([])
    expect(played.asked).toBe(1)
  })

  it('opens nothing when it is closed before it is read', async () => {
    const played = new Played('a;')
    await using rows = readRows(played.open, new Lines())
    await rows.close()
    expect(await rows.next()).toEqual({ done: true, value: undefined })
    expect(played.opened).toBe(0)
  })
})
