package gate

// tables are what somebody may read in these tests: of the schema public,
// which is the one that is meant where none is named.
var tables = map[string]bool{"orders": true, "people": true, "events": true, "products": true, "Straße": true}

// views are the Names of somebody who reads views of the tables in sbx.
func views(schema, name string) (inSchema, in string, ok bool) {
	if !tables[name] || schema != "" && schema != "public" && schema != "sbx" {
		return "", "", false
	}
	return "sbx", name, true
}

// ordinary is SQL as analysts type it, and what is printed of it for
// somebody who reads the views of tables in the schema sbx. All of it runs on
// a server in engine_test.go, but what needs a newer one than 15.
var ordinary = []struct{ sql, printed string }{
	{
		`SELECT * FROM orders`,
		`SELECT * FROM sbx.orders orders`,
	},
	{
		`SELECT o.id, p.name FROM public.orders o LEFT JOIN people p ON p.id = o.person_id WHERE o.total > 10 ORDER BY 1 DESC NULLS LAST LIMIT 10 OFFSET 1;`,
		`SELECT o.id, p.name FROM sbx.orders o LEFT JOIN sbx.people p ON p.id = o.person_id WHERE o.total > 10 ORDER BY 1 DESC NULLS LAST LIMIT 10 OFFSET 1`,
	},
	{
		`SELECT public.orders.id, orders.total, public.people.* FROM public.orders JOIN people ON people.id = public.orders.person_id ORDER BY public.orders.id`,
		`SELECT orders.id, orders.total, people.* FROM sbx.orders orders JOIN sbx.people people ON people.id = orders.person_id ORDER BY orders.id`,
	},
	{
		`SELECT id FROM ONLY orders`,
		`SELECT id FROM sbx.orders orders`,
	},
	{
		`SELECT a, total FROM orders* AS o(a, b)`,
		`SELECT a, total FROM sbx.orders o(a, b)`,
	},
	{
		`SELECT orders, row_to_json(orders), count(orders.*) FROM orders GROUP BY orders ORDER BY 1`,
		`SELECT orders, row_to_json(orders), count(orders.*) FROM sbx.orders orders GROUP BY orders ORDER BY 1`,
	},
	{
		`SELECT * FROM orders JOIN people USING (id) NATURAL JOIN products CROSS JOIN events FULL JOIN (SELECT 1 AS x) s ON true`,
		`SELECT * FROM sbx.orders orders JOIN sbx.people people USING (id) NATURAL JOIN sbx.products products CROSS JOIN sbx.events events FULL JOIN (SELECT 1 AS x) s ON true`,
	},
	{
		`SELECT j.id FROM (orders JOIN people USING (id)) AS j`,
		`SELECT j.id FROM (sbx.orders orders JOIN sbx.people people USING (id) ) j`,
	},
	{
		`SELECT id, row_number() OVER (PARTITION BY person_id ORDER BY created_at), ntile(2) OVER (ORDER BY id) FROM orders`,
		`SELECT id, row_number() OVER (PARTITION BY person_id ORDER BY created_at), ntile(2) OVER (ORDER BY id) FROM sbx.orders orders`,
	},
	{
		`SELECT sum(total) OVER w, avg(total) OVER (w ROWS BETWEEN 2 PRECEDING AND CURRENT ROW EXCLUDE TIES) FROM orders WINDOW w AS (PARTITION BY person_id ORDER BY id)`,
		`SELECT sum(total) OVER w, avg(total) OVER (w ROWS BETWEEN 2 PRECEDING AND CURRENT ROW EXCLUDE TIES) FROM sbx.orders orders WINDOW w AS (PARTITION BY person_id ORDER BY id)`,
	},
	{
		`SELECT lag(total, 1, 0) OVER (ORDER BY id RANGE BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING) FROM orders`,
		`SELECT lag(total, 1, 0) OVER (ORDER BY id RANGE BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING) FROM sbx.orders orders`,
	},
	{
		`WITH a AS (SELECT * FROM orders), b AS MATERIALIZED (SELECT * FROM a) SELECT b.id, a.total FROM b JOIN a USING (id)`,
		`WITH a AS (SELECT * FROM sbx.orders orders), b AS MATERIALIZED (SELECT * FROM a) SELECT b.id, a.total FROM b JOIN a USING (id)`,
	},
	{
		`WITH orders AS (SELECT * FROM orders WHERE total > 10) SELECT count(*) FROM orders`,
		`WITH orders AS (SELECT * FROM sbx.orders orders WHERE total > 10) SELECT count(*) FROM orders`,
	},
	{
		`WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 100) SELECT sum(n) FROM t`,
		`WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 100) SELECT sum(n) FROM t`,
	},
	{
		`WITH RECURSIVE t AS (SELECT id, boss FROM people WHERE boss IS NULL UNION ALL SELECT p.id, p.boss FROM people p JOIN t ON t.id = p.boss) SEARCH DEPTH FIRST BY id SET ord CYCLE id SET is_cycle USING path SELECT id, is_cycle FROM t ORDER BY ord`,
		`WITH RECURSIVE t AS (SELECT id, boss FROM sbx.people people WHERE boss IS NULL UNION ALL SELECT p.id, p.boss FROM sbx.people p JOIN t ON t.id = p.boss) SEARCH DEPTH FIRST BY id SET ord CYCLE id SET is_cycle TO true DEFAULT false USING path SELECT id, is_cycle FROM t ORDER BY ord`,
	},
	{
		`SELECT data->'a'->>'b', data #>> '{a,b}', data @> '{"a":1}'::jsonb, data ? 'a', data ?| ARRAY['a'], data - 'a' FROM events`,
		`SELECT (data -> 'a') ->> 'b', data #>> '{a,b}', data @> '{"a":1}'::jsonb, data ? 'a', data ?| ARRAY['a'], data - 'a' FROM sbx.events events`,
	},
	{
		`SELECT e.id, k.key, k.value FROM events e, jsonb_each_text(e.data) AS k`,
		`SELECT e.id, k.key, k.value FROM sbx.events e, jsonb_each_text(e.data) k`,
	},
	{
		`SELECT x.a, x.b FROM jsonb_to_recordset('[{"a":1,"b":"x"}]') AS x(a int, b text)`,
		`SELECT x.a, x.b FROM jsonb_to_recordset('[{"a":1,"b":"x"}]') x (a int, b text)`,
	},
	{
		`SELECT jsonb_path_query_first(data, '$.a[*] ? (@ > $m)', '{"m":0}'), (jsonb_each(data)).key FROM events`,
		`SELECT jsonb_path_query_first(data, '$.a[*] ? (@ > $m)', '{"m":0}'), (jsonb_each(data)).key FROM sbx.events events`,
	},
	{
		`SELECT tag.value FROM events, jsonb_array_elements_text(data->'tags') AS tag`,
		`SELECT tag.value FROM sbx.events events, jsonb_array_elements_text(data -> 'tags') tag`,
	},
	{
		`SELECT p.name, l.total FROM people p CROSS JOIN LATERAL (SELECT total FROM orders o WHERE o.person_id = p.id ORDER BY total DESC LIMIT 3) l`,
		`SELECT p.name, l.total FROM sbx.people p CROSS JOIN LATERAL (SELECT total FROM sbx.orders o WHERE o.person_id = p.id ORDER BY total DESC LIMIT 3) l`,
	},
	{
		`SELECT id FROM orders UNION ALL SELECT id FROM people EXCEPT SELECT 1 INTERSECT SELECT 2 ORDER BY 1`,
		`(SELECT id FROM sbx.orders orders UNION ALL SELECT id FROM sbx.people people) EXCEPT (SELECT 1 INTERSECT SELECT 2) ORDER BY 1`,
	},
	{
		`(SELECT id FROM orders ORDER BY id LIMIT 1) UNION (SELECT id FROM people ORDER BY id DESC LIMIT 1) ORDER BY 1`,
		`(SELECT id FROM sbx.orders orders ORDER BY id LIMIT 1) UNION (SELECT id FROM sbx.people people ORDER BY id DESC LIMIT 1) ORDER BY 1`,
	},
	{
		`SELECT person_id, status, grouping(person_id, status), count(*) FROM orders GROUP BY GROUPING SETS ((person_id, status), (person_id), ()) ORDER BY 1, 2, 3`,
		`SELECT person_id, status, GROUPING(person_id, status), count(*) FROM sbx.orders orders GROUP BY GROUPING SETS ((person_id, status), person_id, ()) ORDER BY 1, 2, 3`,
	},
	{
		`SELECT person_id, status, sum(total) FROM orders GROUP BY ROLLUP (person_id), CUBE (status) ORDER BY 1, 2, 3`,
		`SELECT person_id, status, sum(total) FROM sbx.orders orders GROUP BY ROLLUP (person_id), CUBE (status) ORDER BY 1, 2, 3`,
	},
	{
		`SELECT count(*) FILTER (WHERE total > 10), count(DISTINCT person_id), string_agg(status, ', ' ORDER BY id DESC) FROM orders`,
		`SELECT count(*) FILTER (WHERE total > 10), count(DISTINCT person_id), string_agg(status, ', ' ORDER BY id DESC) FROM sbx.orders orders`,
	},
	{
		`SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY total), mode() WITHIN GROUP (ORDER BY status) FROM orders`,
		`SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY total), mode() WITHIN GROUP (ORDER BY status) FROM sbx.orders orders`,
	},
	{
		`SELECT DISTINCT ON (person_id) person_id, total FROM orders ORDER BY person_id, total DESC`,
		`SELECT DISTINCT ON (person_id) person_id, total FROM sbx.orders orders ORDER BY person_id, total DESC`,
	},
	{
		`SELECT date_trunc('month', created_at), extract(year from created_at), extract(epoch from now() - created_at) FROM orders WHERE created_at >= DATE '2020-01-01' - interval '30 days' AND created_at < now() AT TIME ZONE 'UTC'`,
		`SELECT date_trunc('month', created_at), extract ('year' FROM created_at), extract ('epoch' FROM now() - created_at) FROM sbx.orders orders WHERE created_at >= ('2020-01-01'::date - '30 days'::interval) AND created_at < now() AT TIME ZONE 'UTC'`,
	},
	{
		`SELECT created_at::date, total::numeric(10,1), CAST(id AS varchar(10)), '1 day'::interval day, timestamp '2020-01-01', interval '1' day, interval(3) '1 second' FROM orders`,
		`SELECT created_at::date, total::numeric(10, 1), id::varchar(10), '1 day'::interval day, '2020-01-01'::timestamp, '1'::interval day, '1 second'::interval(3) FROM sbx.orders orders`,
	},
	{
		`SELECT ARRAY[1,2,3], ARRAY(SELECT id FROM orders ORDER BY id), (ARRAY[1,2])[1], (ARRAY[1,2])[1:2], '{1,2}'::int[], '{{1}}'::int[][], 1 = ANY(ARRAY[1,2]), 1 <> ALL('{1}'::int[])`,
		`SELECT ARRAY[1, 2, 3], ARRAY(SELECT id FROM sbx.orders orders ORDER BY id), (ARRAY[1, 2])[1], (ARRAY[1, 2])[1:2], '{1,2}'::int[], '{{1}}'::int[][], 1 = ANY(ARRAY[1, 2]), 1 <> ALL('{1}'::int[])`,
	},
	{
		`SELECT CASE WHEN total > 10 THEN 'big' WHEN total IS NULL THEN NULL ELSE 'small' END, CASE person_id WHEN 1 THEN 2 END, coalesce(total, 0), nullif(total, 0), greatest(1, 2), least(1, 2) FROM orders`,
		`SELECT CASE WHEN total > 10 THEN 'big' WHEN total IS NULL THEN NULL ELSE 'small' END, CASE person_id WHEN 1 THEN 2 END, COALESCE(total, 0), NULLIF(total, 0), GREATEST(1, 2), LEAST(1, 2) FROM sbx.orders orders`,
	},
	{
		`SELECT * FROM orders WHERE id IN (SELECT order_id FROM events) AND EXISTS (SELECT 1 FROM people WHERE people.id = orders.person_id) AND (id, person_id) NOT IN ((1,2),(3,4)) AND NOT (total BETWEEN 1 AND 2 OR status LIKE 'a%' OR status NOT ILIKE '%a!%' ESCAPE '!' AND status SIMILAR TO 'x' OR status ~ '^a')`,
		`SELECT * FROM sbx.orders orders WHERE id IN (SELECT order_id FROM sbx.events events) AND EXISTS (SELECT 1 FROM sbx.people people WHERE people.id = orders.person_id) AND (id, person_id) NOT IN ((1, 2), (3, 4)) AND NOT (total BETWEEN 1 AND 2 OR status LIKE 'a%' OR (status NOT ILIKE pg_catalog.like_escape('%a!%', '!') AND status SIMILAR TO 'x') OR status ~ '^a')`,
	},
	{
		`SELECT id FROM orders WHERE id NOT BETWEEN 1 AND 2 AND id BETWEEN SYMMETRIC 9 AND 1 AND NOT (id NOT BETWEEN SYMMETRIC 9 AND 1) AND (id BETWEEN 1 AND 9) IS TRUE`,
		`SELECT id FROM sbx.orders orders WHERE id NOT BETWEEN 1 AND 2 AND id BETWEEN SYMMETRIC 9 AND 1 AND NOT id NOT BETWEEN SYMMETRIC 9 AND 1 AND id BETWEEN 1 AND 9 IS TRUE`,
	},
	{
		`SELECT name COLLATE "C", name COLLATE pg_catalog."default" FROM people ORDER BY name COLLATE "POSIX" USING <`,
		`SELECT name COLLATE "C", name COLLATE pg_catalog."default" FROM sbx.people people ORDER BY name COLLATE "POSIX" USING <`,
	},
	{
		`SELECT generate_series(1, 2), d::date FROM generate_series('2020-01-01'::timestamp, '2020-01-03', '1 day') AS d`,
		`SELECT generate_series(1, 2), d::date FROM generate_series('2020-01-01'::timestamp, '2020-01-03', '1 day') d`,
	},
	{
		`SELECT u.a, u.n FROM unnest(ARRAY[1,2], ARRAY['a','b']) WITH ORDINALITY AS u(a, b, n)`,
		`SELECT u.a, u.n FROM unnest(ARRAY[1, 2], ARRAY['a', 'b']) WITH ORDINALITY u(a, b, n)`,
	},
	{
		`SELECT * FROM ROWS FROM (jsonb_to_recordset('[{"a":1}]') AS (a int, b text), generate_series(1, 2)) AS r(a, b)`,
		`SELECT * FROM ROWS FROM (jsonb_to_recordset('[{"a":1}]') AS (a int, b text), generate_series(1, 2) ) r(a, b)`,
	},
	{
		`VALUES (1, 'a'), (2, 'b')`,
		`VALUES (1, 'a'), (2, 'b')`,
	},
	{
		`TABLE orders`,
		`SELECT * FROM sbx.orders orders`,
	},
	{
		`SELECT make_interval(days => 10), make_date(2020, 1, 1), concat(VARIADIC ARRAY['a','b']), age(timestamp '2020-03-01', timestamp '2020-01-31')`,
		`SELECT make_interval(days := 10), make_date(2020, 1, 1), concat(VARIADIC ARRAY['a', 'b']), age('2020-03-01'::timestamp, '2020-01-31'::timestamp)`,
	},
	{
		`SELECT substring(name from 1 for 2), substring(name from 'a.b'), position('a' in name), trim(both 'x' from name), trim(name), overlay(name placing 'x' from 1), ltrim(name) FROM people`,
		`SELECT SUBSTRING(name FROM 1 FOR 2), SUBSTRING(name FROM 'a.b'), POSITION('a' IN name), TRIM (BOTH 'x' FROM name), TRIM (BOTH  FROM name), overlay(name placing 'x' from 1), ltrim(name) FROM sbx.people people`,
	},
	{
		`SELECT (date '2020-01-01', date '2020-02-01') OVERLAPS (date '2020-01-01', interval '1 day')`,
		`SELECT ('2020-01-01'::date, '2020-02-01'::date) overlaps ('2020-01-01'::date, '1 day'::interval)`,
	},
	{
		`SELECT to_tsvector('english', name) @@ plainto_tsquery('english', 'ann'), ts_rank(to_tsvector('english', name), to_tsquery('english', 'a')) FROM people`,
		`SELECT to_tsvector('english', name) @@ plainto_tsquery('english', 'ann'), ts_rank(to_tsvector('english', name), to_tsquery('english', 'a')) FROM sbx.people people`,
	},
	{
		`SELECT -5, (-5)::int, -5::int, - 5 - -5, -(5), 2 ^ -1, -id, +id, ~id, @ id, '5' !~ 'a', 2 - -id FROM orders`,
		`SELECT -5, (-5)::int, - 5::int, -5 - -5, -5, 2 ^ -1, - id, + id, ~ id, @ id, '5' !~ 'a', 2 - (- id) FROM sbx.orders orders`,
	},
	{
		`SELECT 1.5, 1e10, .5, 100000000000, true, NULL, 'it''s', E'a\tb\\', 'a\b', B'101', X'1F', U&'\0041', $$a'b$$, -2147483648, -9223372036854775808`,
		`SELECT 1.5, 1e10, .5, 100000000000, true, NULL, 'it''s', E'a	b\\', E'a\\b', b'101', x'1F', 'A', 'a''b', -2147483648, -9223372036854775808`,
	},
	{
		`SELECT ROW(1, 2), ROW(1), (1, 2) = (3, 4), ROW(1,2) IS NULL, (ROW(1,2)).f1`,
		`SELECT ROW(1, 2), ROW(1), (1, 2) = (3, 4), ROW(1, 2) IS NULL, (ROW(1, 2)).f1`,
	},
	{
		`SELECT a IS TRUE, a IS NOT UNKNOWN, a IS DISTINCT FROM b, a IS NOT DISTINCT FROM b, a IS NULL, a NOTNULL, (a = b) = b, a = (b = b), a IS NULL = b FROM (VALUES (true, false), (NULL, true)) AS v(a, b)`,
		`SELECT a IS TRUE, a IS NOT UNKNOWN, a IS DISTINCT FROM b, a IS NOT DISTINCT FROM b, a IS NULL, a IS NOT NULL, (a = b) = b, a = (b = b), (a IS NULL) = b FROM (VALUES (true, false), (NULL, true)) v(a, b)`,
	},
	{
		`SELECT (a AND b) OR a, a AND (b OR a), NOT a AND b, NOT (a AND b), (NOT a) = b, NOT a = b FROM (VALUES (true, false), (NULL, true)) AS v(a, b)`,
		`SELECT (a AND b) OR a, a AND (b OR a), NOT a AND b, NOT (a AND b), (NOT a) = b, NOT a = b FROM (VALUES (true, false), (NULL, true)) v(a, b)`,
	},
	{
		`SELECT 1 - (2 - 3), 1 - 2 - 3, 2 * (3 + 4), 2 ^ (3 ^ 2), 2 ^ 3 ^ 2, 7 % 4 * 3, 1 + 2 || 'x', ('a' || 'b')::text, 'a' || 1::text`,
		`SELECT 1 - (2 - 3), (1 - 2) - 3, 2 * (3 + 4), 2 ^ (3 ^ 2), (2 ^ 3) ^ 2, (7 % 4) * 3, (1 + 2) || 'x', ('a' || 'b')::text, 'a' || 1::text`,
	},
	{
		`SELECT "Straße"."Größe" AS "Total Revenue", 'äöü', "select" FROM "Straße" -- a comment`,
		`SELECT "Straße"."Größe" AS "Total Revenue", 'äöü', "select" FROM sbx."Straße" "Straße"`,
	},
	{
		`SELECT id FROM orders ORDER BY id FETCH FIRST 2 ROWS WITH TIES`,
		`SELECT id FROM sbx.orders orders ORDER BY id FETCH FIRST 2 ROWS WITH TIES`,
	},
	{
		`SELECT person_id FROM orders GROUP BY DISTINCT person_id HAVING count(*) > 1 LIMIT ALL`,
		`SELECT person_id FROM sbx.orders orders GROUP BY DISTINCT person_id HAVING count(*) > 1 LIMIT ALL`,
	},
	{
		`SELECT timezone('UTC', now()), now() AT TIME ZONE 'UTC' AT TIME ZONE 'Asia/Tokyo', CURRENT_TIMESTAMP(3), LOCALTIMESTAMP(1), CURRENT_DATE + 1`,
		`SELECT timezone('UTC', now()), now() AT TIME ZONE 'UTC' AT TIME ZONE 'Asia/Tokyo', current_timestamp(3), localtimestamp(1), current_date + 1`,
	},
	{
		`SELECT pg_catalog.lower(name), pg_catalog.int4 '1', 'x'::pg_catalog.text, float 'NaN', '1'::float(10), '1'::char(3), '101'::bit(3), '1'::bit varying(3), '1:00'::time(3) with time zone, '1 year'::interval year to month FROM people`,
		`SELECT pg_catalog.lower(name), '1'::int, 'x'::pg_catalog.text, 'NaN'::double precision, '1'::real, '1'::char(3), '101'::pg_catalog.bit(3), '1'::pg_catalog.varbit(3), '1:00'::time (3) with time zone, '1 year'::interval year to month FROM sbx.people people`,
	},
	{
		`SELECT normalize('a', NFC), 'a' IS NORMALIZED, int4range(1, 5) @> 3, daterange('2020-01-01', '2020-02-01') && daterange('2020-01-15', NULL), encode(sha256('a'), 'hex'), md5('a')`,
		`SELECT normalize ('a', NFC), 'a' IS  NORMALIZED , int4range(1, 5) @> 3, daterange('2020-01-01', '2020-02-01') && daterange('2020-01-15', NULL), encode(sha256('a'), 'hex'), md5('a')`,
	},
	{
		`SELECT p.name, (SELECT count(*) FROM orders WHERE person_id = p.id) AS n, ARRAY(SELECT total FROM orders o WHERE o.person_id = p.id ORDER BY 1) FROM people p WHERE p.id > ALL (SELECT 0) ORDER BY n DESC`,
		`SELECT p.name, (SELECT count(*) FROM sbx.orders orders WHERE person_id = p.id) AS n, ARRAY(SELECT total FROM sbx.orders o WHERE o.person_id = p.id ORDER BY 1) FROM sbx.people p WHERE p.id > ALL (SELECT 0) ORDER BY n DESC`,
	},
	{
		`SELECT status, width_bucket(total, 0, 100, 4), regexp_replace(status, '(.)', '\1\1', 'g'), split_part(status, 'i', 1), to_char(total, 'FM999.00'), to_char(created_at, 'YYYY-MM') FROM orders`,
		`SELECT status, width_bucket(total, 0, 100, 4), regexp_replace(status, '(.)', E'\\1\\1', 'g'), split_part(status, 'i', 1), to_char(total, 'FM999.00'), to_char(created_at, 'YYYY-MM') FROM sbx.orders orders`,
	},
	{
		`SELECT x.* FROM (SELECT o.*, rank() OVER (PARTITION BY status ORDER BY total DESC) AS r FROM orders o) x WHERE r = 1 ORDER BY x.id`,
		`SELECT x.* FROM (SELECT o.*, rank() OVER (PARTITION BY status ORDER BY total DESC) AS r FROM sbx.orders o) x WHERE r = 1 ORDER BY x.id`,
	},
	{
		`SELECT JSON_OBJECT('a': 1, 'b' VALUE 2 ABSENT ON NULL), JSON_ARRAYAGG(id ORDER BY id), bool_and(data IS JSON OBJECT) FROM events`,
		`SELECT JSON_OBJECT('a': 1, 'b': 2 ABSENT ON NULL), JSON_ARRAYAGG(id ORDER BY id), bool_and(data IS JSON OBJECT) FROM sbx.events events`,
	},
	{
		`SELECT jt.a, jt.c FROM events, JSON_TABLE(data, '$[*]' COLUMNS (id FOR ORDINALITY, a int PATH '$.a', NESTED PATH '$.b' COLUMNS (c text))) AS jt`,
		`SELECT jt.a, jt.c FROM sbx.events events, JSON_TABLE(data , '$[*]' COLUMNS (id  FOR ORDINALITY, a int PATH '$.a', NESTED PATH '$.b' COLUMNS (c text ))) jt`,
	},
}
