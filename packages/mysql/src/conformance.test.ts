/** MySQL against the kit that every protocol plugin must pass. */
import { conformance, type Subject, sample, type Transcript } from '@iokernel/conformance'
import type { Protocol } from '@iokernel/core/plugin'
import { describe, test } from 'vitest'
import { column, end, err, packet, query, row, utf8 } from '../fixtures/packets.ts'
import { CALLED, captured, hostile, large, ONE, plain, results, sessions, statements } from '../fixtures/replies.ts'
import { FACTS, greeted, mariadbGreeted, PASSWORD, SECRET, TRANSCRIPTS } from '../fixtures/transcripts.ts'
import { APP_DEFAULTS } from './app.ts'
import { type Execution, QUERY_READ, SIMPLE_WRITE } from './client/operations.ts'
import { Rows } from './codec/result.ts'
import { Statement } from './codec/statement.ts'
import { mysql } from './index.ts'
import io, { type MysqlIo } from './io.ts'
import { analyzer } from './sql/analysis.ts'

/** Samples do not say which connection they are for. */
const after: Transcript = { ...greeted, options: { ...greeted.options } }

const subject: Subject<MysqlIo> = {
  root: new URL('../', import.meta.url),
  protocol: mysql as unknown as Protocol<never, MysqlIo, never, unknown>,
  io,
  options: SECRET,
  targets: [
    'mysql://app@a/x',
    'mysql://app@b/x',
    'mysql://app@a/y',
    'mysql://other@a/x',
    'mysql://app@a,b/x',
    `mysql://app:${PASSWORD}@a/x`,
  ],
  badTargets: [
    'http://a',
    'mysql://a:0',
    `mysql://app:${PASSWORD}@a:x`,
    'mysql://a?x=1',
    'mysql://a?sslmode=maybe',
    '',
  ],
  secrets: [PASSWORD],
  fixtures: [
    ...captured,
    ...results,
    ...statements,
    ...sessions,
    { name: 'after MariaDB', after: mariadbGreeted, requests: [plain], bytes: ONE },
  ],
  hostile,
  large,
  transcripts: TRANSCRIPTS,
  samples: [
    sample({
      operation: QUERY_READ,
      args: execution("SELECT 'grün' AS a"),
      reply: packet(1, 1) + column(2, 'a') + row(3, utf8('grün')) + end(4),
      facts: FACTS,
      after,
      gives: { value: Rows.of<unknown>({ a: 'grün' }) },
    }),
    sample({
      operation: SIMPLE_WRITE,
      args: { ...execution('SELECT 1'), asArrays: true },
      reply: CALLED,
      facts: FACTS,
      after,
      gives: { value: [Rows.of<unknown>(['x']), Rows.of<unknown>([null]), Rows.of<unknown>()] },
      request: query('SELECT 1'),
    }),
    sample({
      operation: QUERY_READ,
      args: execution('SELECT nope'),
      reply: err(1, 1054, '42S22'),
      facts: FACTS,
      after,
      gives: { code: '1054' },
    }),
  ],
}

conformance({ describe, test }, subject)

/** As text: a prepared one needs another answer first, which the kit cannot give. */
function execution(sql: string): Execution {
  const statement = new Statement(sql, analyzer([])(sql), APP_DEFAULTS)
  return { statement, values: [], asArrays: false, prepared: false }
}
