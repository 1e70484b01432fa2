/**
 * Broken framers of a peer that speaks unasked: requests of its own, answers in any order, questions that the
 * connection answers by itself.
 */
import { ByteWriter, FrameFlag, type FrameSink, RemoteProtocolError } from '@iokernel/core/plugin'
import type { Subject } from '../../subject.ts'
import io, { TaggedConnection, type TaggedIo } from '../tagged/io.ts'
import { healthyTagged } from '../tagged/subject.ts'
import type { Broken } from './broken.ts'

/** Answers later, when it is asked for the next request. */
class SpeaksBetweenScans extends TaggedConnection {
  #kept: ByteWriter | undefined
  override scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    const own = new ByteWriter()
    const done = super.scan(bytes, start, end, changed(sink, { out: () => own }))
    if (own.length > 0) {
      this.#kept = sink.out()
      this.#kept.copy(Uint8Array.from(own.written()))
    }
    return done
  }
  override callsMax(): number {
    if (this.#kept !== undefined) this.#kept.ascii('*\n')
    this.#kept = undefined
    return super.callsMax()
  }
}

class SaysNothing extends TaggedConnection {
  override scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    return super.scan(bytes, start, end, changed(sink, { out: () => new ByteWriter() }))
  }
}

/** Answers a question as often as it is shown its end. */
class SaysItAgain extends TaggedConnection {
  override scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    if (end - start === 1 && bytes[start] === 42) sink.out().ascii('*\n')
    return super.scan(bytes, start, end, sink)
  }
}

class RequestIsPush extends TaggedConnection {
  override scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    const asPush: FrameSink['frame'] = (from, to, flags, wireId) =>
      sink.frame(from, to, (flags & FrameFlag.Request) === 0 ? flags : FrameFlag.Push, wireId)
    return super.scan(bytes, start, end, changed(sink, { frame: asPush }))
  }
}

/** Ends a request of the peer's as if it answered ours. */
class RequestIsFinal extends TaggedConnection {
  override scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    const asFinal: FrameSink['frame'] = (from, to, flags, wireId) =>
      sink.frame(from, to, flags === FrameFlag.Request ? flags | FrameFlag.Final : flags, wireId)
    return super.scan(bytes, start, end, changed(sink, { frame: asFinal }))
  }
}

class RefusesSilently extends TaggedConnection {
  override refuse(): void {}
}

/** Answers with the number of its own last request. */
class RefusesAnother extends TaggedConnection {
  override refuse(_bytes: Buffer, _start: number, _end: number, out: ByteWriter): void {
    out.ascii('!1 nobody takes it\n')
  }
}

/** Has dropped calls from its own books, and takes their answers for a fault. */
class KnowsNobody extends TaggedConnection {
  override scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    const known: FrameSink['frame'] = (from, to, flags, wireId) => {
      if (wireId !== undefined && sink.hint() < 0) throw new RemoteProtocolError('an answer to nothing')
      sink.frame(from, to, flags, wireId)
    }
    return super.scan(bytes, start, end, changed(sink, { frame: known }))
  }
}

/** Numbers by itself, and waits for an answer to what is only written. */
class CountsSilent extends TaggedConnection {
  #sent = 0
  readonly #numbers = new Map<number, number>()
  override submit(payload: Uint8Array, hint: number, wireId: number, out: ByteWriter): void {
    this.#numbers.set(++this.#sent, wireId)
    super.submit(payload, hint, wireId, out)
  }
  override scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    const named: FrameSink['frame'] = (from, to, flags, wireId) =>
      sink.frame(from, to, flags, wireId === undefined ? undefined : (this.#numbers.get(wireId) ?? wireId))
    return super.scan(bytes, start, end, changed(sink, { frame: named }))
  }
}

class NumbersNothing extends TaggedConnection {
  override submit(payload: Uint8Array, hint: number, _wireId: number, out: ByteWriter): void {
    super.submit(payload, hint, 7, out)
  }
}

class TakesNoCall extends TaggedConnection {
  override callsMax(): number {
    return 0
  }
}

class AsksForKeys extends TaggedConnection {
  subscribe(key: string, out: ByteWriter): void {
    out.ascii(`+${key}\n`)
  }
}

/** Knows the key of what came at one look. */
class RoutesAtFirstLook extends TaggedConnection {
  #left = 0
  override scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    const done = super.scan(bytes, start, end, sink)
    this.#left = end - start - done
    return done
  }
  override route(bytes: Buffer, start: number, end: number): ReturnType<TaggedConnection['route']> {
    const route = super.route(bytes, start, end)
    return this.#left > 0 ? { ...route, key: undefined } : route
  }
}

type Subclass = new (options: TaggedIo) => TaggedConnection

function unasked(name: string, says: RegExp, connection: Subclass): Broken {
  const subject = { ...healthyTagged, io: { ...io, connection: (options: TaggedIo) => new connection(options) } }
  return { name, suite: 'framer', says, subject: subject as Subject }
}

/** The sink with something else in it. */
function changed(sink: FrameSink, change: Partial<FrameSink>): FrameSink {
  return {
    frame: (start, end, flags, wireId) => sink.frame(start, end, flags, wireId),
    hint: () => sink.hint(),
    out: () => sink.out(),
    ...change,
  }
}

export const BROKEN_UNASKED: readonly Broken[] = [
  unasked('speaks between two scans', /after scan\(\) had returned/, SpeaksBetweenScans),
  unasked('does not answer for itself', /what the connection says by itself/, SaysNothing),
  unasked('answers for itself at every look', /what the connection says by itself/, SaysItAgain),
  unasked('takes a request for a push', /request: /, RequestIsPush),
  unasked('ends a request as it ends a reply', /Request, or Final/, RequestIsFinal),
  unasked('refuses without a word', /would wait for ever/, RefusesSilently),
  unasked('refuses another request', /refused with/, RefusesAnother),
  unasked('is at a loss for a reply to nobody', /names nobody is dropped/, KnowsNobody),
  unasked('waits for an answer to what is only written', /reply 0/, CountsSilent),
  unasked('gives every request one number', /two wire ids, and the same bytes/, NumbersNothing),
  unasked('takes no call at all', /callsMax\(\) returned 0/, TakesNoCall),
  unasked('asks for what comes unasked', /there is subscribe\(\)/, AsksForKeys),
  unasked('knows the key of what came at one look', /what route\(\) says/, RoutesAtFirstLook),
  {
    name: 'is asked, and its manifest denies it',
    suite: 'framer',
    says: /supports\.push is not 'lanes'|the manifest says that there is none/,
    subject: {
      ...healthyTagged,
      protocol: { ...healthyTagged.protocol, supports: { ...healthyTagged.protocol.supports, push: 'none' } },
    } as Subject,
  },
]
