package dbrole

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-sql-driver/mysql"

	"github.com/sluice-bi/sluice/internal/warehouse"
)

// underLease attacks under a lease for a view that there is not.
func (d *maria) underLease(control, slot *warehouse.Login, name string) (err error) {
	nonce := token()
	lease := ticks(d.b.Home()) + ".lease"
	write := func(seconds string) error {
		_, err := control.Query(d.ctx, "REPLACE INTO "+lease+" (slot, nonce, `grants`, expires) VALUES (?, ?, ?, UTC_TIMESTAMP(6) + INTERVAL ? SECOND)", name, nonce, `{"`+nonce+`": true}`, seconds)
		return err
	}
	remove := func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(d.ctx), tidyWithin)
		defer cancel()
		_, err := control.Query(ctx, "DELETE FROM "+lease+" WHERE slot = ? AND nonce = ?", name, nonce)
		return err
	}
	if err := write("-1"); err != nil {
		if mariaHeld(err) {
			d.report.fatal("lease", "", "%s cannot write a lease: %v", d.b.Control(), err)
			return nil
		}
		return fmt.Errorf("dbrole: the doctor's lease: %w", err)
	}
	defer func() {
		if e := remove(); e != nil {
			err = errors.Join(err, fmt.Errorf("dbrole: the doctor's lease of %s was not removed: %w", name, e))
		}
	}()
	if err := d.reads(slot, "after its lease ran out"); err != nil {
		return err
	}
	// A session may say what time it is.
	if err := slot.Exec(d.ctx, "SET timestamp = 1000000000"); err == nil {
		if err := d.reads(slot, "after its lease ran out, in a session that sets its time back"); err != nil {
			return err
		}
		if err := slot.Exec(d.ctx, "SET timestamp = DEFAULT"); err != nil {
			return fmt.Errorf("dbrole: the doctor's slot: %w", err)
		}
	}
	if err := write("600"); err != nil {
		return fmt.Errorf("dbrole: the doctor's lease: %w", err)
	}
	if err := d.reads(slot, "under its lease", nonce); err != nil {
		return err
	}
	if err := d.viewsAreEmpty(control, slot); err != nil {
		return err
	}
	broken := !d.report.Passed()
	for _, c := range d.canaries() {
		if c.undo != "" && broken {
			continue // it may do what nobody can undo, and what is known is enough
		}
		if err := d.attack(slot, c); err != nil {
			return err
		}
	}
	if err := remove(); err != nil {
		return fmt.Errorf("dbrole: the doctor's lease: %w", err)
	}
	return d.reads(slot, "without a lease")
}

// reads demands that a slot sees exactly these leases.
func (d *maria) reads(slot *warehouse.Login, when string, nonces ...string) error {
	rows, err := slot.Query(d.ctx, "SELECT nonce FROM "+ticks(d.b.Views())+".lease")
	var my *mysql.MySQLError
	if err != nil && !errors.As(err, &my) {
		return fmt.Errorf("dbrole: reading the lease: %w", err)
	}
	var seen []string
	for _, v := range rows {
		seen = append(seen, v[0])
	}
	switch {
	case err != nil:
		d.report.fatal("lease", "", "A slot cannot read its lease %s: %v", when, err)
	case !slices.Equal(seen, nonces):
		d.report.fatal("lease", "", "A slot sees %d leases %s, and not %d of its own.", len(seen), when, len(nonces))
	}
	return nil
}

// viewsAreEmpty for who has a lease for something else.
func (d *maria) viewsAreEmpty(control, slot *warehouse.Login) error {
	rows, err := control.Query(d.ctx, "SELECT table_name FROM information_schema.views WHERE table_schema = ? AND table_name <> 'lease' ORDER BY 1", d.b.Views())
	if err != nil {
		return fmt.Errorf("dbrole: the views: %w", err)
	}
	for _, v := range rows {
		view := ticks(d.b.Views()) + "." + ticks(v[0])
		ctx, cancel := context.WithTimeout(d.ctx, queryWithin)
		found, err := slot.Query(ctx, "SELECT 1 FROM "+view+" LIMIT 1")
		cancel()
		var my *mysql.MySQLError
		switch {
		case err != nil && !errors.As(err, &my):
			return fmt.Errorf("dbrole: the view %s: %w", view, err)
		case err != nil:
			d.report.warn("views", "", "The view %s cannot be read: %v", view, err)
		case len(found) > 0:
			d.report.fatal("views", "DROP VIEW "+view+";", "The view %s shows rows to a slot whose lease does not name it.", view)
		}
	}
	return nil
}

// mariaCanary is something that a slot must not be able to do. What ends no
// transaction is rolled back; the rest has an undo, and is tried only where all
// else says that it will be refused.
type mariaCanary struct{ what, sql, undo string }

func (d *maria) canaries() []mariaCanary {
	home, views, name := ticks(d.b.Home()), ticks(d.b.Views()), token()
	all := []mariaCanary{
		{"read the leases", "SELECT * FROM " + home + ".lease", ""},
		{"read what its lease grants", "SELECT * FROM " + home + ".mine", ""},
		{"write its lease", "UPDATE " + home + ".lease SET expires = '9999-01-01'", ""},
		{"give itself a lease", "INSERT INTO " + home + ".lease VALUES ('x', 'x', '{}', '9999-01-01')", ""},
		{"remove leases", "DELETE FROM " + home + ".lease", ""},
		{"write its lease through the view", "UPDATE " + views + ".lease SET nonce = 'x'", ""},
		{"act as the login of the leases", "SET ROLE " + ticks(d.b.Control()), ""},
		{"read the text of views", "SHOW CREATE VIEW " + views + ".lease", ""},
		{"read plans", "EXPLAIN SELECT * FROM " + views + ".lease", ""},
		{"read passwords", "SELECT * FROM mysql.global_priv", ""},
		{"read the grants of others", "SHOW GRANTS FOR " + account(d.b.Control()), ""},
		{"write a file on the server", "SELECT 1 INTO DUMPFILE '/dev/null'", ""},
		{"read a file of the server", "LOAD DATA INFILE '/dev/null' INTO TABLE " + home + ".lease", ""},
		{"make a table in the database test", "CREATE TABLE test." + name + " (id INT)", "DROP TABLE test." + name},
		{"make a database", "CREATE DATABASE " + "test_" + name, "DROP DATABASE test_" + name},
		{"make a table among the views", "CREATE TABLE " + views + "." + name + " (id INT)", "DROP TABLE " + views + "." + name},
		{"make a temporary table", "CREATE TEMPORARY TABLE " + views + "." + name + " (id INT)", "DROP TEMPORARY TABLE " + views + "." + name},
		{"make a view", "CREATE VIEW " + views + "." + name + " AS SELECT 1", "DROP VIEW " + views + "." + name},
		{"make a function", "CREATE FUNCTION " + views + "." + name + "() RETURNS INT RETURN 1", "DROP FUNCTION " + views + "." + name},
		{"make an account", "CREATE USER " + ticks(name), "DROP USER " + ticks(name)},
		{"set what holds for all", "SET GLOBAL max_connections = @@GLOBAL.max_connections", ""},
		{"leave the log", "SET SESSION sql_log_bin = @@SESSION.sql_log_bin", ""},
		{"lock views", "LOCK TABLES " + views + ".lease READ", "UNLOCK TABLES"},
		{"flush tables", "FLUSH STATUS", ""},
	}
	if d.base != "" {
		all = append(all,
			mariaCanary{"read a table", "SELECT * FROM " + d.base + " LIMIT 1", ""},
			mariaCanary{"count a table", "SELECT COUNT(*) FROM " + d.base, ""},
			mariaCanary{"read a table by a text", "EXECUTE IMMEDIATE " + literal("SELECT 1 FROM "+d.base), ""},
			mariaCanary{"read a table by a handler", "HANDLER " + d.base + " OPEN AS x", "HANDLER x CLOSE"},
			mariaCanary{"read the text of a table", "SHOW CREATE TABLE " + d.base, ""},
			mariaCanary{"change a table", "DELETE FROM " + d.base + " WHERE FALSE", ""})
	}
	return all
}

func (d *maria) attack(slot *warehouse.Login, c mariaCanary) error {
	if err := slot.Exec(d.ctx, "START TRANSACTION"); err != nil {
		return fmt.Errorf("dbrole: the doctor's attack: %w", err)
	}
	err := slot.Exec(d.ctx, c.sql)
	var my *mysql.MySQLError
	switch {
	case err == nil:
		left := ""
		if c.undo != "" && slot.Exec(d.ctx, c.undo) != nil {
			left = c.undo + ";"
		}
		d.report.fatal("canary", left, "SQL of people can %s: %s", c.what, c.sql)
	case !errors.As(err, &my):
		return fmt.Errorf("dbrole: the doctor's attack: %w", err)
	case !mariaHeld(err):
		d.report.fatal("canary", "", "Whether SQL of people can %s was not found out: %s", c.what, my.Message)
	}
	if err := slot.Exec(d.ctx, "ROLLBACK"); err != nil {
		return fmt.Errorf("dbrole: the doctor's attack: %w", err)
	}
	return nil
}

// mariaHeld tells that the server refused: no right, or no such role or
// database.
func mariaHeld(err error) bool {
	var my *mysql.MySQLError
	return errors.As(err, &my) && slices.Contains([]uint16{1044, 1045, 1142, 1143, 1227, 1345, 1370, 1959, 1049, 1290}, my.Number)
}
