package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
)

// shopFile makes a small SQLite file with a table that may be read in the
// tests, one that may not, and views over both.
func shopFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "shop.db")
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range []string{
		`CREATE TABLE orders (id INTEGER PRIMARY KEY, organization_id INTEGER, total REAL, paid BOOLEAN, at DATETIME, day DATE, blob BLOB)`,
		`INSERT INTO orders VALUES (1, 1, 9.5, 1, '2024-02-03 04:05:06', '2024-02-03', x'ff00'), (2, 2, 20, 0, NULL, NULL, 'text')`,
		`CREATE TABLE Secret (id INTEGER PRIMARY KEY, word TEXT)`,
		`INSERT INTO Secret VALUES (1, 'swordfish'), (2, 'xyzzy')`,
		`CREATE VIEW open_view AS SELECT id, total FROM orders`,
		`CREATE VIEW secret_view AS SELECT id, word FROM Secret`,
		`CREATE VIEW outer_view AS SELECT id FROM secret_view`,
		`CREATE VIRTUAL TABLE notes USING fts5(word)`,
		`CREATE INDEX secret_word ON Secret (word)`,
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	return file
}

func openShop(t *testing.T, file string) *sqliteConn {
	t.Helper()
	c, err := openSQLite(file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

// runner is a session as the tests see it.
type runner interface {
	run(ctx context.Context, t task) (*Rows, error)
}

// read runs a task to its end and gives its rows.
func read(ctx context.Context, c runner, k task) (rows [][]any, err error) {
	r, err := c.run(ctx, k)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for r.Next() {
		rows = append(rows, append([]any(nil), r.Values()...))
	}
	return rows, r.Err()
}

func only(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[fold(n)] = true
	}
	return m
}

// written is SQL of a person who may read some tables whole, and to whom the
// engine's words may be told.
func written(sql string, tables ...string) task {
	return task{sql: sql, native: true, tables: only(tables...), views: wholly(tables...), open: true}
}

// wholly are views of all that tables have.
func wholly(tables ...string) (all []view) {
	for _, name := range tables {
		all = append(all, view{name: name, sql: func(schema, _ string, closed bool) string {
			sql := `SELECT "t".* FROM ` + schema + `.` + quoted(name) + ` AS "t"`
			if closed {
				sql += ` LIMIT -1 OFFSET 0`
			}
			return sql
		}})
	}
	return all
}

func TestSQLOfPeopleReadsNothingButItsTables(t *testing.T) {
	c := openShop(t, shopFile(t))
	tests := []struct {
		name string
		sql  string
		kind Kind
	}{
		{"a table that is not allowed", `SELECT word FROM secret`, Denied},
		{"by its row id", `SELECT rowid FROM secret`, Denied},
		{"counted", `SELECT count(*) FROM secret`, Denied},
		{"counted, in other letters", `SELECT count(*) FROM "SECRET"`, Denied},
		{"counted, with its schema", `SELECT count(*) FROM main.secret`, Denied},
		{"existence only", `SELECT EXISTS (SELECT 1 FROM secret)`, Denied},
		{"no column used", `SELECT 1 FROM secret`, Denied},
		{"in a subquery", `SELECT id FROM orders WHERE id IN (SELECT id FROM secret)`, Denied},
		{"in a scalar subquery", `SELECT (SELECT max(word) FROM secret) FROM orders`, Denied},
		{"in a join", `SELECT o.id FROM orders o JOIN secret s USING (id)`, Denied},
		{"in a left join that shows nothing of it", `SELECT o.id FROM orders o LEFT JOIN secret s ON 1`, Denied},
		{"in a union", `SELECT id FROM orders UNION ALL SELECT id FROM secret`, Denied},
		{"in order by", `SELECT id FROM orders ORDER BY (SELECT word FROM secret)`, Denied},
		{"in limit", `SELECT id FROM orders LIMIT (SELECT count(*) FROM secret)`, Denied},
		{"in a window", `SELECT sum(id) OVER (ORDER BY (SELECT min(id) FROM secret)) FROM orders`, Denied},
		{"in a filter", `SELECT count(*) FILTER (WHERE EXISTS (SELECT 1 FROM secret)) FROM orders`, Denied},
		{"under the name of an allowed table", `WITH orders AS (SELECT * FROM secret) SELECT * FROM orders`, Denied},
		{"under the name of an allowed table, counted", `WITH orders AS (SELECT 1 FROM secret) SELECT count(*) FROM orders`, Denied},
		{"under the name of an allowed table, materialized", `WITH orders AS MATERIALIZED (SELECT * FROM main.secret) SELECT * FROM orders`, Denied},
		{"under the name of an allowed table, recursive", `WITH RECURSIVE orders(id) AS (SELECT id FROM secret UNION SELECT id FROM orders) SELECT * FROM orders`, Denied},
		{"under the name of a view", `WITH open_view AS (SELECT * FROM secret) SELECT * FROM open_view`, Denied},
		{"shadowed by a common table elsewhere", `WITH a AS (WITH secret AS (SELECT 1) SELECT * FROM secret) SELECT (SELECT count(*) FROM secret) FROM a`, Denied},
		{"through a view", `SELECT word FROM secret_view`, Denied},
		{"what a view reads that is allowed", `WITH outer_view AS (SELECT * FROM secret_view) SELECT * FROM outer_view`, Denied},
		{"a table that does not exist", `SELECT * FROM nowhere`, Denied},
		{"the schema", `SELECT name FROM sqlite_master`, Denied},
		{"the schema by its new name", `SELECT sql FROM sqlite_schema`, Denied},
		{"the schema, counted", `SELECT count(*) FROM main.sqlite_schema`, Denied},
		{"the schema, quoted", `SELECT count(*) FROM "SQLite_Master"`, Denied},
		{"the temporary schema", `SELECT count(*) FROM sqlite_temp_master`, Denied},
		{"a pragma as a table", `SELECT name FROM pragma_table_info('secret')`, Denied},
		{"a pragma as a table, counted", `SELECT count(*) FROM pragma_table_list`, Denied},
		{"a pragma as a table that tells the file", `SELECT file FROM pragma_database_list`, Denied},
		{"the pages of the file", `SELECT data FROM sqlite_dbpage`, Denied},
		{"the sizes in the file", `SELECT count(*) FROM dbstat`, Denied},
		{"the sizes in the file by name", `SELECT pageno FROM dbstat('main')`, Denied},
		{"a search index", `SELECT * FROM notes`, Denied},
		{"a search index's own table", `SELECT count(*) FROM notes_data`, Denied},
		{"a pragma", `PRAGMA table_info(secret)`, Denied},
		{"writable_schema", `PRAGMA writable_schema = 1`, Denied},
		{"query_only off", `PRAGMA query_only = 0`, Denied},
		{"a pragma behind a comment", `/* SELECT */ PRAGMA query_only = 0`, Denied},
		{"attach", `ATTACH 'other.db' AS other`, Denied},
		{"detach", `DETACH main`, Denied},
		{"begin", `BEGIN`, Denied},
		{"commit", `COMMIT`, Denied},
		{"savepoint", `SAVEPOINT s`, Denied},
		{"vacuum into a file", `VACUUM INTO 'copy.db'`, Denied},
		{"explain", `EXPLAIN SELECT * FROM orders`, Denied},
		{"explain query plan", `EXPLAIN QUERY PLAN SELECT * FROM orders`, Denied},
		{"analyze", `ANALYZE`, Denied},
		{"reindex", `REINDEX`, Denied},
		{"insert", `INSERT INTO orders (id) VALUES (9)`, Denied},
		{"insert with a with", `WITH x AS (SELECT 9 AS id) INSERT INTO orders (id) SELECT id FROM x`, Denied},
		{"delete with a with", `WITH x AS (SELECT 1) DELETE FROM orders RETURNING id`, Invalid},
		{"update with a with", `WITH x AS (SELECT 1) UPDATE orders SET total = 0 RETURNING *`, Invalid},
		{"replace", `REPLACE INTO orders (id) VALUES (1)`, Denied},
		{"create a table", `CREATE TEMP TABLE mine AS SELECT * FROM orders`, Denied},
		{"create a view", `CREATE TEMP VIEW mine AS SELECT * FROM secret`, Denied},
		{"drop", `DROP TABLE orders`, Denied},
		{"alter", `ALTER TABLE orders RENAME TO others`, Denied},
		{"load an extension", `SELECT load_extension('evil.so')`, Denied},
		{"load an extension, quoted", `SELECT "load_extension"('evil.so')`, Denied},
		{"read a file", `SELECT readfile('/etc/passwd')`, Invalid}, // there is no such function
		{"a search tokenizer", `SELECT fts5_source_id()`, Denied},
		{"a value of any size", `SELECT length(zeroblob(1000000000))`, Denied},
		{"the server's log", `SELECT sqlite_log(1, 'x')`, Denied},
		{"build options", `SELECT sqlite_compileoption_get(1)`, Denied},
		{"a second statement", `SELECT 1; SELECT 2`, Denied},
		{"a second statement that writes", `SELECT 1; DELETE FROM orders`, Denied},
		{"a second statement after a comment", "SELECT 1 -- ;\n; SELECT 2", Denied},
		{"a second statement after an empty one", `SELECT 1;;; SELECT 2`, Denied},
		{"a second statement after a quoted quote", `SELECT 'it''s;'; SELECT 2`, Denied},
		{"text after the statement", `SELECT 1; and more`, Denied},
		{"a comment that hides the end", `SELECT 1 /* ; SELECT 2`, Invalid},
		{"a quotation that does not end", `SELECT 'a; SELECT 2`, Invalid},
		{"a NUL", "SELECT 1\x00; SELECT 2", Invalid},
		{"nothing", ``, Invalid},
		{"a comment only", `-- SELECT 1`, Invalid},
		{"a semicolon", `;`, Invalid},
		{"no SQL", `SELEC 1`, Denied},
		{"a mistake", `SELECT FROM orders`, Invalid},
		{"text in double quotes", `SELECT "swordfish" FROM orders`, Invalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rows, err := read(t.Context(), c, written(tt.sql, "orders", "outer_view", "open_view"))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%s\ngave rows %v and error %v", tt.sql, rows, err)
			}
			if e.Kind != tt.kind {
				t.Errorf("%s\nis %v, want kind %v", tt.sql, e, tt.kind)
			}
			if strings.Contains(e.Error(), "swordfish") && !strings.Contains(tt.sql, "swordfish") {
				t.Errorf("the error tells a value: %v", e)
			}
		})
	}
	// The connection can still be used after all of that, and nothing changed.
	rows, err := read(t.Context(), c, written(`SELECT count(*) FROM orders`, "orders"))
	if err != nil || rows[0][0] != int64(2) {
		t.Errorf("after the attacks: %v, %v", rows, err)
	}
}

func TestOrdinarySQLWorks(t *testing.T) {
	c := openShop(t, shopFile(t))
	for _, q := range []string{
		`SELECT * FROM orders`, `select o.id from Orders as o where o.total > 1 order by 1 desc limit 3 ;`,
		`VALUES (1), (2)`, `SELECT 1`, "-- a comment\nSELECT 1 -- and another", `/* a; comment */ SELECT ';' AS ";" -- ;`,
		`SELECT [id] FROM "orders" WHERE 'a;b' <> 'c'`, "SELECT 1;\n-- done\n", `SELECT 5 - -3, 6 / 2`,
		`WITH recent AS (SELECT id FROM orders) SELECT count(*) FROM recent`,
		`WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS y FROM a) SELECT count(*) FROM a, b`,
		`SELECT count(*) FROM (SELECT 1 FROM orders) AS sub`,
		`WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 5) SELECT sum(x) FROM n`,
		`SELECT row_number() OVER (PARTITION BY organization_id ORDER BY total) FROM orders`,
		`SELECT strftime('%Y-%m', at), count(DISTINCT id), group_concat(id) FROM orders GROUP BY 1 HAVING count(*) > 0`,
		`SELECT value FROM json_each('[1, 2]')`, `SELECT json_extract('{"a": 1}', '$.a')`,
		`WITH secret AS (SELECT 7 AS id) SELECT count(*) FROM secret`, `SELECT id FROM outer_view`, `SELECT count(*) FROM outer_view`,
		`SELECT count(*) FROM open_view`, `SELECT total FROM open_view UNION SELECT id FROM orders`,
		`SELECT coalesce(nullif(total, 0), 1), CASE WHEN paid THEN 'yes' ELSE 'no' END, round(total, 1), total LIKE '9%' FROM orders`,
		`SELECT a.id FROM orders a LEFT JOIN orders b ON b.id = a.id + 1 WHERE a.id IN (SELECT id FROM orders) INTERSECT SELECT id FROM orders`,
	} {
		if _, err := read(t.Context(), c, written(q, "orders", "open_view", "outer_view")); err != nil {
			t.Errorf("%s\n%v", q, err)
		}
	}
}

func TestCompiledStatementReadsThroughItsViews(t *testing.T) {
	c := openShop(t, shopFile(t))
	rows, err := read(t.Context(), c, task{sql: `SELECT id FROM "outer_view" ORDER BY id`, tables: only("outer_view")})
	if err != nil || len(rows) != 2 {
		t.Errorf("a view over a view: %v, %v", rows, err)
	}
	for _, q := range []string{
		`SELECT word FROM "Secret"`, `SELECT word FROM "secret_view"`,
		`SELECT (SELECT max(word) FROM "Secret") FROM "outer_view"`, `SELECT word FROM secret_view`,
	} {
		var e *Error
		if rows, err := read(t.Context(), c, task{sql: q, tables: only("outer_view")}); !errors.As(err, &e) || e.Kind != Denied {
			t.Errorf("%s\ngave %v, %v", q, rows, err)
		}
	}
}

func TestPolicyEndsWithTheRun(t *testing.T) {
	c := openShop(t, shopFile(t))
	secret := written(`SELECT word FROM secret`, "secret")
	orders := written(`SELECT word FROM secret`, "orders")
	for range 3 {
		if rows, err := read(t.Context(), c, secret); err != nil || len(rows) != 2 {
			t.Fatalf("allowed: %v, %v", rows, err)
		}
		var e *Error
		if rows, err := read(t.Context(), c, orders); !errors.As(err, &e) || e.Kind != Denied {
			t.Fatalf("the same connection for somebody else: %v, %v", rows, err)
		}
	}
	if _, err := read(t.Context(), c, written(`SELECT 1 FROM secret`)); err == nil {
		t.Error("no tables at all read a table")
	}
	// Nothing is bound between runs: the connection itself refuses everything.
	if rows, err := read(t.Context(), c, task{sql: `SELECT word FROM secret`, tables: only("secret")}); err != nil || len(rows) != 2 {
		t.Fatalf("a question of the builder: %v, %v", rows, err)
	}
	q, err := c.raw.Prepare(`SELECT 1`)
	if err == nil {
		t.Errorf("a connection without a policy prepared %v", q)
	}
}

func TestTableThatAppearsLaterIsNotReadAsACommonTable(t *testing.T) {
	file := shopFile(t)
	c := openShop(t, file)
	count := written(`WITH fresh AS (SELECT 1) SELECT (SELECT count(*) FROM fresh)`, "orders")
	if _, err := read(t.Context(), c, count); err != nil {
		t.Fatalf("a common table: %v", err)
	}
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TABLE fresh (id INTEGER)`); err != nil {
		t.Fatal(err)
	}
	var e *Error
	if rows, err := read(t.Context(), c, written(`SELECT count(*) FROM fresh`, "orders")); !errors.As(err, &e) || e.Kind != Denied {
		t.Errorf("a new table was counted: %v, %v", rows, err)
	}
}

func TestEveryNameThatSQLiteBringsIsRefused(t *testing.T) {
	c := openShop(t, shopFile(t))
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT name FROM pragma_module_list UNION SELECT 'pragma_' || name FROM pragma_pragma_list")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if len(names) < 20 {
		t.Fatalf("too few names to mean anything: %v", names)
	}
	for _, name := range append(names, "json_each", "json_tree") {
		for _, q := range []string{`SELECT count(*) FROM "` + name + `"`, `SELECT * FROM "` + name + `"`} {
			rows, err := read(t.Context(), c, written(q, "orders"))
			if err == nil && len(rows) > 0 && !tableFunctions[name] {
				t.Errorf("%s gave %v", q, rows)
			}
		}
	}
}

func TestTableThatSQLiteBringsIsNoCommonTable(t *testing.T) {
	p := policy{tables: only("orders"), schema: &schema{names: only("orders")}}
	for name := range modules {
		if p.reads(name, "", "", "") {
			t.Errorf("%s is taken for a common table expression", name)
		}
	}
	if !p.reads("recent", "", "", "") {
		t.Error("a common table expression is taken for something else")
	}
}

func FuzzSingleStatement(f *testing.F) {
	for _, s := range []string{"SELECT 1", "SELECT 1;", "SELECT ';' -- ;", "/**/SELECT[;]", "SELECT 1;SELECT 2", "VALUES('a''b');--", "WITH x AS (SELECT`;`)SELECT 1", "SELECT 1 /* ", "SELECT-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if single(text) != nil {
			return
		}
		// What single takes for one statement, the engine must not see as
		// one statement and a rest: a second one begun after it would run.
		if single(text+"\n;SELECT 1") == nil {
			t.Errorf("a second statement after %q is not seen", text)
		}
	})
}
