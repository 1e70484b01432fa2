/** What a connection allows after its handshake: how many calls at once, which cancels, and what errors mean to it. */
import { Driver, playScript, type Transcript } from '@iokernel/conformance'
import { describe, expect, test } from 'vitest'
import { GREETING, WELCOME } from '../fixtures/captures.ts'
import { PLAIN } from '../fixtures/options.ts'
import { err, ok, prepared, prepareOk, query, result } from '../fixtures/packets.ts'
import { greeted, mariadbGreeted } from '../fixtures/transcripts.ts'
import { lookColumns } from './audit.ts'
import { RequestKind } from './codec/request.ts'
import io, { type MysqlIo } from './io.ts'

const MARIADB = { server: 'mariadb', version: '10.11.19-MariaDB' } as const
const GREETED_AS = String(Buffer.from(GREETING, 'latin1').readUInt32LE(GREETING.indexOf('\0', 5) + 1))

function connected(transcript: Transcript<MysqlIo>, changes: Partial<MysqlIo> = {}): Driver {
  const options = { ...PLAIN, database: 'shop', ...changes }
  const purpose = transcript.purpose ?? 'lane'
  const driver = new Driver(
    io.connection(options, {
      side: 'client',
      purpose,
      endpoint: { id: '192.0.2.1:3306', host: '192.0.2.1', port: 3306 },
      encrypted: false,
      credentials: undefined,
      random: (length) => new Uint8Array(length),
    }),
    { purpose },
  )
  const script = driver.connection.handshake?.()
  if (script === undefined) throw new Error('there is no handshake')
  expect(playScript(driver, script, transcript.peer).outcome).toBeDefined()
  return driver
}

/** A MariaDB, or what says to be one, with these answers to what is asked of it. */
function introduced(id: string, comment: string, greeting: string = GREETING): Transcript<MysqlIo> {
  const about = [id, comment, '16777216', '+00:00', '', '0', '0', ...lookColumns(MARIADB).map(() => '0')]
  const [, response, , settings] = mariadbGreeted.peer
  if (response === undefined || settings === undefined) throw new Error('the transcript has changed')
  const answer = result(
    about.map(() => 'c'),
    [about],
  )
  const peer = [{ sends: greeting }, response, { sends: WELCOME }, settings, { sends: ok(1) }, { receives: () => true }]
  return { ...mariadbGreeted, peer: [...peer, { sends: answer }] }
}

const callsMax = (driver: Driver): number | undefined => driver.connection.callsMax?.()

describe('how many calls at once', () => {
  test('one on MySQL, unless the target says otherwise', () => {
    expect(callsMax(connected(greeted))).toBe(1)
    expect(callsMax(connected(greeted, { pipelining: 'never' }))).toBe(1)
    expect(callsMax(connected(greeted, { pipelining: 'always' }))).toBeGreaterThan(1000)
  })

  test('many on MariaDB, unless the target says otherwise', () => {
    expect(callsMax(connected(mariadbGreeted))).toBeGreaterThan(1000)
    expect(callsMax(connected(mariadbGreeted, { pipelining: 'never' }))).toBe(1)
  })

  test.each([
    ['a number that is not the one of the greeting', introduced('12345678', 'Debian 12')],
    ['a comment', introduced(GREETED_AS, '(ProxySQL)')],
    ['a version', introduced(GREETED_AS, 'Debian 12', GREETING.replace('0+deb12u1', 'maxscale-'))],
  ])('one where something stands between: %s', (_what, transcript) => {
    expect(callsMax(connected(transcript))).toBe(1)
  })

  test('one while a statement is being prepared', () => {
    const driver = connected(mariadbGreeted)
    driver.request({ hint: RequestKind.Prepared, payload: prepared('SELECT 1') })
    expect(callsMax(driver)).toBe(1)
    driver.receive(Buffer.from(prepareOk(1, 0, 0), 'latin1'))
    expect(callsMax(driver)).toBeGreaterThan(1000)
  })
})

describe('what an error means', () => {
  const classified = (driver: Driver, errno: number, message: string) => {
    driver.request({ hint: RequestKind.Text, payload: query('INSERT') })
    driver.receive(Buffer.from(err(1, errno, 'HY000', message), 'latin1'))
    return driver.arrivals.at(-1)
  }

  test('a primary that takes no writes any more is news to a lane', () => {
    expect(classified(connected(greeted), 1290, 'the --super-read-only option')).toMatchObject({ verdict: 'role-lost' })
  })

  test('another option that forbids something is not', () => {
    const error = classified(connected(greeted), 1290, 'the --secure-file-priv option')
    expect(error).toMatchObject({ verdict: 'call' })
  })

  test('a session may have asked for it', () => {
    expect(classified(connected({ ...greeted, purpose: 'session' }), 1792, 'READ ONLY')).toMatchObject({
      verdict: 'call',
    })
  })
})

test('a reset while a request is under way closes the connection', () => {
  const driver = connected(mariadbGreeted)
  driver.connection.submit?.(Buffer.from(prepared('SELECT 1'), 'latin1'), RequestKind.Prepared, 0, driver.written)
  expect(() => driver.connection.reset?.().next()).toThrow(expect.objectContaining({ code: 'STATE' }))
})

test('a cancel names the connection as the server does', () => {
  expect(connected(greeted).connection.cancel?.()).toEqual({ connectionId: 7 })
})
