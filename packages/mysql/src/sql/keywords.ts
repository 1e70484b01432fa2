/**
 * Which words of SQL stand before a parenthesis without being a function, and which stand before an expression.
 *
 * Rules: both lists err to one side. A word that is missing in the first makes a statement slower (it looks like a call
 * of an unknown function); a word that is missing in the second would hide a call, so that list has every reserved word
 * and each other that the grammar puts before an expression.
 *
 * Source: the keyword lists of the MySQL 9 and MariaDB 11 manuals.
 */

/** `word (` is part of the statement's form, or a type with its length. */
export function isSyntax(word: string): boolean {
  return SYNTAX.has(word)
}

/** What follows `word` is a name with a list behind it: a table and its columns, an alias, an index. */
export function namesFollow(word: string): boolean {
  return NAMES_FOLLOW.has(word)
}

/** What follows `word` may be an expression, and so a call. */
export function opensExpression(word: string): boolean {
  return RESERVED.has(word) || BEFORE_EXPRESSIONS.has(word)
}

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/))

/** Words that are no name unless they are quoted. */
const RESERVED = words(`
  accessible all analyze and any array as asc before between both by call cascade case change check collate column
  condition constraint cross cube current_date current_time current_timestamp declare default delayed delete desc
  describe distinct distinctrow div do dual each else elseif empty enclosed escaped except exists exit explain false
  fetch for force from fulltext group grouping groups having high_priority if ignore in infile inner inout insert
  intersect interval into is iterate join key keys kill lateral leading leave left like limit linear lines load lock
  long loop low_priority match maxvalue mod natural not null of on optimize option optionally or order out outer
  outfile over partition primary procedure purge range read recursive references regexp release rename repeat replace
  require resignal restrict return returning revoke right rlike row rows schema schemas select separator set show
  signal spatial sql_big_result sql_buffer_result sql_cache sql_calc_found_rows sql_no_cache sql_small_result
  starting straight_join system table terminated then to trailing trigger true undo union unique unlock update usage
  use using values when where while window with write xor
`)

const NAMES_FOLLOW = words(`
  as into table references join update index key partition columns column view force low_priority delayed
`)

const BEFORE_EXPRESSIONS = words(`
  against at begin binary end ends escape every first following immediate last next offset overwrite path percent
  preceding previous some sounds starts than value
`)

const SYNTAX: ReadonlySet<string> = new Set([
  ...words(`
    all and any array as asc between both by case check collate column columns constraint cube default delete
    desc distinct distinctrow div do dual else except exists explain for force from fulltext group having
    high_priority ignore in index inner intersect into is join key keys lateral leading like limit lock
    low_priority match member minus mod natural not null of on or order outer over partition primary procedure
    recursive references regexp returning rlike row rows select separator set signal some spatial sql_big_result
    sql_buffer_result sql_cache sql_no_cache sql_small_result starting straight_join table then to trailing
    union unique update use using values when where while window with within write xor
  `),
  // Types with a length, and functions with a syntax of their own: none of them leaves anything behind.
  ...words(`
    bigint binary bit blob bool boolean char character cast convert dec decimal double enum extract fixed float
    float4 float8 int integer json json_table longblob longtext mediumblob mediumint mediumtext nchar national
    numeric nvarchar precision real signed smallint text time timestamp datetime date tinyblob tinyint tinytext
    unsigned varbinary varchar varcharacter vector year inet4 inet6 uuid weight_string current_date current_time
    current_timestamp localtime localtimestamp utc_date utc_time utc_timestamp trim position substring
  `),
  ...words('against algorithm ascii escape nested path passing rollup hash range list less than ordinality unicode'),
])
