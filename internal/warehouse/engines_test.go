package warehouse

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/dbtest"
)

// place is a warehouse of one engine, with the shop in it, open as database 1.
type place struct {
	engine  string
	pool    *Pool
	db      Database
	details map[string]any
	server  *dbtest.Server // nil for SQLite
	name    string         // of the database, or the file
}

const placeID catalog.DatabaseID = 1

// shopSQL is what the tests know to be there: the same in every engine.
var shopSQL = []string{
	`CREATE TABLE orders (id INTEGER PRIMARY KEY, organization_id INTEGER, total DECIMAL(10,2), status VARCHAR(20))`,
	`INSERT INTO orders VALUES (1, 1, 9.50, 'new'), (2, 2, 20, 'paid'), (3, 1, 7.25, NULL)`,
	`CREATE TABLE secret (id INTEGER PRIMARY KEY, word VARCHAR(20))`,
	`INSERT INTO secret VALUES (1, 'swordfish')`,
}

// eachEngine runs a test on a fresh warehouse of every engine.
func eachEngine(t *testing.T, f func(t *testing.T, p *place)) {
	t.Helper()
	for _, engine := range Engines() {
		t.Run(engine, func(t *testing.T) { f(t, newPlace(t, engine)) })
	}
}

func newPlace(t *testing.T, engine string) *place {
	t.Helper()
	p := &place{engine: engine, pool: New(slog.New(slog.NewTextHandler(t.Output(), nil)))}
	switch engine {
	case "sqlite":
		p.name = t.TempDir() + "/shop.db"
		p.details = map[string]any{"db": p.name}
	case "postgres":
		p.server = dbtest.PostgreSQL(t)
	case "mysql":
		p.server = dbtest.MariaDB(t)
	default:
		t.Fatalf("no test knows how to make a warehouse of the engine %s", engine)
	}
	if p.server != nil {
		p.name = p.server.Database(t)
		p.details = p.server.Details(p.name, "")
	}
	p.exec(t, shopSQL...)
	p.open(t, p.details)
	t.Cleanup(func() {
		if n := p.pool.InUse(placeID); n != 0 {
			t.Errorf("%d connections are still in use", n)
		}
		p.pool.Close()
	})
	return p
}

// open connects with other details.
func (p *place) open(t *testing.T, details map[string]any) {
	t.Helper()
	raw, err := json.Marshal(details)
	if err != nil {
		t.Fatal(err)
	}
	p.db = Database{ID: placeID, Engine: p.engine, Details: raw}
	if _, err := p.pool.open(p.db); err != nil {
		t.Fatal(err)
	}
}

// conns are the open connections.
func (p *place) conns() *connections { return p.pool.databases[placeID].conns }

// with are the details with some options changed.
func (p *place) with(changes map[string]any) map[string]any {
	d := maps.Clone(p.details)
	maps.Copy(d, changes)
	return d
}

// exec runs statements as whoever owns the warehouse.
func (p *place) exec(t *testing.T, statements ...string) {
	t.Helper()
	if p.server != nil {
		p.server.Exec(t, p.name, statements...)
		return
	}
	db, err := sql.Open("sqlite", "file:"+p.name)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range statements {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

// task is a compiled statement on the orders; native is one that a person
// wrote.
func (p *place) task(text string, args ...any) task {
	return task{sql: text, args: args, tables: only("orders")}
}

func (p *place) native(text string) task {
	return written(text, "orders")
}

// ask runs a task to its end on a connection of its own.
func (p *place) ask(ctx context.Context, t task) ([]Column, [][]any, error) {
	c, err := p.pool.Acquire(ctx, p.db)
	if err != nil {
		return nil, nil, err
	}
	defer c.Release()
	r, err := c.perform(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	var rows [][]any
	for r.Next() {
		rows = append(rows, append([]any(nil), r.Values()...))
	}
	return r.Columns(), rows, r.Err()
}

// one is the only value that a task gives.
func (p *place) one(t *testing.T, k task) any {
	t.Helper()
	_, rows, err := p.ask(t.Context(), k)
	if err != nil || len(rows) != 1 || len(rows[0]) != 1 {
		t.Fatalf("%s gives %v, %v", k.sql, rows, err)
	}
	return rows[0][0]
}

// the gives what is written for the engine.
func (p *place) the(byEngine map[string]string) string {
	text, ok := byEngine[p.engine]
	if !ok {
		panic("nothing is written for " + p.engine)
	}
	return text
}

// mark is the n-th placeholder.
func (p *place) mark(n int) string {
	return map[string]string{"sqlite": fmt.Sprintf("?%d", n), "postgres": fmt.Sprintf("$%d", n), "mysql": "?"}[p.engine]
}

// endlessRows gives rows for ever; endlessWork computes for ever and gives
// none.
var (
	endlessRows = map[string]string{
		"sqlite":   many,
		"postgres": "SELECT generate_series(1, 1000000000000)",
		"mysql":    "SELECT seq FROM seq_1_to_1000000000000",
	}
	endlessWork = map[string]string{
		"sqlite":   endless,
		"postgres": "SELECT count(*) FROM generate_series(1, 100000000) a, generate_series(1, 100000000) b",
		"mysql":    "SELECT count(*) FROM seq_1_to_1000000000000 WHERE seq % 7 < 0",
	}
)

// sessions counts what the server knows of our connections: all of them, and
// those that work on something.
func (p *place) sessions(t *testing.T) (all, working int) {
	t.Helper()
	if p.server == nil {
		return 0, 0
	}
	look := p.the(map[string]string{
		"postgres": "SELECT count(*), count(*) FILTER (WHERE state <> 'idle') FROM pg_stat_activity WHERE application_name = 'Sluice' AND datname = '" + p.name + "'",
		"mysql":    "SELECT count(*), coalesce(sum(COMMAND NOT IN ('Sleep', 'Killed')), 0) FROM information_schema.PROCESSLIST WHERE DB = '" + p.name + "'",
	})
	all, working, err := p.server.Two(t.Context(), "", look)
	if err != nil {
		t.Fatal(err)
	}
	return all, working
}

// is checks that an error is an *Error of the kind, in one sentence.
func is(t *testing.T, err error, kind Kind) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v is no *Error", err)
	}
	if e.Kind != kind {
		t.Fatalf("error %v (cause %v) is not of the kind %v", e, e.Cause, kind)
	}
	if e.Message == "" || strings.Contains(e.Message, "\n") {
		t.Errorf("the message %q is not one sentence", e.Message)
	}
	return e
}
