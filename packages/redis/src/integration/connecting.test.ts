/** Getting in: users, TLS, sockets, callbacks, refusals; and what happens to calls when a connection goes. */
import { RefusedError } from '@iokernel/core'
import { expect, it } from 'vitest'
import { inEveryMode, until } from '../../fixtures/world.ts'

inEveryMode(
  'a user',
  {
    protocols: [3, 2],
    server: { password: 'p@ss:w/rd', users: ['app on >secret ~app:* &* +@all -keys', 'mute off >secret ~* +@all'] },
  },
  (world) => {
    const at = () => ({ host: world.server.host, port: world.server.port })

    it('has a password, or a name and a password, or a callback that knows both', async () => {
      expect(await world.connect({ ...at(), password: 'p@ss:w/rd' }).ping()).toBe('PONG')
      const url = `redis://app:secret@${world.server.host}:${world.server.port}/4?clientName=app`
      const info = await world.connect({ url }).clientInfo()
      expect(info).toMatch(/ user=app /)
      expect(info).toMatch(/ db=4 /)
      expect(info).toMatch(/ name=app /)
      let asked = 0
      const credentials = async () => {
        asked++
        return { username: 'app', password: 'secret' }
      }
      expect(await world.connect({ ...at(), credentials }).clientInfo()).toMatch(/ user=app /)
      expect(asked).toBeGreaterThan(0)
    })

    it.each([
      ['no password', {}, 'NOAUTH'],
      ['a wrong password', { password: 'opensesame' }, 'WRONGPASS'],
      ['a user that is off', { username: 'mute', password: 'secret' }, 'WRONGPASS'],
      ['a database that is not there', { password: 'p@ss:w/rd', database: 99 }, 'ERR'],
    ])('is refused with %s, and every call that waits is told why', async (_, identity, code) => {
      const client = world.connect({ ...at(), ...identity })
      const results = await Promise.allSettled([client.get('a'), client.set('a', 1)])
      for (const result of results) {
        expect(result.status).toBe('rejected')
        const { reason } = result as PromiseRejectedResult
        expect(reason).toBeInstanceOf(RefusedError)
        expect(reason).toMatchObject({ code, sent: 'no' })
        expect(reason.message).not.toContain('opensesame')
        expect(reason.message).not.toContain('secret')
      }
      await client.close()
    })

    it('is told what it may not do', async () => {
      const client = world.connect({ ...at(), username: 'app', password: 'secret' })
      await expect(client.get('other')).rejects.toMatchObject({ code: 'NOPERM' })
      await expect(client.keys('*')).rejects.toMatchObject({ code: 'NOPERM' })
      expect(await client.set('app:k', 'v')).toBe('OK')
    })
  },
)

inEveryMode('a password', { server: { password: 'first' } }, (world) => {
  it('may change under us: the connection is replaced with what the callback says now', async () => {
    let password = 'first'
    const client = world.connect({ host: world.server.host, port: world.server.port, credentials: () => password })
    const operator = world.connect()
    expect(await client.set('k', 'v')).toBe('OK')
    password = 'second'
    await operator.session(async (session) => {
      await session.configSet('requirepass', 'second')
    })
    // Redis keeps those who are in; who is thrown out comes back with the new one.
    await operator.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'no').catch(() => undefined)
    await until(() =>
      client.get('k', { idempotent: true }).then(
        (value) => value === 'v',
        () => false,
      ),
    )
    await client.configSet('requirepass', 'first')
  })
})

inEveryMode('a connection', { server: { tls: true }, protocols: [3, 2] }, (world) => {
  it('is a unix socket', async () => {
    const path = world.server.socketPath
    if (path === undefined) return
    const client = world.connect({ path, database: 1 })
    await client.set('k', 'socket')
    expect(await world.connect({ url: `unix://${path}?db=1` }).get('k')).toBe('socket')
  })

  it('is TLS, with the server’s certificate checked', async () => {
    const tls = world.server.tls
    if (tls === undefined) return
    const { ca } = tls
    const url = `rediss://127.0.0.1:${tls.port}`
    const client = world.connect({ url, tls: { ca } })
    expect(await client.set('k', 'x'.repeat(100_000))).toBe('OK')
    expect(await client.get('k')).toHaveLength(100_000)
    const subscription = client.subscribe('tls')
    await subscription.ready()
    await client.publish('tls', 'm')
    expect((await subscription.next()).value).toMatchObject({ message: 'm' })
    await subscription.close()
    const doubtful = world.connect({ url }, {})
    await expect(doubtful.get('k', { deadlineMs: 500 })).rejects.toMatchObject({ sent: 'no' })
    await doubtful.close({ deadlineMs: 100 })
  })

  it('that dies takes down what was on its way, once, and no more', async () => {
    const client = world.connect()
    await client.set('k', 'v')
    const operator = world.connect({ clientName: 'operator' })
    const id = await client.clientId()
    const session = await operator.session()
    const stall = session.call('DEBUG', 'SLEEP', '0.2').catch(() => undefined)
    const kill = operator.call('CLIENT', 'KILL', 'ID', id as number)
    const writes = Array.from({ length: 100 }, (_, index) => client.incr(`incr:${index}`))
    const settled = await Promise.allSettled(writes)
    await Promise.all([stall, kill])
    await session.close()
    for (const [index, result] of settled.entries()) {
      const value = await client.get(`incr:${index}`)
      // Nothing is done twice: what was rejected was done once or not at all.
      if (result.status === 'fulfilled') expect(value).toBe('1')
      else {
        expect(result.reason.sent).toBe(result.reason.sent === 'no' ? 'no' : 'maybe')
        expect(['1', null]).toContain(value)
        if (result.reason.sent === 'no') expect(value).toBeNull()
      }
    }
    expect(await client.get('k')).toBe('v')
  })

  it('that dies is replaced unnoticed by reads', async () => {
    const client = world.connect()
    await client.set('k', 'v')
    const operator = world.connect({ clientName: 'operator' })
    const reads = Array.from({ length: 20 }, () => client.get('k'))
    await operator.call('CLIENT', 'KILL', 'ID', (await client.clientId()) as number)
    expect(await Promise.all(reads)).toEqual(Array.from({ length: 20 }, () => 'v'))
    expect(await client.get('k')).toBe('v')
  })

  it('refuses a request that is too large before it is written', async () => {
    const client = world.connect({}, { requestBytesMax: 1_000_000 })
    await expect(client.set('k', 'x'.repeat(2_000_000))).rejects.toMatchObject({
      code: 'REQUEST_TOO_LARGE',
      sent: 'no',
    })
    expect(await client.set('k', 'small')).toBe('OK')
  })
})
