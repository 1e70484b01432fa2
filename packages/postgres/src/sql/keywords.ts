/**
 * Which words of SQL stand before a parenthesis without being a function, and which stand before an expression.
 *
 * Rules: both lists err to one side. A word that is missing in the first makes a statement slower (it looks like a
 * call of an unknown function); a word that is missing in the second would hide a call, so that list has every
 * reserved word and each other that the grammar puts before an expression.
 *
 * Source: `pg_get_keywords()` of PostgreSQL 15 and the grammar's documentation up to 18.
 */

/** `word (` is part of the statement's form, or a type with its length. */
export function isSyntax(word: string): boolean {
  return SYNTAX.has(word)
}

/** What follows `word` may be an expression, and so a call. */
export function opensExpression(word: string): boolean {
  return (RESERVED.has(word) && !NAMES_FOLLOW.has(word)) || BEFORE_EXPRESSIONS.has(word)
}

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/))

const RESERVED = words(`
  all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create
  current_catalog current_date current_role current_time current_timestamp current_user default deferrable desc
  distinct do else end except false fetch for foreign from grant group having in initially intersect into lateral
  leading limit localtime localtimestamp not null offset on only or order placing primary references returning select
  session_user some symmetric system_user table then to trailing true union unique user using variadic when where
  window with
`)

/** Names with lists of columns: `INSERT INTO t (…)`, `AS x (…)`. */
const NAMES_FOLLOW = words('as into table references')

const BEFORE_EXPRESSIONS = words(`
  at between by call content document escape execute first groups ilike is isnull join key like natural next notnull
  overlaps passing path range ref return rows similar value verbose version zone
`)

const SYNTAX = new Set([
  ...RESERVED,
  // Types, and functions with a syntax of their own: none of them leaves anything behind.
  ...words(`
    between bigint bit boolean char character coalesce dec decimal exists extract float greatest grouping inout int
    integer interval json json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar
    json_serialize json_table json_value least merge_action national nchar none normalize nullif numeric out overlay
    position precision real row setof smallint substring time timestamp treat trim values varchar varying
    xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable
  `),
  ...words('authorization binary collation concurrently cross freeze full ilike inner is isnull join natural notnull'),
  ...words('outer similar tablesample verbose'),
  ...words('by columns conflict cube escape insert materialized ordinality rollup set sets zone'),
])
