package gate

// functions are the functions of PostgreSQL that may be called: they compute
// from their arguments and from the clock, and do nothing else.
//
// Never add one that
//   - runs text or takes the name of a table (query_to_xml, table_to_xml,
//     cursor_to_xml, ts_stat, ts_rewrite, dblink),
//   - tells of the server, the session, the login, other people's tables,
//     sizes, statistics or locks (pg_*, version, current_setting, current_database,
//     current_schema, current_query, has_*_privilege, to_reg*, obj_description,
//     inet_server_addr, txid_current),
//   - does something (set_config, setseed, nextval, setval, lo_*, pg_sleep,
//     pg_notify, pg_advisory_lock, pg_terminate_backend), or
//   - reads XML, which may name files (xpath, xmlparse).
//
// A name stands for all functions of that name, whatever they take.
var functions = words(`
	count sum avg min max any_value every bool_and bool_or bit_and bit_or bit_xor
	array_agg string_agg json_agg json_agg_strict jsonb_agg jsonb_agg_strict
	json_object_agg json_object_agg_strict json_object_agg_unique json_object_agg_unique_strict
	jsonb_object_agg jsonb_object_agg_strict jsonb_object_agg_unique jsonb_object_agg_unique_strict
	range_agg range_intersect_agg mode percentile_cont percentile_disc
	stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp
	regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy

	row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value

	ascii bit_count bit_length btrim casefold char_length character_length chr concat concat_ws convert convert_from
	convert_to decode encode format initcap is_normalized left length like_escape lower lpad ltrim md5 normalize
	octet_length overlay parse_ident position quote_ident quote_literal quote_nullable repeat replace reverse
	right rpad rtrim similar_escape similar_to_escape split_part starts_with string_to_array string_to_table
	strpos substr substring to_ascii to_bin to_hex to_oct translate trim unistr upper
	sha224 sha256 sha384 sha512 crc32 crc32c get_bit get_byte set_bit set_byte
	regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array
	regexp_split_to_table regexp_substr

	abs acos acosd acosh asin asind asinh atan atan2 atan2d atand atanh cbrt ceil ceiling cos cosd cosh cot cotd
	degrees div erf erfc exp factorial floor gamma gcd lcm lgamma ln log log10 min_scale mod pi pow power radians
	random random_normal round scale sign sin sind sinh sqrt tan tand tanh trim_scale trunc width_bucket
	num_nonnulls num_nulls
	hashint4 hashint8 hashtext hashtextextended hash_numeric

	age clock_timestamp date_add date_bin date_part date_subtract date_trunc extract isfinite justify_days
	justify_hours justify_interval make_date make_interval make_time make_timestamp make_timestamptz now
	overlaps statement_timestamp timeofday timezone to_char to_date to_number to_timestamp transaction_timestamp

	bool int2 int4 int8 float4 float8 numeric text varchar bpchar date time timetz timestamp timestamptz interval

	array_append array_cat array_dims array_fill array_length array_lower array_ndims array_position
	array_positions array_prepend array_remove array_replace array_reverse array_sample array_shuffle array_sort
	array_to_json array_to_string array_to_tsvector array_upper cardinality generate_subscripts trim_array unnest
	generate_series

	json_array json_array_elements json_array_elements_text json_array_length json_build_array json_build_object
	json_each json_each_text json_extract_path json_extract_path_text json_object json_object_keys
	json_populate_record json_populate_recordset json_strip_nulls json_to_record json_to_recordset json_typeof
	jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object
	jsonb_concat jsonb_contained jsonb_contains jsonb_delete jsonb_delete_path
	jsonb_each jsonb_each_text jsonb_exists jsonb_exists_all jsonb_exists_any jsonb_extract_path
	jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_keys jsonb_path_exists jsonb_path_exists_tz
	jsonb_path_match jsonb_path_match_tz jsonb_path_query jsonb_path_query_array jsonb_path_query_array_tz
	jsonb_path_query_first jsonb_path_query_first_tz jsonb_path_query_tz jsonb_populate_record
	jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_to_record
	jsonb_to_recordset jsonb_typeof row_to_json to_json to_jsonb

	int4range int8range numrange daterange tsrange tstzrange multirange
	int4multirange int8multirange nummultirange datemultirange tsmultirange tstzmultirange
	isempty lower_inc lower_inf range_merge upper_inc upper_inf

	gen_random_uuid uuid_extract_timestamp uuid_extract_version uuidv4 uuidv7

	abbrev broadcast family host hostmask inet_merge inet_same_family masklen netmask network set_masklen

	area box center circle diagonal diameter height isclosed isopen line lseg npoints path pclose point polygon
	popen radius slope width

	array_to_tsvector json_to_tsvector jsonb_to_tsvector numnode phraseto_tsquery plainto_tsquery querytree
	setweight strip to_tsquery to_tsvector ts_delete ts_filter ts_headline ts_rank ts_rank_cd tsquery_phrase
	tsvector_to_array websearch_to_tsquery
`)
