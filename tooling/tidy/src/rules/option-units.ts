/**
 * Law 4: a number says its unit, last in its name. `timeout: 5` has been five seconds and five milliseconds before.
 */
import { isCode, isTest, lineOf, type Rule, type Violation } from '../source-file.ts'

export const optionUnits: Rule = (files) =>
  files
    .filter(({ path }) => isCode(path) && !isTest(path))
    .flatMap((file) =>
      [...file.skeleton.matchAll(INTERFACE)].flatMap((found) => {
        const body = found.groups?.['body'] as string
        const start = found.index + found[0].indexOf(body)
        return [...body.matchAll(NUMBER)].flatMap(({ groups, index }): readonly Violation[] => {
          const name = groups?.['name'] as string
          const unit = UNITS.find(({ about }) => about.test(name))
          if (!unit || unit.ending.test(name)) return []
          const line = lineOf(file.skeleton, start + index)
          return [{ path: file.path, line, message: `${name} must end in its unit: ${unit.wanted}` }]
        })
      }),
    )

const INTERFACE = /\binterface\s+\w*(?:Limits|Options)\b[^{]*\{(?<body>[^}]*)\}/g
const NUMBER = /\b(?<name>\w+)\??:\s*number\b(?!\s*\[)/g

const UNITS = [
  {
    about: /timeout|deadline|interval|delay|grace|period/i,
    ending: /(Ms|Seconds|Us)(Max|Min)?$/,
    wanted: 'Ms or Seconds (before Max or Min, if there is one)',
  },
  { about: /size|bytes/i, ending: /Bytes(Max|Min)?$/, wanted: 'Bytes, BytesMax or BytesMin' },
]
