/**
 * Broken codecs.
 */
import { randomBytes } from 'node:crypto'
import type { Operation } from '@iokernel/core/plugin'
import type { Sample, Subject } from '../../subject.ts'
import { GET, GET_BYTES, textsOf } from '../lines/client.ts'
import { healthy } from '../lines/subject.ts'
import type { Broken } from './broken.ts'

/** A nonce in the request, which may go out twice. */
const RANDOM: Operation<string, string> = {
  ...GET,
  encode(out, key) {
    const hint = GET.encode(out, key)
    out.copy(randomBytes(4))
    return hint
  },
}

/** Writes without asking for room. */
const NO_ENSURE: Operation<string, string> = {
  ...GET,
  encode(out, key) {
    const text = `get ${key}\n`
    out.ensure(1)
    for (let index = 0; index < text.length; index++) out.bytes[out.position++] = text.charCodeAt(index)
    return 0
  },
}

const CHANGES_ARGUMENTS: Operation<{ key: string }, string> = {
  name: GET.name,
  access: GET.access,
  on: GET.on,
  idempotent: GET.idempotent,
  encode(out, args) {
    const hint = GET.encode(out, args.key)
    args.key = ''
    return hint
  },
  decode: (reply) => textsOf(reply)[0] as string,
}

/** The value lies in the ring. */
const ALIAS: Operation<string, Uint8Array> = {
  ...GET_BYTES,
  decode: (reply) => new Uint8Array(reply.bytes.buffer, reply.bytes.byteOffset + reply.start + 1, 3),
}

/** Reads to the end of the buffer, not of the reply. */
const READS_ON: Operation<string, string> = {
  ...GET,
  decode: (reply) => reply.bytes.toString('utf8', reply.start + 1, reply.bytes.indexOf(10, reply.end)),
}

/** An error is a value like any other. */
const RETURNS_ERRORS: Operation<string, unknown> = {
  ...GET,
  decode(reply, args, facts) {
    try {
      return GET.decode(reply, args, facts)
    } catch (error) {
      return error
    }
  },
}

const THROWS_PLAIN: Operation<string, string> = {
  ...GET,
  decode(reply, args, facts) {
    try {
      return GET.decode(reply, args, facts)
    } catch (error) {
      throw new Error((error as Error).message)
    }
  },
}

/** Counted as a read here, and as a write there. */
const WRITES: Operation<string, string> = { ...GET, access: 'write', idempotent: false }

const NAMED_BY_KEY: Operation<string, string> = { ...GET, name: 'get colour' }

/** Goes over shared connections, and would hold up everybody behind it. */
const OPENS_ON_LANES: Operation<string, string> = { ...GET, open: async () => '' }

const HALF_A_FINGERPRINT: Operation<string, string> = { ...GET, fingerprint: () => 0.5 }

/** Says that nothing answers it. */
const ANSWERED_ANYWAY: Operation<string, string> = { ...GET, answer: 'written' }

const VALUE = { args: 'colour', reply: '=red\n', facts: undefined, gives: { value: 'red' } } as const
const ERROR = { args: 'colour', reply: '!gone away\n', facts: undefined, gives: { code: 'GONE' } } as const

function codec(name: string, says: RegExp, broken: Operation<never, unknown>, rest: Omit<Sample, 'operation'>): Broken {
  // The sound samples keep their own operation; this one comes beside it under a name of its own.
  const operation = { ...broken, name: broken.name === GET.name && broken !== WRITES ? 'broken' : broken.name }
  const samples = [...healthy.samples, { ...rest, operation: operation as Operation<unknown, unknown> }]
  return { name, suite: 'codec', says, subject: { ...healthy, samples } as Subject }
}

export const BROKEN_CODECS: readonly Broken[] = [
  codec('adds a random byte', /depend on nothing else/, RANDOM, VALUE),
  codec('writes without asking for room', /missed ensure/, NO_ENSURE, VALUE),
  codec('changes its arguments', /depend on nothing else|changed its arguments/, CHANGES_ARGUMENTS, {
    ...VALUE,
    args: { key: 'colour' },
  }),
  codec('returns a view', /holds a view/, ALIAS, { ...VALUE, reply: '=red\n', gives: { value: Buffer.from('red') } }),
  codec('reads behind the reply', /the value, decoded/, READS_ON, VALUE),
  codec('returns errors', /is thrown as a RemoteError/, RETURNS_ERRORS, ERROR),
  codec('throws plain errors', /is thrown as a RemoteError/, THROWS_PLAIN, ERROR),
  codec('is a read and a write', /one label, one thing/, WRITES, VALUE),
  codec('says that nothing answers it, and is answered', /written and nothing answers it/, ANSWERED_ANYWAY, VALUE),
  codec('streams replies over shared connections', /have their connection to themselves/, OPENS_ON_LANES, VALUE),
  codec('has fingerprints that are no numbers of 32 bits', /fingerprint\(\) returned 0\.5/, HALF_A_FINGERPRINT, VALUE),
  codec('is named by its key', /one label for each value/, NAMED_BY_KEY, VALUE),
]
