/** Accounts in JSON: what a client may write, and how a row is shown. Amounts are strings in both directions. */
import { RequestError } from '../../http/failures.ts'
import { type Fields, idIn, isId, textIn } from '../../http/fields.ts'

/** Paths under `/accounts/` that are no account; no account has these names. */
export const SEGMENTS_TAKEN: readonly string[] = ['changes', 'export', 'import']

export interface AccountRow {
  readonly id: string
  readonly owner: string
  readonly balance: string
  readonly created_at: Date
  readonly changed_at: Date
}

export const ACCOUNT_COLUMNS = 'id, owner, balance, created_at, changed_at'

export function shownAccount(row: AccountRow): Fields {
  const { id, owner, balance, created_at: createdAt, changed_at: changedAt } = row
  return { id, owner, balance, createdAt, changedAt }
}

/** An id of an account, from a body. */
export function accountIn(given: Fields, field: string): string {
  return idIn(given, field, SEGMENTS_TAKEN)
}

/** The id in a path. One that cannot be is not there. */
export function idInPath(name: Uint8Array): string {
  const id = Buffer.from(name).toString('latin1')
  if (!isId(id)) throw unknownAccount(id)
  return id
}

export function ownerIn(given: Fields): string {
  return textIn(given, 'owner', OWNER_CHARACTERS_MAX)
}

export function unknownAccount(id: string): RequestError {
  return new RequestError(404, 'NO_ACCOUNT', `there is no account ${JSON.stringify(id)}`)
}

const OWNER_CHARACTERS_MAX = 200
