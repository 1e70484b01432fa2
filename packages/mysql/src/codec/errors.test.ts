/** ERR packets taken apart: whole, cut short at every place, and by somebody who lies about their length. */
import { describe, expect, test } from 'vitest'
import { earlyErr, err, ok, utf8 } from '../../fixtures/packets.ts'
import { classify, errorNumber, isError, mysqlError } from './errors.ts'

const bytes = (latin1: string): Buffer => Buffer.from(latin1, 'latin1')
const taken = (packet: string) => mysqlError(bytes(packet), 0, packet.length)

describe('an error', () => {
  test('has the number for its code, the state, and the words of the server', () => {
    expect(taken(err(1, 1062, '23000', utf8('doppelter Schlüssel')))).toMatchObject({
      name: 'MysqlError',
      code: '1062',
      errno: 1062,
      sqlState: '23000',
      message: 'doppelter Schlüssel',
      side: 'remote',
      sent: 'maybe',
    })
  })

  test('before the handshake is over has no state', () => {
    expect(taken(earlyErr(1040))).toMatchObject({ code: '1040', sqlState: 'HY000', message: 'it failed' })
  })

  test('without words has ours', () => {
    expect(taken(err(1, 1105, 'HY000', '')).message).toBe('the server reported an error without a message')
  })

  test('that lies in the middle of other bytes is read to its end', () => {
    const packet = err(1, 1064)
    const among = bytes(`before${packet}behind`)
    expect(mysqlError(among, 6, 6 + packet.length).message).toBe('it failed')
    expect(errorNumber(among, 6, 6 + packet.length)).toBe(1064)
  })

  test('that is cut short is an error all the same, or none', () => {
    const whole = err(1, 1064, '42000', 'words')
    for (let length = 0; length <= whole.length; length++) {
      const cut = bytes(whole.slice(0, length))
      expect(isError(cut, 0, length)).toBe(length >= 7)
      if (length >= 7) expect(mysqlError(cut, 0, length).code).toBe('1064')
    }
  })
})

test.each([
  [1040, '', 'overloaded'],
  [1203, '', 'overloaded'],
  [1053, '', 'retire'],
  [1927, '', 'retire'],
  [4031, '', 'retire'],
  [1205, '', 'call'],
  [1213, '', 'call'],
  [1317, '', 'call'],
  [1792, '', 'role-lost'],
  [1836, '', 'role-lost'],
  [1290, 'running with the --read-only option', 'role-lost'],
  [1290, 'running with the --super-read-only option', 'role-lost'],
  [1290, 'running with the --secure-file-priv option', 'call'],
] as const)('%i (%s) means: %s', (errno, message, verdict) => {
  const packet = err(1, errno, 'HY000', message)
  expect(classify(bytes(packet), 0, packet.length)).toBe(verdict)
})

test('what is no error means nothing to the connection', () => {
  expect(classify(bytes(ok(1)), 0, ok(1).length)).toBe('call')
})
