/** SCRAM against servers that lie, that take too much, and that stand in for another. */
import { RefusedError, RemoteProtocolError, type Script } from '@iokernel/core/plugin'
import { describe, expect, it } from 'vitest'
import { CERTIFICATES } from '../../fixtures/captures.ts'
import { message, ScramServer, saslOffer } from '../../fixtures/messages.ts'
import { serverEndPoint } from './certificate.ts'
import { PLAIN, PLUS, type ScramTerms, scram } from './scram.ts'

const random = (length: number) => Uint8Array.from({ length }, (_, index) => index)
const NONCE = Buffer.from(random(18)).toString('base64')
const TERMS: ScramTerms = { password: 'hunter2', endPoint: undefined, channelBinding: 'prefer', random }
const END_POINT = Buffer.from('a hash of a certificate')

type Answer = string | ((sent: Buffer) => string)

/** What the script sends, message by message, while it is answered so. */
function play(offer: string, answers: readonly Answer[], terms: Partial<ScramTerms> = {}): readonly string[] {
  const script: Script<void> = scram(Buffer.from(offer, 'latin1'), { ...TERMS, ...terms })
  const sent: string[] = []
  let next = script.next(new Uint8Array(0))
  for (let at = 0; !next.done; ) {
    if (next.value.do === 'send') {
      sent.push(Buffer.from(next.value.bytes).toString('latin1'))
      next = script.next(new Uint8Array(0))
      continue
    }
    const answer = answers[at++]
    if (answer === undefined) throw new Error('the script waits for more')
    const text = typeof answer === 'string' ? answer : answer(Buffer.from(sent.join(''), 'latin1'))
    next = script.next(Buffer.from(text, 'latin1'))
  }
  return sent
}

function withServer(server: ScramServer, offer: string, terms: Partial<ScramTerms> = {}): readonly string[] {
  return play(offer, [(sent) => server.first(sent), (sent) => server.last(sent)], terms)
}

const first = (text: string) => message('R', 11, text)

describe('the header', () => {
  const headerOf = (terms: Partial<ScramTerms>, ...offered: string[]) =>
    /\0{3}.([npy].*?),,n=/s.exec(withServer(new ScramServer('hunter2'), saslOffer(...offered), terms)[0] as string)?.[1]
  it('binds where both sides can', () => {
    expect(headerOf({ endPoint: END_POINT }, PLUS, PLAIN)).toBe('p=tls-server-end-point')
    expect(headerOf({ endPoint: END_POINT, channelBinding: 'require' }, PLAIN, PLUS)).toBe('p=tls-server-end-point')
  })

  it('says that it could where the offer was taken away', () => {
    expect(headerOf({ endPoint: END_POINT }, PLAIN)).toBe('y')
  })

  it('says that it cannot where it cannot, or shall not', () => {
    expect(headerOf({}, PLUS, PLAIN)).toBe('n')
    expect(headerOf({ endPoint: END_POINT, channelBinding: 'disable' }, PLUS, PLAIN)).toBe('n')
  })

  it('is not written where binding is required and cannot be', () => {
    const refused = expect.objectContaining({ code: 'CHANNEL_BINDING' })
    expect(() => play(saslOffer(PLAIN), [], { endPoint: END_POINT, channelBinding: 'require' })).toThrow(refused)
    expect(() => play(saslOffer(PLUS), [], { channelBinding: 'require' })).toThrow(refused)
    expect(() => play(saslOffer('SCRAM-SHA-1'), [])).toThrow(RefusedError)
  })
})

describe('the password', () => {
  it.each([
    ['I\u00adX', 'IX'],
    ['\u2168', 'IX'],
    ['\u00aa', 'a'],
    ['p\u00a0w', 'p w'],
    // A bell is prohibited: used as it is.
    ['\u0007', '\u0007'],
    ['pässwörd', 'pässwörd'],
  ])('%j is prepared as %j', (given, prepared) => {
    withServer(new ScramServer(prepared), saslOffer(PLAIN), { password: given })
  })

  it('is worked out anew for another salt and other rounds', () => {
    for (const [salt, rounds] of [
      ['a', 1],
      ['b', 1],
      ['a', 5000],
      ['a', 1],
    ] as const) {
      withServer(new ScramServer('hunter2', salt, rounds), saslOffer(PLAIN))
    }
  })
})

describe('a server that', () => {
  it.each([
    ['does not continue the nonce', 'r=other,s=c2FsdA==,i=4096'],
    ['adds nothing to the nonce', `r=${NONCE},s=c2FsdA==,i=4096`],
    ['asks for no round', `r=${NONCE}x,s=c2FsdA==,i=0`],
    ['asks for a billion rounds', `r=${NONCE}x,s=c2FsdA==,i=1000000000`],
    ['asks for rounds that are no number', `r=${NONCE}x,s=c2FsdA==,i=1e3`],
    ['sends no salt', `r=${NONCE}x,s=,i=4096`],
    ['sends a salt that is no base64', `r=${NONCE}x,s=!,i=4096`],
    ['demands an extension', `m=x,r=${NONCE}x,s=c2FsdA==,i=4096`],
    ['says nothing', ''],
  ])('%s is refused', (_, text) => {
    expect(() => play(saslOffer(PLAIN), [first(text)])).toThrow(RemoteProtocolError)
  })

  it.each([
    ['lets us in before it has proved itself', message('R', 0)],
    ['asks for something else in the middle', message('R', 3)],
    ['sends no signature', message('R', 12, '')],
    ['sends half of one', message('R', 12, 'v=abc')],
  ])('%s is refused', (_, last) => {
    const server = new ScramServer('hunter2')
    expect(() => play(saslOffer(PLAIN), [(sent) => server.first(sent), last])).toThrow()
  })

  it('signs with another password is refused', () => {
    const [server, other] = [new ScramServer('hunter2'), new ScramServer('hunter3')]
    const wrong = (sent: Buffer) => {
      other.first(sent)
      return message('R', 12, `v=${Buffer.alloc(32, 7).toString('base64')}`)
    }
    expect(() => play(saslOffer(PLAIN), [(sent) => server.first(sent), wrong])).toThrow(
      expect.objectContaining({ code: 'SERVER_SIGNATURE' }),
    )
  })

  it('says so in the last message has refused us', () => {
    const server = new ScramServer('hunter2')
    const answers = [(sent: Buffer) => server.first(sent), message('R', 12, 'e=invalid-proof')]
    expect(() => play(saslOffer(PLAIN), answers)).toThrow(expect.objectContaining({ code: '28P01' }))
  })

  it('offers a list without an end is refused', () => {
    for (const list of ['', 'SCRAM-SHA-256', 'SCRAM-SHA-256\0']) {
      expect(() => play(message('R', 10, list), [])).toThrow(RemoteProtocolError)
    }
  })
})

describe('the end point of a certificate', () => {
  it.each([
    ['ecdsa-sha1', 32],
    ['ecdsa-sha256', 32],
    ['ecdsa-sha384', 48],
    ['ecdsa-sha512', 64],
    ['rsa-md5', 32],
    ['rsa-sha256', 32],
    ['rsa-sha512', 64],
    ['rsa-pss-sha1', 32],
    ['rsa-pss-sha384', 48],
  ])('%s is hashed to %i bytes', (name, length) => {
    expect(serverEndPoint(CERTIFICATES[name] as Buffer)).toHaveLength(length)
  })

  it('does not exist for one whose signature names no hash, or that is none', () => {
    expect(serverEndPoint(CERTIFICATES['ed25519'] as Buffer)).toBeUndefined()
    const whole = CERTIFICATES['rsa-pss-sha384'] as Buffer
    for (const bytes of [Buffer.alloc(0), Buffer.from('0\x84\xff\xff\xff\xff', 'latin1'), Buffer.alloc(500, 0x30)]) {
      expect(serverEndPoint(bytes)).toBeUndefined()
    }
    for (let end = 0; end < whole.length; end++) expect(serverEndPoint(whole.subarray(0, end))).toBeUndefined()
  })
})
