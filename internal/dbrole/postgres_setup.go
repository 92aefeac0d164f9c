package dbrole

import (
	"fmt"

	"github.com/sluice-bi/sluice/internal/warehouse"
)

// slotSettings are what a slot's sessions begin with.
var slotSettings = []struct{ name, value, sql string }{
	{"default_transaction_read_only", "on", "on"},
	{"statement_timeout", "120s", "'120s'"},
	{"search_path", "pg_catalog", "pg_catalog"},
}

// postgresRole makes a role unless it is there, and sets what it may. It does
// not say NOSUPERUSER and the like: only superusers may say that, and roles are
// made without. The doctor looks.
func postgresRole(b warehouse.Boundary, name, attributes string) (string, error) {
	attributes = "NOINHERIT " + attributes
	if name != b.Owner() {
		v, err := scramVerifier(b.Password(name))
		if err != nil {
			return "", err
		}
		attributes += " PASSWORD " + literal(v)
	}
	return fmt.Sprintf(`DO $do$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = %s) THEN
    CREATE ROLE %s;
  END IF;
END $do$;
ALTER ROLE %[2]s %s`, literal(name), ident(name), attributes), nil
}

// postgresSlot makes one slot, without what it may read.
func postgresSlot(b warehouse.Boundary, name string) (string, error) {
	sql, err := postgresRole(b, name, "LOGIN CONNECTION LIMIT 1")
	for _, s := range slotSettings {
		sql += fmt.Sprintf(";\nALTER ROLE %s SET %s = %s", ident(name), s.name, s.sql)
	}
	return sql, err
}

// postgresReads lets slots read the views that are there and those to come.
// The owner of the views runs it.
func postgresReads(b warehouse.Boundary, to []string) string {
	return fmt.Sprintf(`GRANT USAGE ON SCHEMA %s TO %s;
GRANT SELECT ON ALL TABLES IN SCHEMA %[1]s TO %[2]s;
ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA %[1]s GRANT SELECT ON TABLES TO %[2]s`, ident(b.Views()), each(to, ident), ident(b.Owner()))
}

// asOwner runs statements as the owner of the views. Whoever may create roles
// may let themselves act as one; that is taken back.
func asOwner(b warehouse.Boundary, sql string) string {
	return fmt.Sprintf("GRANT %s TO CURRENT_USER;\nSET LOCAL ROLE %[1]s;\n%s;\nRESET ROLE;\nREVOKE %[1]s FROM CURRENT_USER", ident(b.Owner()), sql)
}

// inTransaction makes statements of several that hold together.
func inTransaction(sql string) string { return "BEGIN;\n" + sql + ";\nCOMMIT;" }

// leaseTable and the two views over it are the contract with the views.
func leaseTable(b warehouse.Boundary) string {
	return "CREATE UNLOGGED TABLE IF NOT EXISTS " + ident(b.Home()) + ".lease (slot name PRIMARY KEY, nonce text NOT NULL, grants jsonb NOT NULL, expires timestamptz NOT NULL)"
}

func mineView(b warehouse.Boundary) string {
	return fmt.Sprintf("CREATE OR REPLACE VIEW %s.mine AS SELECT nonce, grants FROM %[1]s.lease WHERE slot = session_user AND expires > statement_timestamp()", ident(b.Home()))
}

func nonceView(b warehouse.Boundary) string {
	return fmt.Sprintf("CREATE OR REPLACE VIEW %s.lease WITH (security_barrier) AS SELECT nonce FROM %s.mine", ident(b.Views()), ident(b.Home()))
}

func leaseGrants(b warehouse.Boundary) string {
	return fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s;\nGRANT SELECT, INSERT, UPDATE, DELETE ON %[1]s.lease TO %[2]s", ident(b.Home()), ident(b.Control()))
}

func postgresSetup(b warehouse.Boundary, o SetupOptions) ([]Statement, error) {
	home, views, owner, control, database := ident(b.Home()), ident(b.Views()), ident(b.Owner()), ident(b.Control()), ident(o.Database)
	var failure error
	role := func(sql string, err error) string {
		if err != nil {
			failure = err
		}
		return sql
	}
	s := []Statement{
		{"BEGIN", "The boundary for SQL of people in the database " + o.Database + ".\n" +
			"Run it as a login with CREATEROLE, CREATE on the database, and the right to grant SELECT on the\n" +
			"tables (WITH GRANT OPTION, or their owner). It holds no password, only what proves one. Run it again\n" +
			"when there are new tables, or when the doctor says so: that changes nothing that is right."},
		{"SET LOCAL search_path = pg_catalog", ""},
		{role(postgresRole(b, b.Owner(), "NOLOGIN")), "Owns the views and leases. Nobody signs in as it."},
		{role(postgresRole(b, b.Control(), "LOGIN")), "Writes leases: which slot may read what, and until when."},
	}
	for i, slot := range slots(b) {
		why := ""
		if i == 0 {
			why = "SQL of people runs as one of these, one statement at a time each. They are members of nothing."
		}
		s = append(s, Statement{role(postgresSlot(b, slot)), why})
	}
	if failure != nil {
		return nil, failure
	}
	s = append(s,
		Statement{fmt.Sprintf("GRANT CONNECT ON DATABASE %s TO %s, %s", database, control, each(slots(b), ident)), ""},
		Statement{"GRANT " + owner + " TO CURRENT_USER", "To make the schemas in its name. The end takes it back."},
		Statement{"CREATE SCHEMA IF NOT EXISTS " + home + " AUTHORIZATION " + owner, ""},
		Statement{"CREATE SCHEMA IF NOT EXISTS " + views + " AUTHORIZATION " + owner, ""},
		Statement{"SET LOCAL ROLE " + owner, ""},
		Statement{leaseTable(b), "Empty after a crash, and then nobody reads anything."},
		Statement{mineView(b), "The lease of the slot that asks. session_user cannot be changed by SQL, as settings and current_user can."},
		Statement{nonceView(b), ""},
		Statement{leaseGrants(b), ""},
		Statement{postgresReads(b, slots(b)), "The slots read views of this one schema, those to come too."},
		Statement{"RESET ROLE", ""},
	)
	for i, name := range o.Schemas {
		why := ""
		if i == 0 {
			why = "What views may read. It holds for the tables of today: with new ones, run the script again."
		}
		s = append(s, Statement{fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s;\nGRANT SELECT ON ALL TABLES IN SCHEMA %[1]s TO %[2]s", ident(name), owner), why})
	}
	if o.WritesViews {
		s = append(s, Statement{fmt.Sprintf("GRANT %s TO %s", owner, control), "Optional. Sluice then writes the views itself, by SET ROLE " + b.Owner() + ". Without it an administrator runs what it prints\nwhenever policies change. With it, who has Sluice's key can read the tables named above."})
	} else {
		s = append(s, Statement{fmt.Sprintf("-- GRANT %s TO %s;", owner, control), "Would let Sluice write the views itself. Without it an administrator runs what Sluice prints."},
			Statement{takeBack(b), ""})
	}
	return append(s,
		Statement{fmt.Sprintf("REVOKE %s FROM CURRENT_USER", owner), ""},
		Statement{"COMMIT", ""},
		Statement{"-- REVOKE TEMPORARY ON DATABASE " + database + " FROM PUBLIC;", "Advised, and yours to decide as it is for all logins: without it SQL of people can fill the disk with\ntemporary tables. Grant TEMPORARY to the logins that need it."},
		Statement{"-- REVOKE CREATE, USAGE ON SCHEMA public FROM PUBLIC;", "Advised, and yours to decide too: without it SQL of people can call every function in the schema public,\nand before PostgreSQL 15 make tables there. Grant USAGE to the logins that need it."},
	), nil
}

// takeBack ends a membership of control, and does nothing if there is none.
func takeBack(b warehouse.Boundary) string {
	return fmt.Sprintf(`DO $do$ BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles r ON r.oid = m.roleid JOIN pg_catalog.pg_roles c ON c.oid = m.member
      WHERE r.rolname = %s AND c.rolname = %s) THEN
    REVOKE %s FROM %s;
  END IF;
END $do$`, literal(b.Owner()), literal(b.Control()), ident(b.Owner()), ident(b.Control()))
}

// postgresTeardown removes the roles with all they own and may in the database.
// Whoever made the roles may be a member of them, and so take back what they
// were granted and what the owner granted.
func postgresTeardown(b warehouse.Boundary) []Statement {
	return []Statement{
		{"BEGIN", "Removes the boundary " + b.Name + " from this database: its logins, leases and views."},
		{fmt.Sprintf(`DO $do$
DECLARE r name;
BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = %[1]s) THEN
    GRANT %[2]s TO CURRENT_USER;
    SET LOCAL ROLE %[2]s;
    DROP SCHEMA IF EXISTS %[3]s, %[4]s CASCADE;
    RESET ROLE;
  END IF;
  FOR r IN SELECT rolname FROM pg_catalog.pg_roles WHERE rolname IN (%[1]s, %[5]s) OR rolname ~ %[6]s ORDER BY rolname = %[1]s, rolname LOOP
    EXECUTE pg_catalog.format('GRANT %%I TO CURRENT_USER', r);
    EXECUTE pg_catalog.format('DROP OWNED BY %%I CASCADE', r);
    EXECUTE pg_catalog.format('DROP ROLE %%I', r);
  END LOOP;
END $do$`, literal(b.Owner()), ident(b.Owner()), ident(b.Views()), ident(b.Home()), literal(b.Control()), literal("^"+b.Name+"_slot_[0-9]{2}$")), "Slots that an older set-up made go too."},
		{"COMMIT", ""},
	}
}
