/**
 * Broken handshakes.
 */
import { type Cloneable, type Place, RefusedError, type Script, send } from '@iokernel/core/plugin'
import { ask, handshake } from '../lines/handshake.ts'
import { LinesConnection, type LinesIo } from '../lines/io.ts'
import { type Broken, type Subclass, withConnection } from './broken.ts'

class Handshake extends LinesConnection {
  protected readonly given: LinesIo

  constructor(options: LinesIo, place: Place) {
    super(options, place)
    this.given = options
  }
}

/** Whatever is said is a welcome. */
class AcceptsGarbage extends Handshake {
  override *handshake(): Script<Cloneable> {
    const answer = yield* ask(`hello lines/1 ${this.given.user} ${this.given.password}\n`)
    if (answer.startsWith('!denied')) throw new RefusedError('DENIED', 'wrong user or password')
    return { version: 1, role: answer.includes('replica') ? 'replica' : 'primary' }
  }
}

/** Says what did not work. */
class LeaksPassword extends Handshake {
  override *handshake(): Script<Cloneable> {
    const { user, password } = this.given
    try {
      return yield* handshake(user, password)
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error
      throw new RefusedError('DENIED', `hello lines/1 ${user} ${password} was denied`)
    }
  }
}

/** Keeps the credentials among the facts, where the debug endpoint would show them. */
class FactsWithPassword extends Handshake {
  override *handshake(): Script<Cloneable> {
    const facts = yield* handshake(this.given.user, this.given.password)
    Object.defineProperty(facts, 'hello', { value: this.given.password, enumerable: false })
    return facts
  }
}

/** A URL becomes `{}` on its way to the other thread. */
class FactsDoNotCross extends Handshake {
  override *probe(): Script<Cloneable> {
    const facts = yield* super.probe()
    return Object.assign(new Facts(), facts)
  }
}

class Facts {}

/** Never stops to listen. */
class TalksOnly extends Handshake {
  override *reset(): Script<void> {
    yield* super.reset()
    for (;;) yield* send(Buffer.from('reset\n'))
  }
}

/** Counts on the second word. */
class TypeErrorOnShortAnswer extends Handshake {
  override *probe(): Script<Cloneable> {
    const answer = yield* ask('ping\n')
    const role = (answer.split(' ')[1] as string).trimEnd()
    if (answer.startsWith('=pong') && (role === 'replica' || role === 'primary')) return { role }
    return yield* again(answer)
  }
}

// biome-ignore lint/correctness/useYield: it is delegated to by a script, and ends it.
function* again(answer: string): Script<Cloneable> {
  throw new RefusedError(answer.startsWith('!busy') ? 'BUSY' : 'WHAT', 'no pong')
}

const script = (name: string, says: RegExp, connection: Subclass): Broken => ({
  name,
  suite: 'handshake',
  says,
  subject: withConnection(connection),
})

export const BROKEN_HANDSHAKES: readonly Broken[] = [
  script('accepts garbage', /the script was content with it/, AcceptsGarbage),
  script('tells the password', /contains a secret/, LeaksPassword),
  script('keeps the password among the facts', /contains a secret/, FactsWithPassword),
  script('gives facts that do not cross', /does not survive|the facts/, FactsDoNotCross),
  script('talks without end', /without waiting for an answer/, TalksOnly),
  script('throws a TypeError on a short answer', /TypeError/, TypeErrorOnShortAnswer),
]
