package dbrole

import (
	"fmt"
	"strings"

	"github.com/sluice-bi/sluice/internal/warehouse"
)

// ticks writes a name as MariaDB reads it.
func ticks(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// grantable writes the name of a database for a GRANT on all its tables, which
// takes it for a pattern.
func grantable(name string) string {
	return ticks(strings.NewReplacer(`\`, `\\`, "_", `\_`, "%", `\%`).Replace(name))
}

// account is a login from any address.
func account(name string) string { return literal(name) + "@'%'" }

// slotLimits allow a slot's statement, and a second connection that ends it: an
// account may end its own connections and no other's.
const slotLimits = " WITH MAX_USER_CONNECTIONS 2 MAX_STATEMENT_TIME 120"

// mariaAccount makes an account unless it is there, and sets its password and
// limits.
func mariaAccount(engine string, b warehouse.Boundary, name string) []string {
	identified := " IDENTIFIED VIA mysql_native_password USING "
	limits := ""
	if name != b.Control() {
		limits = slotLimits
	}
	if engine == MySQL8 {
		identified = " IDENTIFIED WITH mysql_native_password AS "
		limits = strings.TrimSuffix(limits, " MAX_STATEMENT_TIME 120")
	}
	identified += literal(nativeHash(b.Password(name)))
	return []string{"CREATE USER IF NOT EXISTS " + account(name) + identified + limits, "ALTER USER " + account(name) + identified + limits}
}

func mariaSlotGrants(b warehouse.Boundary, slot string) string {
	return "GRANT SELECT ON " + grantable(b.Views()) + ".* TO " + account(slot)
}

func mariaLease(b warehouse.Boundary) string {
	return "CREATE TABLE IF NOT EXISTS " + ticks(b.Home()) + ".lease (slot VARCHAR(80) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY, nonce VARCHAR(64) NOT NULL,\n" +
		"  `grants` LONGTEXT CHARACTER SET utf8mb4 NOT NULL, expires DATETIME(6) NOT NULL) ENGINE=InnoDB"
}

// mariaMine asks the time twice: a session may SET the timestamp that
// UTC_TIMESTAMP gives, and so bring an old lease back. SYSDATE is the clock.
func mariaMine(b warehouse.Boundary) string {
	return fmt.Sprintf("CREATE OR REPLACE DEFINER = %s SQL SECURITY DEFINER VIEW %s.mine AS SELECT nonce, `grants` FROM %[2]s.lease\n"+
		"  WHERE slot = CONVERT(SUBSTRING_INDEX(SESSION_USER(), '@', 1) USING ascii) COLLATE ascii_bin AND expires > UTC_TIMESTAMP(6)\n"+
		"  AND expires > TIMESTAMP'1970-01-01 00:00:00.000000' + INTERVAL UNIX_TIMESTAMP(SYSDATE(6)) SECOND", account(b.Control()), ticks(b.Home()))
}

func mariaNonce(b warehouse.Boundary) string {
	return fmt.Sprintf("CREATE OR REPLACE DEFINER = %s SQL SECURITY DEFINER VIEW %s.lease AS SELECT nonce FROM %s.mine", account(b.Control()), ticks(b.Views()), ticks(b.Home()))
}

func mariaSetup(engine string, b warehouse.Boundary, o SetupOptions) []Statement {
	control := account(b.Control())
	head := "The boundary for SQL of people in the database " + o.Database + ".\n" +
		"Run it as a login with CREATE USER, SET USER (or SUPER), and the right to grant what it grants. It holds\n" +
		"no password, only what proves one. Run it again when the doctor says so: that changes nothing that is right."
	if engine == MySQL8 {
		head = "UNVERIFIED: nobody has run this on MySQL yet, and SQL of people is refused there.\n" + head
	}
	s := []Statement{{"CREATE DATABASE IF NOT EXISTS " + ticks(b.Home()), head}, {"CREATE DATABASE IF NOT EXISTS " + ticks(b.Views()), ""}}
	add := func(why string, statements ...string) {
		for i, sql := range statements {
			if i > 0 {
				why = ""
			}
			s = append(s, Statement{sql, why})
		}
	}
	add("Writes leases, and is the definer of the views: what it reads, they may read.", mariaAccount(engine, b, b.Control())...)
	for i, slot := range slots(b) {
		why := ""
		if i == 0 {
			why = "SQL of people runs as one of these, one statement at a time each."
		}
		add(why, mariaAccount(engine, b, slot)...)
	}
	add("", mariaLease(b), "GRANT SELECT, INSERT, UPDATE, DELETE ON "+ticks(b.Home())+".lease TO "+control)
	add("The lease of the account that asks, which SQL cannot change.", mariaMine(b), "GRANT SELECT, SHOW VIEW ON "+ticks(b.Home())+".mine TO "+control, mariaNonce(b))
	add("What views may read.", "GRANT SELECT ON "+grantable(o.Database)+".* TO "+control)
	add("To look at the views that are there.", "GRANT SELECT, SHOW VIEW ON "+grantable(b.Views())+".* TO "+control)
	writes := "GRANT CREATE VIEW, DROP ON " + grantable(b.Views()) + ".* TO " + control
	if o.WritesViews {
		add("Optional. Sluice then writes the views itself. Without it an administrator runs what it prints whenever\npolicies change.", writes)
	} else {
		add("Would let Sluice write the views itself. Without it an administrator runs what Sluice prints.", "-- "+writes+";")
	}
	why := "The slots read the views and nothing else."
	for _, slot := range slots(b) {
		add(why, mariaSlotGrants(b, slot))
		why = ""
	}
	add("Advised: everybody may write to the database test of a stock server, SQL of people too.", "-- DROP DATABASE IF EXISTS test;")
	return s
}

func mariaTeardown(b warehouse.Boundary) []Statement {
	s := []Statement{{"DROP DATABASE IF EXISTS " + ticks(b.Views()), "Removes the boundary " + b.Name + ": its accounts, leases and views."},
		{"DROP DATABASE IF EXISTS " + ticks(b.Home()), ""}}
	for n := range 99 { // slots that an older set-up made go too
		s = append(s, Statement{"DROP USER IF EXISTS " + account(b.Slot(n+1)), ""})
	}
	return append(s, Statement{"DROP USER IF EXISTS " + account(b.Control()), ""})
}
