/** Prepared statements of one connection, against a server made of a map, and requests that must not go out. */
import { ByteWriter, FrameFlag, type FrameSink, LocalError } from '@iokernel/core/plugin'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { error, message, query, READY, row, u32 } from '../fixtures/messages.ts'
import { RequestKind } from './codec/request.ts'
import { Framer } from './framer.ts'
import { FRAMER_LIMITS } from './limits.ts'
import { Parameters } from './parameters.ts'
import { Statements } from './statements.ts'

const { Plain, Prepared, Silent } = RequestKind

function payloadOf(text: string, hash: number): Buffer {
  const statement = `${text}\0\0\0`
  return Buffer.from(`${u32(hash)}${u32(statement.length)}${statement}\0\0\0\0\0\0`, 'latin1')
}

/** What a server does with what it is sent; it answers with the text of the statement that it ran. */
/** A DataRow of one short value, and the CommandComplete behind it. */
const ROW_OF_ONE = /D\0\0\0.\0.\0\0\0.([^\0]*)C/s

class Server {
  readonly names = new Map<string, string>()
  /** Statements that cannot be parsed at the moment. */
  readonly broken = new Set<string>()
  /** Names whose plan is out of date. */
  readonly outdated = new Set<string>()
  mostNames = 0

  answer(bytes: Buffer): string {
    let replies = ''
    let failed = false
    let running = ''
    for (let at = 0; at < bytes.length; ) {
      const next = at + 1 + bytes.readUInt32BE(at + 1)
      const [type, body] = [bytes.toString('latin1', at, at + 1), bytes.toString('latin1', at + 5, next)]
      at = next
      if (type === 'S') {
        replies += READY
        failed = false
        continue
      }
      if (failed) continue
      const [head = '', tail = ''] = body.split('\0')
      const answered = type === 'B' ? this.#bind(tail) : this.#step(type, head, tail, running)
      if (type === 'B') running = this.names.get(tail) ?? ''
      failed = answered.startsWith('E')
      replies += answered
    }
    return replies
  }

  #bind(name: string): string {
    if (!this.names.has(name)) return error('26000')
    return this.outdated.has(name) ? error('0A000', 'ERROR', 'x', 'RevalidateCachedQuery') : message('2')
  }

  #step(type: string, head: string, tail: string, running: string): string {
    switch (type) {
      case 'C':
        this.names.delete(head.slice(1))
        return message('3')
      case 'P':
        if (head !== '' && this.names.has(head)) return error('42P05')
        if (this.broken.has(tail)) return error('42601')
        this.names.set(head, tail)
        this.mostNames = Math.max(this.mostNames, this.names.size)
        return message('1')
      case 'D':
        return message('n')
      default:
        return row(running) + message('C', 'SELECT 1\0')
    }
  }
}

interface Outcome {
  readonly code: string | undefined
  readonly stale: boolean
  readonly ran: string | undefined
}

/** One connection: what is submitted together is answered together. */
class Line implements FrameSink {
  readonly statements: Statements
  readonly framer: Framer
  readonly server = new Server()
  #bytes: Buffer = Buffer.alloc(0)
  #outcomes: Outcome[] = []
  #text = ''
  #stale = false
  #waiting = 0

  constructor(max: number) {
    this.statements = new Statements(max, true)
    this.framer = new Framer(FRAMER_LIMITS, new Parameters(), this.statements)
  }

  run(payloads: readonly Buffer[]): readonly Outcome[] {
    const out = new ByteWriter(64)
    for (const payload of payloads) this.statements.submit(payload, Prepared, out)
    this.#waiting = payloads.length
    this.#outcomes = []
    this.#bytes = Buffer.from(this.server.answer(out.written()), 'latin1')
    this.framer.scan(this.#bytes, 0, this.#bytes.length, this)
    return this.#outcomes
  }

  frame(start: number, end: number, flags: number): void {
    this.#text += this.#bytes.toString('latin1', start, end)
    if ((flags & FrameFlag.Error) !== 0) this.#stale = this.statements.isStale
    if ((flags & FrameFlag.Final) === 0) return
    const code = /\0C([0-9A-Z]{5})\0/.exec(this.#text)?.[1]
    const ran = ROW_OF_ONE.exec(this.#text)?.[1]
    this.#outcomes.push({ code, stale: this.#stale, ran })
    this.#text = ''
    this.#stale = false
    this.#waiting--
  }

  hint(): number {
    return this.#waiting > 0 ? Prepared : -1
  }

  out(): ByteWriter {
    return new ByteWriter()
  }
}

describe('statements', () => {
  // Two of the texts share a hash.
  const text = fc.constantFrom('a', 'b', 'c', 'd', 'e')
  const hashOf = (of: string) => (of === 'e' ? 1 : of.charCodeAt(0) - 96)
  const step = fc.oneof(
    fc.record({ do: fc.constant('run' as const), texts: fc.array(text, { minLength: 1, maxLength: 12 }) }),
    fc.record({ do: fc.constantFrom('break', 'mend', 'outdate'), text }),
    fc.record({ do: fc.constantFrom('deallocate', 'forget') }),
  )

  it('each call runs its own statement or gets an error of its own, at the second time at the latest', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.array(step as fc.Arbitrary<Step>, { maxLength: 30 }),
        (max, steps) => {
          const line = new Line(max)
          for (const each of steps) play(line, each)
          expect(line.statements.size).toBeLessThanOrEqual(max)
          // The unnamed one, and what is outdated and closed with the next request.
          expect(line.server.mostNames).toBeLessThanOrEqual(max + 12)
        },
      ),
    )
  })

  interface Step {
    readonly do: 'run' | 'break' | 'mend' | 'outdate' | 'deallocate' | 'forget'
    readonly text?: string
    readonly texts?: readonly string[]
  }

  function play(line: Line, { do: act, text: one = '', texts = [] }: Step): void {
    const { server } = line
    if (act === 'break') server.broken.add(one)
    else if (act === 'mend') server.broken.delete(one)
    else if (act === 'outdate')
      for (const [name, of] of server.names) if (name !== '' && of === one) server.outdated.add(name)
    // Behind our back, or seen.
    if (act === 'deallocate' || act === 'forget') server.names.clear()
    if (act === 'forget') line.statements.forgetAll()
    check(line, texts, 2)
  }

  function check(line: Line, texts: readonly string[], triesLeft: number): void {
    if (texts.length === 0) return
    const outcomes = line.run(texts.map((of) => payloadOf(of, hashOf(of))))
    expect(outcomes).toHaveLength(texts.length)
    const again = texts.filter((_, index) => outcomes[index]?.stale)
    for (const [index, { code, stale, ran }] of outcomes.entries()) {
      const of = texts[index] as string
      if (stale) continue
      if (line.server.broken.has(of)) expect([undefined, '42601']).toContain(code)
      else expect([of, code, ran]).toEqual([of, undefined, of])
      if (code === undefined) expect(ran).toBe(of)
    }
    if (again.length > 0) expect(triesLeft, 'calls that are stale each time').toBeGreaterThan(1)
    check(line, again, triesLeft - 1)
  }
})

describe('a request is refused unsent', () => {
  const submit = (payload: Buffer, hint: number) => () =>
    new Statements(8, true).submit(payload, hint, new ByteWriter(64))

  it.each([
    ['messages that do not fill it', `${query('SELECT 1')}S`, Plain],
    ['a message that is longer than it', `Q${u32(100)}`, Plain],
    ['a message that is shorter than its length', `Q${u32(3)}`, Silent],
    ['a length that the server would read otherwise', `d${u32(0x4000_0000)}`, Silent],
    ['an envelope without a statement', u32(1), Prepared],
    ['a statement that is longer than its envelope', `${u32(1)}${u32(99)}SELECT`, Prepared],
    ['a kind that nobody knows', '', 0],
  ])('%s', (_, payload, hint) => {
    expect(submit(Buffer.from(payload, 'latin1'), hint)).toThrow(LocalError)
  })

  it('when the writer has no room for it, as if it had never been', () => {
    const statements = new Statements(8, true)
    const narrow = new ByteWriter(8, 20)
    expect(() => statements.submit(payloadOf('SELECT 1', 1), Prepared, narrow)).toThrow('requestBytesMax')
    expect(statements.size).toBe(0)
    const out = new ByteWriter(64)
    statements.submit(payloadOf('SELECT 1', 1), Prepared, out)
    expect(out.written().toString('latin1', 0, 1)).toBe('P')
  })
})

describe('a long statement', () => {
  it('is not kept', () => {
    const statements = new Statements(8, true)
    statements.submit(payloadOf('x'.repeat(20_000), 1), Prepared, new ByteWriter(64))
    expect(statements.size).toBe(0)
  })
})

describe('a request of more than 1 GB', () => {
  it('is refused, whatever the writer would take', () => {
    // Nothing is written: the length alone decides. Untouched pages cost no memory.
    const payload = new Uint8Array(0x4000_0000)
    payload.set(payloadOf('SELECT 1', 1))
    const statements = new Statements(8, true)
    expect(() => statements.submit(payload, Prepared, new ByteWriter(64, Number.MAX_SAFE_INTEGER))).toThrow('1 GB')
    expect(statements.size).toBe(0)
  })
})
