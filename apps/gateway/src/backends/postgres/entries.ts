/**
 * What happened to an account: its entries out as a stream of JSON lines, and many of them in.
 *
 * Rules:
 * 1. Out: row by row as Postgres sends them, at the client's pace; a client that leaves ends the query.
 * 2. In: deposits and withdrawals in their order, all or none, as of the moment when the last had come. The account is
 *    locked only then, so a client that sends slowly keeps no one waiting.
 */
import type { PostgresClient } from '@iokernel/postgres'
import { type Answer, json } from '../../http/answer.ts'
import { RequestError } from '../../http/failures.ts'
import { type Fields, wrong } from '../../http/fields.ts'
import { pieceStream } from '../../http/piece-stream.ts'
import type { GatewayRequest } from '../../http/request.ts'
import type { Route } from '../../http/router.ts'
import type { Seats } from '../../http/seats.ts'
import { idInPath, unknownAccount } from './account-fields.ts'
import { type RowFormat, rowSource } from './row-source.ts'

export function entryRoutes(client: PostgresClient, streams: Seats): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/accounts/:id/entries',
      summary: 'all entries as JSON lines, as they arrive; ?after= one, to go on',
      example: '-N %/accounts/ada/entries',
      handle: (request) => stream(client, streams, request),
    },
    {
      method: 'POST',
      path: '/accounts/:id/entries',
      summary: 'deposits and withdrawals, CSV or JSON lines, all of them or none',
      example: `-H 'Content-Type: application/jsonl' --data '{"amount":"-2.50","note":"tea"}' %/accounts/ada/entries`,
      handle: (request) => book(client, streams, request),
    },
  ]
}

interface EntryRow {
  readonly id: bigint
  readonly transfer: string | null
  readonly amount: string
  readonly balance: string
  readonly note: string
  readonly at: Date
}

async function stream(client: PostgresClient, streams: Seats, request: GatewayRequest): Promise<Answer> {
  request.queryOnly('after')
  const account = idInPath(request.name('id'))
  const after = entryNumber(request.textQuery('after') ?? '0')
  const { count } = await client.query('select from gateway.accounts where id = $1', [account], request.call())
  if (count === 0) throw unknownAccount(account)
  const seat = streams.take()
  const { callDeadlineMs: deadlineMs } = request.limits
  const rows = client.stream<EntryRow>(ENTRIES, [account, after], { deadlineMs, signal: request.signal })
  return pieceStream(
    { pieces: jsonLines(rows), seat, left: request.signal },
    { 'content-type': 'application/x-ndjson; charset=utf-8' },
  )
}

/** Several rows a piece: a write for each would cost more than the row. */
async function* jsonLines(rows: AsyncIterable<EntryRow>): AsyncGenerator<Uint8Array, void, undefined> {
  let lines = ''
  for await (const { id, ...row } of rows) {
    lines += `${JSON.stringify({ id: String(id), ...row })}\n`
    if (lines.length < PIECE_CHARACTERS) continue
    yield Buffer.from(lines)
    lines = ''
  }
  if (lines !== '') yield Buffer.from(lines)
}

const FORMAT: RowFormat = {
  columns: ['amount', 'note'],
  values: (fields: Fields) => [signedAmountIn(fields), noteIn(fields)],
}

async function book(client: PostgresClient, streams: Seats, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const account = idInPath(request.name('id'))
  using _seat = streams.take()
  const source = await rowSource(request, FORMAT)
  const call = request.call({ deadlineMs: request.limits.importDeadlineMs })
  try {
    const booked = await client.transaction(async (tx) => {
      await tx.query(INCOMING, [], call)
      const count = await tx.copyFrom(
        `copy incoming (${source.columns.join(', ')}) from stdin (format csv)`,
        source.csv,
      )
      const locked = 'select balance from gateway.accounts where id = $1 for update'
      const [before] = await tx.query<{ balance: string }>(locked, [account], call)
      if (before === undefined) throw unknownAccount(account)
      const [now] = await tx.query<{ balance: string }>(ADD, [account], call)
      if (now === undefined) {
        throw new RequestError(409, 'INSUFFICIENT_FUNDS', 'less than nothing would be left: none was booked')
      }
      await tx.query(BOOK, [account, before.balance], call)
      return { booked: count, balance: now.balance }
    })
    return json(booked)
  } finally {
    source.drop()
  }
}

function signedAmountIn({ amount }: Fields): string {
  if (typeof amount === 'string' && /^-?\d{1,18}(\.\d{1,2})?$/.test(amount)) return amount
  throw wrong('amount is a string of digits, with two behind the point at most, perhaps a minus in front: "-2.50"')
}

function noteIn({ note = '' }: Fields): string {
  if (typeof note === 'string' && !note.includes('\0')) return note
  throw wrong('note is a string')
}

function entryNumber(text: string): bigint {
  if (/^\d{1,18}$/.test(text)) return BigInt(text)
  throw wrong('after is the id of an entry')
}

const ENTRIES = `
  select id, transfer, amount, balance, note, at from gateway.entries where account = $1 and id > $2 order by id`

const INCOMING = `
  create temporary table incoming (
    line bigint generated always as identity,
    amount numeric not null check (abs(amount) < 1e18),
    constraint "two digits behind the point" check (scale(amount) <= 2),
    note text
  ) on commit drop`

const ADD = `
  update gateway.accounts set balance = balance + added.amount, changed_at = now()
  from (select coalesce(sum(amount), 0) as amount from incoming) as added
  where id = $1 and balance + added.amount >= 0
  returning balance`

const BOOK = `
  insert into gateway.entries (account, amount, balance, note)
  select $1, amount, $2::numeric + sum(amount) over (order by line), coalesce(note, '') from incoming order by line`

/** Four pages of memory, a few packets. */
const PIECE_CHARACTERS = 16 << 10
