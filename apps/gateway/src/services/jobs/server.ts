/**
 * The msgpack-rpc service: jobs that count primes. A real server, though a small one, so that the gateway has somebody
 * to speak msgpack-rpc with on a machine that has nothing but Node.
 *
 *   submit [{ id, below, pauseMs?, confirm? }]   the job, which has begun
 *   find   [id]                                  the job, or nil
 *   list   []                                    all jobs
 *   wait   [id, timeoutMs]                       the job, once it has ended or the time is over: slow on demand
 *   cancel [id]                                  the job
 *   watch  []                                    from here on each change is notified over this connection: `job [job]`
 *
 * With `confirm` it calls back before the job is done: `confirm [job]`, over the connection that the job came over.
 */
import { createServer, type Server } from 'node:net'
import { type Job, Jobs } from './jobs.ts'
import { Peer, RpcFailure } from './peer.ts'

export function jobServer(): Server {
  const jobs = new Jobs()
  const server = createServer((socket) => {
    const watching = new Set<(job: Job) => void>()
    const peer = new Peer(socket, (method, params) => answer(jobs, peer, watching, method, params))
    void peer.run().then(() => {
      for (const watcher of watching) jobs.unwatch(watcher)
    })
  })
  server.maxConnections = CONNECTIONS_MAX
  return server
}

/** What one connection has asked to be told. */
type Watching = Set<(job: Job) => void>

async function answer(
  jobs: Jobs,
  peer: Peer,
  watching: Watching,
  method: string,
  params: readonly unknown[],
): Promise<unknown> {
  const [first, second] = params
  switch (method) {
    case 'submit':
      return submit(jobs, peer, first)
    case 'find':
      return jobs.find(text(first))
    case 'list':
      return jobs.list()
    case 'wait': {
      const id = found(jobs, first).id
      await jobs.ended(id, whole(second, 'the time to wait', 0, WAIT_MS_MAX))
      return found(jobs, id)
    }
    case 'cancel': {
      const { id } = found(jobs, first)
      if (!jobs.cancel(id)) throw new RpcFailure('JOB_ENDED', 'this job has ended')
      return found(jobs, id)
    }
    case 'watch':
      return watch(jobs, peer, watching)
    default:
      throw new RpcFailure('NO_METHOD', 'there is submit, find, list, wait, cancel and watch')
  }
}

function submit(jobs: Jobs, peer: Peer, given: unknown): Job {
  if (typeof given !== 'object' || given === null) throw wrong('a job is a map: { id, below }')
  const { id, below, pauseMs = 0, confirm = false } = given as Readonly<Record<string, unknown>>
  if (typeof id !== 'string' || id === '' || id.length > ID_CHARACTERS_MAX) throw wrong('a job has an id of its own')
  if (typeof confirm !== 'boolean') throw wrong('confirm is true or false')
  if (jobs.find(id) !== undefined) throw new RpcFailure('JOB_EXISTS', 'there is a job of this id')
  if (jobs.isFull) throw new RpcFailure('BUSY', 'too many jobs run at the moment: submit it again later')
  const ask = async (job: Job): Promise<boolean> => (await peer.ask('confirm', [job], CONFIRM_MS_MAX)) === true
  return jobs.submit({
    id,
    below: whole(below, 'below', 2, BELOW_MAX),
    pauseMs: whole(pauseMs, 'pauseMs', 0, PAUSE_MS_MAX),
    ...(confirm ? { confirm: ask } : {}),
  })
}

function watch(jobs: Jobs, peer: Peer, watching: Watching): boolean {
  if (watching.size > 0) return true
  const watcher = (job: Job): void => peer.notify('job', [job])
  watching.add(watcher)
  jobs.watch(watcher)
  return true
}

function found(jobs: Jobs, id: unknown): Job {
  const job = jobs.find(text(id))
  if (job === undefined) throw new RpcFailure('NO_JOB', 'there is no job of this id')
  return job
}

function text(given: unknown): string {
  if (typeof given === 'string') return given
  throw wrong('an id is a text')
}

function whole(given: unknown, what: string, min: number, max: number): number {
  if (typeof given === 'number' && Number.isInteger(given) && given >= min && given <= max) return given
  throw wrong(`${what} is a whole number between ${min} and ${max}`)
}

function wrong(message: string): RpcFailure {
  return new RpcFailure('ARGUMENT', message)
}

/** Half a second of work here. */
const BELOW_MAX = 50_000_000
/** A job of ten slices lasts a minute at most then. */
const PAUSE_MS_MAX = 5_000
const WAIT_MS_MAX = 60_000
/** As long as somebody thinks about it. */
const CONFIRM_MS_MAX = 120_000
const ID_CHARACTERS_MAX = 200
/** A gateway has one or two. */
const CONNECTIONS_MAX = 100
