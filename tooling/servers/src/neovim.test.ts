/**
 * Against real Neovims. The endings are looked up in the system: does the process exist, is the folder there.
 */
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { type Neovim, type NeovimOptions, startNeovim } from './neovim.ts'
import { isAlive, parentOf } from './testing.ts'

const started: Neovim[] = []
afterEach(async () => {
  await Promise.all(started.splice(0).map((neovim) => neovim.stop()))
})

test('answers on its socket, and is gone with its folder after stop()', async () => {
  const neovim = await start()
  expect(neovim.version).toMatch(/^\d+\.\d+\.\d+/)
  expect(neovim.port).toBeUndefined()
  expect(await evaluate(neovim, '6*7')).toBe('2a')

  await neovim.stop()
  expect(isAlive(neovim.pid)).toBe(false)
  expect(existsSync(dirname(neovim.socketPath as string))).toBe(false)
  await neovim.stop()
})

test('answers on its port, stands beside another, and comes back on the port it had', async () => {
  const [first, other] = await Promise.all([start({ listen: 'tcp' }), start({ listen: 'tcp' })])
  expect(first.socketPath).toBeUndefined()
  expect(first.port).not.toBe(other.port)
  expect(await evaluate(first, '6*7')).toBe('2a')
  await first.stop()
  const again = await start({ listen: 'tcp', port: first.port as number })
  expect(again.port).toBe(first.port)
})

test('says why it did not start: somebody else has its port', async () => {
  const first = await start({ listen: 'tcp' })
  const second = start({ listen: 'tcp', port: first.port as number })
  await expect(second).rejects.toThrow(/another process listens on its port/)
})

test('loads nobody’s configuration and is never root', async () => {
  const neovim = await start()
  expect(await evaluate(neovim, "getenv('HOME')==#getenv('XDG_CONFIG_HOME')")).toBe('01')
  const asRoot = await evaluate(neovim, "luaeval('vim.loop.getuid()')==0")
  expect(asRoot).toBe('00')
})

test('is stopped although it was suspended, and dies of kill() at once', async () => {
  const [suspended, killed] = await Promise.all([start(), start()])
  process.kill(suspended.pid, 'SIGSTOP')
  await suspended.stop()
  expect(isAlive(suspended.pid)).toBe(false)
  await killed.kill()
  expect(isAlive(killed.pid)).toBe(false)
  expect(existsSync(dirname(killed.socketPath as string))).toBe(true)
})

describe('whatever ends the parent', () => {
  test('SIGKILL leaves no process and no folder', async () => {
    const { parent, pid, file } = await parentOf('startNeovim')
    expect(isAlive(pid)).toBe(true)
    parent.kill('SIGKILL')
    await expect.poll(() => isAlive(pid) || existsSync(dirname(file)), { timeout: 10_000 }).toBe(false)
  })

  test('a parent that forgets to stop it can still end', async () => {
    const { parent, pid, file } = await parentOf('startNeovim', 'process.exitCode = 7')
    expect((await once(parent, 'exit'))[0]).toBe(7)
    await expect.poll(() => isAlive(pid) || existsSync(dirname(file)), { timeout: 10_000 }).toBe(false)
  })
})

test('where there is none, the error says what was tried and how to get it', async () => {
  const nothing = { environment: { PATH: '/no/such/folder' }, mayInstall: false, mayUseContainers: false }
  await expect(startNeovim({ surroundings: nothing })).rejects.toMatchObject({
    code: 'SERVER_UNAVAILABLE',
    message: expect.stringMatching(/no nvim on the PATH.*may not install.*apt-get install neovim/),
  })
})

async function start(options: NeovimOptions = {}): Promise<Neovim> {
  const neovim = await startNeovim(options)
  started.push(neovim)
  return neovim
}

/** What `nvim_eval` answers to an expression of at most 31 characters or more: the bytes of the value, in hex. */
async function evaluate(neovim: Neovim, expression: string): Promise<string> {
  const { socketPath, port, host } = neovim
  const socket = socketPath === undefined ? connect(port as number, host) : connect(socketPath)
  const text = Buffer.from(expression)
  socket.write(Buffer.concat([Buffer.from('940007a96e76696d5f6576616c91d9', 'hex'), Buffer.from([text.length]), text]))
  const [answer] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  expect(answer.toString('hex', 0, 4)).toBe('940107c0')
  return answer.toString('hex', 4)
}
