/** Each call has what is left, and never more. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { SharedLimits } from './shared-limits.ts'

afterEach(() => {
  vi.useRealTimers()
})

describe('the deadline of many calls', () => {
  it('is what is left of it, or what the call asks for where that is less', () => {
    vi.useFakeTimers()
    const limits = new SharedLimits(100, undefined)
    expect(limits.of()).toEqual({ deadlineMs: 100 })
    vi.advanceTimersByTime(60)
    expect(limits.of({ deadlineMs: 10, priority: 'low' })).toEqual({ deadlineMs: 10, priority: 'low' })
    expect(limits.of({ deadlineMs: 50 })).toEqual({ deadlineMs: 40 })
    // 0 is none, which is more than what is left.
    expect(limits.of({ deadlineMs: 0 })).toEqual({ deadlineMs: 40 })
  })

  it('makes no call when nothing is left', () => {
    vi.useFakeTimers()
    const limits = new SharedLimits(100, undefined)
    vi.advanceTimersByTime(100)
    expect(() => limits.of({ deadlineMs: 10 })).toThrow(expect.objectContaining({ code: 'DEADLINE', sent: 'no' }))
  })

  it.each([undefined, 0, Number.POSITIVE_INFINITY])('is none where %s is given', (deadlineMs) => {
    const limits = new SharedLimits(deadlineMs, undefined)
    expect(limits.of()).toBeUndefined()
    const options = { deadlineMs: 10 }
    expect(limits.of(options)).toBe(options)
  })
})

describe('the signal of many calls', () => {
  it('ends each of them, as does the call’s own', () => {
    const shared = new AbortController()
    const limits = new SharedLimits(undefined, shared.signal)
    expect(limits.of()).toEqual({ signal: shared.signal })
    const own = new AbortController()
    const [first, second] = [limits.of({ signal: own.signal }), limits.of({ signal: AbortSignal.timeout(60_000) })]
    own.abort()
    expect([first?.signal?.aborted, second?.signal?.aborted]).toEqual([true, false])
    shared.abort()
    expect(second?.signal?.aborted).toBe(true)
  })
})
