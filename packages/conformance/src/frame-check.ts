/**
 * What the contract asks of each call of `FrameSink.frame`.
 *
 * Rules: every breach is an `AssertionError` that says which rule, and where. Nothing here knows calls or scripts.
 */
import assert from 'node:assert/strict'
import { FrameFlag } from '@iokernel/core/plugin'

export class FrameCheck {
  /** During a scan: where the next frame may begin, where it must end, and how many more there may be. */
  #floor = 0
  #ceiling = 0
  #start = 0
  #framesLeft = -1
  /** The frame whose pieces are coming, if one is. */
  #underWay: 'reply' | 'request' | undefined

  /** May anything be reported? */
  get isOpen(): boolean {
    return this.#framesLeft >= 0
  }

  /** Bytes up to the end of the last frame. */
  get reported(): number {
    return this.#floor - this.#start
  }

  /** Frames in [start, end) may come. */
  open(start: number, end: number): void {
    this.#start = start
    this.#floor = start
    this.#ceiling = end
    // Frames may be empty (the end of a body that had no bound), but a loop that reports nothing for ever must end.
    this.#framesLeft = 2 * (end - start) + EMPTY_FRAMES_MAX
  }

  close(): void {
    this.#framesLeft = -1
  }

  frame(start: number, end: number, flags: number): void {
    assert(this.isOpen, 'a frame was reported outside of scan() and closed()')
    assert(this.#framesLeft-- > 0, 'frames without end, and no bytes in them')
    assert(Number.isInteger(start) && Number.isInteger(end), `frame(${start}, ${end}): positions are whole numbers`)
    assert(start <= end, `frame(${start}, ${end}) ends before it begins`)
    const at = (position: number): string => `${position - this.#start}`
    assert(
      start >= this.#floor,
      `a frame begins at byte ${at(start)}, before byte ${at(this.#floor)} where the last ended`,
    )
    assert(end <= this.#ceiling, `a frame ends at byte ${at(end)}; the bytes end at ${at(this.#ceiling)}`)
    this.#floor = end
    this.#checkFlags(flags)
    if ((flags & FrameFlag.Push) === 0) this.#checkPiece(flags)
  }

  #checkFlags(flags: number): void {
    assert(Number.isInteger(flags) && flags >= 0 && flags <= FLAGS_ALL, `frame flags ${flags}: unknown bits`)
    const has = (bits: number): boolean => (flags & bits) === bits
    assert(!has(FrameFlag.Part | FrameFlag.Final), 'a frame is Final, or Part with more to come')
    assert(!has(FrameFlag.Push | FrameFlag.Final), 'a frame is Push, or Final for a request')
    assert(!has(FrameFlag.Push | FrameFlag.Part), 'a push is reported whole')
    assert(!has(FrameFlag.Request | FrameFlag.Push), 'a frame is Request, or Push for nobody to answer')
    assert(
      !has(FrameFlag.Request | FrameFlag.Final),
      'a frame is Request, or Final for a request of ours: the last piece of a Request is the one without Part',
    )
  }

  #checkPiece(flags: number): void {
    const kind = (flags & FrameFlag.Request) === 0 ? 'reply' : 'request'
    const begun = this.#underWay ?? kind
    assert.equal(kind, begun, `a ${kind} lies between the pieces of a ${begun}: only a push may`)
    this.#underWay = (flags & FrameFlag.Part) !== 0 ? kind : undefined
  }
}

/** Empty frames in one scan, beside one for every byte. */
const EMPTY_FRAMES_MAX = 16
const FLAGS_ALL = Object.values(FrameFlag).reduce((all, bit) => all | bit, 0)
