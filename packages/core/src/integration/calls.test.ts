/**
 * What is promised about calls (DESIGN 6): each settles exactly once, with its own answer or with an error that says
 * whether it may be tried again. Hard cases 1, 2, 19, 56, 57, 58, 60 and 68 of the protocols' list, those marked "Any".
 */
import { lines, ScriptedPeer } from '@iokernel/core/testing'
import { expect, test } from 'vitest'
import { inBothModes } from '../../fixtures/modes.ts'

inBothModes('calls', ({ kernel }) => {
  test('a thousand calls at once each get their own answer, in order, over one connection', async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const client = (await kernel()).connect(lines, peer.at)
    const answers = await Promise.all(Array.from({ length: 1_000 }, (_, index) => client.ask(`number ${index}`)))
    expect(answers).toEqual(Array.from({ length: 1_000 }, (_, index) => `echo number ${index}`))
    expect(peer.accepted).toBe(1)
    expect(peer.lines).toEqual(Array.from({ length: 1_000 }, (_, index) => `number ${index}`))
  })

  test('an aborted call that was written leaves a tombstone: later replies go to the right callers', async () => {
    const held: string[] = []
    await using peer = await ScriptedPeer.listen((line) => held.push(line))
    const client = (await kernel()).connect(lines, peer.at)
    const abort = new AbortController()
    const before = client.ask('one')
    const aborted = client.ask('two', { signal: abort.signal })
    const after = client.ask('three')
    await peer.seenLine('three')
    abort.abort(new Error('enough'))
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError', code: 'ABORTED', sent: 'maybe' })
    peer.broadcast('1\n2\n3\n')
    expect(await before).toBe('1')
    expect(await after).toBe('3')
  })

  test('a call aborted before it was made or written is never sent', async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const client = (await kernel()).connect(lines, { at: '127.0.0.1:1' })
    const abort = new AbortController()
    const waiting = client.ask('never', { signal: abort.signal })
    abort.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED', sent: 'no' })
    await expect(client.ask('never', { signal: abort.signal })).rejects.toMatchObject({ code: 'ABORTED', sent: 'no' })
    expect(peer.lines).toEqual([])
  })

  test('one signal may abort many calls, without a warning of a leak', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error): void => void warnings.push(warning)
    process.on('warning', onWarning)
    await using peer = await ScriptedPeer.listen(() => undefined)
    const client = (await kernel()).connect(lines, peer.at)
    const abort = new AbortController()
    const calls = Array.from({ length: 30 }, (_, index) => client.ask(`${index}`, { signal: abort.signal }))
    const settled = Promise.allSettled(calls)
    await peer.seenLine('29')
    abort.abort()
    for (const each of await settled) expect(each).toMatchObject({ status: 'rejected', reason: { code: 'ABORTED' } })
    process.off('warning', onWarning)
    expect(warnings).toEqual([])
  })

  test('a deadline that passes after writing rejects as maybe; the late reply harms nobody', async () => {
    const answer: (() => void)[] = []
    await using peer = await ScriptedPeer.listen((line, socket) => answer.push(() => socket.write(`echo ${line}\n`)))
    const client = (await kernel()).connect(lines, peer.at)
    await client.link.upstream.ready()
    const late = client.ask('late', { deadlineMs: 30 })
    await expect(late).rejects.toMatchObject({
      name: 'TimeoutError',
      code: 'DEADLINE',
      sent: 'maybe',
      waitCause: 'upstream',
    })
    const next = client.ask('next')
    await peer.seenLine('next')
    for (const each of answer) each()
    expect(await next).toBe('echo next')
  })

  test('a deadline that passes while nobody can be asked says so, and that nothing was sent', async () => {
    const client = (await kernel()).connect(lines, '127.0.0.1:1')
    await expect(client.ask('x', { deadlineMs: 40 })).rejects.toMatchObject({
      code: 'DEADLINE',
      sent: 'no',
      waitCause: 'queued',
      upstream: 'lines://127.0.0.1:1',
    })
  })

  test('the fail policy answers at once while the upstream is down', async () => {
    const client = (await kernel()).connect(lines, '127.0.0.1:1', { whenDown: 'fail' })
    await expect(client.ask('x', { deadlineMs: 10_000 })).rejects.toMatchObject({ code: 'UPSTREAM_DOWN', sent: 'no' })
    await expect(client.ask('y', { deadlineMs: 10_000 })).rejects.toMatchObject({ code: 'UPSTREAM_DOWN', sent: 'no' })
  })

  test('a lost connection: writes that were sent reject as maybe, reads go out again, and all settle', async () => {
    let cut = true
    await using peer = await ScriptedPeer.listen((line, socket) => {
      if (!cut) return ScriptedPeer.echo(line, socket)
      if (line === 'last') {
        cut = false
        socket.resetAndDestroy()
      }
    })
    const client = (await kernel()).connect(lines, peer.at)
    await client.link.upstream.ready()
    const outcomes = await Promise.allSettled([client.tell('write'), client.ask('read'), client.tell('last')])
    expect(outcomes[0]).toMatchObject({ status: 'rejected', reason: { side: 'remote', sent: 'maybe' } })
    expect(outcomes[1]).toEqual({ status: 'fulfilled', value: 'echo read' })
    expect(outcomes[2]).toMatchObject({ status: 'rejected', reason: { sent: 'maybe', endpoint: peer.at } })
    expect(peer.lines.filter((line) => line === 'write')).toHaveLength(1)
  })

  test('a reply that had begun is not asked for again', async () => {
    let times = 0
    await using peer = await ScriptedPeer.listen((line, socket) => {
      if (line !== 'big') return ScriptedPeer.echo(line, socket)
      times++
      socket.write('x'.repeat(200_000), () => socket.resetAndDestroy())
    })
    const client = (await kernel()).connect(lines, peer.at)
    await expect(client.ask('big')).rejects.toMatchObject({ sent: 'maybe' })
    expect(times).toBe(1)
  })

  test('calls made while the connection is away are sent when it is back, in order', async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const client = (await kernel()).connect(lines, peer.at)
    await client.ask('first')
    await peer.stopListening()
    peer.cutAll()
    const waiting = [client.tell('a'), client.tell('b'), client.tell('c')]
    await peer.open()
    const outcomes = await Promise.allSettled(waiting)
    const fulfilled = outcomes.filter((each) => each.status === 'fulfilled').map((each) => each.value)
    // What was written into the dying socket may be lost; what was not arrives in order, once.
    expect(fulfilled).toEqual(['echo a', 'echo b', 'echo c'].slice(3 - fulfilled.length))
    for (const each of outcomes) if (each.status === 'rejected') expect(each.reason).toMatchObject({ sent: 'maybe' })
  })

  test('64 MB each way while a thousand small calls interleave', async () => {
    const size = 64 << 20
    await using peer = await ScriptedPeer.listen((line, socket) => {
      if (line === 'give') socket.write(`${'g'.repeat(size)}\n`)
      else if (line.length > size) socket.write(`took ${line.length}\n`)
      else socket.write(`echo ${line}\n`)
    })
    const client = (await kernel()).connect(lines, peer.at)
    const small = Array.from({ length: 1_000 }, (_, index) => client.ask(`small ${index}`))
    const given = client.ask('give', { deadlineMs: 60_000 })
    const taken = client.tell(`take ${'t'.repeat(size)}`, { deadlineMs: 60_000 })
    const more = Array.from({ length: 1_000 }, (_, index) => client.ask(`more ${index}`))
    expect((await given).length).toBe(size)
    expect(await taken).toBe(`took ${size + 5}`)
    expect(await Promise.all(small)).toEqual(Array.from({ length: 1_000 }, (_, index) => `echo small ${index}`))
    expect(await Promise.all(more)).toEqual(Array.from({ length: 1_000 }, (_, index) => `echo more ${index}`))
  }, 60_000)

  test('both rings full at once: tiny rings, many calls, large both ways, and nothing stands still', async () => {
    await using peer = await ScriptedPeer.listen((line, socket) => socket.write(`${line}\n`))
    const limits = { submissionBytes: 4_096, completionBytes: 4_096 }
    const client = (await kernel({ limits })).connect(lines, peer.at)
    const texts = Array.from({ length: 3_000 }, (_, index) => `${index} ${'x'.repeat((index * 37) % 5_000)}`)
    expect(await Promise.all(texts.map((text) => client.ask(text)))).toEqual(texts)
  })

  test('a reply past replyBytesMax fails its call alone', async () => {
    await using peer = await ScriptedPeer.listen((line, socket) => {
      socket.write(line === 'big' ? `${'b'.repeat(300_000)}\n` : `echo ${line}\n`)
    })
    const client = (await kernel()).connect(lines, peer.at, { replyBytesMax: 100_000 })
    const [big, small] = await Promise.allSettled([client.ask('big'), client.ask('small')])
    expect(big).toMatchObject({ status: 'rejected', reason: { code: 'REPLY_TOO_LARGE', side: 'remote' } })
    expect(small).toEqual({ status: 'fulfilled', value: 'echo small' })
    expect(peer.accepted).toBe(1)
  })

  test('a request past requestBytesMax is refused before anything is written', async () => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const client = (await kernel()).connect(lines, peer.at, { requestBytesMax: 10_000 })
    await expect(client.ask('x'.repeat(20_000))).rejects.toMatchObject({
      code: 'REQUEST_TOO_LARGE',
      side: 'local',
      sent: 'no',
    })
    expect(await client.ask('fine')).toBe('echo fine')
    expect(peer.lines).toEqual(['fine'])
  })

  test('calls beyond inFlightMax are refused with what to do about it', async () => {
    await using peer = await ScriptedPeer.listen(() => undefined)
    const client = (await kernel({ limits: { inFlightMax: 10 } })).connect(lines, peer.at)
    const waiting = Array.from({ length: 10 }, () => client.ask('x').catch(() => undefined))
    await expect(client.ask('one more')).rejects.toMatchObject({ code: 'IN_FLIGHT_LIMIT', side: 'local', sent: 'no' })
    peer.cutAll()
    await peer[Symbol.asyncDispose]()
    void waiting
  })

  test('requests made during the handshake are sent after it, in order; a refusal rejects them', async () => {
    await using peer = await ScriptedPeer.listen((line, socket) => {
      if (line === 'hello friend') socket.write('welcome\n')
      else if (line.startsWith('hello')) socket.write('-denied\n')
      else socket.write(`echo ${line}\n`)
    })
    const k = await kernel()
    const friend = k.connect(lines, { at: peer.at, name: 'friend' })
    expect(await Promise.all([friend.tell('a'), friend.tell('b')])).toEqual(['echo a', 'echo b'])
    expect(peer.lines).toEqual(['hello friend', 'a', 'b'])
    const stranger = k.connect(lines, { at: peer.at, name: 'stranger' })
    await expect(stranger.ask('x', { deadlineMs: 10_000 })).rejects.toMatchObject({ code: 'DENIED', sent: 'no' })
    await expect(stranger.ask('y', { deadlineMs: 10_000 })).rejects.toMatchObject({ code: 'DENIED' })
    await expect(stranger.link.upstream.ready({ deadlineMs: 10_000 })).rejects.toMatchObject({ code: 'DENIED' })
  })

  test.each([
    ['a signal that is none', { signal: {} }],
    ['a signal that only looks like one', { signal: { aborted: false, addEventListener: () => undefined } }],
    ['a negative deadline', { deadlineMs: -1 }],
    ['a deadline that is not a number', { deadlineMs: Number.NaN }],
    ['a deadline that is text', { deadlineMs: '50' }],
    ['an onTiming that is no function', { onTiming: 5 }],
    ['options that are none', null],
  ])('%s is refused before anything is sent, and costs nothing', async (_, options) => {
    await using peer = await ScriptedPeer.listen(ScriptedPeer.echo)
    const k = await kernel({ limits: { inFlightMax: 1 } })
    const client = k.connect(lines, peer.at)
    for (let time = 0; time < 3; time++) {
      await expect(client.ask('x', options as never)).rejects.toMatchObject({
        code: 'OPTION',
        side: 'local',
        sent: 'no',
      })
    }
    await expect(client.session(options as never)).rejects.toMatchObject({ code: 'OPTION' })
    expect(await client.ask('fine', { deadlineMs: Number.POSITIVE_INFINITY })).toBe('echo fine')
    expect(peer.lines).toEqual(['fine'])
  })

  test('the time of a call is split: queued, upstream, waiting for the application, application', async () => {
    await using peer = await ScriptedPeer.listen((line, socket) => {
      setTimeout(() => socket.write(`echo ${line}\n`), 20)
    })
    const client = (await kernel()).connect(lines, peer.at)
    await client.link.upstream.ready()
    let timing: { queuedMs: number; upstreamMs: number } | undefined
    await client.ask('x', {
      onTiming: (split) => {
        timing = split
      },
    })
    expect(timing?.upstreamMs).toBeGreaterThan(15)
    expect(timing?.queuedMs).toBeLessThan(15)
  })

  test("an error's stack names the caller", async () => {
    await using peer = await ScriptedPeer.listen((_, socket) => socket.write('-no\n'))
    const client = (await kernel()).connect(lines, peer.at)
    async function theCaller(): Promise<void> {
      await client.ask('x')
    }
    const error = await theCaller().then(
      () => undefined,
      (reason: Error) => reason,
    )
    expect(error).toMatchObject({ code: 'REFUSED_LINE', endpoint: peer.at, upstream: `lines://${peer.at}` })
    expect(error?.stack).toContain('theCaller')
  })
})
