/** Whatever a column is called, it is a property of its row and of nothing else. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { defineColumn, internedName } from './column-names.ts'

const names = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'constructor', 'toString', '0', ''))

it('a name stays what it is', () => {
  fc.assert(
    fc.property(names, (name) => {
      expect(internedName(name)).toBe(name)
    }),
  )
})

it('a column is an ordinary property, and the row stays an ordinary object', () => {
  fc.assert(
    fc.property(names, fc.anything(), (name, value) => {
      const row: Record<string, unknown> = {}
      defineColumn(row, name, value)
      expect(Object.keys(row)).toEqual([name])
      expect(Object.getOwnPropertyDescriptor(row, name)).toEqual({
        value,
        writable: true,
        enumerable: true,
        configurable: true,
      })
      expect(Object.getPrototypeOf(row)).toBe(Object.prototype)
    }),
  )
})
