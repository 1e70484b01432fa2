/** The quick ways of reading texts and numbers give exactly what the slow ones give. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { integerIn, textIn } from './text.ts'

/** Not at the beginning of its memory, and with something behind it. */
function placed<Result>(text: string, use: (bytes: Buffer, start: number, end: number) => Result): Result {
  const bytes = Buffer.from(`99${text}99`)
  return use(bytes, 2, bytes.length - 2)
}

describe('text', () => {
  it('is what the bytes say, short or long, ASCII or not', () => {
    const texts = fc.oneof(fc.string({ maxLength: 40 }), fc.string({ unit: 'grapheme', maxLength: 20 }))
    fc.assert(
      fc.property(texts, (text) => {
        expect(placed(text, textIn)).toBe(Buffer.from(text).toString())
      }),
      { numRuns: 2000 },
    )
    for (let length = 0; length < 40; length++) {
      const text = 'abcdefghijklmnopqrstuvwxyz0123456789ABCD'.slice(0, length)
      expect(placed(text, textIn)).toBe(text)
    }
  })
})

describe('numbers', () => {
  it('are what parseInt gives, up to fifteen digits', () => {
    const whole = fc.maxSafeInteger().filter((value) => Math.abs(value) < 1e15)
    fc.assert(
      fc.property(whole, (value) => {
        expect(placed(String(value), integerIn)).toBe(value)
      }),
    )
    expect(placed('-0', integerIn)).toBe(-0)
    for (const odd of ['', '-', '1.5', '1e3', '+1', ' 1', 'x', '1234567890123456', '--1']) {
      expect([odd, placed(odd, integerIn)]).toEqual([odd, Number.NaN])
    }
  })
})
