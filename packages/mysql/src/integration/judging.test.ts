/** What the analysis lets pass, judged by a real server: no quotes and comments hide an assignment from it. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { inEveryMode } from '../../fixtures/world.ts'
import { analyzer } from '../sql/analysis.ts'

const SEED = Number(process.env.SEED ?? Date.now())
const analyze = analyzer([])

/** Everything that begins, ends or escapes a literal, a name or a comment. */
const NOISE = [
  "'",
  '"',
  '`',
  '\\',
  '/*',
  '*/',
  '/*!',
  '/*!50000 ',
  '/*!99999 ',
  '/*M!100100 ',
  '/*M!',
  '-- ',
  '--',
  '#',
  '\n',
]
const FILLER = [' ', 'a', "''", '1', ', 2 ', '/* */', "'x'", '"x"', 'as `x`', ';']

inEveryMode('judging', { databases: ['judged'] }, (world) => {
  it.each(['', 'ANSI_QUOTES', 'NO_BACKSLASH_ESCAPES', 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'])(
    'nothing is assigned by a text that was taken for a read, with sql_mode %o',
    async (mode) => {
      const session = await world.connect({ variables: { sql_mode: mode } }).session()
      let ran = 0
      const part = fc.oneof(
        { weight: 3, arbitrary: fc.constantFrom(...NOISE) },
        { weight: 2, arbitrary: fc.constantFrom(...FILLER) },
        { weight: 1, arbitrary: fc.constant(', @leak := 5 ') },
      )
      const texts = fc.tuple(
        fc.array(part, { maxLength: 5 }),
        fc.array(part, { maxLength: 5 }),
        fc.array(part, { maxLength: 5 }),
      )
      await fc.assert(
        fc.asyncProperty(texts, async (parts) => {
          const text = `select 1 ${parts.map((each) => each.join('')).join(' , @leak := 5 ')}`
          const { kind, statements } = analyze(text)
          if (kind !== 'read' || statements !== 1) return
          const done = await session.query(text, [], { prepare: false }).then(
            () => true,
            () => false,
          )
          if (!done) return
          ran++
          expect([text, (await session.query('select @leak as leak'))[0]]).toEqual([text, { leak: null }])
        }),
        { seed: SEED, numRuns: 4000, verbose: 1 },
      )
      // A test of nothing would pass as well.
      expect(ran).toBeGreaterThan(20)
      await session.close()
    },
  )
})
