/**
 * What is known of the functions of MySQL and MariaDB: which of them leave a connection, and the data, as they were.
 *
 * Rules:
 * 1. A name is `pure` when the function of that name, where a server has it, changes nothing: a statement that calls
 *    only such functions may be sent twice.
 * 2. `volatile`: its result or its effect differs from call to call, but nothing of it stays with the connection.
 * 3. `refused`: what it does or says belongs to one connection, and a shared one is nobody's.
 * 4. Every other name is unknown. It may be a stored function that anybody has written, and is taken to do anything.
 *
 * A stored function cannot have the name of one of the server's own unless its schema stands before it; then it is
 * looked up with the schema, and is none of these.
 *
 * Source: the function lists of the MySQL 5.7, 8.4 and 9 and the MariaDB 10.6 to 11 manuals.
 */

export type FunctionKind = 'pure' | 'volatile' | 'unknown'

/** What the function `name` (in small letters) is known to do. */
export function functionKind(name: string): FunctionKind {
  if (PURE.has(name) || PURE_PREFIXES.some((prefix) => name.startsWith(prefix))) return 'pure'
  return VOLATILE.has(name) ? 'volatile' : 'unknown'
}

/** What to use instead of the function `name`, where a shared connection must not call it. */
export function functionRefusal(name: string): string | undefined {
  return REFUSED.get(name)
}

const LOCKS = 'use db.withLock(), or session.lock() of db.session()'
const LAST = 'it would be that of another caller: use insertId of the result, RETURNING, or db.session()'
const PREVIOUS = 'it is about the statement before, which is another caller’s: use db.session()'
const SESSION = 'use db.session()'

const REFUSED: ReadonlyMap<string, string> = new Map([
  ['get_lock', LOCKS],
  ['release_lock', LOCKS],
  ['release_all_locks', LOCKS],
  ['service_get_read_locks', SESSION],
  ['service_get_write_locks', SESSION],
  ['service_release_locks', SESSION],
  ['version_tokens_lock_shared', SESSION],
  ['version_tokens_lock_exclusive', SESSION],
  ['version_tokens_unlock', SESSION],
  ['last_insert_id', LAST],
  ['lastval', LAST],
  ['found_rows', `${PREVIOUS}, or count(*)`],
  ['row_count', `${PREVIOUS}, or affectedRows of the result`],
])

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/))

/** Families that are named alike and have no member that changes anything. */
const PURE_PREFIXES: readonly string[] = ['st_', 'mbr', 'json_', 'regexp_', 'is_ipv', 'inet6_', 'vec_']

const PURE = words(`
  abs acos adddate addtime aes_decrypt aes_encrypt any_value ascii asin asymmetric_decrypt asymmetric_derive
  asymmetric_encrypt asymmetric_sign asymmetric_verify atan atan2 avg bin bin_to_uuid bit_and bit_count bit_length
  bit_or bit_xor can_access_column can_access_database can_access_table ceil ceiling char char_length
  character_length charset chr coercibility coalesce collation column_add column_check column_create column_delete
  column_exists column_get column_json column_list compress concat concat_operator_oracle concat_ws connection_id
  conv convert_tz cos cot count crc32 crc32c cume_dist curdate current_role current_user curtime database date
  date_add date_format date_sub datediff day dayname dayofmonth dayofweek dayofyear decode decode_oracle default
  degrees dense_rank des_decrypt des_encrypt distance elt encode encrypt exp export_set extractvalue field
  find_in_set first_value floor format format_bytes format_pico_time from_base64 from_days from_unixtime
  from_vector geometrycollection geomcollection get_format greatest group_concat grouping gtid_subset gtid_subtract
  hex hour icu_version if ifnull inet_aton inet_ntoa instr interval is_uuid isnull kdf lag last last_day last_value
  lcase lead least left length lengthb ln localtime localtimestamp locate log log10 log2 lower lpad lpad_oracle
  ltrim ltrim_oracle make_set makedate maketime max md5 median microsecond mid min minute mod month monthname
  multilinestring multipoint multipolygon linestring name_const nth_value ntile now nullif nvl nvl2 natural_sort_key
  oct octet_length old_password ord password percent_rank percentile_cont percentile_disc period_add period_diff pi
  point polygon position pow power quarter quote radians random_bytes rank regexp_like repeat replace
  replace_oracle reverse right roles_graphml round row_number rpad rpad_oracle rtrim rtrim_oracle schema
  sec_to_time second session_user sformat sha sha1 sha2 sign sin soundex space sqrt statement_digest
  statement_digest_text std stddev stddev_pop stddev_samp str_to_date strcmp string_to_vector subdate substr
  substr_oracle substring substring_index subtime sum sysdate system_user tan time time_format time_to_sec timediff
  timestamp timestampadd timestampdiff to_base64 to_char to_date to_days to_number to_seconds to_vector trim
  trim_oracle truncate ucase uncompress uncompressed_length unhex unix_timestamp updatexml upper user utc_date
  utc_time utc_timestamp uuid_to_bin validate_password_strength value values var_pop var_samp variance
  vector_dim vector_to_string version week weekday weekofyear weight_string wsrep_last_seen_gtid
  wsrep_last_written_gtid year yearweek add_months months_between
  area asbinary astext aswkb aswkt boundary buffer centroid contains convexhull crosses dimension disjoint endpoint
  envelope equals exteriorring geometryn geometrytype geomfromtext geomfromwkb glength interiorringn intersects
  isclosed isempty isring issimple linefromtext linefromwkb mlinefromtext mpointfromtext mpolyfromtext numgeometries
  numinteriorrings numpoints overlaps pointfromtext pointfromwkb pointn pointonsurface polyfromtext polyfromwkb
  srid startpoint touches within x y
  is_free_lock is_used_lock
`)

const VOLATILE = words(`
  benchmark binlog_gtid_pos load_file master_gtid_wait master_pos_wait nextval ps_current_thread_id ps_thread_id
  rand setval sleep source_pos_wait sys_guid uuid uuid_short uuid_v4 uuid_v7 wait_for_executed_gtid_set
  wait_until_sql_thread_after_gtids wsrep_sync_wait_upto_gtid
`)
