/** The framer against tables of bytes, read every way they can be split. */
import { RemoteProtocolError } from '@iokernel/core/plugin'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Reader, type Seen, splits } from '../fixtures/harness.ts'
import { Framer } from './framer.ts'

/** Single replies, each one frame. */
const REPLIES = [
  '+OK\r\n',
  '+\r\n',
  '-ERR unknown command\r\n',
  ':0\r\n',
  ':-1\r\n',
  ':9223372036854775807\r\n',
  ':-9223372036854775808\r\n',
  '$0\r\n\r\n',
  '$5\r\nhello\r\n',
  '$-1\r\n',
  '*-1\r\n',
  '*0\r\n',
  '%0\r\n',
  '~0\r\n',
  '_\r\n',
  '#t\r\n',
  '#f\r\n',
  ',3.14\r\n',
  ',-1.5e-300\r\n',
  ',10\r\n',
  ',.5\r\n',
  ',inf\r\n',
  ',-inf\r\n',
  ',nan\r\n',
  '(3492890328409238509324850943850943825024385\r\n',
  '(-1\r\n',
  '!21\r\nSYNTAX invalid syntax\r\n',
  '=15\r\ntxt:Some string\r\n',
  '*2\r\n$1\r\na\r\n:1\r\n',
  '*3\r\n*0\r\n%0\r\n*2\r\n*0\r\n~0\r\n',
  '%2\r\n+a\r\n*1\r\n_\r\n+b\r\n%1\r\n:1\r\n#t\r\n',
  '~3\r\n+a\r\n:1\r\n$-1\r\n',
  '*2\r\n-ERR inner\r\n!3\r\nabc\r\n',
  // A payload that looks like frames; LF alone in a simple string.
  '$18\r\n+OK\r\n$3\r\nabc\r\n*2\r\n\r\n',
  '+OK\n+OK\r\n',
  // Attributes do not count, at any depth, and may follow one another.
  '|1\r\n+key\r\n+value\r\n:1\r\n',
  '|1\r\n+a\r\n*2\r\n:1\r\n:2\r\n|1\r\n+b\r\n_\r\n*1\r\n+x\r\n',
  '|0\r\n+OK\r\n',
  '*2\r\n|1\r\n+a\r\n+b\r\n:1\r\n|2\r\n+c\r\n%1\r\n+d\r\n+e\r\n+f\r\n+g\r\n$1\r\nx\r\n',
  '%1\r\n|1\r\n+a\r\n+b\r\n+key\r\n|1\r\n+a\r\n+b\r\n*1\r\n|1\r\n+a\r\n+b\r\n+value\r\n',
  // DEBUG PROTOCOL ATTRIB of Redis 7.0.15.
  '|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n$39\r\nSome real reply following the attribute\r\n',
]

const PUSHES = [
  '>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n',
  '>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n',
  '>2\r\n$10\r\ninvalidate\r\n_\r\n',
  '>0\r\n',
  '|1\r\n+a\r\n+b\r\n>1\r\n+x\r\n',
  '>2\r\n+x\r\n|1\r\n+a\r\n+b\r\n+y\r\n',
]

const BAD = [
  '$abc\r\n',
  '$-2\r\n',
  '$\r\n',
  '$?\r\n',
  '*?\r\n',
  '%-1\r\n',
  '!-1\r\n',
  '$2\r\nhiXX',
  '$2\r\nhi\rX',
  '*4294967295\r\n',
  '$9999999999999\r\n',
  '$9999999999\r\n',
  '*abc\r\n',
  '*-2\r\n',
  '*1 \r\n',
  ':1\n',
  ':\r\n',
  ':-\r\n',
  ':+1\r\n',
  ':1.5\r\n',
  ':9223372036854775808\r\n',
  ':-9223372036854775809\r\n',
  ':99999999999999999999\r\n',
  '+a\rb\r\n',
  '-a\r\r\n',
  '#x\r\n',
  '#t\n',
  '_x\r\n',
  ',abc\r\n',
  ',1e\r\n',
  ',\r\n',
  ',1.2.3\r\n',
  ',--1\r\n',
  '(1x\r\n',
  '(\r\n',
  '(-\r\n',
  'PONG\r\n',
  '\r\n',
  '\x00',
  '?',
  '*2\r\n:1\r\n@\r\n',
  '*1\r\n$3\r\nabcde\r\n',
  '>1\r\n>1\r\n+x\r\n',
  '|1\r\n+a\r\n>1\r\n+x\r\n',
]

function read(framer: Framer, chunks: readonly Buffer[], hints: readonly number[] = []): Reader {
  const reader = new Reader(framer, hints)
  for (const chunk of chunks) reader.arrive(chunk)
  return reader
}

function kindOf(reply: string): Seen[0] {
  return reply.startsWith('-') || reply.startsWith('!') ? 'error' : 'reply'
}

describe('one frame', () => {
  it.each(REPLIES)('%j', (reply) => {
    for (const chunks of splits(Buffer.from(reply, 'latin1'))) {
      const reader = read(new Framer(), chunks)
      expect(reader.seen).toEqual([[kindOf(reply), reply]])
      expect(reader.left).toBe(0)
    }
  })

  it.each(REPLIES)('%j is not complete before its last byte', (reply) => {
    const reader = new Reader(new Framer())
    for (const byte of Buffer.from(reply, 'latin1').subarray(0, -1)) reader.arrive(Buffer.of(byte))
    expect(reader.seen).toEqual([])
    reader.arrive(Buffer.from('\n+trailing'))
    expect(reader.seen).toEqual([[kindOf(reply), reply]])
    expect(reader.left).toBe('+trailing'.length)
  })

  it.each(PUSHES)('%j is a push, also when nothing was asked', (push) => {
    for (const chunks of splits(Buffer.from(push, 'latin1'))) {
      const reader = new Reader(new Framer(), [], false)
      for (const chunk of chunks) reader.arrive(chunk)
      expect(reader.seen).toEqual([['push', push]])
      expect(reader.left).toBe(0)
    }
  })
})

describe('bytes that are no reply', () => {
  it.each(BAD)('%j is refused, not waited for', (bytes) => {
    for (const chunks of splits(Buffer.from(bytes, 'latin1'))) {
      expect(() => read(new Framer(), chunks)).toThrow(RemoteProtocolError)
    }
  })

  it('names what was seen without a value of the user', () => {
    expect(() => read(new Framer(), [Buffer.from('$secret\r\n')])).toThrow('byte 0x73 in the length after $')
    expect(() => read(new Framer(), [Buffer.from('$?\r\n')])).toThrow('a streamed value ($?)')
  })

  it('refuses the types of RESP3 on a connection that speaks RESP2', () => {
    for (const bytes of ['_\r\n', '%0\r\n', '>0\r\n', '#t\r\n', ',1\r\n', '*1\r\n_\r\n']) {
      const framer = new Framer()
      framer.speak(2)
      expect(() => read(framer, [Buffer.from(bytes)])).toThrow(RemoteProtocolError)
    }
  })
})

describe('many frames', () => {
  it('delimits everything in one buffer, however it is split', () => {
    const bytes = Buffer.from([...REPLIES, ...PUSHES].join(''), 'latin1')
    const wanted: Seen[] = [
      ...REPLIES.map((reply): Seen => [kindOf(reply), reply]),
      ...PUSHES.map((push): Seen => ['push', push]),
    ]
    for (const chunks of splits(bytes)) expect(read(new Framer(), chunks).seen).toEqual(wanted)
  })

  it('gives a request with more than one reply all of them', () => {
    const batch = '+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n-ERR inner\r\n'
    const aborted = '+OK\r\n-ERR unknown command\r\n+QUEUED\r\n-EXECABORT Transaction discarded\r\n'
    const bytes = Buffer.from(`:1\r\n${batch}:2\r\n${aborted}:3\r\n`)
    for (const chunks of splits(bytes)) {
      const reader = read(new Framer(), chunks, [0, 3, 0, 3, 0])
      expect(reader.seen).toEqual([
        ['reply', ':1\r\n'],
        ['reply', batch],
        ['reply', ':2\r\n'],
        ['error', aborted],
        ['reply', ':3\r\n'],
      ])
    }
  })

  it('refuses a reply that nothing has asked for, and says what a server says before it closes', () => {
    const unsolicited = (bytes: string) => () => new Reader(new Framer(), [], false).arrive(Buffer.from(bytes))
    expect(unsolicited('+OK\r\n')).toThrow('a reply to no request')
    expect(unsolicited('*1\r\n')).toThrow('a reply to no request')
    expect(unsolicited('-WRONGTYPE x\r\n')).toThrow('an error to no request')
    expect(unsolicited('-ERR max number of clients reached\r\n')).toThrow('max number of clients reached')
  })

  it('refuses to end inside a reply', () => {
    const framer = new Framer()
    read(framer, [Buffer.from('+OK\r\n')])
    framer.closed()
    read(framer, [Buffer.from('*2\r\n:1\r\n')])
    expect(() => framer.closed()).toThrow('ended inside a reply')
  })
})

describe('pushes inside replies', () => {
  // Redis 7.0.15: MULTI, PING, PUBLISH a x, PING, EXEC on a connection that is subscribed to `a`.
  const push = '>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n'

  it('takes the push out of EXEC and counts three elements', () => {
    const bytes = Buffer.from(`*3\r\n+PONG\r\n${push}:1\r\n+PONG\r\n+NEXT\r\n`)
    for (const chunks of splits(bytes)) {
      expect(read(new Framer(), chunks).seen).toEqual([
        ['push', push],
        ['reply', '*3\r\n+PONG\r\n:1\r\n+PONG\r\n'],
        ['reply', '+NEXT\r\n'],
      ])
    }
  })

  it('finds them at every depth, one after another, first and last, and empty', () => {
    const bytes = Buffer.from(`*2\r\n${push}${push}*1\r\n%1\r\n${push}+k\r\n>0\r\n*1\r\n${push}+v\r\n${push}:1\r\n`)
    for (const chunks of splits(bytes)) {
      const { seen } = read(new Framer(), chunks)
      expect(seen.filter(([kind]) => kind === 'push')).toHaveLength(6)
      expect(seen.at(-1)).toEqual(['reply', '*2\r\n*1\r\n%1\r\n+k\r\n*1\r\n+v\r\n:1\r\n'])
    }
  })

  it('delivers them between the replies of a batch', () => {
    const bytes = Buffer.from(`+OK\r\n${push}+QUEUED\r\n*1\r\n${push}:1\r\n`)
    for (const chunks of splits(bytes)) {
      const { seen } = read(new Framer(), chunks, [2])
      expect(seen).toEqual([
        ['push', push],
        ['push', push],
        ['reply', '+OK\r\n+QUEUED\r\n*1\r\n:1\r\n'],
      ])
    }
  })
})

describe('whatever comes', () => {
  const value: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      fc.constantFrom(
        '+OK\r\n',
        '_\r\n',
        '#t\r\n',
        ':-5\r\n',
        ',1.5\r\n',
        '$-1\r\n',
        '(12345678901234567890\r\n',
        '-ERR x\r\n',
      ),
      fc.string({ unit: 'binary', maxLength: 30 }).map((text) => bulk('$', text)),
      fc.string({ maxLength: 10 }).map((text) => bulk('!', text)),
      fc.array(tie('value'), { maxLength: 4 }).map((items) => `*${items.length}\r\n${items.join('')}`),
      fc
        .array(tie('value'), { maxLength: 3 })
        .map((items) => `%${items.length}\r\n${items.map((item) => `+k\r\n${item}`).join('')}`),
      fc.tuple(tie('value'), tie('value')).map(([inner, outer]) => `|1\r\n+a\r\n${inner}${outer}`),
    ),
  })).value

  it('finds the same frames at random splits', () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 20 }), (replies, cuts) => {
        const bytes = Buffer.from(replies.join(''), 'latin1')
        const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b)
        const chunks = [0, ...places].map((from, index) => bytes.subarray(from, places[index] ?? bytes.length))
        const reader = read(new Framer(), chunks)
        expect(reader.seen.map(([, frame]) => frame)).toEqual(replies)
        expect(reader.left).toBe(0)
      }),
    )
  })

  it('gives frames, a wait or RemoteProtocolError for random bytes, the same at every split', () => {
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc
        .array(fc.constantFrom(...'+-:$*%~>|_#,(!=?0123456789\r\n\r\nab.'), { maxLength: 40 })
        .map((letters) => Buffer.from(letters.join(''))),
    )
    fc.assert(
      fc.property(noise, (bytes) => {
        const outcomes = [...splits(Buffer.from(bytes))].map(outcome)
        for (const other of outcomes) expect(other).toEqual(outcomes[0])
      }),
      { numRuns: 2000 },
    )
  })
})

function outcome(chunks: readonly Buffer[]): unknown {
  const reader = new Reader(new Framer())
  let failed = false
  try {
    for (const chunk of chunks) reader.arrive(chunk)
  } catch (error) {
    if (!(error instanceof RemoteProtocolError)) throw error
    failed = true
  }
  // Where it fails, a piece may have left before; what is complete is the same.
  return { failed, seen: reader.seen }
}

function bulk(type: string, text: string): string {
  const bytes = Buffer.from(text)
  return `${type}${bytes.length}\r\n${bytes.toString('latin1')}\r\n`
}
