/**
 * The service's own requests: before a job is done it asks whether it may be, and a client of the gateway answers.
 *
 *   service ──confirm [job]──▶ gateway, which lists it ◀── GET /jobs/questions
 *           ◀──── true ─────                           ◀── POST /jobs/:id/answer { "go": true }
 *
 * Rules: every question is answered once. One that nobody has answered within `questionWaitMsMax` is answered no, and
 * so is one beyond `questionsMax`: the service is told, and never left waiting.
 */
import type { Registration, RpcClient } from '@iokernel/msgpack-rpc'
import { type Answer, json, noContent } from '../../http/answer.ts'
import { RequestError } from '../../http/failures.ts'
import { checkFields, isId, wrong } from '../../http/fields.ts'
import type { GatewayRequest } from '../../http/request.ts'
import type { Route } from '../../http/router.ts'
import type { GatewayLimits } from '../../limits.ts'
import { idInPath, type Job } from './job-fields.ts'

export function questionRoutes(questions: Questions): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/jobs/questions',
      summary: 'jobs that ask whether they may be finished',
      example: '%/jobs/questions',
      handle: (request) => {
        request.queryOnly()
        return json({ questions: questions.open })
      },
    },
    {
      method: 'POST',
      path: '/jobs/:id/answer',
      summary: 'answers the question of a job: the service has asked, and waits for this',
      example: `--data '{"go":true}' %/jobs/first/answer`,
      handle: (request) => answer(questions, request),
    },
  ]
}

async function answer(questions: Questions, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const id = idInPath(request.name('id'))
  const given = await request.jsonObject()
  checkFields(given, ['go'])
  const { go } = given
  if (typeof go !== 'boolean') throw wrong('go is true or false')
  if (questions.answer(id, go)) return noContent()
  throw new RequestError(404, 'NO_QUESTION', 'no job of this id asks anything at the moment')
}

interface Question {
  readonly job: Job
  answer(go: boolean): void
}

export class Questions {
  readonly #limits: Pick<GatewayLimits, 'questionsMax' | 'questionWaitMsMax'>
  readonly #registration: Registration
  readonly #open = new Map<string, Question>()

  constructor(client: RpcClient, limits: Pick<GatewayLimits, 'questionsMax' | 'questionWaitMsMax'>) {
    this.#limits = limits
    this.#registration = client.handle('confirm', ([job]) => this.#ask(job))
  }

  /** Resolves when questions can arrive. */
  ready(): Promise<void> {
    return this.#registration.ready()
  }

  get open(): readonly Job[] {
    return [...this.#open.values()].map(({ job }) => job)
  }

  /** False if there is no such question. */
  answer(id: string, go: boolean): boolean {
    const question = this.#open.get(id)
    question?.answer(go)
    return question !== undefined
  }

  #ask(given: unknown): Promise<boolean> {
    if (!isJob(given)) throw new Error('a question is about a job')
    const { questionsMax, questionWaitMsMax } = this.#limits
    if (this.#open.size >= questionsMax) throw new Error('too many questions wait for an answer')
    if (this.#open.has(given.id)) throw new Error('this job asks already')
    return new Promise((resolve) => {
      const settle = (go: boolean): void => {
        clearTimeout(timer)
        this.#open.delete(given.id)
        resolve(go)
      }
      // Nobody waits for it when the gateway has stopped.
      const timer = setTimeout(settle, questionWaitMsMax, false).unref()
      this.#open.set(given.id, { job: given, answer: settle })
    })
  }
}

function isJob(given: unknown): given is Job {
  return typeof given === 'object' && given !== null && 'id' in given && typeof given.id === 'string' && isId(given.id)
}
