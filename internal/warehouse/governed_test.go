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

	"github.com/sluice-bi/sluice/internal/query"
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
			return rows, nil // what came before is looked at
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
	want, err := keyedHash(nil, []driver.Value{query.HashKey("the key", 403), "note-org2-b"})
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

// In a file whose views name its schema nothing can be attached under another
// name. SQL on it fails, in words that tell of no view; what the compiler wrote
// runs.
func TestAFileWhoseViewsNameItsSchemaRunsNoSQL(t *testing.T) {
	file := tenantFile(t)
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE VIEW hidden_view AS SELECT id FROM main.secret`); err != nil {
		t.Fatal(err)
	}
	c := openShop(t, file)
	var e *Error
	if rows, err := read(t.Context(), c, ofTenant(`SELECT id FROM orders`)); !errors.As(err, &e) || e.Message != wrongFile {
		t.Errorf("%v, %v", rows, err)
	}
	if rows, err := read(t.Context(), c, task{sql: `SELECT "id" FROM "hidden_view"`, tables: only("hidden_view")}); err != nil || len(rows) != 2 {
		t.Errorf("%v, %v", rows, err)
	}
}
