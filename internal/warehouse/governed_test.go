package warehouse

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"modernc.org/sqlite"
)

// tenantFile is a file in which a person may see the orders of organization 1,
// and of them neither salary nor organization; all people; and a view over a
// table that they may not see.
func tenantFile(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tenants.db")
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range []string{
		`CREATE TABLE orders (id INTEGER PRIMARY KEY, organization_id INTEGER, note TEXT, salary TEXT)`,
		`INSERT INTO orders VALUES (1, 1, '{"mine":1}', 'salary-9'), (2, 2, 'note-org2-b', 'salary-2'), (3, 1, '{"mine":3}', 'salary-1'), (4, 2, 'note-org2-d', 'salary-4')`,
		`CREATE INDEX orders_note ON orders (note)`,
		`CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT)`,
		`INSERT INTO people VALUES (1, 'Ann'), (2, 'Bob')`,
		`CREATE TABLE Secret (id INTEGER PRIMARY KEY, word TEXT)`,
		`INSERT INTO Secret VALUES (1, 'swordfish'), (2, 'xyzzy')`,
		`CREATE INDEX secret_word ON Secret (word)`,
		`CREATE VIEW secret_view AS SELECT id, word FROM Secret`,
		`CREATE VIEW open_view AS SELECT id, length(word) AS n FROM secret_view WHERE id = 1`,
		`ANALYZE`,
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	return file
}

// tenantViews are what the person may see of it.
func tenantViews() []view {
	return append(wholly("people", "open_view"), view{name: "orders", columns: only("id", "note"), reads: only("id", "note", "organization_id"),
		sql: func(schema, _ string, _ bool) string {
			return `SELECT "t"."id", "t"."note" FROM ` + schema + `."orders" AS "t" WHERE "t"."organization_id" = 1 LIMIT -1 OFFSET 0`
		}})
}

func ofTenant(sql string) task { return task{sql: sql, native: true, views: tenantViews()} }

const done = "done" // what counts is that the statement can be run

// attacks are SQL by which a person tries to get what is not theirs, and what
// then stands in the rows or in the error.
var attacks = []struct{ name, sql, leak string }{
	{"a table", `SELECT word FROM secret`, "swordfish"},
	{"a table, counted", `SELECT 'n=' || count(*) FROM secret`, "n=2"},
	{"a table in double quotes", `SELECT "word" FROM "Secret"`, "swordfish"},
	{"a table in brackets", `SELECT [word] FROM [secret]`, "swordfish"},
	{"a table in backticks", "SELECT `word` FROM `secret`", "swordfish"},
	{"a table between comments", "SELECT/**/word/**/FROM--\nsecret", "swordfish"},
	{"a table with its schema", `SELECT word FROM main.secret`, "swordfish"},
	{"existence in a table", `SELECT 'yes' WHERE EXISTS (SELECT 1 FROM secret WHERE word LIKE 'sword%')`, "yes"},
	{"a table as a list", `SELECT 'yes' WHERE (1, 'swordfish') IN secret`, "yes"},
	{"a list of a table", `SELECT 'yes' WHERE 'swordfish' IN (SELECT word FROM secret)`, "yes"},
	{"a join", `SELECT s.word FROM people p JOIN secret s ON s.id = p.id`, "swordfish"},
	{"a natural join", `SELECT * FROM people NATURAL JOIN secret`, "swordfish"},
	{"a union", `SELECT note FROM orders UNION SELECT word FROM secret`, "swordfish"},
	{"an intersection", `SELECT 'swordfish' INTERSECT SELECT word FROM secret`, "swordfish"},
	{"a correlated subquery", `SELECT (SELECT word FROM secret s WHERE s.id = p.id) FROM people p`, "swordfish"},
	{"a subquery in VALUES", `VALUES ((SELECT word FROM secret LIMIT 1))`, "swordfish"},
	{"a subquery in ORDER BY", `SELECT group_concat(name) FROM (SELECT name FROM people p ORDER BY (SELECT word FROM secret s WHERE s.id = p.id) DESC)`, "Bob,Ann"},
	{"a window", `SELECT first_value(word) OVER (ORDER BY id) FROM secret`, "swordfish"},
	{"a recursion", `WITH RECURSIVE w(i, c) AS (VALUES (0, '') UNION ALL SELECT i + 1, c || (SELECT substr(word, i + 1, 1) FROM secret WHERE id = 1) FROM w WHERE i < 9) SELECT max(c) FROM w`, "swordfish"},
	{"a common table named as a table", `WITH orders AS (SELECT * FROM secret) SELECT * FROM orders`, "swordfish"},
	{"a common table named as a table, materialized", `WITH orders AS MATERIALIZED (SELECT * FROM main.secret) SELECT * FROM orders`, "swordfish"},
	{"a common table named as a table, recursive", `WITH RECURSIVE orders(id, w) AS (SELECT id, word FROM secret UNION SELECT id, w FROM orders) SELECT * FROM orders`, "swordfish"},
	{"a common table named as a view of the file", `WITH open_view AS (SELECT * FROM secret) SELECT * FROM open_view`, "swordfish"},
	{"a common table named as a view in it", `WITH secret_view AS (SELECT * FROM secret) SELECT * FROM secret_view`, "swordfish"},
	{"a common table around a view of the file", `WITH open_view AS (SELECT * FROM secret_view) SELECT * FROM open_view`, "swordfish"},
	{"a view", `SELECT word FROM secret_view`, "swordfish"},
	{"JSON of a table", `SELECT value FROM json_each((SELECT json_group_array(word) FROM secret))`, "swordfish"},
	{"JSON of rows", `SELECT json_group_array(json_object('note', note)) FROM orders`, "note-org2"},
	{"two statements", `SELECT 1; SELECT word FROM secret`, "swordfish"},
	{"the rows of others", `SELECT note FROM orders`, "note-org2"},
	{"the rows of others with a schema", `SELECT note FROM main.orders`, "note-org2"},
	{"the rows of others, counted", `SELECT 'n=' || count(*) FROM orders`, "n=4"},
	{"the rows of others, counted once more", `SELECT 'n=' || (SELECT count(*) FROM orders) || ',' || count(*) FROM orders o, orders p`, "n=4,16"},
	{"the rows of others by their ids", `SELECT note FROM orders WHERE id = 2`, "note-org2"},
	{"the rows of others by an index", `SELECT note FROM orders INDEXED BY orders_note WHERE note > 'n'`, "note-org2"},
	{"the rows of others in a window", `SELECT max(note) OVER (PARTITION BY id) FROM orders`, "note-org2"},
	{"the rows of others by row id", `SELECT 'r' || rowid FROM orders`, "r2"},
	{"the rows of others by _rowid_", `SELECT 'r' || _rowid_ FROM orders`, "r2"},
	{"the rows of others by oid", `SELECT 'r' || oid FROM orders`, "r2"},
	{"an error where an index leads to others", `SELECT id FROM orders WHERE note >= 'note-org2' AND json(note) IS NOT NULL`, "malformed JSON"},
	{"an error at the rows of others", `SELECT id FROM orders WHERE CASE WHEN note LIKE 'note-org2%' THEN abs(-9223372036854775807 - 1) END`, "integer overflow"},
	{"an error in a join with others", `SELECT p.id FROM people p LEFT JOIN orders o ON o.note >= 'n' AND json(o.note) IS NOT NULL`, "malformed JSON"},
	{"a hidden column", `SELECT salary FROM orders WHERE id = 1`, "salary-9"},
	{"a hidden column under a name", `SELECT o.salary AS note FROM orders AS o WHERE id = 1`, "salary-9"},
	{"a condition on a hidden column", `SELECT 'yes' FROM orders WHERE id = 1 AND salary LIKE 'salary-9%'`, "yes"},
	{"the order of a hidden column", `SELECT group_concat(id) FROM (SELECT id FROM orders WHERE id IN (1, 3) ORDER BY salary)`, "3,1"},
	{"groups of a hidden column", `SELECT 'n=' || count(*) FROM orders WHERE id IN (1, 3) GROUP BY salary`, "n=1"},
	{"a join by a hidden column", `SELECT 'yes' FROM orders a JOIN orders b USING (id, salary) WHERE id = 1`, "yes"},
	{"the column of the condition", `SELECT 'org' || organization_id FROM orders`, "org1"},
	{"the schema", `SELECT sql FROM sqlite_master`, "CREATE TABLE Secret"},
	{"the schema by its new name", `SELECT sql FROM sqlite_schema`, "CREATE TABLE Secret"},
	{"the schema with its schema", `SELECT name FROM main.sqlite_schema`, "secret_view"},
	{"what ANALYZE has counted", `SELECT tbl, stat FROM sqlite_stat1`, "Secret"},
	{"the columns of a table", `SELECT name FROM pragma_table_info('secret')`, "word"},
	{"the columns of one's own table", `SELECT name FROM pragma_table_info('orders')`, "salary"},
	{"the columns of one's own table, hidden ones too", `SELECT name FROM pragma_table_xinfo('orders')`, "salary"},
	{"the tables", `SELECT name FROM pragma_table_list`, "Secret"},
	{"the indexes", `SELECT name FROM pragma_index_list('secret')`, "secret_word"},
	{"the columns of an index", `SELECT name FROM pragma_index_info('secret_word')`, "word"},
	{"the file", `SELECT file FROM pragma_database_list`, "tenants.db"},
	{"the sizes of tables", `SELECT name FROM dbstat`, "Secret"},
	{"the size of the file", `SELECT 'n=' || page_count FROM pragma_page_count`, "n="},
	{"a pragma", `PRAGMA table_info(secret)`, "word"},
	{"a pragma behind a comment", `/* SELECT */ PRAGMA database_list`, "tenants.db"},
	{"the plan", `EXPLAIN QUERY PLAN SELECT * FROM orders WHERE note = 'x'`, "orders_note"},
	{"the program", `EXPLAIN SELECT * FROM orders`, "OpenRead"},
	{"options of the build", `SELECT 'o=' || sqlite_compileoption_get(1)`, "o="},
	{"a value of any size", `SELECT 'n=' || length(zeroblob(100000000))`, "n=100000000"},
	{"ATTACH", `ATTACH ':memory:' AS other`, done},
	{"a savepoint", `SAVEPOINT mine`, done},
	{"a table of one's own", `CREATE TEMP TABLE mine AS SELECT * FROM orders`, done},
	{"a view of one's own", `CREATE TEMP VIEW mine AS SELECT * FROM secret`, done},
	{"a copy of the file", `VACUUM INTO 'copy.db'`, done},
	{"deleting", `WITH x AS (SELECT 1) DELETE FROM secret RETURNING word`, "swordfish"},
	{"updating", `UPDATE orders SET note = note RETURNING note`, "note-org2"},
}

// leaks tells whether an attack got what it is after.
func leaks(leak string, rows [][]any, err error) bool {
	if leak == done {
		return err == nil
	}
	return strings.Contains(fmt.Sprint(rows), leak) || err != nil && strings.Contains(err.Error(), leak)
}

// onPlain runs SQL on a copy of the file, with nothing that holds it.
func onPlain(t *testing.T, file, text string) (rows [][]any, err error) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("tenants.db", data, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:tenants.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r, err := db.QueryContext(t.Context(), text)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	columns, err := r.Columns()
	for err == nil && r.Next() {
		row, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		err = r.Scan(into...)
		rows = append(rows, row)
	}
	return rows, errors.Join(err, r.Err())
}

// onGuardOnly runs SQL on the file itself, where only the guard keeps it to
// the tables: the first of the two walls alone.
func onGuardOnly(t *testing.T, file, text string) ([][]any, error) {
	t.Helper()
	c := openShop(t, file)
	if err := c.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := policy{home: c.home, tables: only("orders", "people", "open_view")}
	var err error
	if p.schema, err = c.learn(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.through, err = c.viewsOf(p.tables); err != nil {
		t.Fatal(err)
	}
	return drain(c.start(t.Context(), text, nil, p, func() {}))
}

// onViewsOnly runs SQL over the views, with a guard that lets everything pass.
func onViewsOnly(t *testing.T, file, text string) ([][]any, error) {
	t.Helper()
	k := ofTenant(text)
	c, err := openGoverned(t.Context(), file, k, openShop(t, file).log)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if _, err := c.prepare(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	anything := func(sqlite.AuthorizerActionCode, string, string, string, string) sqlite.AuthorizerReturnCode {
		return sqlite.AuthorizerOK
	}
	if err := c.raw.(sqlite.AuthorizerRegisterer).RegisterAuthorizer(anything); err != nil {
		t.Fatal(err)
	}
	raw, err := c.raw.(driver.QueryerContext).QueryContext(context.WithoutCancel(t.Context()), text, nil)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	var rows [][]any
	for {
		values := make([]driver.Value, len(raw.Columns()))
		if err := raw.Next(values); err != nil {
			return rows, nil //nolint:nilerr // what came before is looked at
		}
		row := make([]any, len(values))
		for i, v := range values {
			row[i] = v
		}
		rows = append(rows, row)
	}
}

func drain(r *Rows, err error) (rows [][]any, _ error) {
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for r.Next() {
		rows = append(rows, append([]any(nil), r.Values()...))
	}
	return rows, r.Err()
}

// Every attack gets something where nothing holds it, and nothing where both
// walls stand. Each wall alone lets some through, so that neither is there for
// nothing.
func TestNoAttackGetsPastTheViews(t *testing.T) {
	file := tenantFile(t)
	c := openShop(t, file)
	past := map[string]int{}
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			if rows, err := onPlain(t, file, a.sql); !leaks(a.leak, rows, err) {
				t.Errorf("it is no attack: %v, %v", rows, err)
			}
			rows, err := read(t.Context(), c, ofTenant(a.sql))
			if leaks(a.leak, rows, err) {
				t.Errorf("%s\ngot %v, %v", a.sql, rows, err)
			}
			var e *Error
			if err != nil && !errors.As(err, &e) {
				t.Errorf("an error of another sort: %v", err)
			}
			if e != nil {
				telling(t, a.sql, e)
			}
			for wall, run := range map[string]func(*testing.T, string, string) ([][]any, error){"guard": onGuardOnly, "views": onViewsOnly} {
				if rows, err := run(t, file, a.sql); leaks(a.leak, rows, err) {
					past[wall]++
				}
			}
		})
	}
	t.Logf("of %d attacks, %d get past the guard alone and %d past the views alone", len(attacks), past["guard"], past["views"])
	if len(attacks) < 40 || past["guard"] == 0 || past["views"] == 0 {
		t.Errorf("of %d attacks, %d get past the guard alone and %d past the views alone: one of them holds nothing", len(attacks), past["guard"], past["views"])
	}
	if rows, err := read(t.Context(), c, ofTenant(`SELECT id, note FROM orders ORDER BY id`)); err != nil || fmt.Sprint(rows) != `[[1 {"mine":1}] [3 {"mine":3}]]` {
		t.Errorf("after all of it: %v, %v", rows, err)
	}
}

// telling finds fault with a message that tells more than the person typed.
func telling(t *testing.T, sql string, e *Error) {
	t.Helper()
	for _, word := range []string{"swordfish", "Secret", "secret", "salary", "organization_id", "org2", "secret_view", "orders_note", "tenants.db", "sqlite_temp"} {
		if strings.Contains(e.Message, word) && !strings.Contains(sql, word) {
			t.Errorf("%s\nthe message has %q in it: %s", sql, word, e.Message)
		}
	}
}

// The boundary itself cannot be seen or named.
func TestTheBoundaryIsNotSeen(t *testing.T) {
	c := openShop(t, tenantFile(t))
	for _, q := range []string{
		`SELECT name FROM sqlite_temp_schema`, `SELECT count(*) FROM sqlite_temp_master`, `SELECT sql FROM temp.sqlite_schema`, `SELECT count(*) FROM temp.sqlite_temp_master`,
		`SELECT * FROM "main".orders`, `SELECT * FROM s.orders`, `SELECT * FROM "s00000000000000000000000000000000".orders`,
		`SELECT name FROM pragma_database_list`, `SELECT name FROM pragma_function_list`, `SELECT name FROM pragma_table_list WHERE schema = 'temp'`,
		`SELECT sluice_hash('key', 'x')`, `SELECT h00000000000000000000000000000000(1, 'x')`, `SELECT load_extension('x.so')`,
		`SELECT * FROM temp.secret`, `SELECT count(*) FROM temp.secret`, `SELECT * FROM sqlite_schema`, `DETACH main`, `SELECT salary FROM temp.orders`,
		`SELECT * FROM dbstat('main')`, `SELECT * FROM sqlite_dbpage`, `SELECT * FROM bytecode('SELECT 1')`, `SELECT * FROM tables_used('SELECT * FROM orders')`,
	} {
		rows, err := read(t.Context(), c, ofTenant(q))
		var e *Error
		if !errors.As(err, &e) || e.Kind != Denied && e.Kind != Invalid {
			t.Errorf("%s\ngave %v, %v", q, rows, err)
			continue
		}
		telling(t, q, e)
	}
	for _, q := range []string{`SELECT id FROM temp.orders`, `SELECT id FROM ORDERS`, `SELECT "Id" FROM "Orders" AS secret`} {
		if rows, err := read(t.Context(), c, ofTenant(q)); err != nil || len(rows) != 2 {
			t.Errorf("%s\ngave %v, %v", q, rows, err)
		}
	}
}

// What is hidden is answered as what is not there, whatever else is wrong.
func TestHiddenNamesAreAnsweredAsAbsentOnes(t *testing.T) {
	c := openShop(t, tenantFile(t))
	answer := func(sql string) string {
		rows, err := read(t.Context(), c, ofTenant(sql))
		var e *Error
		if errors.As(err, &e) {
			return e.Error()
		}
		return fmt.Sprint(rows, err)
	}
	for names, templates := range map[[2]string][]string{
		{"secret", "nowhere"}: {
			`SELECT * FROM N`, `SELECT count(*) FROM N`, `SELECT foo() FROM N`, `SELECT count(1, 2, 3) FROM N`, `SELECT nothing FROM N`, `SELECT * FROM N(1)`, `SELECT 1 IN N`,
			`SELECT N.word FROM orders`, `SELECT * FROM temp.N`, `SELECT * FROM main.N`, `SELECT * FROM orders JOIN N USING (id)`, `SELECT * FROM orders, N ORDER BY 9`,
			`SELECT 'N' AS x`, `SELECT 1 AS N`, `SELECT foo('N')`, `SELECT id FROM orders AS N`, `SELECT N.id FROM orders AS N`, `SELECT 1 FROM N LIMIT x`,
			`WITH N AS (SELECT 7 AS id) SELECT count(*) FROM N`, `WITH N AS (SELECT 7 AS id) SELECT id FROM N`, `WITH a AS (WITH N AS (SELECT 1) SELECT * FROM N) SELECT (SELECT count(*) FROM N) FROM a`,
			`WITH N AS (SELECT * FROM N) SELECT * FROM N`, `SELECT * FROM (SELECT 1) AS N`, `SELECT count(*) FROM (SELECT 1) AS N`, `SELECT * FROM N AS orders`, `SELECT FROM N`, `SELECT * FROM N NOT INDEXED`,
			`SELECT * FROM json_each('[1]') AS N`, `SELECT row_number() OVER N FROM orders WINDOW N AS (ORDER BY id)`,
			`SELECT id FROM orders UNION SELECT id, 2 FROM N`, `SELECT max(id) FROM N WHERE max(id) > 1`, `SELECT raise(IGNORE) FROM N`, `SELECT ? FROM N`,
		},
		{"secret_view", "nowhere"}: {`SELECT * FROM N`, `SELECT count(*) FROM N`, `WITH N AS (SELECT 7 AS id) SELECT count(*) FROM N`, `SELECT foo() FROM N`},
		{"salary", "nowhere"}: {
			`SELECT N FROM orders`, `SELECT orders.N FROM orders`, `SELECT foo(N) FROM orders`, `SELECT id FROM orders ORDER BY N`, `SELECT id FROM orders GROUP BY N`, `SELECT "N" FROM orders`,
			`SELECT id AS N FROM orders ORDER BY N`, `SELECT a.id FROM orders a JOIN orders b USING (N)`, `SELECT 1 AS N`, `SELECT (SELECT N) FROM orders`, `SELECT id FROM orders NATURAL JOIN (SELECT 1 AS N)`,
			`SELECT id FROM orders WHERE N = 1 OR foo()`, `SELECT N FROM orders, (SELECT 5 AS N)`,
		},
		{"orders_note", "nowhere"}: {`SELECT id FROM orders INDEXED BY N`, `SELECT * FROM N`, `SELECT 1 AS N`},
	} {
		for _, template := range templates {
			hidden := strings.ReplaceAll(answer(strings.ReplaceAll(template, "N", names[0])), names[0], "N")
			absent := strings.ReplaceAll(answer(strings.ReplaceAll(template, "N", names[1])), names[1], "N")
			if hidden != absent {
				t.Errorf("%s\nof %s: %s\nof %s: %s", template, names[0], hidden, names[1], absent)
			}
		}
	}
}

// Hashes are made by a function that nobody can call but the views, with a key
// that stands nowhere in the engine.
func TestHashesAreMadeByTheViewsAlone(t *testing.T) {
	c := openShop(t, tenantFile(t))
	call := ""
	hashed := func(sql string) task {
		return task{sql: sql, native: true, key: "the key", views: []view{{name: "orders", columns: only("note"), reads: only("note"),
			sql: func(schema, hash string, _ bool) string {
				call = hash
				return `SELECT ` + hash + `403, "t"."note") AS "note" FROM ` + schema + `."orders" AS "t" LIMIT -1 OFFSET 0`
			}}}}
	}
	want, err := keyedHash(nil, []driver.Value{"the key:403:", "note-org2-b"})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := read(t.Context(), c, hashed(`SELECT note FROM orders ORDER BY 1`))
	if err != nil || len(rows) != 4 || !strings.Contains(fmt.Sprint(rows), fmt.Sprint(want)) {
		t.Errorf("%v, %v; want %v among them", rows, err, want)
	}
	// Who knew how another connection calls it could do nothing with that.
	first := call
	name, _, _ := strings.Cut(first, "(")
	for _, q := range []string{`SELECT ` + first + `403, 'x')`, `WITH orders AS (SELECT ` + first + `403, 'x')) SELECT * FROM orders`,
		`WITH orders AS (SELECT ` + name + `('', 403, 'x')) SELECT * FROM orders`, `WITH orders AS (SELECT ` + name + `(NULL, 403, 'x')) SELECT * FROM orders`} {
		if rows, err := read(t.Context(), c, hashed(q)); err == nil {
			t.Errorf("%s\ngave %v", q, rows)
		}
	}
	if call == first {
		t.Error("two connections are called alike")
	}
	// Outside of views it is refused even so.
	p := policy{views: map[string]view{"orders": {}}, hash: "h1"}
	if p.calls("h1", "") || p.calls("h1", "nothing") || p.calls("sluice_hash", "orders") || !p.calls("h1", "orders") || !p.calls("lower", "") {
		t.Error("the guard lets people hash, or views not")
	}
}

// However many statements there are, the engine's binding keeps no more than
// there were connections at a time.
func TestWhatTheEngineKeepsIsUsedAgain(t *testing.T) {
	c := openShop(t, tenantFile(t))
	free := func() int {
		wirings.Lock()
		defer wirings.Unlock()
		return len(wirings.governed)
	}
	if _, err := read(t.Context(), c, ofTenant(`SELECT 1`)); err != nil {
		t.Fatal(err)
	}
	before := free()
	for _, q := range []string{`SELECT 1`, `SELECT nothing`, `SELECT FROM`, `SELECT id FROM orders`, `SELECT json(name) FROM people`} {
		_, _ = read(t.Context(), c, ofTenant(q))
	}
	if after := free(); after != before {
		t.Errorf("there were %d to use again, and are %d", before, after)
	}
}

// The guard by itself: nothing in the file's schema but what a view reads, from
// within that view, and of the connection's own nothing but what views show.
func TestTheGuardLetsViewsReadWhatTheyNeed(t *testing.T) {
	p := policy{home: "s1", schema: &schema{names: only("orders", "people", "secret", "open_view")}, shadows: only("secret"),
		views:   map[string]view{"orders": {columns: only("id"), reads: only("id", "organization_id")}, "open_view": {}},
		through: map[string]bool{via("open_view", "secret"): true, via("", "secret"): true}}
	for _, c := range []struct {
		table, column, schema, within string
		want                          bool
	}{
		{"orders", "id", "temp", "", true}, {"orders", "Id", "temp", "anything", true}, {"orders", "", "temp", "", true}, {"orders", "salary", "temp", "", false}, {"orders", "organization_id", "temp", "", false},
		{"orders", "id", "s1", "orders", true}, {"orders", "organization_id", "s1", "orders", true}, {"orders", "salary", "s1", "orders", false}, {"orders", "id", "s1", "", false}, {"orders", "id", "s1", "open_view", false},
		{"orders", "", "s1", "", true}, {"people", "", "s1", "", false}, {"people", "name", "s1", "people", false}, {"people", "name", "temp", "", false}, {"people", "", "", "", false},
		{"open_view", "n", "s1", "open_view", true}, {"open_view", "n", "temp", "", true},
		{"secret", "word", "s1", "open_view", true}, {"secret", "word", "s1", "", false}, {"secret", "word", "s1", "secret", false}, {"secret", "word", "s1", "orders", false}, {"secret", "word", "temp", "", false}, {"secret", "", "s1", "", true}, {"secret", "", "", "", true},
		{"recent", "", "", "", true}, {"recent", "x", "", "", false}, {"dbstat", "", "", "", false}, {"dbstat", "name", "main", "", false}, {"json_each", "value", "main", "", true},
		{"orders", "id", "main", "orders", false}, {"orders", "id", "s2", "orders", false}, {"orders", "", "s2", "orders", false}, {"sqlite_temp_master", "sql", "temp", "", false}, {"sqlite_schema", "", "", "", false}, {"pragma_table_info", "", "", "", false},
	} {
		if got := p.reads(c.table, c.column, c.schema, c.within); got != c.want {
			t.Errorf("%q of %s in %q from within %q: %v", c.column, c.table, c.schema, c.within, got)
		}
	}
}
