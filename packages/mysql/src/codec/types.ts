/**
 * The types of columns: what the server calls them by numbers, what people call them, and how each is read.
 *
 * Rules:
 * 1. Both protocols give the same value for the same column: what differs is only the wire (`Wire`), the meaning
 *    (`ColumnKind`) is that of the type.
 * 2. A value is exact or it is text: DECIMAL is text, BIGINT a bigint where no number holds it, a date that is none
 *    (`0000-00-00`) the text that the server writes.
 * 3. `types` of a target replaces the reading of any type by its name.
 *
 * Limits: FLOAT has 24 bits; the binary protocol gives all of them, the text protocol the six digits that the server
 * writes. Both are read as the shortest decimal that is the same float.
 */
import type { MysqlApp, TypeParser } from '../app.ts'
import type { Field } from './fields.ts'

/** Numbers of types, as in column definitions and in the parameters of a statement. */
export const Type = {
  Decimal: 0,
  Tiny: 1,
  Short: 2,
  Long: 3,
  Float: 4,
  Double: 5,
  Null: 6,
  Timestamp: 7,
  LongLong: 8,
  Int24: 9,
  Date: 10,
  Time: 11,
  DateTime: 12,
  Year: 13,
  NewDate: 14,
  VarChar: 15,
  Bit: 16,
  Vector: 242,
  Json: 245,
  NewDecimal: 246,
  Enum: 247,
  Set: 248,
  TinyBlob: 249,
  MediumBlob: 250,
  LongBlob: 251,
  Blob: 252,
  VarString: 253,
  String: 254,
  Geometry: 255,
} as const

/** Flags of a column. */
export const ColumnFlag = { NotNull: 1, Unsigned: 32, Binary: 128, Enum: 256, Set: 2048 } as const

/** The collation `binary`: what has it are bytes, and no text. */
const BINARY_COLLATION = 63

export type TypeName =
  | 'TINYINT'
  | 'SMALLINT'
  | 'MEDIUMINT'
  | 'INT'
  | 'BIGINT'
  | 'FLOAT'
  | 'DOUBLE'
  | 'DECIMAL'
  | 'BIT'
  | 'DATE'
  | 'TIME'
  | 'DATETIME'
  | 'TIMESTAMP'
  | 'YEAR'
  | 'CHAR'
  | 'VARCHAR'
  | 'TEXT'
  | 'BINARY'
  | 'VARBINARY'
  | 'BLOB'
  | 'ENUM'
  | 'SET'
  | 'JSON'
  | 'GEOMETRY'
  | 'VECTOR'
  | 'NULL'

/** What a column's value is. */
export const ColumnKind = {
  Text: 0,
  /** A number whatever it is: up to 32 bits, YEAR. */
  Integer: 1,
  /** BIGINT: a number where it is safe. */
  SafeInteger: 2,
  /** BIGINT: always a bigint. */
  Bigint: 3,
  Float: 4,
  Double: 5,
  Bytes: 6,
  Json: 7,
  /** DATE, DATETIME, TIMESTAMP as a `Date`. */
  Moment: 8,
  /** The same as text, and TIME. */
  Clock: 9,
  Null: 10,
} as const

/** How a value lies in a binary row. The first have as many bytes as `WIRE_BYTES` says. */
export const Wire = {
  I8: 0,
  U8: 1,
  I16: 2,
  U16: 3,
  I32: 4,
  U32: 5,
  I64: 6,
  U64: 7,
  F32: 8,
  F64: 9,
  /** A length of one byte, then as many of its parts as are not zero. */
  Date: 10,
  Time: 11,
  /** A length-encoded length. */
  Bytes: 12,
} as const

export const WIRE_BYTES: readonly number[] = [1, 1, 2, 2, 4, 4, 8, 8, 4, 8]

export interface ColumnReader {
  readonly kind: number
  readonly wire: number
  /** The application's own. It is given text, or bytes. */
  readonly parse: TypeParser | undefined
}

export function columnReader(field: Field, app: MysqlApp): ColumnReader {
  const wire = wireOf(field)
  const parse = app.types === undefined || !Object.hasOwn(app.types, field.type) ? undefined : app.types[field.type]
  return { kind: kindOf(field, app, parse !== undefined), wire, parse: parse as TypeParser | undefined }
}

/** The name of the type of a column; `format` as MariaDB's extended metadata has it. */
export function typeName(id: number, collation: number, flags: number, format: string): TypeName {
  if (format === 'json') return 'JSON'
  const known = NAMES.get(id)
  if (known !== undefined) return known
  if (id === Type.Enum || (flags & ColumnFlag.Enum) !== 0) return 'ENUM'
  if (id === Type.Set || (flags & ColumnFlag.Set) !== 0) return 'SET'
  const isBytes = collation === BINARY_COLLATION && !IN_TEXT.has(format)
  if (id === Type.String) return isBytes ? 'BINARY' : 'CHAR'
  if (id === Type.VarString || id === Type.VarChar) return isBytes ? 'VARBINARY' : 'VARCHAR'
  return isBytes ? 'BLOB' : 'TEXT'
}

function kindOf({ type }: Field, { bigints, dates }: MysqlApp, isParsed: boolean): number {
  switch (type) {
    case 'TINYINT':
    case 'SMALLINT':
    case 'MEDIUMINT':
    case 'INT':
    case 'YEAR':
      return ColumnKind.Integer
    case 'BIGINT':
      return bigints === 'always' ? ColumnKind.Bigint : ColumnKind.SafeInteger
    case 'FLOAT':
      return ColumnKind.Float
    case 'DOUBLE':
      return ColumnKind.Double
    case 'DATE':
      return dates === 'objects' && !isParsed ? ColumnKind.Moment : ColumnKind.Clock
    case 'DATETIME':
    case 'TIMESTAMP':
      return dates === 'strings' || isParsed ? ColumnKind.Clock : ColumnKind.Moment
    case 'TIME':
      return ColumnKind.Clock
    case 'BIT':
    case 'BINARY':
    case 'VARBINARY':
    case 'BLOB':
    case 'GEOMETRY':
    case 'VECTOR':
      return ColumnKind.Bytes
    case 'JSON':
      return isParsed ? ColumnKind.Text : ColumnKind.Json
    case 'NULL':
      return ColumnKind.Null
    default:
      return ColumnKind.Text
  }
}

function wireOf({ typeId, flags }: Field): number {
  const unsigned = (flags & ColumnFlag.Unsigned) === 0 ? 0 : 1
  switch (typeId) {
    case Type.Tiny:
      return Wire.I8 + unsigned
    case Type.Short:
      return Wire.I16 + unsigned
    case Type.Year:
      return Wire.U16
    case Type.Long:
    case Type.Int24:
      return Wire.I32 + unsigned
    case Type.LongLong:
      return Wire.I64 + unsigned
    case Type.Float:
      return Wire.F32
    case Type.Double:
      return Wire.F64
    case Type.Date:
    case Type.NewDate:
    case Type.DateTime:
    case Type.Timestamp:
      return Wire.Date
    case Type.Time:
      return Wire.Time
    default:
      return Wire.Bytes
  }
}

const NAMES: ReadonlyMap<number, TypeName> = new Map([
  [Type.Decimal, 'DECIMAL'],
  [Type.NewDecimal, 'DECIMAL'],
  [Type.Tiny, 'TINYINT'],
  [Type.Short, 'SMALLINT'],
  [Type.Int24, 'MEDIUMINT'],
  [Type.Long, 'INT'],
  [Type.LongLong, 'BIGINT'],
  [Type.Float, 'FLOAT'],
  [Type.Double, 'DOUBLE'],
  [Type.Null, 'NULL'],
  [Type.Timestamp, 'TIMESTAMP'],
  [Type.Date, 'DATE'],
  [Type.NewDate, 'DATE'],
  [Type.Time, 'TIME'],
  [Type.DateTime, 'DATETIME'],
  [Type.Year, 'YEAR'],
  [Type.Bit, 'BIT'],
  [Type.Vector, 'VECTOR'],
  [Type.Json, 'JSON'],
  [Type.Geometry, 'GEOMETRY'],
])

/** Types of MariaDB's that are kept as bytes and written as text, by their names in the extended metadata. */
const IN_TEXT: ReadonlySet<string> = new Set(['uuid', 'inet6', 'inet4'])
