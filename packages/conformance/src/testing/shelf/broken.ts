/**
 * The form of a thing on the shelf: a plugin with one defect, and which suite must notice it.
 */
import type { Connection, FrameSink, IoProtocol, Place, Script } from '@iokernel/core/plugin'
import type { Subject } from '../../subject.ts'
import io, { LinesConnection, type LinesIo } from '../lines/io.ts'
import { healthy } from '../lines/subject.ts'

export interface Broken {
  readonly name: string
  /** The only suite that fails. */
  readonly suite: 'package' | 'framer' | 'handshake' | 'codec'
  /** What one of its failures says. */
  readonly says: RegExp
  readonly subject: Subject
}

export type Subclass = new (options: LinesIo, place: Place) => Connection

/** The healthy subject with another class of connections. */
export function withConnection(connection: Subclass): Subject {
  return { ...healthy, io: ioOf(connection) } as Subject
}

export function ioOf(connection: Subclass): IoProtocol<LinesIo> {
  return { ...io, connection: (options, place) => new connection(options, place) }
}

/** Frames its scripts well, so that only the framer suite can notice what `broken` does. */
export abstract class BrokenFramer extends LinesConnection {
  #scripting = false

  abstract broken(bytes: Buffer, start: number, end: number, sink: FrameSink): number

  override scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    return this.#scripting ? this.healthy(bytes, start, end, sink) : this.broken(bytes, start, end, sink)
  }

  healthy(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    return super.scan(bytes, start, end, sink)
  }

  override handshake(): ReturnType<LinesConnection['handshake']> {
    return this.#during(super.handshake())
  }

  override probe(): ReturnType<LinesConnection['probe']> {
    return this.#during(super.probe())
  }

  override reset(): Script<void> {
    return this.#during(super.reset())
  }

  *#during<Result>(script: Script<Result>): Script<Result> {
    this.#scripting = true
    const result = yield* script
    this.#scripting = false
    return result
  }
}

/** The sink with another `frame`. */
export function through(sink: FrameSink, frame: FrameSink['frame']): FrameSink {
  return { frame, hint: () => sink.hint(), out: () => sink.out() }
}
