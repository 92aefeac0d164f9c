package gate

import "strings"

// The lists hold what MariaDB has and what reads nothing but its arguments and
// the clock. So there is no SLEEP, BENCHMARK or lock (time and locks of
// others), no LOAD_FILE, EXTRACTVALUE or UPDATEXML (files, and errors that hold
// values), nothing about the session or the server (USER, DATABASE, VERSION,
// CONNECTION_ID, FOUND_ROWS, LAST_INSERT_ID, UUID_SHORT), no sequence, and no
// ENCRYPT, ENCODE or DES_ENCRYPT. MATCH is a node of its own: how well a row
// matches depends on rows that may be hidden.
var (
	mysqlAggregates = mysqlSet(`count sum avg max min group_concat bit_or bit_xor bit_and std stddev variance var_pop var_samp stddev_pop stddev_samp
		json_arrayagg json_objectagg`)
	mysqlWindows   = mysqlSet(`row_number rank dense_rank cume_dist percent_rank ntile lead lag first_value last_value nth_value`)
	mysqlCharsets  = mysqlSet(`utf8mb4 utf8 latin1 ascii binary`)
	mysqlFunctions = mysqlSet(`
		if ifnull nullif coalesce greatest least nvl nvl2 isnull interval
		ascii bin bit_length char_func char_length character_length chr concat concat_ws elt export_set field find_in_set format from_base64 hex insert_func instr
		lcase left length lengthb locate lower lpad ltrim make_set mid oct octet_length ord position quote repeat replace reverse right rpad rtrim soundex space
		strcmp substr substring substring_index to_base64 trim ucase unhex upper convert natural_sort_key
		regexp_instr regexp_replace regexp_substr
		abs acos asin atan atan2 ceil ceiling conv cos cot crc32 degrees exp floor ln log log10 log2 mod pi pow power radians rand round sign sin sqrt tan truncate
		bit_count
		add_months adddate addtime convert_tz curdate current_date current_time current_timestamp curtime date date_add date_format date_sub datediff day dayname dayofmonth
		dayofweek dayofyear extract from_days from_unixtime get_format hour last_day localtime localtimestamp makedate maketime microsecond minute month monthname
		now period_add period_diff quarter sec_to_time second str_to_date subdate subtime sysdate time time_format time_to_sec timediff timestamp timestampadd
		timestampdiff to_char to_days to_seconds unix_timestamp utc_date utc_time utc_timestamp week weekday weekofyear year yearweek
		json_array json_array_append json_array_insert json_compact json_contains json_contains_path json_depth json_detailed json_equals json_exists json_extract
		json_insert json_keys json_length json_loose json_merge json_merge_patch json_merge_preserve json_normalize json_object json_overlaps json_pretty json_query
		json_quote json_remove json_replace json_search json_set json_type json_unquote json_valid json_value
		md5 sha sha1 sha2 uuid inet_aton inet_ntoa inet6_aton inet6_ntoa is_ipv4 is_ipv6`)
)

func mysqlSet(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}
