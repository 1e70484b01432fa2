/**
 * What only a thread of its own can do, and therefore is not tested inline: going on while the application hangs,
 * dying, being replaced, and the process around it.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createKernel } from '@iokernel/core'
import { lines, ScriptedPeer } from '@iokernel/core/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const CORE = import.meta.resolve('@iokernel/core')
const TESTING = import.meta.resolve('@iokernel/core/testing')
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'iokernel-threads-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Runs a program against the built package; resolves with what it printed and how it ended. */
async function run(
  source: string,
  options: { args?: string[]; env?: NodeJS.ProcessEnv; extension?: string } = {},
): Promise<{ code: number | null; stdout: string; stderr: string; ms: number }> {
  const file = join(folder, `${Math.random().toString(36).slice(2)}.${options.extension ?? 'mjs'}`)
  await writeFile(file, source)
  const started = performance.now()
  const child = spawn(process.execPath, [...(options.args ?? []), file], { env: { ...process.env, ...options.env } })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr, ms: performance.now() - started }
}

const PRELUDE = `
import { createKernel } from ${JSON.stringify(CORE)}
import { lines } from ${JSON.stringify(TESTING)}
`

/** Blocks this thread: what an application does that computes. */
function compute(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

describe('the I/O thread goes on while the application computes', () => {
  test('a reply that arrived in time resolves, however late the application looks', async () => {
    const peer = await startPeerProcess()
    const kernel = await createKernel({ protocols: [lines] })
    const client = kernel.connect(lines, peer.at)
    await client.ask('warm')
    let waited = 0
    const answer = client.ask('quick', {
      deadlineMs: 300,
      onTiming: (timing) => {
        waited = timing.waitingForApplicationMs
      },
    })
    compute(1_000)
    expect(await answer).toBe('echo quick')
    expect(waited).toBeGreaterThan(500)
    await kernel.close()
    peer.stop()
  })

  test('the I/O thread keeps the deadline: a reply that came too late rejects, however late one looks', async () => {
    const peer = await startPeerProcess()
    const kernel = await createKernel({ protocols: [lines] })
    const client = kernel.connect(lines, peer.at)
    await client.ask('warm')
    const answer = client.ask('delay 400', { deadlineMs: 100 })
    compute(800)
    await expect(answer).rejects.toMatchObject({ code: 'DEADLINE', sent: 'maybe', waitCause: 'upstream' })
    await kernel.close()
    peer.stop()
  })

  test('an abort that fires while the thread is busy loses against a reply that had arrived', async () => {
    const peer = await startPeerProcess()
    const kernel = await createKernel({ protocols: [lines] })
    const client = kernel.connect(lines, peer.at)
    await client.ask('warm')
    const answer = client.ask('quick', { signal: AbortSignal.timeout(50) })
    compute(500)
    expect(await answer).toBe('echo quick')
    await kernel.close()
    peer.stop()
  })

  test('pushes past every budget while the application computes leave a gap, and no memory behind', async () => {
    const peer = await startPeerProcess()
    const kernel = await createKernel({
      protocols: [lines],
      limits: { completionBytes: 16_384, overflowBytesMax: 100_000 },
    })
    const client = kernel.connect(lines, peer.at)
    const seen: string[] = []
    const gaps: string[] = []
    await client.listen('news', {
      push: (frame) => seen.push(frame.bytes.toString('utf8', frame.start, frame.end - 1)),
      gap: (reason) => gaps.push(reason),
      failed: () => undefined,
    })
    await client.ask('flood news 20000')
    compute(1_000)
    await expect.poll(() => gaps, { timeout: 5_000 }).toEqual(['overflow'])
    expect(seen.length).toBeGreaterThan(100)
    expect(seen.length).toBeLessThan(20_000)
    expect(await client.ask('still there')).toBe('echo still there')
    await kernel.close()
    peer.stop()
  })
})

describe('a plugin that misbehaves', () => {
  test('throwing costs one connection: its calls reject, the next ones are answered', async () => {
    await using peer = await ScriptedPeer.listen((line, socket) => {
      socket.write(line === 'bad' ? 'throw\n' : `echo ${line}\n`)
    })
    await using kernel = await createKernel({ protocols: [lines], logger: () => undefined })
    const client = kernel.connect(lines, peer.at)
    await expect(client.tell('bad')).rejects.toMatchObject({ code: 'PLUGIN', side: 'local', sent: 'maybe' })
    expect(await client.ask('good')).toBe('echo good')
    expect(kernel.describe().restarts).toBe(0)
  })

  test('a framer in a loop: the watchdog rejects the calls and replaces the thread; interests see a gap', async () => {
    let spin = true
    await using peer = await ScriptedPeer.listen((line, socket) => {
      if (line === 'spin' && spin) {
        spin = false
        socket.write('spin\n')
      } else ScriptedPeer.echo(line, socket)
    })
    await using kernel = await createKernel({
      protocols: [lines],
      limits: { stallTimeoutMs: 400 },
      logger: () => undefined,
    })
    const client = kernel.connect(lines, peer.at)
    const gaps: string[] = []
    const registered = (): number => peer.lines.filter((line) => line === 'sub news').length
    await client.listen('news', {
      push: () => undefined,
      // Told when the peer has registered the key again, not before: who reads anew then has missed nothing.
      gap: (reason) => gaps.push(`${reason} ${registered()}`),
      failed: () => undefined,
    })
    await expect(client.tell('spin')).rejects.toMatchObject({ code: 'IO_THREAD_LOST', sent: 'maybe' })
    expect(await client.ask('again')).toBe('echo again')
    expect(kernel.describe().restarts).toBe(1)
    await expect.poll(() => gaps).toEqual(['reconnected 2'])
  })

  test('a thread that keeps dying is given up, with a typed error for every call after that', async () => {
    await using peer = await ScriptedPeer.listen((_, socket) => socket.write('spin\n'))
    await using kernel = await createKernel({
      protocols: [lines],
      limits: { stallTimeoutMs: 200, restartsMax: 1 },
      logger: () => undefined,
    })
    const client = kernel.connect(lines, peer.at)
    await expect(client.tell('one')).rejects.toMatchObject({ code: 'IO_THREAD_LOST' })
    await expect(client.tell('two')).rejects.toMatchObject({ code: 'IO_THREAD_LOST' })
    await expect(client.tell('three')).rejects.toMatchObject({ code: 'IO_THREAD_GAVE_UP', sent: 'no' })
  })
})

describe('the process', () => {
  test('an idle kernel does not keep it alive, also with a connection open', async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const { code, stdout } = await run(`${PRELUDE}
      const kernel = await createKernel({ protocols: [lines] })
      const client = kernel.connect(lines, ${JSON.stringify(peer.at)})
      console.log(await client.ask('x'))`)
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'echo x\n' })
  })

  test('a call that waits keeps it alive', async () => {
    await using peer = await ScriptedPeer.listen((line, socket) => {
      setTimeout(() => socket.write(`echo ${line}\n`), 300)
    })
    const { stdout } = await run(`${PRELUDE}
      const kernel = await createKernel({ protocols: [lines] })
      kernel.connect(lines, ${JSON.stringify(peer.at)}).ask('slow').then(console.log)`)
    expect(stdout).toBe('echo slow\n')
  })

  test.each(['worker', 'inline'])(
    'process.exit() right after 20 writes: all of them reach the peer (%s)',
    async (thread) => {
      await using peer = await ScriptedPeer.listen(() => undefined)
      const { code } = await run(`${PRELUDE}
      const kernel = await createKernel({ protocols: [lines], thread: ${JSON.stringify(thread)} })
      const client = kernel.connect(lines, ${JSON.stringify(peer.at)})
      await client.link.upstream.ready()
      for (let i = 0; i < 20; i++) client.tell('write ' + i).catch(() => {})
      process.exit(3)`)
      expect(code).toBe(3)
      await peer.seen(() => peer.lines.length === 20)
      expect(peer.lines).toEqual(Array.from({ length: 20 }, (_, index) => `write ${index}`))
    },
  )

  test('the I/O thread dies while a call is all that is left: it rejects, and the next is answered', async () => {
    await using peer = await ScriptedPeer.listen((line, socket) => {
      socket.write(line === 'die' ? 'exit\n' : `echo ${line}\n`)
    })
    const { code, stdout } = await run(`${PRELUDE}
      const kernel = await createKernel({ protocols: [lines] })
      const client = kernel.connect(lines, ${JSON.stringify(peer.at)})
      console.log(await client.tell('die').catch((error) => error.code))
      console.log(await client.ask('again'))`)
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'IO_THREAD_LOST\necho again\n' })
  })

  test('process.exit() with an upstream that takes nothing ends within its bound', async () => {
    await using peer = await ScriptedPeer.listen(() => undefined)
    const { code, ms } = await run(`${PRELUDE}
      const kernel = await createKernel({ protocols: [lines], limits: { exitFlushMsMax: 200 } })
      const client = kernel.connect(lines, ${JSON.stringify('127.0.0.1:1')})
      client.tell('x').catch(() => {})
      process.exit(4)`)
    expect(code).toBe(4)
    expect(ms).toBeLessThan(5_000)
    void peer
  })

  test("the parent's preloads do not run again in the I/O thread", async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const preload = join(folder, 'preload.mjs')
    const trace = join(folder, 'trace')
    await writeFile(
      preload,
      `import { appendFileSync } from 'node:fs'\nappendFileSync(${JSON.stringify(trace)}, 'ran\\n')`,
    )
    const program = `${PRELUDE}
      const kernel = await createKernel({ protocols: [lines] })
      console.log(await kernel.connect(lines, ${JSON.stringify(peer.at)}).ask('x'))`
    await run(program, { args: ['--import', pathToFileURL(preload).href] })
    expect(await readFile(trace, 'utf8')).toBe('ran\n')
    await run(program, { env: { NODE_OPTIONS: `--import ${pathToFileURL(preload).href}` } })
    expect(await readFile(trace, 'utf8')).toBe('ran\nran\n')
  })

  test('options of the whole process in NODE_OPTIONS do not disturb it', async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const preload = join(folder, 'nothing.mjs')
    await writeFile(preload, '')
    const program = `${PRELUDE}
      const kernel = await createKernel({ protocols: [lines] })
      console.log(await kernel.connect(lines, ${JSON.stringify(peer.at)}).ask('x'))`
    const NODE_OPTIONS = `"--import=${pathToFileURL(preload).href}" --title=named --openssl-legacy-provider`
    expect(await run(program, { env: { NODE_OPTIONS } })).toMatchObject({ code: 0, stdout: 'echo x\n' })
  })

  test('the package can be required from CommonJS', async () => {
    const { code, stdout } = await run(
      `const { createKernel } = require(${JSON.stringify(createRequire(import.meta.url).resolve('@iokernel/core'))})
       console.log(typeof createKernel)`,
      { extension: 'cjs' },
    )
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'function\n' })
  })

  test('an upstream that is down is said on stderr once, also while the application hangs', async () => {
    const { stderr } = await run(`${PRELUDE}
      const kernel = await createKernel({ protocols: [lines] })
      kernel.connect(lines, '127.0.0.1:1')
      const until = performance.now() + 700
      while (performance.now() < until);`)
    expect(stderr.split('\n').filter((line) => line.includes('is down'))).toHaveLength(1)
  })
})

/** A peer in a process of its own: it answers while this process computes. */
async function startPeerProcess(): Promise<{ at: string; stop(): void }> {
  const file = join(folder, 'peer.mjs')
  await writeFile(
    file,
    `import { createServer } from 'node:net'
     const server = createServer((socket) => {
       let rest = ''
       socket.setEncoding('utf8').on('error', () => {}).on('data', (text) => {
         const parts = (rest + text).split('\\n')
         rest = parts.pop()
         for (const line of parts) {
           const [verb, ...words] = line.split(' ')
           if (verb === 'delay') setTimeout(() => socket.write('echo ' + line + '\\n'), Number(words[0]))
           else if (verb === 'sub') { listeners.add(socket); socket.write('!+' + words[0] + '\\n') }
           else if (verb === 'flood') {
             socket.write('flooding\\n')
             for (const each of listeners) {
               for (let i = 0; i < Number(words[1]); i++) each.write('!' + words[0] + ' ' + 'x'.repeat(50) + i + '\\n')
             }
           }
           else socket.write('echo ' + line + '\\n')
         }
       })
     })
     const listeners = new Set()
     server.listen(0, '127.0.0.1', () => console.log(server.address().port))
     process.stdin.on('end', () => process.exit()).resume()`,
  )
  const child = spawn(process.execPath, [file], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [port] = (await once(child.stdout, 'data')) as [Buffer]
  return { at: `127.0.0.1:${Number(port.toString())}`, stop: () => child.stdin.end() }
}
