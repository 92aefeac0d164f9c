package dbrole

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sluice-bi/sluice/internal/warehouse"
)

// canary is something that a slot must not be able to do.
type canary struct{ what, sql string }

// canaries are written so that one that succeeds leaves nothing behind when it
// is rolled back.
func (d *postgres) canaries(slot string) []canary {
	lease, views := ident(d.b.Home())+".lease", ident(d.b.Views())
	all := []canary{
		{"read the leases", "SELECT * FROM " + lease},
		{"write its lease", "UPDATE " + lease + " SET expires = 'infinity' WHERE slot = session_user"},
		{"give itself a lease", "INSERT INTO " + lease + " VALUES (session_user, 'x', '{}', 'infinity') ON CONFLICT DO NOTHING"},
		{"remove leases", "DELETE FROM " + lease},
		{"write its lease through the view", "UPDATE " + views + ".lease SET nonce = 'x'"},
		{"act as the owner by set_config", "SELECT set_config('role', " + literal(d.b.Owner()) + ", true)"},
		{"act as the owner by SET ROLE", "SET LOCAL ROLE " + ident(d.b.Owner())},
		{"act as the login of the leases", "SET LOCAL ROLE " + ident(d.b.Control())},
		{"become somebody else", "SET LOCAL SESSION AUTHORIZATION " + ident(d.b.Control())},
		{"make itself a superuser", "ALTER ROLE " + ident(slot) + " SUPERUSER"},
		{"make itself a member of the owner", "GRANT " + ident(d.b.Owner()) + " TO " + ident(slot)},
		{"read a file of the server", "SELECT pg_read_file('PG_VERSION')"},
		{"list a folder of the server", "SELECT pg_ls_dir('.')"},
		{"copy a file of the server in", "SELECT lo_import('PG_VERSION')"},
		{"run a program on the server", "COPY (SELECT 1) TO PROGRAM 'true'"},
		{"write a file on the server", "COPY (SELECT 1) TO '/dev/null'"},
		{"read passwords", "SELECT rolpassword FROM pg_catalog.pg_authid"},
		{"read statistics of all columns", "SELECT * FROM pg_catalog.pg_statistic"},
		{"read large objects past their rights", "SELECT data FROM pg_catalog.pg_largeobject"},
		{"make a view among the views", "CREATE VIEW " + views + ".x AS SELECT 1"},
		{"make a function among the views", "CREATE FUNCTION " + views + ".x() RETURNS int LANGUAGE sql AS 'SELECT 1'"},
		{"make a schema", "CREATE SCHEMA " + ident(token())},
	}
	if d.dblink != "" {
		all = append(all, canary{"connect to a database", "SELECT " + d.dblink + ".dblink_connect('dbname=' || current_database())"})
	}
	if d.base != "" {
		text := literal("SELECT * FROM " + d.base)
		all = append(all,
			canary{"read a table", "SELECT * FROM " + d.base + " LIMIT 1"},
			canary{"count a table", "SELECT count(*) FROM " + d.base},
			canary{"read a table by a text", "SELECT query_to_xml(" + text + ", true, true, '')"},
			canary{"read a table by its name", "SELECT table_to_xml(" + literal(d.base) + ", true, true, '')"},
			canary{"read a table by statistics of words", "SELECT * FROM ts_stat(" + text + ")"},
			canary{"copy a table", "CREATE TEMPORARY TABLE x AS SELECT * FROM " + d.base},
			canary{"read a table by a block", "DO $do$ BEGIN PERFORM * FROM " + d.base + "; END $do$"},
			canary{"change a table", "DELETE FROM " + d.base + " WHERE false"},
			canary{"lock a table", "LOCK TABLE " + d.base + " IN ACCESS SHARE MODE NOWAIT"},
			canary{"view a table", "CREATE TEMPORARY VIEW x AS SELECT * FROM " + d.base + "; SELECT * FROM x"})
	}
	return all
}

// attack runs a canary in a transaction that may write, as SQL could make it
// do, and rolls it back. What fails for any other reason than that it may not
// proves nothing.
func (d *postgres) attack(slot *warehouse.Login, c canary) error {
	if err := slot.Exec(d.ctx, "BEGIN READ WRITE; SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '20s'"); err != nil {
		return fmt.Errorf("dbrole: the doctor's attack: %w", err)
	}
	err := slot.Exec(d.ctx, c.sql)
	var pg *pgconn.PgError
	switch {
	case err == nil:
		d.report.fatal("canary", "", "SQL of people can %s: %s", c.what, c.sql)
	case !errors.As(err, &pg):
		return fmt.Errorf("dbrole: the doctor's attack: %w", err)
	case !held(err):
		d.report.fatal("canary", "", "Whether SQL of people can %s was not found out: %s", c.what, pg.Message)
	}
	if err := slot.Exec(d.ctx, "ROLLBACK"); err != nil {
		return fmt.Errorf("dbrole: the doctor's attack: %w", err)
	}
	return nil
}

// held tells that the server refused: no right, or no such function or
// language, or one that it was built without.
func held(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "42501" || pg.Code == "42883" || pg.Code == "42704" || pg.Code == "0A000")
}
