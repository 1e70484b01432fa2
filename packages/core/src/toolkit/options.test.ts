/** What is judged by name: what is refused, with what words, and that no value is in them. */
import { describe, expect, it } from 'vitest'
import { LocalError } from '../plugin/errors.ts'
import {
  CALL_OPTIONS,
  CLOSE_OPTIONS,
  mustBeAddresses,
  mustBeDiscovery,
  mustBePort,
  mustBeTls,
  TLS_OPTIONS,
  WAIT_OPTIONS,
} from './option-kinds.ts'
import {
  checkCount,
  checkOptions,
  type Kind,
  must,
  mustBeCount,
  mustBeOneOf,
  mustBeSignal,
  mustBeText,
  mustBeTextOrBytes,
  mustBeTexts,
  optionsAfter,
  problemIn,
  takeOptions,
} from './options.ts'

interface Cake {
  readonly layers?: number
  readonly topping?: string
}

const CAKE: Kind<Cake> = {
  title: 'property of a cake',
  advice: 'ask the baker',
  checks: { layers: mustBeCount, topping: mustBeText },
}

describe('options', () => {
  it.each([
    [{}, undefined],
    [{ layers: 3, topping: 'jam' }, undefined],
    [{ layers: undefined }, undefined],
    [Object.assign(Object.create(null), { layers: 1 }), undefined],
    [{ layers: 0 }, 'layers is a whole number of at least 1'],
    [{ topping: null }, 'topping is a string'],
    [{ candles: 3 }, "'candles' is no property of a cake (layers, topping): ask the baker"],
    [{ toString: 3 }, "'toString' is no property of a cake (layers, topping): ask the baker"],
    [null, 'what was given is no object: each property of a cake has a name'],
    [[3], 'what was given is no object: each property of a cake has a name'],
    [new Date(0), 'what was given is no object: each property of a cake has a name'],
    ['jam', 'what was given is no object: each property of a cake has a name'],
  ])('%j: %s', (given, problem) => {
    expect(problemIn(given, CAKE)).toBe(problem)
  })

  it('are refused with a local error that nothing was sent for', () => {
    const check = () => checkOptions({ layers: 'secret' }, CAKE)
    expect(check).toThrow(LocalError)
    expect(check).toThrow(expect.objectContaining({ code: 'ARGUMENT', sent: 'no' }))
    expect(check).not.toThrow(/secret/)
  })

  it('are taken off the end of what a method was given', () => {
    const given: unknown[] = ['a', { layers: 2 }]
    expect(takeOptions(given, 1, CAKE)).toEqual({ layers: 2 })
    expect(given).toEqual(['a'])
    expect(() => takeOptions(['a', { candles: 1 }], 1, CAKE)).toThrow(/candles/)
  })

  it('that are absent at the end are taken off where enough is left', () => {
    const passedOn: unknown[] = ['a', undefined]
    expect(takeOptions(passedOn, 1, CAKE)).toBeUndefined()
    expect(passedOn).toEqual(['a'])
    const missing: unknown[] = [undefined]
    expect(takeOptions(missing, 1, CAKE)).toBeUndefined()
    expect(missing).toEqual([undefined])
  })

  it('stand behind so many arguments and nothing behind them', () => {
    expect(optionsAfter(1, ['a'], CAKE)).toBeUndefined()
    expect(optionsAfter(1, ['a', { layers: 2 }], CAKE)).toEqual({ layers: 2 })
    expect(() => optionsAfter(1, ['a', {}, 1], CAKE)).toThrow('3 arguments were given, and at most 2 would be used')
    expect(() => optionsAfter(0, [null], CAKE)).toThrow(LocalError)
    expect(() => checkCount([1], 0)).toThrow(LocalError)
  })
})

const polyfill = { aborted: false, addEventListener: () => undefined, removeEventListener: () => undefined }

describe('checks', () => {
  it.each([
    ['a count', mustBeCount, [1, 2 ** 53 - 1], [0, 1.5, -1, '1', Number.NaN, 2 ** 53]],
    ['a choice', mustBeOneOf('a', 'b'), ['a', 'b'], ['c', '', 'toString', null]],
    ['text or bytes', mustBeTextOrBytes, ['', new Uint8Array(1), Buffer.from('a')], [1, null, ['a']]],
    ['texts', mustBeTexts, [[], ['a']], ['a', [1], new Array(1)]],
    ['a signal', mustBeSignal, [new AbortController().signal, polyfill], [null, {}, 'x', { aborted: false }]],
    ['a port', mustBePort, [1, 65_535], [0, 65_536, 80.5, '80']],
    ['addresses', mustBeAddresses, [['a:1']], [[], 'a', [1], new Array(1)]],
    ['a discovery', mustBeDiscovery, [{ name: 'a', target: 'b' }], [{ name: 'a' }, { target: 'b' }, {}, 'a']],
    ['TLS', mustBeTls(), [true, false, {}, { ca: ['a', new Uint8Array(1)] }], [1, { ca: [1] }, { pfx: '' }]],
  ])('%s', (_, check, right, wrong) => {
    for (const value of right) expect(check(value, 'it')).toBeUndefined()
    for (const value of wrong) expect(check(value, 'it')).toEqual(expect.stringMatching(/ is | lacks | no /))
  })

  it('of TLS are replaced by what a protocol says instead', () => {
    const check = mustBeTls({ mode: must((value) => value === 'direct', "'direct': nothing is negotiated") })
    expect(check({ mode: 'direct', minVersion: 'TLSv1.3' }, 'tls')).toBeUndefined()
    expect(check({ mode: 'negotiated' }, 'tls')).toBe("mode is 'direct': nothing is negotiated")
    expect(problemIn({ mode: 'negotiated' }, TLS_OPTIONS)).toBeUndefined()
  })
})

describe('the kinds that everybody has', () => {
  it.each([
    [{ deadlineMs: 5, signal: polyfill }, WAIT_OPTIONS],
    [{ deadlineMs: Number.POSITIVE_INFINITY }, CLOSE_OPTIONS],
    [{ idempotent: true, priority: 'low', onTiming: () => undefined, deadlineMs: 0 }, CALL_OPTIONS],
  ])('take %o', (given, kind) => {
    expect(problemIn(given, kind as Kind<object>)).toBeUndefined()
  })

  it.each([
    [{ deadlineMs: -1 }, WAIT_OPTIONS],
    [{ deadlineMs: Number.NaN }, WAIT_OPTIONS],
    [{ signal: polyfill }, CLOSE_OPTIONS],
    [{ priority: 'urgent' }, CALL_OPTIONS],
    [{ idempotent: 1 }, CALL_OPTIONS],
    [{ onTiming: {} }, CALL_OPTIONS],
  ])('refuse %o', (given, kind) => {
    expect(problemIn(given, kind as Kind<object>)).toBeTypeOf('string')
  })
})
