/**
 * Broken framers. Each is a mistake that somebody has made, in some language, and shipped.
 */
import { FrameFlag, type FrameSink, RemoteProtocolError } from '@iokernel/core/plugin'
import type { Subject } from '../../subject.ts'
import { healthy } from '../lines/subject.ts'
import { type Broken, BrokenFramer, through, withConnection } from './broken.ts'

const NEWLINE = 10

/** Remembers the buffer of its first scan. */
class KeepsBuffer extends BrokenFramer {
  #bytes: Buffer | undefined
  broken(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    this.#bytes ??= bytes
    return this.healthy(this.#bytes, start, end, sink)
  }
}

/** Looks at the first byte of a line again after the scan that showed it, through a view. */
class CopiesAfterScan extends BrokenFramer {
  #first: Buffer | undefined
  broken(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    this.#first ??= bytes.subarray(start, start + 1)
    const done = this.healthy(
      bytes,
      start,
      end,
      through(sink, (from, to, flags) => {
        const failed = this.#first?.[0] === 33 ? FrameFlag.Error : 0
        this.#first = bytes.subarray(to, to + 1)
        sink.frame(from, to, (flags & ~FrameFlag.Error) | failed)
      }),
    )
    if (done === end - start) this.#first = undefined
    return done
  }
}

/** Is done with everything, whatever is incomplete. */
class OverConsumes extends BrokenFramer {
  broken(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    this.healthy(bytes, start, end, sink)
    return end - start
  }
}

/** Is done with more than it was shown. */
class CountsTooFar extends BrokenFramer {
  broken(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    const done = this.healthy(bytes, start, end, sink)
    return done === 0 ? 0 : end - start + 1
  }
}

/** Reports frames and is not done with them. */
class UnderConsumes extends BrokenFramer {
  broken(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    return Math.max(0, this.healthy(bytes, start, end, sink) - 1)
  }
}

/** Looks at no more than a page at a time, and waits for more bytes with the rest. */
class StallsAt4096 extends BrokenFramer {
  broken(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    return this.healthy(bytes, start, Math.min(end, start + 4_096), sink)
  }
}

class PushIsReply extends BrokenFramer {
  broken(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    const asReply = (from: number, to: number, flags: number): void =>
      sink.frame(from, to, (flags & FrameFlag.Push) === 0 ? flags : FrameFlag.Final)
    return this.healthy(bytes, start, end, through(sink, asReply))
  }
}

/** How far a line was searched, for all connections at once. */
let searched = 0

class SharesState extends BrokenFramer {
  #replies = -1
  broken(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    let at = start
    while (at < end) {
      const newline = bytes.subarray(0, end).indexOf(NEWLINE, at + searched)
      searched = newline < 0 ? end - at : 0
      if (newline < 0) return at - start
      this.#report(bytes[at] as number, at, newline + 1, sink)
      at = newline + 1
    }
    return end - start
  }

  #report(type: number, from: number, to: number, sink: FrameSink): void {
    if (type === 62 || type === 43 || type === 45) return sink.frame(from, to, FrameFlag.Push)
    if (type !== 61 && type !== 33) throw new RemoteProtocolError('a line of no kind')
    if (this.#replies < 0) this.#replies = Math.max(0, sink.hint())
    const error = type === 33 ? FrameFlag.Error : 0
    sink.frame(from, to, this.#replies-- === 0 ? error | FrameFlag.Final : error)
  }
}

class TypeErrorOnGarbage extends BrokenFramer {
  broken(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    try {
      return this.healthy(bytes, start, end, sink)
    } catch (error) {
      if (error instanceof RemoteProtocolError && error.message.startsWith('a line that begins'))
        throw new TypeError('x')
      throw error
    }
  }
}

/** Searches a push from its beginning each time. */
class RescansPushes extends BrokenFramer {
  broken(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    if (bytes[start] === 62) {
      let at = start
      while (at < end && bytes[at] !== NEWLINE) at++
      if (at === end) return 0
    }
    return this.healthy(bytes, start, end, sink)
  }
}

/** Counts the next frame's first byte in. */
class FrameBeyondEnd extends BrokenFramer {
  broken(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    const longer = (from: number, to: number, flags: number): void => sink.frame(from, to + 1, flags)
    return this.healthy(bytes, start, end, through(sink, longer))
  }
}

/** Every line of a reply of several completes it. */
class FinalTwice extends BrokenFramer {
  broken(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    const final = (from: number, to: number, flags: number): void =>
      sink.frame(from, to, (flags & (FrameFlag.Part | FrameFlag.Push)) === 0 ? flags | FrameFlag.Final : flags)
    return this.healthy(bytes, start, end, through(sink, final))
  }
}

/** Takes what the kernel refuses, and goes on. */
class Swallows extends BrokenFramer {
  broken(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    try {
      return this.healthy(bytes, start, end, sink)
    } catch (error) {
      if (error instanceof RemoteProtocolError) return end - start
      throw error
    }
  }
}

/** Cuts the line end off in place. */
class WritesIntoBuffer extends BrokenFramer {
  broken(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    const done = this.healthy(bytes, start, end, sink)
    if (done > 0) bytes[start + done - 1] = 0
    return done
  }
}

const framer = (name: string, says: RegExp, connection: Parameters<typeof withConnection>[0]): Broken => ({
  name,
  suite: 'framer',
  says,
  subject: withConnection(connection),
})

export const BROKEN_FRAMERS: readonly Broken[] = [
  framer('keeps the buffer of its first scan', /begins with byte 170/, KeepsBuffer),
  framer('copies after the scan', /Error/, CopiesAfterScan),
  framer('is done with what is incomplete', /split after byte|byte by byte/, OverConsumes),
  framer('is done with more than there is', /had been shown/, CountsTooFar),
  framer('reports frames it is not done with', /it would come again/, UnderConsumes),
  framer('stalls at 4096 bytes', /bytes that the framer is not done with|one after another/, StallsAt4096),
  framer('takes a push for a reply', /push/, PushIsReply),
  framer('shares state between connections', /two connections at once/, SharesState),
  framer('throws a TypeError on garbage', /TypeError/, TypeErrorOnGarbage),
  framer('walks a push again and again', /times as long/, RescansPushes),
  framer('reports a frame beyond the end', /the bytes end at/, FrameBeyondEnd),
  framer('completes a reply twice', /a reply to no request/, FinalTwice),
  framer('swallows what is thrown', /it was accepted/, Swallows),
  framer('writes into what it is shown', /changed the bytes/, WritesIntoBuffer),
  {
    name: 'knows no limit',
    suite: 'framer',
    says: /it was accepted/,
    subject: {
      ...healthy,
      hostile: healthy.hostile.map((input) => ({ ...input, options: { ...healthy.options, lineBytesMax: 1 << 30 } })),
    } as Subject,
  },
  {
    name: 'has pushes that its manifest denies',
    suite: 'framer',
    says: /supports\.push is 'none', and there is subscribe/,
    subject: {
      ...healthy,
      protocol: { ...healthy.protocol, supports: { ...healthy.protocol.supports, push: 'none' } },
    } as Subject,
  },
]
