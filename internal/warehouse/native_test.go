package warehouse

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// What people write only reads, is one statement, and leaves nothing behind,
// although the login that it runs under may do anything.
func TestSQLOfPeopleOnlyReads(t *testing.T) {
	shared := []struct{ name, sql string }{
		{"insert", `INSERT INTO orders (id) VALUES (9)`}, {"update", `UPDATE orders SET total = 0`}, {"delete", `DELETE FROM orders`},
		{"create a table", `CREATE TABLE mine (id INT)`}, {"create a temporary table", `CREATE TEMPORARY TABLE mine (id INT)`}, {"drop", `DROP TABLE orders`},
		{"truncate", `TRUNCATE TABLE orders`}, {"a second statement", `SELECT 1; SELECT 2`}, {"a second statement that writes", `SELECT 1; DELETE FROM orders`},
		{"grant", `GRANT SELECT ON orders TO public`}, {"behind a comment", `/* SELECT */ DELETE FROM orders`}, {"behind a line", "-- SELECT\nDELETE FROM orders"},
		{"begin", `BEGIN`}, {"commit", `COMMIT`}, {"rollback", `ROLLBACK`}, {"end of the transaction and a write", `COMMIT; DELETE FROM orders`},
		{"nothing", ``}, {"a comment", `/* SELECT 1 */`}, {"a comment without end", `/* SELECT 1`}, {"a NUL", "SELECT 1\x00; DELETE FROM orders"},
		{"prepared", `PREPARE p FROM 'DELETE FROM orders'`}, {"executed", `EXECUTE p`}, {"kill", `KILL 1`}, {"no SQL", `SELEC 1`}, {"a mistake", `SELECT FROM FROM orders`},
	}
	further := map[string][]struct{ name, sql string }{
		"sqlite": nil,
		"postgres": {
			{"with a write in it", `WITH d AS (DELETE FROM orders RETURNING *) SELECT * FROM d`}, {"select into", `SELECT * INTO mine FROM orders`},
			{"an explained write that runs", `EXPLAIN ANALYZE DELETE FROM orders`}, {"an explained write in parentheses", `EXPLAIN (ANALYZE) INSERT INTO orders (id) VALUES (9)`},
			{"copy to a program", `COPY orders TO PROGRAM 'cat'`}, {"copy out", `COPY (SELECT 1) TO STDOUT`}, {"a block", `DO $$ BEGIN DELETE FROM orders; END $$`},
			{"lock", `LOCK TABLE orders`}, {"a sequence", `SELECT nextval('numbers')`}, {"set", `SET default_transaction_read_only = off`}, {"set role", `SET ROLE postgres`},
			{"a cursor", `DECLARE c CURSOR WITH HOLD FOR SELECT 1`}, {"listen", `LISTEN x`}, {"for update", `SELECT * FROM orders FOR UPDATE`}, {"call", `CALL p()`},
			{"nested comments", `/* /* */ SELECT */ DELETE FROM orders`}, {"a function that writes", `SELECT wipe()`}, {"turning it off inside", `SELECT set_config('transaction_read_only', 'off', true), wipe()`},
			{"replication", `IDENTIFY_SYSTEM`}, {"discard", `DISCARD ALL`}, {"vacuum", `VACUUM`},
		},
		"mysql": {
			{"into a file", `SELECT * FROM orders INTO OUTFILE '/tmp/sluice-test-outfile'`}, {"into a file, in the middle", `SELECT * INTO OUTFILE '/tmp/sluice-test-outfile' FROM orders`},
			{"dumped", `SELECT 1 INTO DUMPFILE '/tmp/sluice-test-outfile'`}, {"into a variable", `SELECT 1 INTO @x`}, {"in a comment that is run", `SELECT 1 /*! INTO OUTFILE '/tmp/sluice-test-outfile' */`},
			{"in a comment that MariaDB runs", `SELECT 1 /*M!100000 INTO OUTFILE '/tmp/sluice-test-outfile' */`}, {"hidden by a backslash", `SELECT '\' INTO OUTFILE '/tmp/sluice-test-outfile' -- '`},
			{"hidden by a backslash in double quotes", `SELECT "\" INTO OUTFILE '/tmp/sluice-test-outfile' -- "`}, {"hidden by a line that is no comment", "SELECT 1 --1\nINTO OUTFILE '/tmp/sluice-test-outfile'"},
			{"load data", `LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE orders`}, {"set", `SET GLOBAL general_log = 1`}, {"handler", `HANDLER orders OPEN`}, {"call", `CALL p()`},
			{"a function that writes", `SELECT wipe()`}, {"for update", `SELECT * FROM orders FOR UPDATE`}, {"a block", `BEGIN NOT ATOMIC DELETE FROM orders; END`},
			{"explained and run", `ANALYZE DELETE FROM orders`}, {"lock", `LOCK TABLES orders WRITE`}, {"do", `DO SLEEP(0)`}, {"shutdown", `SHUTDOWN`}, {"a sequence", `SELECT NEXTVAL(numbers)`},
			{"the settings of the statement", `SET STATEMENT max_statement_time = 0 FOR DELETE FROM orders`}, {"execute immediate", `EXECUTE IMMEDIATE 'DELETE FROM orders'`},
		},
	}
	// These read, whatever they look like: they lock nothing that stays.
	harmless := map[string]bool{"mysql for update": true}
	eachEngine(t, func(t *testing.T, p *place) {
		switch p.engine {
		case "postgres":
			p.exec(t, `CREATE SEQUENCE numbers`, `CREATE FUNCTION wipe() RETURNS int LANGUAGE sql AS $$ DELETE FROM orders RETURNING id $$`)
		case "mysql":
			p.exec(t, `CREATE SEQUENCE numbers`, `CREATE FUNCTION wipe() RETURNS INT MODIFIES SQL DATA BEGIN DELETE FROM orders; RETURN 1; END`)
		}
		for _, tt := range append(shared, further[p.engine]...) {
			columns, rows, err := p.ask(t.Context(), p.native(tt.sql))
			var e *Error
			if !errors.As(err, &e) || e.Kind != Denied && e.Kind != Invalid {
				if !harmless[p.engine+" "+tt.name] {
					t.Errorf("%s: %s gives %v, %v, %v", tt.name, tt.sql, columns, rows, err)
				}
			}
		}
		if n := p.one(t, p.task("SELECT count(*) FROM orders")); n != int64(3) {
			t.Fatalf("after that there are %v orders", n)
		}
		if _, err := os.Stat("/tmp/sluice-test-outfile"); err == nil {
			t.Error("a file was written")
		}
	})
}

func TestOrdinarySQLOfPeopleWorksOnEveryEngine(t *testing.T) {
	shared := []string{
		`SELECT * FROM orders`, "-- a comment\nselect count(*) from orders -- another", `SELECT ';' AS x`, `SELECT 'a''b' /* ; */`, `SELECT 1;`,
		`WITH x AS (SELECT id FROM orders) SELECT count(*) FROM x`, `SELECT status, sum(total) FROM orders GROUP BY status HAVING count(*) > 0 ORDER BY 1`,
		`SELECT row_number() OVER (ORDER BY id) FROM orders`, `SELECT id FROM orders UNION ALL SELECT 7`, `VALUES (1), (2)`, "SELECT 1 -- a line without an end",
	}
	further := map[string][]string{
		"sqlite":   nil,
		"postgres": {`(SELECT 1) UNION (SELECT 2)`, `TABLE orders`, `EXPLAIN SELECT * FROM orders`, `SHOW TimeZone`, `SELECT $$it's; INTO$$`, `/* /* */ */ SELECT 1`, `SELECT E'\'' || 'into'`},
		"mysql": {`(SELECT 1) UNION (SELECT 2)`, `EXPLAIN SELECT * FROM orders`, `SHOW TABLES`, `DESCRIBE orders`, `DESC orders`, "SELECT 1 # INTO", `SELECT 'into', "INTO", 5--3`,
			"SELECT id AS `into` FROM orders", `SELECT 'it''s \\'`, `/* into */ SELECT 1`},
	}
	eachEngine(t, func(t *testing.T, p *place) {
		for _, text := range append(shared, further[p.engine]...) {
			if _, _, err := p.ask(t.Context(), p.native(text)); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
	})
}

// Connections are shared by all who ask: nothing that one's SQL sets is there
// for the next.
func TestNothingOfASessionIsLeftForTheNext(t *testing.T) {
	tests := map[string][]struct{ set, look, want string }{
		"postgres": {
			{`SELECT set_config('search_path', 'pg_catalog', false)`, `SELECT current_setting('search_path')`, `"$user", public`},
			{`SELECT set_config('statement_timeout', '1', false)`, `SELECT current_setting('statement_timeout')`, `0`},
			{`SELECT set_config('role', 'pg_monitor', false)`, `SELECT current_user = session_user`, `true`},
			{`SELECT set_config('app.tenant', '7', false)`, `SELECT coalesce(current_setting('app.tenant', true), '') = ''`, `true`},
			{`SELECT pg_advisory_lock(42)`, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'`, `0`},
			{`SELECT set_config('default_transaction_read_only', 'off', false)`, `SELECT current_setting('transaction_read_only')`, `on`},
			{`SELECT set_config('DateStyle', 'German', false)`, `SELECT current_date::text ~ '^\d{4}-'`, `true`},
		},
		"mysql": {
			{`SELECT @secret := 'swordfish'`, `SELECT @secret`, ``},
			{`SELECT GET_LOCK('sluice', 0)`, `SELECT IS_FREE_LOCK('sluice')`, `1`},
			{`SELECT LAST_INSERT_ID(5)`, `SELECT LAST_INSERT_ID()`, `0`},
		},
	}
	for engine, cases := range tests {
		t.Run(engine, func(t *testing.T) {
			p := newPlace(t, engine)
			for _, tt := range cases {
				if _, _, err := p.ask(t.Context(), p.native(tt.set)); err != nil {
					t.Errorf("%s: %v", tt.set, err)
				}
				for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
					got := p.one(t, written(tt.look))
					if textOf(got) == tt.want {
						break
					}
					if time.Now().After(deadline) { // a session ends a moment after its connection
						t.Errorf("after %s\n%s is %v, want %s", tt.set, tt.look, got, tt.want)
						break
					}
				}
			}
		})
	}
}

func textOf(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func FuzzReadingOnly(f *testing.F) {
	for _, s := range []string{"SELECT 1", "SELECT '\\' INTO", "/*!SELECT*/", "SELECT 1 -- x", "SELECT`a``b`", "(((SELECT 1", "SELECT \"\\\"\"", "#\nSELECT 1", "SELECT 1/**/INTO/**/@x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if readingOnly(text, postgresSQL) == nil && strings.Contains(text, "\x00") {
			t.Errorf("a NUL is let through in %q", text)
		}
		if readingOnly(text, mysqlSQL) != nil {
			return
		}
		// What is let through must be refused with INTO behind it, unless a
		// comment hides that in every way of reading.
		if readingOnly(text+"\n INTO OUTFILE 'x'", mysqlSQL) == nil {
			t.Errorf("INTO after %q is not seen", text)
		}
	})
}
