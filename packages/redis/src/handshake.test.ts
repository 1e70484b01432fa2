/** Handshakes, resets and probes as transcripts. */
import { RefusedError, RemoteError, RemoteProtocolError } from '@iokernel/core/plugin'
import { describe, expect, it } from 'vitest'
import { type Line, play } from '../fixtures/script.ts'
import { type HandshakeOptions, handshake, identityOf, reset } from './handshake.ts'
import { probe } from './probe.ts'

const OPTIONS: HandshakeOptions = {
  protocolVersion: 3,
  database: 0,
  clientName: undefined,
  libraryName: 'iokernel',
  libraryVersion: '1.2.3',
}
const NOBODY = { username: undefined, password: undefined }

// Redis 7.0.15.
const HELLO_3 =
  '%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:11\r\n' +
  '$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n'
const HELLO_2 = HELLO_3.replace('%7', '*14').replace(':3', ':2').replace('$6\r\nmaster', '$7\r\nreplica')
const UNKNOWN = "-ERR unknown command 'HELLO', with args beginning with: '3' \r\n"
const SETINFO: readonly Line[] = [
  ['>', 'CLIENT SETINFO lib-name iokernel'],
  ['>', 'CLIENT SETINFO lib-ver 1.2.3'],
]
const NO_SETINFO = "-ERR unknown subcommand 'SETINFO'. Try CLIENT HELP.\r\n"
const SETTLED: readonly Line[] = [...SETINFO, ['>', 'PING'], ['<', '+OK\r\n'], ['<', '+OK\r\n'], ['<', '+PONG\r\n']]

const FACTS = { resp: 3, version: '7.0.15', mode: 'standalone', role: 'primary', id: 11 }

describe('handshake', () => {
  it('greets and finds out what the server is', () => {
    expect(play(handshake(OPTIONS, NOBODY), [['>', 'HELLO 3'], ['<', HELLO_3], ...SETTLED])).toEqual(FACTS)
  })

  it('gives user, name and database, and does not mind a server that knows no SETINFO', () => {
    const options = { ...OPTIONS, clientName: 'me', database: 5 }
    const facts = play(handshake(options, { username: 'app', password: 'pw' }), [
      ['>', 'HELLO 3 AUTH app pw SETNAME me'],
      ['<', HELLO_3],
      ...SETINFO,
      ['>', 'SELECT 5'],
      ['>', 'PING'],
      ['<', NO_SETINFO],
      ['<', NO_SETINFO],
      ['<', '+OK\r\n'],
      ['<', '+PONG\r\n'],
    ])
    expect(facts).toEqual(FACTS)
  })

  it('is the default user where only a password is given', () => {
    play(handshake(OPTIONS, { username: undefined, password: 'pw' }), [
      ['>', 'HELLO 3 AUTH default pw'],
      ['<', HELLO_3],
      ...SETTLED,
    ])
  })

  it('falls back to RESP2 where the server knows HELLO but not RESP3', () => {
    const facts = play(handshake(OPTIONS, NOBODY), [
      ['>', 'HELLO 3'],
      ['<', '-NOPROTO unsupported protocol version\r\n'],
      ['>', 'HELLO 2'],
      ['<', HELLO_2],
      ...SETTLED,
    ])
    expect(facts).toEqual({ ...FACTS, resp: 2, role: 'replica' })
  })

  it.each([UNKNOWN, '-ERR unsupported command\r\n', '-ERR invalid request\r\n'])(
    'does without HELLO: %j',
    (refusal) => {
      const facts = play(handshake({ ...OPTIONS, clientName: 'me' }, { username: 'default', password: 'pw' }), [
        ['>', 'HELLO 3 AUTH default pw SETNAME me'],
        ['<', refusal],
        ['>', 'AUTH pw'],
        ['<', '+OK\r\n'],
        ['>', 'CLIENT SETNAME me'],
        ['<', '+OK\r\n'],
        ['>', 'ROLE'],
        ['<', '*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n'],
        ...SETTLED,
      ])
      expect(facts).toEqual({ resp: 2, version: '', mode: 'unknown', role: 'primary', id: 0 })
    },
  )

  it('says user and password to a server that wants AUTH before it looks at HELLO', () => {
    play(handshake({ ...OPTIONS, protocolVersion: 2 }, { username: 'app', password: 'pw' }), [
      ['>', 'HELLO 2 AUTH app pw'],
      ['<', '-NOAUTH Authentication required.\r\n'],
      ['>', 'AUTH app pw'],
      ['<', '-ERR Client sent AUTH, but no password is set\r\n'],
      ['>', 'ROLE'],
      ['<', '-NOPERM no\r\n'],
      ...SETTLED,
    ])
  })

  it.each([
    ['-WRONGPASS invalid username-password pair or user is disabled.\r\n', 'WRONGPASS'],
    ['-NOAUTH HELLO must be called with the client already authenticated\r\n', 'NOAUTH'],
    ['-NOPERM this user has no permissions\r\n', 'NOPERM'],
    ['-DENIED Redis is running in protected mode\r\n', 'DENIED'],
  ])('is refused for good by %j', (reply, code) => {
    const run = () =>
      play(handshake(OPTIONS, NOBODY), [
        ['>', 'HELLO 3'],
        ['<', reply],
      ])
    expect(run).toThrow(RefusedError)
    expect(run).toThrow(expect.objectContaining({ code, sent: 'no' }))
  })

  it('never says a password', () => {
    try {
      play(handshake(OPTIONS, { username: 'teller', password: 'hunter2' }), [
        ['>', 'HELLO 3 AUTH teller hunter2'],
        ['<', '-WRONGPASS teller hunter2\r\n'],
      ])
      expect.unreachable()
    } catch (error) {
      expect(String(error)).not.toContain('hunter2')
      expect(String(error)).not.toContain('teller')
    }
  })

  it.each(['LOADING', 'MASTERDOWN', 'BUSY'])('asks to be tried again while the server says %s', (code) => {
    const run = () =>
      play(handshake(OPTIONS, NOBODY), [
        ['>', 'HELLO 3'],
        ['<', HELLO_3],
        ...SETINFO,
        ['>', 'PING'],
        ['<', '+OK\r\n'],
        ['<', '+OK\r\n'],
        ['<', `-${code} later\r\n`],
      ])
    expect(run).toThrow(expect.objectContaining({ code, sent: 'no' }))
    expect(run).not.toThrow(RefusedError)
  })

  it('asks to be tried again when there are too many clients', () => {
    const run = () =>
      play(handshake(OPTIONS, NOBODY), [
        ['>', 'HELLO 3'],
        ['<', '-ERR max number of clients reached\r\n'],
      ])
    expect(run).toThrow(RemoteError)
    expect(run).not.toThrow(RefusedError)
  })

  it('is refused a database that is not there', () => {
    const run = () =>
      play(handshake({ ...OPTIONS, database: 99 }, NOBODY), [
        ['>', 'HELLO 3'],
        ['<', HELLO_3],
        ...SETINFO,
        ['>', 'SELECT 99'],
        ['>', 'PING'],
        ['<', '+OK\r\n'],
        ['<', '+OK\r\n'],
        ['<', '-ERR DB index is out of range\r\n'],
      ])
    expect(run).toThrow('SELECT 99')
    expect(run).toThrow(RefusedError)
  })

  it.each(['+OK\r\n', ':1\r\n', '$-1\r\n', '%0\r\n', '*0\r\n', '*1\r\n+odd\r\n', '%1\r\n+proto\r\n:2\r\n'])(
    'does not take %j for an answer to HELLO',
    (reply) => {
      expect(() =>
        play(handshake(OPTIONS, NOBODY), [
          ['>', 'HELLO 3'],
          ['<', reply],
        ]),
      ).toThrow(RemoteProtocolError)
    },
  )

  it('makes do with a HELLO that says little', () => {
    const facts = play(handshake(OPTIONS, NOBODY), [
      ['>', 'HELLO 3'],
      ['<', '%2\r\n+proto\r\n:3\r\n+id\r\n+x\r\n'],
      ...SETTLED,
    ])
    expect(facts).toEqual({ resp: 3, version: '', mode: 'unknown', role: 'unknown', id: 0 })
  })

  it('does not take anything but PONG for an answer to PING', () => {
    const settled = SETTLED.map((line): Line => (line[1] === '+PONG\r\n' ? ['<', '+OK\r\n'] : line))
    expect(() => play(handshake(OPTIONS, NOBODY), [['>', 'HELLO 3'], ['<', HELLO_3], ...settled])).toThrow('PONG')
  })
})

describe('identity', () => {
  const fallback = { username: 'app', password: 'old' }
  it.each([
    [undefined, fallback],
    [null, fallback],
    ['new', { username: 'app', password: 'new' }],
    [{ password: 'new' }, { username: 'app', password: 'new' }],
    [
      { username: 'other', password: 'new' },
      { username: 'other', password: 'new' },
    ],
    [42, fallback],
  ])('%j', (credentials, identity) => {
    expect(identityOf(credentials, fallback)).toEqual(identity)
  })
})

describe('reset', () => {
  it('forgets everything and greets again', () => {
    expect(
      play(reset(OPTIONS, NOBODY), [['>', 'RESET'], ['<', '+RESET\r\n'], ['>', 'HELLO 3'], ['<', HELLO_3], ...SETTLED]),
    ).toEqual(FACTS)
  })

  it('gives up where the server has no RESET', () => {
    expect(() =>
      play(reset(OPTIONS, NOBODY), [
        ['>', 'RESET'],
        ['<', "-ERR unknown command 'RESET'\r\n"],
      ]),
    ).toThrow('RESET')
  })
})

describe('probe', () => {
  const ask: readonly Line[] = [
    ['>', 'PING'],
    ['>', 'ROLE'],
  ]
  it.each([
    [
      '*3\r\n$6\r\nmaster\r\n:3129659\r\n*1\r\n*3\r\n$9\r\n127.0.0.1\r\n$4\r\n9001\r\n$7\r\n3129242\r\n',
      { role: 'primary', offset: 3129659, replicas: 1 },
    ],
    [
      '*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:9000\r\n$9\r\nconnected\r\n:3167038\r\n',
      { role: 'replica', offset: 3167038, primary: { host: '127.0.0.1', port: 9000 }, link: 'connected' },
    ],
    ['*2\r\n$8\r\nsentinel\r\n*1\r\n$8\r\nmymaster\r\n', { role: 'sentinel' }],
    ['-NOPERM no\r\n', { role: 'unknown' }],
    ['*3\r\n$6\r\nmaster\r\n:9223372036854775807\r\n*0\r\n', { offset: 9223372036854775807n }],
  ])('reads %j', (role, facts) => {
    expect(play(probe(), [...ask, ['<', '+PONG\r\n'], ['<', role]])).toMatchObject(facts)
  })

  it('finds a server that loads its data unusable', () => {
    const run = () =>
      play(probe(), [...ask, ['<', '-LOADING Redis is loading\r\n'], ['<', '*2\r\n$8\r\nsentinel\r\n*0\r\n']])
    expect(run).toThrow(expect.objectContaining({ code: 'LOADING' }))
  })

  it('finds one that lets nobody PING usable', () => {
    play(probe(), [...ask, ['<', '-NOPERM no\r\n'], ['<', '-NOPERM no\r\n']])
  })
})
