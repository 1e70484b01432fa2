/** Between its beginning and COMMIT: what goes out, in which order, and what is kept from going past it. */
import { FakeLink } from '@iokernel/core/testing'
import { describe, expect, it } from 'vitest'
import { ToyClient, type ToyTransaction } from '../fixtures/toy.ts'

/** A link that answers so many calls with nothing. */
function quiet(calls: number): FakeLink {
  return new FakeLink(new Array<string>(calls).fill(''))
}

function sent(link: FakeLink): string[] {
  return link.calls.map(({ bytes }) => bytes.replace('prepared ', ''))
}

async function codeOf(call: Promise<unknown>): Promise<unknown> {
  return await call.then(
    () => 'nothing was refused',
    (error: { readonly code?: unknown }) => error.code,
  )
}

describe('a transaction', () => {
  it('is committed when its function has returned, and its connection given back', async () => {
    const link = quiet(3)
    expect(await new ToyClient(link).transaction(async (tx) => (await tx.query('insert')).rows)).toEqual([])
    expect(sent(link)).toEqual(['begin', 'insert', 'commit'])
    expect([link.sessions.length, link.closed]).toEqual([1, 1])
  })

  it('is rolled back when its function throws, and the error is the function’s', async () => {
    const link = quiet(2)
    const failing = new ToyClient(link).transaction(() => Promise.reject(new Error('mine')))
    await expect(failing).rejects.toThrow('mine')
    expect(sent(link)).toEqual(['begin', 'rollback'])
    expect(link.closed).toBe(1)
  })

  it('runs nothing where it could not begin', async () => {
    const link = new FakeLink(['!full'])
    const work = () => Promise.reject(new Error('it ran'))
    expect(await codeOf(new ToyClient(link).transaction(work))).toBe('full')
    expect(link.closed).toBe(1)
  })

  it('is not ended by hand, nor used when it is over', async () => {
    const link = quiet(2)
    let kept: ToyTransaction | undefined
    const codes = await new ToyClient(link).transaction(async (tx) => {
      kept = tx
      return [await codeOf(tx.query('commit')), await codeOf(tx.simple('commit'))]
    })
    expect(codes).toEqual(['REFUSED', 'REFUSED'])
    const over = kept as ToyTransaction
    expect(await codeOf(over.query('select'))).toBe('TRANSACTION_ENDED')
    expect(await codeOf(over.savepoint(async () => undefined))).toBe('TRANSACTION_ENDED')
    expect(() => over.stream('select')).toThrow(expect.objectContaining({ code: 'TRANSACTION_ENDED' }))
    expect(sent(link)).toEqual(['begin', 'commit'])
  })

  it('gives each call what is left of its deadline', async () => {
    const link = quiet(3)
    await new ToyClient(link).transaction((tx) => tx.query('select', [], { deadlineMs: 5 }), { deadlineMs: 60_000 })
    const deadlines = link.calls.map(({ options }) => options?.deadlineMs as number)
    expect(deadlines[1]).toBe(5)
    for (const index of [0, 2]) expect(deadlines[index]).toBeGreaterThan(5)
    expect(Math.max(...deadlines)).toBeLessThanOrEqual(60_000)
  })

  it('refuses options and functions that are none', async () => {
    const client = new ToyClient(quiet(0))
    expect(await codeOf(client.transaction(async () => 1, { retry: 1 }))).toBe('ARGUMENT')
    expect(await codeOf(client.transaction(1 as never))).toBe('ARGUMENT')
  })
})

describe('a conflict', () => {
  it('is met by doing all again, as often as was allowed', async () => {
    const link = new FakeLink(['', '!conflict', '', '', '!conflict', '', '', '', ''])
    let runs = 0
    const work = async (tx: ToyTransaction) => {
      runs++
      await tx.query('insert')
    }
    await new ToyClient(link).transaction(work, { retries: 2 })
    const again = ['begin', 'insert', 'rollback']
    expect(sent(link)).toEqual([...again, ...again, 'begin', 'insert', 'commit'])
    expect([runs, link.closed]).toEqual([3, 3])
  })

  it('is told when it was met too often, and at once where nothing was allowed', async () => {
    for (const retries of [0, 1]) {
      const attempts = Array.from({ length: retries + 1 }, () => ['', '!conflict', '']).flat()
      const link = new FakeLink(attempts)
      const failing = new ToyClient(link).transaction((tx) => tx.query('insert'), { retries })
      expect(await codeOf(failing)).toBe('conflict')
      expect(link.calls).toHaveLength(attempts.length)
    }
  })

  it('is nothing else: other errors are told at once', async () => {
    const link = new FakeLink(['', '!syntax', ''])
    expect(await codeOf(new ToyClient(link).transaction((tx) => tx.query('insert'), { retries: 9 }))).toBe('syntax')
  })
})

describe('a savepoint', () => {
  it('nests, is released when its function returns and undone when it throws', async () => {
    const link = quiet(9)
    await new ToyClient(link).transaction(async (tx) => {
      await tx.savepoint(async (one) => {
        await one.savepoint((two) => two.query('insert'))
      })
      await expect(tx.savepoint(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine')
    })
    expect(sent(link)).toEqual([
      'begin',
      ...['savepoint s1', 'savepoint s2', 'insert', 'release s2', 'release s1'],
      ...['savepoint s3', 'undo s3'],
      'commit',
    ])
  })

  it('lets nothing past it, and is over with its function', async () => {
    await new ToyClient(quiet(4)).transaction(async (tx) => {
      let kept: ToyTransaction | undefined
      await tx.savepoint(async (inner) => {
        kept = inner
        expect(await codeOf(tx.query('select'))).toBe('SAVEPOINT_OPEN')
        expect(await codeOf(tx.savepoint(async () => undefined))).toBe('SAVEPOINT_OPEN')
      })
      expect(await codeOf((kept as ToyTransaction).query('select'))).toBe('TRANSACTION_ENDED')
    })
  })
})

describe('the client inside its own transaction', () => {
  it('is refused, whatever is asked of it', async () => {
    const link = quiet(2)
    const client = new ToyClient(link)
    const codes = await client.transaction(async () => [
      await codeOf(client.query('select')),
      await codeOf(client.simple('select')),
      await codeOf(client.session()),
      await codeOf(client.transaction(async () => undefined)),
    ])
    expect(codes).toEqual(new Array(4).fill('INSIDE_TRANSACTION'))
    expect(sent(link)).toEqual(['begin', 'commit'])
  })

  it('joins it, and the innermost savepoint, where that is wanted', async () => {
    const link = quiet(7)
    const client = new ToyClient(link, { insideTransaction: 'join' })
    await client.transaction(async (tx) => {
      await client.query('select')
      await tx.savepoint(() => client.query('insert'))
    })
    expect(sent(link)).toEqual(['begin', 'select', 'savepoint s1', 'insert', 'release s1', 'commit'])
    expect(link.calls.map(({ name }) => name).filter((name) => name.startsWith('query'))).toEqual([
      'query session',
      'query session',
    ])
  })

  it('is free again behind it, and another client is free all the time', async () => {
    const [link, others] = [quiet(3), quiet(1)]
    const [client, other] = [new ToyClient(link), new ToyClient(others)]
    let later: Promise<unknown> = Promise.resolve()
    let end: () => void = () => undefined
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    await client.transaction(async () => {
      await other.query('select')
      // Begun inside, and goes on when it is over.
      later = ended.then(() => client.query('select'))
    })
    end()
    await later
    expect(link.calls.map(({ name }) => name)).toEqual(['simple session', 'simple session', 'query read'])
  })
})
