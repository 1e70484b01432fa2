/** Statements by their text: each is analysed, hashed and encoded once. */
import { StatementCache } from '@iokernel/sql'
import type { MysqlApp } from '../app.ts'
import { Statement } from '../codec/statement.ts'
import { analyzer } from '../sql/analysis.ts'

export type Statements = StatementCache<Statement>

export function statementsOf(app: MysqlApp): Statements {
  const analyze = analyzer(app.trustedFunctions)
  return new StatementCache((text) => new Statement(text, analyze(text), app))
}
