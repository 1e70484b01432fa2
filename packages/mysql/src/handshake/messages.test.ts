/** What is agreed on with a server that offers everything, and how it is written down. */
import { ByteWriter } from '@iokernel/core/plugin'
import { describe, expect, test } from 'vitest'
import { PLAIN } from '../../fixtures/options.ts'
import { greeting, packet } from '../../fixtures/packets.ts'
import { responseIn } from '../../fixtures/server.ts'
import { Capability } from '../codec/facts.ts'
import { beginPacket, endPacket } from '../codec/packet.ts'
import { greetingIn } from './greeting.ts'
import { agree, hasExtendedMetadata, type Wishes, writeResponse } from './messages.ts'

const EVERYTHING = greetingIn(Buffer.from(greeting({ capabilities: -2, extended: 0xffff_ffff }), 'latin1'))
const wishes = (options: Partial<Wishes['options']> = {}, isSession = false): Wishes => ({
  options: { ...PLAIN, ...options },
  isSession,
  isEncrypted: false,
})

describe('of a server that offers everything', () => {
  test('neither compression, nor files, nor several statements, nor packets of progress are taken', () => {
    const { capabilities, extended } = agree(EVERYTHING, wishes({ localInfile: true }))
    const never = Capability.Compress | Capability.LocalFiles | Capability.MultiStatements | Capability.FoundRows
    expect(capabilities & never).toBe(0)
    // 1: progress, 4: bulk operations, 16: definitions that are left out where they are known. 8: what columns are.
    expect(extended).toBe(8)
  })

  test('files by a session, where the target says so', () => {
    expect(agree(EVERYTHING, wishes({ localInfile: true }, true)).capabilities & Capability.LocalFiles).not.toBe(0)
    expect(agree(EVERYTHING, wishes({}, true)).capabilities & Capability.LocalFiles).toBe(0)
  })

  test('rows that were found, where the target says so', () => {
    expect(agree(EVERYTHING, wishes({ foundRows: true })).capabilities & Capability.FoundRows).not.toBe(0)
  })
})

test('a server that offers nothing of MariaDB’s has nothing of it', () => {
  const bytes = Buffer.from(greeting({ extended: 0xffff_ffff }), 'latin1')
  expect(hasExtendedMetadata(agree(greetingIn(bytes), wishes()))).toBe(false)
})

describe('a response', () => {
  const agreement = agree(greetingIn(Buffer.from(greeting(), 'latin1')), wishes({ database: 'shöp' }))
  const response = {
    agreement,
    user: 'büro',
    proof: Buffer.alloc(32, 7),
    database: 'shöp',
    plugin: 'caching_sha2_password',
    attributes: { program_name: 'x'.repeat(300) },
  }
  const written = (changes: Partial<typeof response>): Buffer => {
    const out = new ByteWriter(64)
    const at = beginPacket(out)
    writeResponse(out, { ...response, ...changes })
    endPacket(out, at, 1)
    return Buffer.from(out.written())
  }

  test('says what it should', () => {
    expect(responseIn(written({}))).toEqual({
      capabilities: agreement.capabilities,
      collation: 45,
      user: 'büro',
      proof: response.proof,
      database: 'shöp',
      plugin: 'caching_sha2_password',
      attributes: { _client_name: 'iokernel', program_name: 'x'.repeat(300) },
    })
  })

  test.each([
    ['a NUL in a name', { user: 'a\0b' }],
    ['too many attributes', { attributes: { program_name: 'x'.repeat(70_000) } }],
  ])('%s is refused', (_what, changes) => {
    expect(() => written(changes)).toThrow(expect.objectContaining({ code: 'ARGUMENT', sent: 'no' }))
  })
})

describe('greetings', () => {
  test.each([
    ['5.5.5-10.11.19-MariaDB', -2, 'mariadb', '10.11.19-MariaDB'],
    ['11.4.2-MariaDB', -2, 'mariadb', '11.4.2-MariaDB'],
    ['5.5.5-10.1.48-MariaDB', -1, 'mariadb', '10.1.48-MariaDB'],
    ['8.4.3', -1, 'mysql', '8.4.3'],
    ['5.7.44-log', -1, 'mysql', '5.7.44-log'],
  ])('%s', (said, capabilities, server, version) => {
    const read = greetingIn(Buffer.from(greeting({ version: said, capabilities }), 'latin1'))
    expect(read).toMatchObject({ server, version, connectionId: 7, plugin: 'caching_sha2_password' })
    expect(read.nonce.toString()).toBe('abcdefghijklmnopqrst')
  })

  test('every one that is cut short is refused', () => {
    const whole = greeting({ plugin: '' })
    for (let length = 5; length < whole.length - 3; length++) {
      const cut = packet(0, whole.slice(4, length))
      expect(() => greetingIn(Buffer.from(cut, 'latin1'))).toThrow(/greet/)
    }
  })
})
