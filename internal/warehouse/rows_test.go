package warehouse

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/query"
)

// endless never gives a row and never ends; late gives one and then none.
const (
	endless = `WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n) SELECT x FROM n WHERE x < 0`
	late    = `WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n) SELECT x FROM n WHERE x = 1`
	many    = `WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n) SELECT x FROM n`
)

func TestRowsGiveTypesAndValues(t *testing.T) {
	c := openShop(t, shopFile(t))
	r, err := c.run(t.Context(), written(`
		SELECT id, total, paid, at, day, blob, total * 2 AS twice, 'a' || id AS label, NULL AS empty, 9e999 AS infinite FROM orders ORDER BY id`, "orders"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	want := []Column{
		{"id", "INTEGER", "type/Integer"}, {"total", "REAL", "type/Float"}, {"paid", "BOOLEAN", "type/Boolean"},
		{"at", "DATETIME", "type/DateTime"}, {"day", "DATE", "type/Date"}, {"blob", "BLOB", "type/*"}, {"twice", "", "type/Float"},
		{"label", "", "type/Text"}, {"empty", "", "type/*"}, {"infinite", "", "type/Float"},
	}
	if !reflect.DeepEqual(r.Columns(), want) {
		t.Errorf("columns\n%v, want\n%v", r.Columns(), want)
	}
	rows := [][]any{
		{int64(1), 9.5, true, "2024-02-03T04:05:06Z", "2024-02-03T00:00:00Z", "/wA=", 19.0, "a1", nil, nil},
		{int64(2), 20.0, false, nil, nil, "text", 40.0, "a2", nil, nil},
	}
	for i, want := range rows {
		if !r.Next() {
			t.Fatalf("row %d is missing: %v", i, r.Err())
		}
		if !reflect.DeepEqual(r.Values(), want) {
			t.Errorf("row %d\n%v, want\n%v", i, r.Values(), want)
		}
	}
	if r.Next() || r.Err() != nil {
		t.Errorf("after the last row: %v", r.Err())
	}
}

func TestArgumentsAreBoundByTheirNumbers(t *testing.T) {
	c := openShop(t, shopFile(t))
	rows, err := read(t.Context(), c, task{sql: `SELECT ?2, ?1, ?2, ?3, ?4`, args: []any{"one'; DROP TABLE orders", int64(2), 2.5, nil}})
	if err != nil || !reflect.DeepEqual(rows, [][]any{{int64(2), "one'; DROP TABLE orders", int64(2), 2.5, nil}}) {
		t.Errorf("%v, %v", rows, err)
	}
}

func TestContextEndsAStatementWhereverItIs(t *testing.T) {
	file := shopFile(t)
	for _, sql := range []string{endless, late, many, `SELECT count(*) FROM (` + many + `)`} {
		for kind, begin := range map[Kind]func() (context.Context, context.CancelFunc){
			TimedOut: func() (context.Context, context.CancelFunc) {
				return context.WithTimeout(t.Context(), 30*time.Millisecond)
			},
			Cancelled: func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(30*time.Millisecond, cancel)
				return ctx, cancel
			},
		} {
			c := openShop(t, file)
			ctx, cancel := begin()
			_, err := read(ctx, c, written(sql)) // a test that hangs here has failed
			cancel()
			var e *Error
			if !errors.As(err, &e) || e.Kind != kind {
				t.Errorf("%s\nended with %v, want kind %v", sql, err, kind)
			}
			if c.busy || c.broken {
				t.Errorf("%s\nleft its mark on a connection that others use", sql)
			}
		}
	}
}

func TestStatementThatIsOverIsNotInterruptedLater(t *testing.T) {
	c := openShop(t, shopFile(t))
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := read(ctx, c, task{sql: `SELECT 1`}); err != nil {
		t.Fatal(err)
	}
	r, err := c.run(t.Context(), task{sql: many})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cancel()
	for range 5000 {
		if !r.Next() {
			t.Fatalf("another statement's context ended this one: %v", r.Err())
		}
	}
}

// inFile is a database of SQLite.
func inFile(id catalog.DatabaseID, file string) Database {
	return Database{ID: id, Engine: "sqlite", Details: []byte(`{"db":"` + file + `"}`)}
}

// samplePool is a pool, and the sample warehouse as its database 1.
func samplePool(t *testing.T) (*Pool, Database) {
	t.Helper()
	file := t.TempDir() + "/sample.db"
	if err := WriteSample(file); err != nil {
		t.Fatal(err)
	}
	p := New(slog.New(slog.DiscardHandler))
	t.Cleanup(func() { p.Close() })
	return p, inFile(1, file)
}

func TestCancelledQueriesLeaveNothingInUse(t *testing.T) {
	p, db := samplePool(t)
	var group sync.WaitGroup
	for i := range 200 {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%7)*5*time.Millisecond)
			defer cancel()
			c, err := p.Acquire(ctx, db)
			if err != nil {
				return
			}
			defer c.Release()
			if r, err := c.perform(ctx, written([]string{endless, late, many}[i%3])); err == nil {
				for r.Next() {
					if i%5 == 0 {
						return // whoever asked just goes
					}
				}
			}
		})
	}
	group.Wait()
	if n := p.InUse(1); n != 0 {
		t.Errorf("%d connections are still in use", n)
	}
	if n := len(p.databases[1].conns.idle); n > MaxConnections {
		t.Errorf("%d idle connections", n)
	}
	for range 2 * MaxConnections { // all of them can be had again
		c, err := p.Acquire(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		if rows, err := read(t.Context(), c.c, task{sql: `SELECT count(*) FROM orders`, tables: only("orders")}); err != nil || rows[0][0] != int64(sampleOrders) {
			t.Errorf("%v, %v", rows, err)
		}
		c.Release()
		c.Release()
	}
}

func TestPeopleOnOnePoolKeepTheirOwnTables(t *testing.T) {
	p, db := samplePool(t)
	tables := []string{"orders", "people", "products", "reviews"}
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			mine, other := tables[i%4], tables[(i+1)%4]
			for range 10 {
				c, err := p.Acquire(t.Context(), db)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := read(t.Context(), c.c, written(`SELECT count(*) FROM `+mine, mine)); err != nil {
					t.Errorf("%s: %v", mine, err)
				}
				var e *Error
				if _, err := read(t.Context(), c.c, written(`SELECT count(*) FROM `+other, mine)); !errors.As(err, &e) || e.Kind != Denied {
					t.Errorf("%s was read by somebody who may read %s: %v", other, mine, err)
				}
				c.Release()
			}
		})
	}
	group.Wait()
}

func TestAcquireWaitsForAFreeConnection(t *testing.T) {
	p, db := samplePool(t)
	var taken []*Conn
	for range MaxConnections {
		c, err := p.Acquire(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, c)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	var e *Error
	if _, err := p.Acquire(ctx, db); !errors.As(err, &e) || e.Kind != TimedOut {
		t.Errorf("one more than there are: %v", err)
	}
	taken[0].Release()
	c, err := p.Acquire(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	c.Release()
	for _, c := range taken {
		c.Release()
	}
	if n := p.InUse(1); n != 0 {
		t.Errorf("%d in use", n)
	}
}

func TestStatementThatNobodyMadeIsRefused(t *testing.T) {
	p, db := samplePool(t)
	c, err := p.Acquire(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := c.Run(t.Context(), query.Statement{}, nil); err == nil {
		t.Errorf("a zero statement ran: %v", r)
	}
	c.Release()
	if r, err := c.Run(t.Context(), query.Statement{}, nil); err == nil {
		t.Errorf("a released connection ran something: %v", r)
	}
}

func TestReplacedFileIsReadAnew(t *testing.T) {
	dir := t.TempDir()
	file, other := shopFile(t), dir+"/shop.db"
	if err := os.Rename(file, other); err != nil {
		t.Fatal(err)
	}
	p := New(nil)
	defer p.Close()
	count := func() any {
		c, err := p.Acquire(t.Context(), inFile(7, other))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Release()
		rows, err := read(t.Context(), c.c, task{sql: `SELECT count(*) FROM orders`, tables: only("orders")})
		if err != nil {
			t.Fatal(err)
		}
		return rows[0][0]
	}
	if n := count(); n != int64(2) {
		t.Fatalf("%v orders", n)
	}
	if err := WriteSample(other); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != int64(sampleOrders) {
		t.Errorf("%v orders after the file was replaced", n)
	}
}

// Details change while people ask. Who began with the old ones may finish with
// them; nobody is given a connection to another place than he named.
func TestAConnectionHasTheDetailsThatItsTakerNamed(t *testing.T) {
	p := New(nil)
	defer p.Close()
	sample := t.TempDir() + "/sample.db"
	if err := WriteSample(sample); err != nil {
		t.Fatal(err)
	}
	both := []Database{inFile(1, shopFile(t)), inFile(1, sample)}
	wants := []any{int64(2), int64(sampleOrders)}
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			for range 50 {
				c, err := p.Acquire(t.Context(), both[i%2])
				if err != nil {
					t.Error(err)
					return
				}
				rows, err := read(t.Context(), c.c, task{sql: `SELECT count(*) FROM orders`, tables: only("orders")})
				if err != nil || rows[0][0] != wants[i%2] {
					t.Errorf("database %d: %v, %v", i%2, rows, err)
				}
				c.Release()
			}
		})
	}
	group.Wait()
}

func TestClosedPoolGivesNothing(t *testing.T) {
	p, db := samplePool(t)
	c, err := p.Acquire(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Acquire(t.Context(), db); err == nil {
		t.Error("a closed pool gave a connection")
	}
	if _, err := p.Acquire(t.Context(), inFile(2, "/nowhere")); err == nil {
		t.Error("a closed pool took a database")
	}
	if _, err := read(t.Context(), c.c, task{sql: `SELECT 1`}); err != nil {
		t.Errorf("what was running cannot finish: %v", err)
	}
	c.Release()
}
