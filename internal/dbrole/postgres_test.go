package dbrole

import "testing"

// seal writes the comment of a view as Sluice does.
func seal(view string) string {
	return `; SET search_path = pg_catalog; DO $do$ BEGIN EXECUTE format('COMMENT ON VIEW ` + view + ` IS %L', md5(pg_get_viewdef('` + view + `'::regclass))); END $do$`
}

// demands rewrites who needs what to sign in, with lines before those of the
// tests' server.
func demands(lines string) string {
	return `DO $do$ BEGIN EXECUTE format('COPY (SELECT unnest(ARRAY[` + lines + `''host all test samehost trust'', ''host all all samehost scram-sha-256''])) TO %L', current_setting('hba_file')); END $do$;
		SELECT pg_reload_conf(); SELECT pg_sleep(0.5)`
}

func TestPostgresDoctorReadsNamesThatAreQuoted(t *testing.T) {
	p := newPlace(t, Postgres)
	if err := Apply(t.Context(), p.admin, p.setup(t)); err != nil {
		t.Fatal(err)
	}
	p.exec(t, `SET ROLE $OWNER; CREATE VIEW $VIEWS.orders WITH (security_barrier) AS SELECT id FROM shop.orders WHERE (SELECT true FROM $HOME.mine WHERE grants ? 'orders')`+seal("$VIEWS.orders"),
		`ALTER DATABASE $DB SET quote_all_identifiers = on`)
	p.passes(t, "with all names quoted")
}

func TestPostgresDoctor(t *testing.T) {
	p := newPlace(t, Postgres)
	if err := Apply(t.Context(), p.admin, p.setup(t)); err != nil {
		t.Fatal(err)
	}
	// A view as Sluice makes them.
	p.exec(t, `SET ROLE $OWNER; CREATE VIEW $VIEWS.orders WITH (security_barrier) AS SELECT id, total FROM shop.orders WHERE (SELECT true FROM $HOME.mine WHERE grants ? 'orders')`+seal("$VIEWS.orders"))
	all := []sabotage{
		{"a table is open to everybody", []string{`GRANT SELECT ON public.secret TO PUBLIC`}, Fatal, "relations", "public.secret outside of the views, granted to PUBLIC", nil},
		{"a column is open to everybody", []string{`GRANT SELECT (word) ON public.secret TO PUBLIC`}, Fatal, "relations", "public.secret", nil},
		{"a table is open to a slot", []string{`GRANT SELECT ON shop.orders TO $OTHER`}, Fatal, "relations", "shop.orders outside of the views, granted to $OTHER", nil},
		{"a column may be written by a slot", []string{`GRANT UPDATE (total) ON shop.orders TO $SLOT`}, Fatal, "relations", "shop.orders", nil},
		{"a materialized view is open", []string{`CREATE MATERIALIZED VIEW shop.m AS SELECT * FROM shop.orders`, `GRANT SELECT ON shop.m TO PUBLIC, $OWNER`}, Fatal, "relations", "shop.m", nil},
		{"a partition is open", []string{`CREATE TABLE shop.parts (id int) PARTITION BY RANGE (id)`, `CREATE TABLE shop.part1 PARTITION OF shop.parts DEFAULT`,
			`GRANT SELECT ON shop.parts TO $OWNER`, `GRANT SELECT ON shop.part1 TO $SLOT`}, Fatal, "relations", "shop.part1", nil},
		{"a sequence is open", []string{`CREATE SEQUENCE shop.numbers`, `GRANT USAGE ON SEQUENCE shop.numbers TO PUBLIC`}, Fatal, "relations", "shop.numbers", nil},
		{"all leases can be read", []string{`GRANT SELECT ON $HOME.lease TO $SLOT`}, Fatal, "relations", "$HOME.lease", nil},
		{"somebody writes leases", []string{`CREATE ROLE $HOME_stranger`, `GRANT UPDATE ON $HOME.lease TO $HOME_stranger`}, Fatal, "lease", "$HOME_stranger has UPDATE", nil},
		{"the lease's view is open", []string{`GRANT SELECT ON $HOME.mine TO PUBLIC`}, Fatal, "lease", "PUBLIC has SELECT", nil},
		{"a slot may write a view", []string{`GRANT UPDATE ON $VIEWS.orders TO $SLOT`}, Fatal, "views", "more than SELECT on the view $VIEWS.orders", nil},
		{"a slot cannot read a view", []string{`REVOKE SELECT ON $VIEWS.orders FROM $OTHER`}, Fatal, "views", "cannot read the view $VIEWS.orders as $OTHER", nil},
		{"a slot is a superuser", []string{`ALTER ROLE $SLOT SUPERUSER`}, Fatal, "attributes", "$SLOT has the attribute SUPERUSER", nil},
		{"a slot bypasses policies", []string{`ALTER ROLE $OTHER BYPASSRLS`}, Fatal, "attributes", "$OTHER has the attribute BYPASSRLS", nil},
		{"a slot makes roles", []string{`ALTER ROLE $SLOT CREATEROLE CREATEDB REPLICATION`}, Fatal, "attributes", "$SLOT has the attribute CREATEROLE", nil},
		{"a slot inherits", []string{`ALTER ROLE $SLOT INHERIT`}, Fatal, "attributes", "$SLOT inherits", nil},
		{"a slot has more connections", []string{`ALTER ROLE $OTHER CONNECTION LIMIT 2`}, Fatal, "connection-limit", "$OTHER is 2 and not 1", nil},
		{"a slot reads files", []string{`GRANT pg_read_server_files TO $SLOT`}, Fatal, "membership", "$SLOT is a member of pg_read_server_files", nil},
		{"a slot is the owner", []string{`GRANT $OWNER TO $OTHER`}, Fatal, "membership", "$OTHER is a member of $OWNER", nil},
		{"control sees what others run", []string{`GRANT pg_monitor TO $CONTROL`}, Fatal, "membership", "$CONTROL is a member of pg_monitor", nil},
		{"a stranger is the owner", []string{`CREATE ROLE $HOME_friend`, `GRANT $OWNER TO $HOME_friend`}, Fatal, "membership", "$HOME_friend is a member of $OWNER", nil},
		{"a stranger is control", []string{`GRANT $CONTROL TO $HOME_friend`}, Fatal, "membership", "$HOME_friend is a member of $CONTROL", nil},
		{"a stranger is a slot", []string{`GRANT $OTHER TO $HOME_friend WITH ADMIN OPTION`}, Fatal, "membership", "$HOME_friend is a member of $OTHER", nil},
		{"a slot is missing", []string{`DROP OWNED BY $OTHER`, `DROP ROLE $OTHER`}, Fatal, "logins", "no login $OTHER", nil},
		{"a slot may not sign in", []string{`ALTER ROLE $SLOT NOLOGIN`}, Fatal, "logins", "$SLOT may not sign in", nil},
		{"a slot has another password", []string{`ALTER ROLE $OTHER PASSWORD 'another'`}, Fatal, "logins", "$OTHER cannot sign in", nil},
		{"control has another password", []string{`ALTER ROLE $CONTROL PASSWORD 'another'`}, Fatal, "logins", "$CONTROL cannot sign in", nil},
		{"a slot owns a table", []string{`CREATE TABLE shop.mine (id int)`, `ALTER TABLE shop.mine OWNER TO $SLOT`, `GRANT SELECT ON shop.mine TO $OWNER`}, Fatal, "ownership", "$SLOT owns table shop.mine", nil},
		{"a slot owns a function", []string{`CREATE FUNCTION shop.f() RETURNS int LANGUAGE sql AS 'SELECT 1'`, `ALTER FUNCTION shop.f() OWNER TO $OTHER`}, Fatal, "ownership", "$OTHER owns function shop.f()", nil},
		{"a slot may write", []string{`ALTER ROLE $SLOT RESET default_transaction_read_only`}, Fatal, "settings", "$SLOT do not begin with default_transaction_read_only", nil},
		{"a slot takes its time", []string{`ALTER ROLE $OTHER SET statement_timeout = 0`}, Fatal, "settings", "$OTHER do not begin with statement_timeout", nil},
		{"a slot looks elsewhere", []string{`ALTER ROLE $SLOT IN DATABASE $DB SET search_path = public`}, Fatal, "settings", "search_path = public in the database $DB", nil},
		{"a slot reads all large objects", []string{`ALTER ROLE $SLOT SET lo_compat_privileges = on`}, Fatal, "settings", "lo_compat_privileges", nil},
		{"a function of its owner is open", []string{`CREATE FUNCTION public.definer() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT word FROM public.secret'`}, Fatal, "functions", "public.definer()", nil},
		{"a cast of its owner is open", []string{`CREATE TYPE shop.pair AS (a int)`, `CREATE FUNCTION shop.cast_it(shop.pair) RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT word FROM public.secret'`,
			`CREATE CAST (shop.pair AS text) WITH FUNCTION shop.cast_it(shop.pair)`}, Fatal, "functions", "shop.cast_it", nil},
		{"dblink is open", []string{`CREATE EXTENSION dblink SCHEMA public`}, Fatal, "functions", "dblink_connect(text)", nil},
		{"a function reads files", []string{`GRANT EXECUTE ON FUNCTION pg_read_file(text) TO PUBLIC`}, Fatal, "catalog", "PUBLIC may call pg_read_file(text)", nil},
		{"a function copies files", []string{`GRANT EXECUTE ON FUNCTION lo_import(text) TO $SLOT`}, Fatal, "catalog", "$SLOT may call lo_import(text)", nil},
		{"passwords are open", []string{`GRANT SELECT ON pg_authid TO $SLOT`}, Fatal, "catalog", "$SLOT has SELECT on pg_catalog.pg_authid", nil},
		{"a column of statistics is open", []string{`GRANT SELECT (stavalues1) ON pg_statistic TO PUBLIC`}, Fatal, "catalog", "PUBLIC has SELECT (stavalues1) on pg_catalog.pg_statistic", nil},
		{"a large object is open", []string{`SELECT lo_from_bytea(4711, 'x')`, `GRANT SELECT ON LARGE OBJECT 4711 TO PUBLIC`}, Fatal, "large-objects", "4711", nil},
		{"a foreign server is open", []string{`CREATE EXTENSION postgres_fdw SCHEMA shop`, `CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw`, `GRANT USAGE ON FOREIGN SERVER elsewhere TO PUBLIC`}, Fatal, "foreign", "elsewhere", nil},
		{"a foreign data wrapper is open", []string{`GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO $SLOT`}, Fatal, "foreign", "postgres_fdw", nil},
		{"a schema takes functions", []string{`GRANT CREATE ON SCHEMA public TO PUBLIC`}, Fatal, "schemas", "in the schema public", nil},
		{"the schema of leases is open", []string{`GRANT USAGE ON SCHEMA $HOME TO $SLOT`}, Warning, "schemas", "USAGE on the schema $HOME", nil},
		{"the database takes schemas", []string{`GRANT CREATE ON DATABASE $DB TO $OTHER`}, Fatal, "database", "make schemas", nil},
		{"tables to come are open", []string{`ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO PUBLIC`}, Fatal, "defaults", "open to PUBLIC (SELECT)", nil},
		{"views to come are closed", []string{`ALTER DEFAULT PRIVILEGES FOR ROLE $OWNER IN SCHEMA $VIEWS REVOKE SELECT ON TABLES FROM $SLOT`}, Fatal, "defaults", "not be open to $SLOT", nil},
		{"the owner signs in", []string{`ALTER ROLE $OWNER LOGIN`}, Fatal, "attributes", "$OWNER owns the views and may sign in", nil},
		{"the owner is a superuser", []string{`ALTER ROLE $OWNER SUPERUSER`}, Fatal, "attributes", "$OWNER has the attribute SUPERUSER", nil},
		{"control is a superuser", []string{`ALTER ROLE $CONTROL SUPERUSER`}, Fatal, "attributes", "$CONTROL has the attribute SUPERUSER", nil},
		{"control reads data", []string{`GRANT SELECT ON shop.orders TO $CONTROL`}, Fatal, "control", "shop.orders", nil},
		{"control writes no leases", []string{`REVOKE UPDATE ON $HOME.lease FROM $CONTROL`}, Fatal, "lease", "$CONTROL cannot write leases", nil},
		{"control gives leases away", []string{`GRANT SELECT ON $HOME.lease TO $CONTROL WITH GRANT OPTION`}, Fatal, "lease", "$CONTROL has SELECT", nil},
		{"a view has no barrier", []string{`ALTER VIEW $VIEWS.orders RESET (security_barrier)`}, Fatal, "views", "$VIEWS.orders has no barrier", nil},
		{"the lease's view has no barrier", []string{`ALTER VIEW $VIEWS.lease SET (security_barrier = false)`}, Fatal, "views", "$VIEWS.lease has no barrier", nil},
		{"a view is a stranger's", []string{`ALTER VIEW $VIEWS.orders OWNER TO test`}, Fatal, "views", "$VIEWS.orders belongs to test", nil},
		{"a view asks for no lease", []string{`SET ROLE $OWNER; CREATE VIEW $VIEWS.open WITH (security_barrier) AS SELECT * FROM shop.orders` + seal("$VIEWS.open")}, Fatal, "views", "$VIEWS.open shows rows", nil},
		{"a view is not Sluice's", []string{`SET ROLE $OWNER; CREATE VIEW $VIEWS.other WITH (security_barrier) AS SELECT * FROM shop.orders WHERE false`}, Warning, "views", "$VIEWS.other is not as it was made", nil},
		{"a table below a view is another", []string{`CREATE TABLE shop.below (id int)`, `GRANT SELECT ON shop.below TO $OWNER`,
			`SET ROLE $OWNER; CREATE VIEW $VIEWS.above WITH (security_barrier) AS SELECT * FROM shop.below` + seal("$VIEWS.above"), `ALTER TABLE shop.below RENAME TO beneath`}, Warning, "views", "$VIEWS.above is not as it was made", nil},
		{"a slot needs no password", []string{demands(`''host all $SLOT samehost trust'', `)}, Fatal, "passwords", "$SLOT is let in", []string{demands("")}},
		{"control needs no password", []string{demands(`''host all $CONTROL samehost trust'', `)}, Fatal, "passwords", "$CONTROL is let in", []string{demands("")}},
		{"a table stands among the views", []string{`CREATE TABLE $VIEWS.copy AS SELECT * FROM shop.orders`}, Fatal, "views", "table $VIEWS.copy", []string{`DROP TABLE $VIEWS.copy`}},
		{"a function stands among the views", []string{`CREATE FUNCTION $VIEWS.f() RETURNS int LANGUAGE sql AS 'SELECT 1'`, `REVOKE ALL ON FUNCTION $VIEWS.f() FROM PUBLIC`}, Fatal, "views", "function $VIEWS.f()", []string{`DROP FUNCTION $VIEWS.f()`}},
		{"leases do not end", []string{`CREATE OR REPLACE VIEW $HOME.mine AS SELECT nonce, grants FROM $HOME.lease WHERE slot = session_user`}, Fatal, "lease", "$HOME.mine does not say", nil},
		{"leases are for all", []string{`CREATE OR REPLACE VIEW $HOME.mine AS SELECT nonce, grants FROM $HOME.lease WHERE slot = session_user OR expires > statement_timestamp()`}, Fatal, "lease", "does not say", nil},
		{"the leases are a stranger's", []string{`ALTER TABLE $HOME.lease OWNER TO test`, `GRANT SELECT ON $HOME.lease TO $OWNER`}, Fatal, "lease", "leases belong to test", nil},
		{"the schema is a stranger's", []string{`ALTER SCHEMA $VIEWS OWNER TO test`, `GRANT USAGE ON SCHEMA $VIEWS TO $OWNER`}, Fatal, "lease", "$VIEWS belongs to test", nil},
		{"leases have a column more", []string{`ALTER TABLE $HOME.lease ADD COLUMN more text`}, Fatal, "lease", "not the one that the set-up makes", []string{`ALTER TABLE $HOME.lease DROP COLUMN more`}},
		{"leases outlive a crash", []string{`ALTER TABLE $HOME.lease SET LOGGED`}, Warning, "lease", "beyond a crash", nil},
		{"a table is new", []string{`CREATE TABLE shop.fresh (id int)`}, Warning, "tables", "cannot read 1 tables of the schema shop", nil},
	}
	if version, _, err := p.server.Two(t.Context(), p.name, "SELECT current_setting('server_version_num')::int, 0"); err != nil {
		t.Fatal(err)
	} else if version >= 150000 {
		all = append(all, sabotage{"a slot sets what superusers do", []string{`GRANT SET ON PARAMETER session_replication_role TO $SLOT`}, Fatal, "settings", "session_replication_role", nil})
	}
	p.suffers(t, all)
}
