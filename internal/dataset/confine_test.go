package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/dbtest"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	"github.com/sluice-bi/sluice/internal/store"
)

// elsewhere is a database of a server in a world, with orders and salaries.
type elsewhere struct {
	*world
	server           *dbtest.Server
	id               catalog.DatabaseID
	orders, salaries catalog.TableID
	region           catalog.FieldID // of orders
}

// eachServer runs a test on a fresh database of every engine that is a server.
func eachServer(t *testing.T, f func(t *testing.T, e *elsewhere)) {
	t.Helper()
	for _, engine := range Engines() {
		if engine == "sqlite" {
			continue
		}
		t.Run(engine, func(t *testing.T) { f(t, newElsewhere(t, engine)) })
	}
}

func newElsewhere(t *testing.T, engine string) *elsewhere {
	t.Helper()
	if _, err := query.DialectOf(engine); err != nil {
		t.Fatal(err)
	}
	e := &elsewhere{server: map[string]func(testing.TB) *dbtest.Server{"postgres": dbtest.PostgreSQL, "mysql": dbtest.MariaDB}[engine](t)}
	name := e.server.Database(t)
	e.server.Exec(t, name, "CREATE TABLE orders (id INT PRIMARY KEY, region VARCHAR(9), total DECIMAL(10,2), at TIMESTAMP NULL)",
		"INSERT INTO orders VALUES (1, 'north', 9.50, '2024-07-01 22:30:00'), (2, 'south', 20, NULL), (3, 'north', 7.25, NULL)",
		"CREATE TABLE salaries (id INT PRIMARY KEY, amount INT)", "INSERT INTO salaries VALUES (1, 4711)")
	e.world = newWorld(t, Options{})
	details, err := json.Marshal(e.server.Details(name, ""))
	if err != nil {
		t.Fatal(err)
	}
	db, err := e.store.CreateDatabase(t.Context(), store.Actor{}, store.Database{Name: "Server", Engine: engine, Details: details})
	if err != nil {
		t.Fatal(err)
	}
	e.id = db.ID
	if err := e.door.Sync(t.Context(), store.Actor{}, e.id); err != nil {
		t.Fatal(err)
	}
	cat := e.store.Graph().Catalog()
	for table := range cat.Tables(e.id) {
		switch table.Name {
		case "orders":
			e.orders = table.ID
			for _, f := range cat.Fields(table.ID) {
				if f.Name == "region" {
					e.region = f.ID
				}
			}
		case "salaries":
			e.salaries = table.ID
		}
	}
	if e.orders == 0 || e.salaries == 0 || e.region == 0 {
		t.Fatal("the sync did not find the tables")
	}
	t.Cleanup(func() {
		if n := e.pool.InUse(e.id); n != 0 {
			t.Errorf("%d connections are still in use", n)
		}
	})
	return e
}

// set writes levels of the group: on the whole database, then on tables.
func (e *elsewhere) set(view, create permission.Level, tables map[catalog.TableID]permission.Level) {
	e.t.Helper()
	e.draft(func(d *permission.Draft) error {
		if err := d.Set(e.group, e.id, permission.View, permission.WholeDatabase(), view); err != nil {
			return err
		}
		if err := d.SetCreate(e.group, e.id, permission.WholeDatabase(), create); err != nil {
			return err
		}
		for table, level := range tables {
			if err := d.Set(e.group, e.id, permission.View, permission.OneTable(table), level); err != nil {
				return err
			}
		}
		return nil
	})
}

// databaseName is what the server calls the database.
func (e *elsewhere) databaseName() string {
	e.t.Helper()
	db, err := e.store.Database(e.t.Context(), e.id)
	if err != nil {
		e.t.Fatal(err)
	}
	var details struct{ Dbname string }
	if err := json.Unmarshal(db.Details, &details); err != nil {
		e.t.Fatal(err)
	}
	return details.Dbname
}

func (e *elsewhere) native(sql string) string {
	return strings.Replace(native(sql), `"database":1`, fmt.Sprintf(`"database":%d`, e.id), 1)
}

// Nothing on a server keeps SQL to some tables. It runs for who may be shown
// all of the database, and for nobody else, whatever the SQL reads.
func TestSQLThatNothingConfinesNeedsTheWholeDatabase(t *testing.T) {
	eachServer(t, func(t *testing.T, e *elsewhere) {
		on := e.card(e.open, e.native("SELECT count(*) FROM orders"))
		none := e.card(e.open, e.native("SELECT 1"))
		hidden := e.card(e.closed, e.native("SELECT count(*) FROM orders"))
		some := func(l permission.Level) map[catalog.TableID]permission.Level {
			return map[catalog.TableID]permission.Level{e.salaries: l}
		}
		for _, tt := range []struct {
			name          string
			view, create  permission.Level
			tables        map[catalog.TableID]permission.Level
			saved, typing bool
		}{
			// As on every engine: what was saved shows through its collection.
			{"nothing set", permission.None, permission.None, nil, true, false},
			{"unrestricted, no questions", permission.Unrestricted, permission.None, nil, true, false},
			{"unrestricted, the query builder", permission.Unrestricted, permission.QueryBuilder, nil, true, false},
			{"unrestricted, SQL", permission.Unrestricted, permission.Native, nil, true, true},
			{"blocked", permission.Blocked, permission.None, nil, false, false},
			{"another table is blocked", permission.Unrestricted, permission.Native, some(permission.Blocked), false, false},
			{"another table is sandboxed without a policy", permission.Unrestricted, permission.Native, some(permission.Sandboxed), false, false},
		} {
			e.set(tt.view, tt.create, tt.tables)
			for what, r := range map[string]Request{"SQL on orders": {Card: on.ID}, "SQL on nothing": {Card: none.ID}} {
				_, _, err := e.run(e.person, r)
				if tt.saved != (err == nil) {
					t.Errorf("%s, saved %s: %v", tt.name, what, err)
				}
				if err != nil {
					if says := fails(t, err, MissingPermissions); says != refusal {
						t.Errorf("%s: it says %q", tt.name, says)
					}
					if last := e.lastRun(); last.Outcome != "denied" || last.Reason == "" {
						t.Errorf("%s: recorded as %+v", tt.name, last)
					}
				}
			}
			if _, _, err := e.run(e.person, ask(e.native("SELECT count(*) FROM orders"))); tt.typing != (err == nil) {
				t.Errorf("%s, typing: %v", tt.name, err)
			}
			if _, _, err := e.run(e.person, Request{Card: hidden.ID}); err == nil {
				t.Errorf("%s: a card of a closed collection was run", tt.name)
			}
			if shows := e.door.Shows(t.Context(), e.person, on); shows != tt.saved {
				t.Errorf("%s: it is told that the card shows its results: %v", tt.name, shows)
			}
			if a, _, err := e.run(e.admin, Request{Card: on.ID}); err != nil || a.rows[0][0] != int64(3) {
				t.Errorf("%s: an administrator gets %v", tt.name, err)
			}
		}

		// A person with a policy sees their rows by the query builder, and
		// nothing by SQL.
		attributes := map[string]string{"region": "north"}
		if _, err := e.store.UpdateUser(t.Context(), store.Actor{}, e.person, store.UserUpdate{LoginAttributes: &attributes}); err != nil {
			t.Fatal(err)
		}
		e.set(permission.Unrestricted, permission.Native, map[catalog.TableID]permission.Level{e.orders: permission.Sandboxed, e.salaries: permission.Unrestricted})
		e.draft(func(d *permission.Draft) error {
			return d.SetSandbox(e.group, e.orders, &permission.Policy{Where: []permission.AttributeEquality{{Field: e.region, Attribute: "region"}}})
		})
		for _, r := range []Request{{Card: on.ID}, {Card: none.ID}, ask(e.native("SELECT 1")), {Card: e.card(e.open, e.native("SELECT count(*) FROM salaries")).ID}} {
			fails(t, second(e.run(e.person, r)), MissingPermissions)
		}
		count := fmt.Sprintf(`{"database":%d,"type":"query","query":{"source-table":%d,"aggregation":[["count"]]}}`, e.id, e.orders)
		if a, _, err := e.run(e.person, ask(count)); err != nil || a.rows[0][0] != int64(2) || !a.head.Sandboxed {
			t.Errorf("by the query builder: %v", err)
		}
	})
}

// What hides one table ends SQL that runs already.
func TestSQLThatNothingConfinesEndsWhenATableIsHidden(t *testing.T) {
	eachServer(t, func(t *testing.T, e *elsewhere) {
		e.set(permission.Unrestricted, permission.Native, nil)
		endless := map[string]string{"postgres": "SELECT generate_series(1, 1000000000000)", "mysql": "SELECT seq FROM seq_1_to_1000000000000"}[e.server.Engine]
		card := e.card(e.open, e.native(endless))
		a := &answer{row: func(n int) error {
			if n == 1 {
				e.set(permission.Unrestricted, permission.Native, map[catalog.TableID]permission.Level{e.salaries: permission.Blocked})
			}
			return nil
		}}
		_, err := e.door.Run(t.Context(), e.person, Request{Card: card.ID}, a)
		fails(t, err, MissingPermissions)
		if len(a.rows) != 1 {
			t.Errorf("%d rows were sent", len(a.rows))
		}
	})
}

func TestTypedSQLOnAServerOnlyReads(t *testing.T) {
	eachServer(t, func(t *testing.T, e *elsewhere) {
		for _, sql := range []string{"DELETE FROM orders", "SELECT 1; DELETE FROM orders", "DROP TABLE orders", "COMMIT"} {
			if _, _, err := e.run(e.admin, ask(e.native(sql))); err == nil {
				t.Errorf("%s was run", sql)
			}
		}
		a, _, err := e.run(e.admin, ask(e.native("SELECT count(*) FROM orders")))
		if err != nil || a.rows[0][0] != int64(3) {
			t.Errorf("%v, %v", a.rows, err)
		}
		if says := fails(t, second(e.run(e.admin, ask(e.native("SELECT nothing FROM orders")))), InvalidQuery); !strings.Contains(says, "nothing") {
			t.Errorf("the mistake is told as %q", says)
		}
	})
}

func TestReportIsInItsTimeZone(t *testing.T) {
	eachServer(t, func(t *testing.T, e *elsewhere) {
		at := e.native("SELECT at FROM orders WHERE id = 1")
		if a, _, err := e.run(e.admin, ask(at)); err != nil || a.rows[0][0] != "2024-07-01T22:30:00Z" || a.head.Zone != "UTC" {
			t.Errorf("%v, %v, %v", a.rows, a.head.Zone, err)
		}
		if err := e.store.SetSettings(t.Context(), store.Actor{}, map[string]string{reportZone: "Europe/Berlin"}); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"postgres": "2024-07-01T22:30:00+02:00", // a time without a zone is one of the report's
			"mysql":    "2024-07-02T00:30:00+02:00", // MySQL's TIMESTAMP is a moment
		}[e.server.Engine]
		if a, _, err := e.run(e.admin, ask(at)); err != nil || a.rows[0][0] != want || a.head.Zone != "Europe/Berlin" {
			t.Errorf("%v, %v, %v", a.rows, a.head.Zone, err)
		}
		if a, _, err := e.run(e.admin, ask(e.list("orders"))); err != nil || a.head.Zone != "UTC" {
			t.Errorf("SQLite: %v, %v", a.head.Zone, err)
		}
	})
}

// Unreadable is not absent: levels, and questions, must not be lost because a
// right in the database was.
func TestTableThatTheLoginMayNoLongerReadStays(t *testing.T) {
	eachServer(t, func(t *testing.T, e *elsewhere) {
		var details map[string]any
		db, err := e.store.Database(t.Context(), e.id)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(db.Details, &details); err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprint(details["dbname"])
		login := "dataset_" + name
		e.server.Login(t, login)
		e.server.Exec(t, name, "GRANT SELECT ON orders TO "+login, "GRANT SELECT ON salaries TO "+login)
		if e.server.Engine == "postgres" {
			t.Cleanup(func() { e.server.Exec(t, name, "DROP OWNED BY "+login) })
		} else {
			e.server.Exec(t, name, "GRANT INSERT ON salaries TO "+login) // else MySQL tells nothing of it
		}
		raw, err := json.Marshal(e.server.Details(name, login))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.store.UpdateDatabase(t.Context(), store.Actor{}, db, store.DatabaseUpdate{Details: raw}); err != nil {
			t.Fatal(err)
		}
		before := e.store.Graph().Catalog().Table(e.salaries)
		e.server.Exec(t, name, "REVOKE SELECT ON salaries FROM "+login)
		if err := e.door.Sync(t.Context(), store.Actor{}, e.id); err != nil {
			t.Fatal(err)
		}
		if after := e.store.Graph().Catalog().Table(e.salaries); !after.Active() || *after != *before || len(e.store.Graph().Catalog().Fields(e.salaries)) != 2 {
			t.Errorf("it was %+v and is %+v", before, after)
		}
		if s, err := e.door.LastSync(t.Context(), e.id); err != nil || len(s.Report.Hidden) != 1 || s.Report.Hidden[0].Tables[0] != "salaries" {
			t.Errorf("%+v, %v", s.Report, err)
		}
		e.server.Exec(t, name, "DROP TABLE salaries")
		if err := e.door.Sync(t.Context(), store.Actor{}, e.id); err != nil {
			t.Fatal(err)
		}
		if e.store.Graph().Catalog().Table(e.salaries).Active() {
			t.Error("a table that was dropped stays")
		}
	})
}

func TestServerThatIsGoneIsOneSentence(t *testing.T) {
	eachServer(t, func(t *testing.T, e *elsewhere) {
		db, err := e.store.Database(t.Context(), e.id)
		if err != nil {
			t.Fatal(err)
		}
		var details map[string]any
		if err := json.Unmarshal(db.Details, &details); err != nil {
			t.Fatal(err)
		}
		details["port"] = 1
		raw, err := json.Marshal(details)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.store.UpdateDatabase(t.Context(), store.Actor{}, db, store.DatabaseUpdate{Details: raw}); err != nil {
			t.Fatal(err)
		}
		e.set(permission.Unrestricted, permission.Native, nil)
		if says := fails(t, second(e.run(e.person, ask(e.native("SELECT 1")))), QueryFailed); says != unreachable {
			t.Errorf("a person reads %q", says)
		}
		if says := fails(t, second(e.run(e.admin, ask(e.native("SELECT 1")))), QueryFailed); !strings.Contains(says, "nothing listens") || strings.Contains(says, "\n") {
			t.Errorf("an administrator reads %q", says)
		}
		var wrong *ConnectionError
		if err := e.door.Sync(t.Context(), store.Actor{}, e.id); !errors.As(err, &wrong) || wrong.Field != "port" {
			t.Errorf("a sync: %v", err)
		}
	})
}

// A statement on a server that nobody waits for any more is over there too.
func TestTimeoutIsTheServersToo(t *testing.T) {
	eachServer(t, func(t *testing.T, e *elsewhere) {
		e.door.timeout = 300 * time.Millisecond
		work := map[string]string{"postgres": "SELECT count(*) FROM generate_series(1, 100000000) a, generate_series(1, 100000000) b",
			"mysql": "SELECT count(*) FROM seq_1_to_1000000000000 WHERE seq % 7 < 0"}[e.server.Engine]
		fails(t, second(e.run(e.admin, ask(e.native(work)))), TimedOut)
		look := map[string]string{"postgres": "SELECT count(*), 0 FROM pg_stat_activity WHERE application_name = 'Sluice' AND state = 'active'",
			"mysql": "SELECT count(*), 0 FROM information_schema.PROCESSLIST WHERE INFO LIKE '%seq_1_to_1000000000000%' AND INFO NOT LIKE '%PROCESSLIST%'"}[e.server.Engine]
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			n, _, err := e.server.Two(context.WithoutCancel(t.Context()), "", look)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("it still runs")
			}
		}
	})
}
