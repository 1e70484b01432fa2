/** What is put into a template is a value; only what was made for this database is text. */
import { LocalError } from '@iokernel/core/plugin'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { QueryOptions } from './query-options.ts'
import { type SqlFragment, type SqlQuery, type TemplateDialect, Templates } from './templates.ts'

const NUMBERED: TemplateDialect = { placeholder: (index) => `$${index}`, quoteName: (name) => `"${name}"` }
const MARKED: TemplateDialect = { placeholder: () => '?', quoteName: (name) => `[${name}]` }

interface Sent {
  readonly text: string
  readonly values: readonly unknown[]
  readonly options: QueryOptions | undefined
}

/** A tag of one database, and what it has sent. */
function tagOf(dialect: TemplateDialect) {
  const templates = new Templates(dialect)
  const sent: Sent[] = []
  const send = async (text: string, values: readonly unknown[], options: QueryOptions | undefined): Promise<string> => {
    sent.push({ text, values, options })
    return `answer ${sent.length}`
  }
  const sql = (strings: TemplateStringsArray, ...values: unknown[]): SqlQuery<string> =>
    templates.query(strings, values, send)
  return { templates, sent, sql }
}

function refused(work: () => unknown): LocalError {
  try {
    work()
  } catch (error) {
    expect(error).toBeInstanceOf(LocalError)
    expect((error as LocalError).code).toBe('ARGUMENT')
    return error as LocalError
  }
  throw new Error('nothing was refused')
}

describe('a template', () => {
  it('has a placeholder for every value', () => {
    const { sql } = tagOf(NUMBERED)
    expect(sql`select ${1} + ${'two'}`.statement).toEqual({ text: 'select $1 + $2', values: [1, 'two'] })
    expect(sql`select 1`.statement).toEqual({ text: 'select 1', values: [] })
    expect(tagOf(MARKED).sql`select ${1} + ${'two'}`.statement.text).toBe('select ? + ?')
  })

  it('takes fragments at any depth, and counts its values through', () => {
    const { sql, templates } = tagOf(NUMBERED)
    const inner = sql`b = ${2} or ${sql`c = ${3}`}`
    const whole = sql`select ${templates.identifier(['s', 't'])} where a = ${1} and (${inner}) and d = ${4}`
    expect(whole.statement).toEqual({
      text: 'select "s"."t" where a = $1 and (b = $2 or c = $3) and d = $4',
      values: [1, 2, 3, 4],
    })
  })

  it('never takes a value for text, whatever it looks like', () => {
    const { sql } = tagOf(MARKED)
    const values = fc.array(
      fc.oneof(fc.string(), fc.object(), fc.constant({ statement: { text: 'drop', values: [] } })),
    )
    fc.assert(
      fc.property(values, (given) => {
        const strings = Object.assign(['', ...given.map(() => ',')], { raw: [] as string[] })
        expect(sql(strings, ...given).statement).toEqual({ text: given.map(() => '?,').join(''), values: given })
      }),
    )
  })

  it('has the text of its own database, though the line of source is the same', () => {
    const write = ({ sql }: ReturnType<typeof tagOf>) => sql`select ${1}`.statement.text
    const [one, other] = [tagOf(NUMBERED), tagOf(MARKED)]
    expect([write(one), write(other), write(one)]).toEqual(['select $1', 'select ?', 'select $1'])
  })

  it('takes no fragment of another database', () => {
    const [one, other] = [tagOf(NUMBERED), tagOf(MARKED)]
    const name = other.templates.identifier(['t'])
    expect(refused(() => one.sql`select * from ${name}`).message).toMatch(/its own database/)
    expect(refused(() => one.templates.list([name])).message).toMatch(/its own database/)
  })

  it('is no function that takes a string', () => {
    const { sql } = tagOf(NUMBERED)
    for (const wrong of ['select 1', ['select 1'], Object.assign(['a', 'b'], { raw: ['a', 'b'] })]) {
      refused(() => sql(wrong as never))
    }
  })
})

describe('names and lists', () => {
  const { sql, templates } = tagOf(MARKED)
  const textOf = (fragment: SqlFragment): string => sql`${fragment}`.statement.text

  it('are written as the database writes them', () => {
    expect(textOf(templates.identifier(['a']))).toBe('[a]')
    expect(textOf(templates.identifier(['a.b', 'c']))).toBe('[a.b].[c]')
    expect(sql`in (${templates.list([1, 2, 3])})`.statement).toEqual({ text: 'in (?, ?, ?)', values: [1, 2, 3] })
    expect(sql`in (${templates.list([sql`a + ${1}`, 2])})`.statement).toEqual({ text: 'in (a + ?, ?)', values: [1, 2] })
  })

  it('are refused where no database could take them', () => {
    for (const names of [[], [''], ['a', 'b\0'], [undefined], [{ toString: () => 'a' }]]) {
      refused(() => templates.identifier(names))
    }
    for (const values of [[], undefined, 'abc']) refused(() => templates.list(values as never))
  })

  it('are what they were when they were made', () => {
    const values = [1, 2]
    const list = templates.list(values)
    values.push(3)
    expect(sql`in (${list})`.statement).toEqual({ text: 'in (?, ?)', values: [1, 2] })
  })
})

describe('a statement', () => {
  it('is sent when it is awaited, and once', async () => {
    const { sql, sent } = tagOf(NUMBERED)
    const query = sql`select ${1}`
    expect(sent).toEqual([])
    expect([await query, await query, await query.catch(() => ''), await query.finally(() => undefined)]).toEqual(
      new Array(4).fill('answer 1'),
    )
    expect(sent).toEqual([{ text: 'select $1', values: [1], options: undefined }])
  })

  it('is not sent where it is only a part of another', async () => {
    const { sql, sent } = tagOf(NUMBERED)
    await sql`select ${sql`now()`}`
    expect(sent.map(({ text }) => text)).toEqual(['select now()'])
  })

  it('takes its options before it is sent', async () => {
    const { sql, sent } = tagOf(NUMBERED)
    const query = sql`select 1`
    expect(await query.run({ deadlineMs: 5 })).toBe('answer 1')
    expect(sent[0]?.options).toEqual({ deadlineMs: 5 })
    expect(await query.run()).toBe('answer 1')
    await expect(query.run({ deadlineMs: 6 })).rejects.toMatchObject({ code: 'ARGUMENT' })
  })
})
