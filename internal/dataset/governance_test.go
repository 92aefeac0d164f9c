package dataset

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// governedServer is a server with a boundary on which the person writes SQL and
// sees the orders of the region that their attribute says, and no salaries.
func governedServer(t *testing.T, e *elsewhere) {
	t.Helper()
	e.set(permission.Unrestricted, permission.Native, map[catalog.TableID]permission.Level{e.salaries: permission.Blocked})
	e.is("north")
	e.draft(func(d *permission.Draft) error {
		if err := d.Set(e.group, e.id, permission.View, permission.OneTable(e.orders), permission.Sandboxed); err != nil {
			return err
		}
		if err := d.SetCreate(e.group, e.id, permission.WholeDatabase(), permission.Native); err != nil {
			return err
		}
		return d.SetSandbox(e.group, e.orders, &permission.Policy{Where: []permission.AttributeEquality{{Field: e.region, Attribute: "region"}}})
	})
	g, err := e.door.SetUpBoundary(t.Context(), store.Actor{}, e.id, 2)
	if err != nil || !g.Governs || g.Slots != 2 {
		t.Fatalf("%+v, %v", g, err)
	}
}

// is gives the person a region.
func (e *elsewhere) is(region string) {
	e.t.Helper()
	if _, err := e.store.UpdateUser(e.t.Context(), store.Actor{}, e.person, store.UserUpdate{LoginAttributes: &map[string]string{"region": region}}); err != nil {
		e.t.Fatal(err)
	}
}

// typed runs SQL that the person types.
func (e *elsewhere) typed(sql string) (string, error) {
	a, _, err := e.run(e.person, ask(e.native(sql)))
	return fmt.Sprint(a.rows), err
}

func (e *elsewhere) check() Governance {
	e.t.Helper()
	g, err := e.door.CheckGovernance(e.t.Context(), store.Actor{}, e.id, 0)
	if err != nil {
		e.t.Fatal(err)
	}
	return g
}

func TestSQLOnServersReadsWhatItsAuthorMaySee(t *testing.T) {
	eachServer(t, func(t *testing.T, e *elsewhere) {
		if _, err := e.typed("SELECT 1"); err == nil {
			t.Error("SQL runs before there is a boundary")
		}
		governedServer(t, e)
		for sql, want := range map[string]string{
			"SELECT id FROM orders ORDER BY id":                                             "[[1] [3]]",
			"SELECT count(*) FROM orders WHERE region <> 'north'":                           "[[0]]",
			"WITH orders AS (SELECT id FROM orders) SELECT max(id) FROM orders":             "[[3]]",
			fmt.Sprintf("SELECT count(*) FROM {{#%d}} x", e.card(e.open, e.allOrders()).ID): "[[2]]",
			"SELECT (SELECT min(id) FROM orders), (SELECT max(o.id) FROM orders AS o)":      "[[1 3]]",
			"SELECT count(*) FROM (SELECT 1 AS one FROM orders UNION SELECT 2) AS together": "[[2]]",
		} {
			if got, err := e.typed(sql); err != nil || got != want {
				t.Errorf("%s gives %s, %v, want %s", sql, got, err, want)
			}
		}
		messages := map[string]bool{}
		for _, sql := range []string{"SELECT * FROM salaries", "SELECT amount FROM salaries WHERE 1 = 2"} {
			_, err := e.typed(sql)
			messages[fails(t, err, InvalidQuery)] = true
		}
		_, err := e.typed("SELECT * FROM nothings")
		messages[strings.ReplaceAll(strings.ReplaceAll(fails(t, err, InvalidQuery), "nothings", "salaries"), " at ", "")] = true
		if len(messages) > 2 {
			t.Errorf("what is hidden and what is not there are told apart: %v", messages)
		}
		for sql, says := range map[string]string{"SELECT idd FROM orders": "idd", "SELECT id FROM orders WHERE": "syntax"} {
			_, err := e.typed(sql)
			if told := fails(t, err, InvalidQuery); !strings.Contains(told, says) || strings.Contains(told, "sluice") {
				t.Errorf("%s: %s", sql, told)
			}
		}
		e.is("south")
		if got, err := e.typed("SELECT id FROM orders"); err != nil || got != "[[2]]" {
			t.Errorf("after the attribute changed: %s, %v", got, err)
		}
		saved := e.card(e.open, e.native("SELECT id FROM orders"))
		if a, _, err := e.run(e.person, Request{Card: saved.ID}); err != nil || fmt.Sprint(a.rows) != "[[2]]" || !a.head.Sandboxed || len(a.head.Filtered) != 1 {
			t.Errorf("saved: %v, %+v, %v", a.rows, a.head.Filtered, err)
		}
		if a, _, err := e.run(e.admin, Request{Card: saved.ID}); err != nil || len(a.rows) != 3 {
			t.Errorf("the administrator reads %v, %v", a.rows, err)
		}
	})
}

func (e *elsewhere) allOrders() string {
	return fmt.Sprintf(`{"database":%d,"type":"query","query":{"source-table":%d}}`, e.id, e.orders)
}

// What was proved counts for a day, and no longer than the next look finds it
// so, or than the connection stays the same.
func TestABoundaryCountsAsLongAsItIsProved(t *testing.T) {
	eachServer(t, func(t *testing.T, e *elsewhere) {
		governedServer(t, e)
		works := func(want bool, when string) {
			t.Helper()
			if got, err := e.typed("SELECT id FROM orders ORDER BY id"); (err == nil) != want || want && got != "[[1] [3]]" {
				t.Errorf("%s: %s, %v", when, got, err)
			}
		}
		works(true, "at first")
		now := e.door.now
		e.door.now = func() time.Time { return now().Add(provedFor) }
		_, err := e.typed("SELECT 1 FROM orders")
		if says := fails(t, err, InvalidQuery); !strings.Contains(says, "24 hours") || !strings.Contains(says, "sluice db doctor") {
			t.Errorf("a day later: %s", says)
		}
		if g := e.check(); !g.Governs {
			t.Fatalf("%+v", g.Findings)
		}
		works(true, "proved again")

		grant, revoke := "GRANT SELECT ON salaries TO PUBLIC", "REVOKE SELECT ON salaries FROM PUBLIC"
		if e.server.Engine == "mysql" {
			slot := "'" + e.boundary().Slot(1) + "'@'%'"
			grant, revoke = "GRANT SELECT ON "+e.databaseName()+".salaries TO "+slot, "REVOKE SELECT ON "+e.databaseName()+".salaries FROM "+slot
		}
		e.server.Exec(t, e.databaseName(), grant)
		if g := e.check(); g.Governs || len(g.Findings) == 0 {
			t.Errorf("what opens a table is not found: %+v", g)
		}
		works(false, "with a table open to slots")
		e.server.Exec(t, e.databaseName(), revoke)
		if err := e.door.Sync(t.Context(), store.Actor{}, e.id); err != nil { // which looks again
			t.Fatal(err)
		}
		works(true, "mended, after a sync")

		db, err := e.store.Database(t.Context(), e.id)
		if err != nil {
			t.Fatal(err)
		}
		other := strings.Replace(string(db.Details), `"port":`, `"ssl":false,"port":`, 1)
		if _, err := e.store.UpdateDatabase(t.Context(), store.Actor{}, db, store.DatabaseUpdate{Details: json.RawMessage(other)}); err != nil {
			t.Fatal(err)
		}
		works(false, "with other details")
		e.check()
		works(true, "proved with those")
	})
}

func (e *elsewhere) boundary() interface{ Slot(int) string } {
	e.t.Helper()
	db, err := e.store.Database(e.t.Context(), e.id)
	if err != nil {
		e.t.Fatal(err)
	}
	return e.door.boundary(db)
}

// A view that somebody dropped is made again, and a slot that was ended is
// taken again.
func TestWhatALeaseNeedsIsMadeAgain(t *testing.T) {
	eachServer(t, func(t *testing.T, e *elsewhere) {
		governedServer(t, e)
		if _, err := e.typed("SELECT id FROM orders"); err != nil {
			t.Fatal(err)
		}
		db, err := e.store.Database(t.Context(), e.id)
		if err != nil {
			t.Fatal(err)
		}
		b := e.door.boundary(db)
		e.server.Exec(t, e.databaseName(), "DROP VIEW "+e.view(b.Views()))
		_, _ = e.typed("SELECT id FROM orders") // which MariaDB may find out by failing
		if got, err := e.typed("SELECT id FROM orders ORDER BY id"); err != nil || got != "[[1] [3]]" {
			t.Errorf("afterwards: %s, %v", got, err)
		}
		for n := range 2 {
			_ = e.server.Try(t.Context(), e.databaseName(), map[string]string{
				"postgres": "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '" + b.Slot(n+1) + "'",
				"mysql":    "KILL CONNECTION USER '" + b.Slot(n+1) + "'"}[e.server.Engine])
		}
		for range 3 { // one can find out that its connection is gone
			_, err = e.typed("SELECT id FROM orders")
		}
		if err != nil {
			t.Errorf("after the slots were ended: %v", err)
		}
	})
}

// view is the one in a schema that is not about leases.
func (e *elsewhere) view(schema string) string {
	e.t.Helper()
	script, err := e.door.BoundarySQL(e.t.Context(), e.id, 0, true, false)
	if err != nil || strings.Contains(script, "secret") {
		e.t.Fatalf("%s, %v", script, err)
	}
	// The name depends on the policy alone.
	p, err := e.door.prepare(e.t.Context(), e.person, ask(e.native("SELECT 1 FROM orders")), e.door.now())
	if err != nil {
		e.t.Fatal(err)
	}
	return schema + "." + p.statement.Views()[0].Name()
}

// Whoever holds all slots that one person may have waits, and others do not.
func TestSlotsAreSharedFairly(t *testing.T) {
	eachServer(t, func(t *testing.T, e *elsewhere) {
		governedServer(t, e)
		e.door.wait = 300 * time.Millisecond
		if _, err := e.typed("SELECT id FROM orders"); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		started := make(chan struct{})
		var first sync.WaitGroup
		first.Go(func() { // holds one of two slots, which is the share
			a := &answer{row: func(n int) error {
				if n == 1 {
					close(started)
					<-ctx.Done()
				}
				return nil
			}}
			_, _ = e.door.Run(ctx, e.person, ask(e.native("SELECT id FROM orders")), a)
		})
		<-started
		_, err := e.typed("SELECT id FROM orders")
		if says := fails(t, err, Busy); !strings.Contains(says, "one person may (1)") {
			t.Error(says)
		}
		stop()
		first.Wait()
		if got, err := e.typed("SELECT id FROM orders ORDER BY id"); err != nil || got != "[[1] [3]]" {
			t.Errorf("afterwards: %s, %v", got, err)
		}
	})
}

// A view that is made once stays bound to what it was made with. What is called
// otherwise by now is not shown under its former name.
func TestSQLReadsWhatIsCalledSoNow(t *testing.T) {
	eachServer(t, func(t *testing.T, e *elsewhere) {
		governedServer(t, e)
		shows := func(want, when string) {
			t.Helper()
			if got, err := e.typed("SELECT id FROM orders ORDER BY id"); err != nil || got != want {
				t.Errorf("%s: %s, %v, want %s", when, got, err, want)
			}
		}
		shows("[[1] [3]]", "at first")
		e.server.Exec(t, e.databaseName(), "ALTER TABLE orders RENAME TO orders_of_before",
			"CREATE TABLE orders (id INT PRIMARY KEY, region VARCHAR(9), total DECIMAL(10,2), at TIMESTAMP NULL)", "INSERT INTO orders (id, region) VALUES (8, 'south'), (9, 'north')")
		if e.server.Engine == "postgres" { // as the script run again would
			db, err := e.store.Database(t.Context(), e.id)
			if err != nil {
				t.Fatal(err)
			}
			e.server.Exec(t, e.databaseName(), "GRANT SELECT ON orders TO "+e.door.boundary(db).Owner())
		}
		shows("[[9]]", "with another table of that name")
		e.server.Exec(t, e.databaseName(), "ALTER TABLE orders RENAME COLUMN region TO was", "ALTER TABLE orders ADD COLUMN region VARCHAR(9)", "UPDATE orders SET region = 'north' WHERE id = 8")
		shows("[[8]]", "with another column of that name")
	})
}

// A wrong number of slots ends nothing, and slots that lie idle are no reason
// not to look.
func TestTheDoctorIsAskedWhileSQLRuns(t *testing.T) {
	eachServer(t, func(t *testing.T, e *elsewhere) {
		governedServer(t, e)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { _, _ = e.typed("SELECT id FROM orders") })
		}
		all.Wait()
		if g := e.check(); !g.Governs {
			t.Errorf("with idle slots: %+v", g.Findings)
		}
		g, err := e.door.CheckGovernance(t.Context(), store.Actor{}, e.id, 9)
		if err != nil || g.Governs || len(g.Findings) == 0 {
			t.Errorf("with slots that are not there: %+v, %v", g, err)
		}
		if got, err := e.typed("SELECT id FROM orders ORDER BY id"); err != nil || got != "[[1] [3]]" {
			t.Errorf("after a wrong number: %s, %v", got, err)
		}
		if g := e.check(); !g.Governs || g.Slots != 2 {
			t.Errorf("%+v", g)
		}
	})
}

func TestTheScriptForMySQLItselfIsMarked(t *testing.T) {
	e := newElsewhere(t, "mysql")
	for mysql8 := range map[bool]bool{true: true, false: true} {
		script, err := e.door.BoundarySQL(t.Context(), e.id, 0, true, mysql8)
		if err != nil || strings.HasPrefix(script, "-- UNVERIFIED") != mysql8 {
			t.Errorf("for MySQL itself %v: %v, %.80s", mysql8, err, script)
		}
	}
}
