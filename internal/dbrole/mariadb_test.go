package dbrole

import "testing"

func TestMariaDBDoctor(t *testing.T) {
	p := newPlace(t, MySQL)
	if err := Apply(t.Context(), p.admin, p.setup(t)); err != nil {
		t.Fatal(err)
	}
	const view = "CREATE OR REPLACE DEFINER = $CONTROL@'%' SQL SECURITY DEFINER VIEW $VIEWS.orders AS SELECT id, total FROM orders WHERE (SELECT JSON_EXISTS(`grants`, '$.orders') FROM $HOME.mine)"
	p.exec(t, view)
	p.suffers(t, []sabotage{
		{"a table is open to a slot", []string{`GRANT SELECT ON secret TO $SLOT@'%'`}, Fatal, "grants", "$SLOT has SELECT on `$DB`.`secret`", nil},
		{"a column is open to a slot", []string{`GRANT SELECT (word, id) ON secret TO $OTHER@'%'`}, Fatal, "grants", "$OTHER has SELECT (", nil},
		{"the database is open to a slot", []string{`GRANT SELECT, INSERT ON $DB.* TO $SLOT@'%'`}, Fatal, "grants", "$SLOT has SELECT, INSERT", nil},
		{"a table is open to everybody", []string{`GRANT SELECT ON secret TO PUBLIC`}, Fatal, "grants", "PUBLIC has SELECT", nil},
		{"a slot reads files", []string{`GRANT FILE ON *.* TO $SLOT@'%'`}, Fatal, "grants", "$SLOT has FILE on *.*", nil},
		{"a slot sees what others run", []string{`GRANT PROCESS, SUPER ON *.* TO $OTHER@'%'`}, Fatal, "grants", "$OTHER has PROCESS, SUPER", nil},
		{"a slot gives its rights away", []string{`GRANT SELECT ON ` + "`${E}`" + `.* TO $SLOT@'%' WITH GRANT OPTION`}, Fatal, "grants", "$SLOT has GRANT OPTION", nil},
		{"a slot makes tables among the views", []string{`GRANT CREATE ON ` + "`${E}`" + `.* TO $SLOT@'%'`}, Fatal, "grants", "$SLOT has CREATE", nil},
		{"a slot reads leases", []string{`GRANT SELECT ON $HOME.lease TO $OTHER@'%'`}, Fatal, "grants", "$OTHER has SELECT on `$HOME`.`lease`", nil},
		{"a slot has a role", []string{`CREATE ROLE $HOME_role`, `GRANT $HOME_role TO $SLOT@'%'`}, Fatal, "membership", "$SLOT has the role", nil},
		{"a slot calls a procedure", []string{`CREATE PROCEDURE p() SELECT * FROM secret`, `GRANT EXECUTE ON PROCEDURE p TO $SLOT@'%'`}, Fatal, "grants", "$SLOT has EXECUTE on PROCEDURE", nil},
		{"a slot is a proxy", []string{`GRANT PROXY ON root@localhost TO $SLOT@'%'`}, Fatal, "grants", "$SLOT has PROXY", nil},
		{"a slot cannot read views", []string{`REVOKE SELECT ON ` + "`${E}`" + `.* FROM $SLOT@'%'`}, Fatal, "grants", "$SLOT lacks SELECT", nil},
		{"a slot has more connections", []string{`ALTER USER $OTHER@'%' WITH MAX_USER_CONNECTIONS 5`}, Fatal, "connection-limit", "$OTHER does not have the limits", nil},
		{"a slot takes its time", []string{`ALTER USER $SLOT@'%' WITH MAX_STATEMENT_TIME 0`}, Fatal, "connection-limit", "$SLOT does not have the limits", nil},
		{"a slot is missing", []string{`DROP USER $OTHER@'%'`}, Fatal, "logins", "$OTHER cannot sign in", nil},
		{"a slot has another password", []string{`ALTER USER $SLOT@'%' IDENTIFIED BY 'another'`}, Fatal, "logins", "$SLOT cannot sign in", nil},
		{"control has another password", []string{`ALTER USER $CONTROL@'%' IDENTIFIED BY 'another'`}, Fatal, "logins", "$CONTROL cannot sign in", nil},
		{"a slot needs no password", []string{`ALTER USER $SLOT@'%' IDENTIFIED VIA mysql_native_password USING '$HASH' OR mysql_native_password USING ''`}, Fatal, "passwords", "$SLOT is let in", nil},
		{"another account answers", []string{`CREATE USER $SLOT@'127.0.0.1' IDENTIFIED VIA mysql_native_password USING '$HASH'`}, Fatal, "logins", "$SLOT@127.0.0.1", nil},
		{"control writes data", []string{`GRANT UPDATE ON $DB.orders TO $CONTROL@'%'`}, Fatal, "grants", "$CONTROL has UPDATE", nil},
		{"control kills", []string{`GRANT SUPER ON *.* TO $CONTROL@'%'`}, Fatal, "grants", "$CONTROL has SUPER", nil},
		{"control writes no leases", []string{`REVOKE INSERT ON $HOME.lease FROM $CONTROL@'%'`}, Fatal, "grants", "$CONTROL lacks INSERT on `$HOME`.`lease`", nil},
		{"nobody's rights open a database", []string{`INSERT INTO mysql.db (Host, Db, User, Select_priv) VALUES ('%', '$DB', '', 'Y')`, `FLUSH PRIVILEGES`}, Fatal, "databases", "in the database $DB", nil},
		{"the database test is open", []string{`CREATE DATABASE IF NOT EXISTS test`, `GRANT ALL ON test.* TO PUBLIC`}, Fatal, "grants", "PUBLIC has", nil},
		{"a view asks for no lease", []string{`CREATE DEFINER = $CONTROL@'%' VIEW $VIEWS.open AS SELECT * FROM orders`}, Fatal, "views", "`open` shows rows", nil},
		{"a view has another definer", []string{`CREATE DEFINER = root@localhost VIEW $VIEWS.roots AS SELECT * FROM orders WHERE FALSE`}, Fatal, "views", "is root@localhost and not $CONTROL", nil},
		{"a view asks as who reads", []string{`CREATE DEFINER = $CONTROL@'%' SQL SECURITY INVOKER VIEW $VIEWS.invoked AS SELECT * FROM orders`}, Fatal, "views", "with the rights of who asks", nil},
		{"a table stands among the views", []string{`CREATE TABLE $VIEWS.copy AS SELECT * FROM orders`}, Fatal, "views", "holds the table copy", []string{`DROP TABLE $VIEWS.copy`}},
		{"leases do not end", []string{`CREATE OR REPLACE DEFINER = $CONTROL@'%' VIEW $HOME.mine AS SELECT nonce, ` + "`grants`" + ` FROM $HOME.lease WHERE slot = SUBSTRING_INDEX(SESSION_USER(), '@', 1)`}, Fatal, "lease", "does not say", nil},
		{"leases end when the session says", []string{`CREATE OR REPLACE DEFINER = $CONTROL@'%' VIEW $HOME.mine AS SELECT nonce, ` + "`grants`" + ` FROM $HOME.lease WHERE slot = SUBSTRING_INDEX(SESSION_USER(), '@', 1) AND expires > UTC_TIMESTAMP(6)`},
			Fatal, "lease", "does not say", nil},
		{"the lease's view is gone", []string{`DROP VIEW $VIEWS.lease`}, Fatal, "setup", "$VIEWS.lease is not there", nil},
		{"leases know no transactions", []string{`ALTER TABLE $HOME.lease ENGINE=MyISAM`}, Fatal, "lease", "is MyISAM and not InnoDB", nil},
		{"leases have a column more", []string{`ALTER TABLE $HOME.lease ADD COLUMN more TEXT`}, Fatal, "lease", "not the one that the set-up makes", []string{`ALTER TABLE $HOME.lease DROP COLUMN more`}},
	})
}
