/**
 * Dates and times: from both protocols to text and to `Date`, and from `Date` to both.
 *
 * Rules:
 * 1. The text is the server's own: `2026-11-21 07:00:00.123456` with as many digits as the column has, `-838:59:59`
 *    for a TIME, zeros where there is no date.
 * 2. A `Date` only where there is one: `0000-00-00`, `2026-00-01` and `2026-02-31` stay text. Microseconds beyond
 *    milliseconds are cut.
 * 3. A DATETIME is a clock on a wall. Which wall is the application's to say (`zone`).
 *
 *   binary date     n | year u16 | month | day | hour | minute | second | micros u32       n: 0, 4, 7 or 11
 *   binary time     n | negative | days u32 | hours | minutes | seconds | micros u32       n: 0, 8 or 12
 */
import { RemoteProtocolError } from '@iokernel/core/plugin'
import { u16, u32 } from './packet.ts'

/** Minutes east of UTC, or where this process is. */
export type Zone = number | 'local'

/** The parts of a date; `micros` are behind the second. */
export interface Parts {
  year: number
  month: number
  day: number
  hour: number
  minute: number
  second: number
  micros: number
}

/** A binary DATE, DATETIME or TIMESTAMP in bytes[start, end), its length byte included. */
export function readDate(bytes: Buffer, start: number, end: number, into: Parts): void {
  const length = end - start - 1
  if (length !== 0 && length !== 4 && length !== 7 && length !== 11) throw misshapen()
  const at = start + 1
  into.year = length > 0 ? u16(bytes, at) : 0
  into.month = length > 0 ? (bytes[at + 2] as number) : 0
  into.day = length > 0 ? (bytes[at + 3] as number) : 0
  into.hour = length > 4 ? (bytes[at + 4] as number) : 0
  into.minute = length > 4 ? (bytes[at + 5] as number) : 0
  into.second = length > 4 ? (bytes[at + 6] as number) : 0
  into.micros = length > 7 ? u32(bytes, at + 7) : 0
}

/** `2026-11-21`, ` 07:00:00`, `.123456` in bytes[start, end); false where it is none of these. */
export function parseDate(bytes: Buffer, start: number, end: number, into: Parts): boolean {
  const length = end - start
  if (length < DATE_CHARS || bytes[start + 4] !== DASH || bytes[start + 7] !== DASH) return false
  into.year = digits(bytes, start, 4)
  into.month = digits(bytes, start + 5, 2)
  into.day = digits(bytes, start + 8, 2)
  into.hour = into.minute = into.second = into.micros = 0
  if (length > DATE_CHARS) {
    if (length < SECOND_CHARS) return false
    into.hour = digits(bytes, start + 11, 2)
    into.minute = digits(bytes, start + 14, 2)
    into.second = digits(bytes, start + 17, 2)
    const places = length - SECOND_CHARS - 1
    if (places > MICROS_PLACES) return false
    if (places > 0) into.micros = digits(bytes, start + SECOND_CHARS + 1, places) * 10 ** (MICROS_PLACES - places)
  }
  return into.year >= 0 && into.month >= 0 && into.day >= 0 && into.hour >= 0 && into.minute >= 0 && into.second >= 0
}

/** Undefined where no calendar has that day. */
export function dateOf({ year, month, day, hour, minute, second, micros }: Parts, zone: Zone): Date | undefined {
  if (month === 0 || day === 0 || month > 12 || day > daysIn(year, month)) return undefined
  if (hour > 23 || minute > 59 || second > 59) return undefined
  const ms = Math.floor(micros / 1000)
  if (zone === 'local') {
    const date = new Date(year, month - 1, day, hour, minute, second, ms)
    // Years below 100 are taken for those of the twentieth century otherwise.
    if (year < 100) date.setFullYear(year, month - 1, day)
    return date
  }
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second, ms))
  if (year < 100) date.setUTCFullYear(year, month - 1, day)
  if (zone !== 0) date.setTime(date.getTime() - zone * MINUTE_MS)
  return date
}

/** The clock on the wall at `date`. Years beyond four digits are none of the server's. */
export function partsOf(date: Date, zone: Zone): Parts | undefined {
  const time = date.getTime()
  if (Number.isNaN(time)) return undefined
  // What UTC shows at the shifted moment is what the wall shows.
  const wall =
    zone === 'local' ? new Date(time - date.getTimezoneOffset() * MINUTE_MS) : new Date(time + zone * MINUTE_MS)
  const year = wall.getUTCFullYear()
  if (year < 0 || year > YEAR_MAX) return undefined
  return {
    year,
    month: wall.getUTCMonth() + 1,
    day: wall.getUTCDate(),
    hour: wall.getUTCHours(),
    minute: wall.getUTCMinutes(),
    second: wall.getUTCSeconds(),
    micros: wall.getUTCMilliseconds() * 1000,
  }
}

/** `decimals` as in the column's definition; a DATE has no clock. */
export function dateText(parts: Parts, isDate: boolean, decimals: number): string {
  const day = `${pad(parts.year, 4)}-${pad(parts.month, 2)}-${pad(parts.day, 2)}`
  if (isDate) return day
  const clock = `${pad(parts.hour, 2)}:${pad(parts.minute, 2)}:${pad(parts.second, 2)}`
  return `${day} ${clock}${fraction(parts.micros, decimals)}`
}

/** A binary TIME in bytes[start, end), its length byte included, as text. */
export function timeText(bytes: Buffer, start: number, end: number, decimals: number): string {
  const length = end - start - 1
  if (length !== 0 && length !== 8 && length !== 12) throw misshapen()
  const at = start + 1
  if (length === 0) return `00:00:00${fraction(0, decimals)}`
  const hours = u32(bytes, at + 1) * 24 + (bytes[at + 5] as number)
  const clock = `${pad(hours, 2)}:${pad(bytes[at + 6] as number, 2)}:${pad(bytes[at + 7] as number, 2)}`
  const micros = length > 8 ? u32(bytes, at + 8) : 0
  return `${bytes[at] === 0 ? '' : '-'}${clock}${fraction(micros, decimals)}`
}

function fraction(micros: number, decimals: number): string {
  if (decimals === 0) return ''
  if (decimals > MICROS_PLACES) return micros === 0 ? '' : `.${pad(micros, MICROS_PLACES)}`
  return `.${pad(micros, MICROS_PLACES).slice(0, decimals)}`
}

function pad(value: number, length: number): string {
  return String(value).padStart(length, '0')
}

function daysIn(year: number, month: number): number {
  if (month !== 2) return DAYS[month - 1] as number
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
}

/** `length` digits as a number; -1 for anything else. */
function digits(bytes: Buffer, start: number, length: number): number {
  let value = 0
  for (let at = start; at < start + length; at++) {
    const digit = (bytes[at] as number) - ZERO
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}

function misshapen(): RemoteProtocolError {
  return new RemoteProtocolError('a date or time has a length that none has')
}

const DAYS: readonly number[] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
const DASH = 45
const ZERO = 48
/** `YYYY-MM-DD`, and with ` HH:MM:SS`. */
const DATE_CHARS = 10
const SECOND_CHARS = 19
const MICROS_PLACES = 6
const YEAR_MAX = 9999
const MINUTE_MS = 60_000
