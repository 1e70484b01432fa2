/** The ledger of a push connection, with the framer around it. */
import { ByteWriter, RemoteProtocolError } from '@iokernel/core/plugin'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Reader, splits } from '../fixtures/harness.ts'
import { command } from '../fixtures/script.ts'
import { Framer } from './framer.ts'
import { FRAMER_LIMITS } from './limits.ts'
import { PushLedger, smallestCover } from './push.ts'

class Bench {
  readonly ledger = new PushLedger()
  readonly framer = new Framer(FRAMER_LIMITS, this.ledger)
  readonly reader = new Reader(this.framer)

  constructor(resp: 2 | 3 = 3) {
    this.framer.speak(resp)
    this.ledger.activate(resp)
  }

  written(write: (out: ByteWriter) => void): string {
    const out = new ByteWriter(16)
    write(out)
    return out.written().toString('latin1')
  }

  subscribe(key: string): string {
    return this.written((out) => this.ledger.subscribe(key, out))
  }

  unsubscribe(key: string): string {
    return this.written((out) => this.ledger.unsubscribe(key, out))
  }

  arrive(bytes: string): unknown {
    const before = this.reader.seen.length
    this.reader.arrive(Buffer.from(bytes, 'latin1'))
    return this.reader.seen.slice(before).map(([kind]) => kind)
  }

  route(bytes: string): unknown {
    const buffer = Buffer.from(bytes, 'latin1')
    return this.ledger.route(buffer, 0, buffer.length)
  }
}

const push = (...words: string[]) =>
  `>${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`
const confirm = (kind: string, name: string, resp: 2 | 3 = 3) =>
  `${resp === 3 ? '>' : '*'}3\r\n$${kind.length}\r\n${kind}\r\n$${name.length}\r\n${name}\r\n:1\r\n`

describe('commands', () => {
  it.each([
    ['s:news', 'SUBSCRIBE news', 'UNSUBSCRIBE news'],
    ['p:news.*', 'PSUBSCRIBE news.*', 'PUNSUBSCRIBE news.*'],
    ['h:news', 'SSUBSCRIBE news', 'SUNSUBSCRIBE news'],
    ['t:user:', 'CLIENT TRACKING ON BCAST PREFIX user:', 'CLIENT TRACKING OFF'],
  ])('%s', (key, subscribe, unsubscribe) => {
    const bench = new Bench()
    expect(bench.subscribe(key)).toBe(command(subscribe))
    expect(bench.unsubscribe(key)).toBe(command(unsubscribe))
  })

  it('keeps every byte of a name', () => {
    expect(new Bench().subscribe('s:\x00\r\n\xff')).toBe('*2\r\n$9\r\nSUBSCRIBE\r\n$4\r\n\x00\r\n\xff\r\n')
  })
})

describe('routes', () => {
  it.each([
    [push('message', 'a', 'x'), { key: 's:a', kind: 'message' }],
    [push('pmessage', 'a*', 'ab', 'x'), { key: 'p:a*', kind: 'message' }],
    [push('smessage', 'a', 'x'), { key: 'h:a', kind: 'message' }],
    [confirm('subscribe', 'a'), { key: 's:a', kind: 'confirmed' }],
    [confirm('psubscribe', 'a'), { key: 'p:a', kind: 'confirmed' }],
    [confirm('ssubscribe', 'a'), { key: 'h:a', kind: 'confirmed' }],
    [confirm('unsubscribe', 'a'), { key: 's:a', kind: 'ended' }],
    [confirm('punsubscribe', 'a'), { key: 'p:a', kind: 'ended' }],
    [confirm('sunsubscribe', 'a'), { key: 'h:a', kind: 'ended' }],
    ['>3\r\n$11\r\nunsubscribe\r\n_\r\n:0\r\n', { key: 's:', kind: 'ended' }],
    ['>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n', { key: 't:', kind: 'all' }],
    ['>2\r\n$10\r\ninvalidate\r\n_\r\n', { key: 't:', kind: 'all' }],
    [push('server-news', 'x'), { key: undefined, kind: 'message' }],
    ['>0\r\n', { key: undefined, kind: 'message' }],
    ['>1\r\n:1\r\n', { key: undefined, kind: 'message' }],
    ['*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n', undefined],
  ])('%j', (bytes, route) => {
    expect(new Bench().route(bytes)).toEqual(route)
  })

  it('sees messages in the arrays of RESP2', () => {
    expect(new Bench(2).route('*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n')).toEqual({ key: 's:a', kind: 'message' })
    expect(new Bench(2).route('*2\r\n$5\r\nother\r\n$0\r\n\r\n')).toBeUndefined()
  })
})

describe('replies', () => {
  it('takes a push for the answer to SUBSCRIBE, and an error for the refusal of the oldest', () => {
    const bench = new Bench()
    bench.subscribe('s:a')
    bench.subscribe('s:b')
    bench.subscribe('s:c')
    expect(bench.arrive(confirm('subscribe', 'a'))).toEqual(['push'])
    expect(bench.arrive('-NOPERM no\r\n')).toEqual(['error'])
    expect(bench.arrive(confirm('subscribe', 'c'))).toEqual(['push'])
    expect(() => bench.arrive('+OK\r\n')).toThrow(RemoteProtocolError)
  })

  it('does the same in RESP2, where both look like replies, at every split', () => {
    const bytes = Buffer.from(
      `${confirm('subscribe', 'a', 2)}*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n-NOPERM no\r\n`,
    )
    for (const chunks of splits(bytes)) {
      const bench = new Bench(2)
      bench.subscribe('s:a')
      bench.subscribe('s:b')
      for (const chunk of chunks) bench.reader.arrive(chunk)
      expect(bench.reader.seen.map(([kind]) => kind)).toEqual(['push', 'push', 'error'])
    }
  })

  it('is not confused by a shard subscription that the server ends by itself', () => {
    const bench = new Bench()
    bench.unsubscribe('h:other')
    bench.subscribe('t:a')
    expect(bench.arrive(confirm('sunsubscribe', 'moved'))).toEqual(['push'])
    expect(bench.arrive(confirm('sunsubscribe', 'other'))).toEqual(['push'])
    expect(bench.arrive('+OK\r\n')).toEqual(['reply'])
  })
})

describe('tracking', () => {
  it('adds prefixes that are apart, and asks for a sign of life where one is covered', () => {
    const bench = new Bench()
    expect(bench.subscribe('t:user:')).toBe(command('CLIENT TRACKING ON BCAST PREFIX user:'))
    expect(bench.subscribe('t:cart:')).toBe(command('CLIENT TRACKING ON BCAST PREFIX cart:'))
    expect(bench.subscribe('t:user:7')).toBe(command('PING'))
    expect(bench.arrive('+OK\r\n+OK\r\n+PONG\r\n')).toEqual(['reply', 'reply', 'reply'])
  })

  it('begins again where a prefix covers others, and answers with EXEC', () => {
    const bench = new Bench()
    bench.subscribe('t:user:7')
    bench.subscribe('t:cart:')
    bench.arrive('+OK\r\n+OK\r\n')
    expect(bench.subscribe('t:user:')).toBe(
      command('MULTI') +
        command('CLIENT TRACKING OFF') +
        command('CLIENT TRACKING ON BCAST PREFIX cart: PREFIX user:') +
        command('EXEC'),
    )
    expect(bench.arrive('+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n')).toEqual(['push', 'push', 'push', 'reply'])
  })

  it('drops what nobody wants, and says nothing of it to the kernel', () => {
    const bench = new Bench()
    bench.subscribe('t:a')
    bench.subscribe('t:ab')
    bench.arrive('+OK\r\n+PONG\r\n')
    expect(bench.unsubscribe('t:a')).toContain('CLIENT')
    expect(bench.arrive('+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n')).toEqual(['push', 'push', 'push', 'push'])
    expect(bench.unsubscribe('t:ab')).toBe(command('CLIENT TRACKING OFF'))
    expect(bench.arrive('+OK\r\n')).toEqual(['push'])
    expect(bench.unsubscribe('t:ab')).toBe('')
  })

  it('tracks every key by the empty prefix', () => {
    const bench = new Bench()
    expect(bench.subscribe('t:')).toBe(
      '*6\r\n$6\r\nCLIENT\r\n$8\r\nTRACKING\r\n$2\r\nON\r\n$5\r\nBCAST\r\n$6\r\nPREFIX\r\n$0\r\n\r\n',
    )
    expect(bench.subscribe('t:anything')).toBe(command('PING'))
  })

  it('takes back a prefix that was refused', () => {
    const bench = new Bench()
    bench.subscribe('t:a')
    expect(bench.arrive('-NOPERM no\r\n')).toEqual(['error'])
    expect(bench.unsubscribe('t:a')).toBe('')
    // What the server has is not certain now, so it is told everything.
    expect(bench.subscribe('t:a')).toContain('MULTI')
  })

  it('lets the server refuse it in RESP2', () => {
    const bench = new Bench(2)
    expect(bench.subscribe('t:a')).toBe(command('CLIENT TRACKING REQUIRES-RESP3'))
    expect(bench.arrive('-ERR syntax error\r\n')).toEqual(['error'])
  })

  it('registers the fewest prefixes that cover all, none covering another', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 4 })), (prefixes) => {
        const cover = smallestCover(prefixes)
        for (const prefix of prefixes) expect(cover.filter((found) => prefix.startsWith(found))).toHaveLength(1)
        for (const found of cover) expect(prefixes).toContain(found)
      }),
    )
  })
})
