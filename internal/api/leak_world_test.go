package api

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/dbtest"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// leakTables are what the attacks of testdata/leaks are on: the same in both
// worlds, by the engine's words where it needs its own.
var leakTables = []string{
	"create table plans (id integer primary key, title varchar(60), price numeric(10,2))",
	"create table customers (id integer primary key, tenant_id integer, name varchar(60), email varchar(60), phone varchar(20), card varchar(30), born date)",
	`create table orders (id integer primary key, tenant_id integer, customer_id integer, plan_id integer, amount numeric(10,2), note varchar(60), placed date,
		foreign key (customer_id) references customers (id), foreign key (plan_id) references plans (id))`,
	"create table memberships (person varchar(60), tenant_id integer)",
	"create table secrets (id integer primary key, token varchar(60))",
	"create table payroll (id integer primary key, person varchar(60), salary integer)",
	"create view order_totals as select tenant_id, count(*) as n, sum(amount) as total from orders group by tenant_id",
	"create index orders_tenant on orders (tenant_id)", "create index orders_note on orders (note)", "create index customers_email on customers (email)",
	"insert into plans values (1, 'Basic', 10), (2, 'Pro', 25), (3, 'Team', 99.5)",
}

var leakExtras = map[string][]string{"postgres": {
	"create materialized view order_cache as select * from orders",
	"create table events (id integer, tenant_id integer, what varchar(60)) partition by list (tenant_id)",
	"create table events_1 partition of events for values in (1)", "create table events_2 partition of events for values in (2)",
	"create function all_orders() returns setof orders language sql security definer as 'select * from public.orders'",
}}

// What nobody of the people sees differs between the worlds; what differs for
// one audience alone is in leakRows.
var leakHidden = [2][]string{
	{
		"insert into memberships values ('LEAK-ann', 1), ('LEAK-bob', 2)", "insert into secrets values (1, 'LEAK-token-1')",
		"insert into payroll values (1, 'LEAK-Ada', 9000), (2, 'LEAK-Ben', 4100), (3, 'LEAK-Cem', 5200)",
	},
	{
		"insert into memberships values ('LEAK-cid', 3)", "insert into secrets values (1, 'LEAK-token-one'), (2, 'LEAK-token-two')",
		"insert into payroll values (1, 'LEAK-Dov', 1), (2, 'LEAK-Eva', 77), (3, 'LEAK-Fay', 78), (4, 'LEAK-Gil', 79), (5, 'LEAK-Hal', 80)",
	},
}

// leakRows are the rows of customers, orders and events in two worlds, for who
// sees the rows of the tenant 1 (ann), and for who sees halves of the rows of
// two tenants (dan).
var leakRows = map[string][2][]string{
	"ann": {
		{
			"insert into customers values (1, 1, 'Ada', 'LEAK-ada@one.example', '+1-555-0112', 'LEAK-card-4242', '1990-02-28'), (2, 1, 'Abe', 'LEAK-abe@one.example', '+1-555-0177', 'LEAK-card-1111', '1985-12-01'), (11, 2, 'LEAK-Bea', 'LEAK-bea@two.example', '+1-555-0900', 'LEAK-card-2', '1970-05-05')",
			"insert into orders values (1, 1, 1, 1, 10, 'first', '2026-01-01'), (2, 1, 1, 2, 20, 'second', '2026-02-02'), (3, 1, 2, 3, 30, 'third', '2026-03-03'), (4, 1, 2, 1, 40, NULL, '2026-04-04'), (5, 1, 1, 1, 50, 'fifth', '2026-05-05'), " +
				"(101, 2, 11, 1, 777, 'LEAK-two-a', '2026-01-05'), (102, 2, 11, 2, 888, 'LEAK-two-b', '2026-01-06'), (201, 3, 11, 3, 999, 'LEAK-three', '2020-02-29')",
		},
		{
			"insert into customers values (1, 1, 'Ada', 'LEAK-ada@one.example', '+49-30-99912', 'LEAK-card-9', '1990-11-11'), (2, 1, 'Abe', 'LEAK-abe@one.example', '0677', 'LEAK-card-8', '1985-01-31'), (12, 2, 'LEAK-Bob', 'LEAK-bob@two.example', '1', 'LEAK-card-3', '1999-09-09'), (13, 4, 'LEAK-Cyd', NULL, NULL, NULL, NULL)",
			"insert into orders values (1, 1, 1, 1, 10, 'first', '2026-01-01'), (2, 1, 1, 2, 20, 'second', '2026-02-02'), (3, 1, 2, 3, 30, 'third', '2026-03-03'), (4, 1, 2, 1, 40, NULL, '2026-04-04'), (5, 1, 1, 1, 50, 'fifth', '2026-05-05'), " +
				"(103, 2, 12, 2, 111.5, 'LEAK-zwei', '2025-07-07'), (104, 2, 12, 3, 222, '{\"LEAK\": 1}', '2025-08-08'), (105, 2, 12, 3, NULL, NULL, NULL), (301, 4, 13, 1, 5, '42', '1999-12-31')",
		},
	},
	"dan": {
		{
			"insert into customers values (1, 1, 'Ada', 'LEAK-ada@one.example', '1', 'LEAK-1', '1990-02-28')",
			"insert into orders values (1, 1, 1, 1, 10, 'LEAK-first', '2026-01-01'), (2, 1, 1, 2, 20, 'LEAK-second', '2026-02-02'), (3, 1, 1, 3, 30, NULL, '2026-03-03'), " +
				"(101, 2, 1, 1, 777, 'one of two', '2026-01-05'), (102, 2, 1, 2, 888, 'two of two', '2026-01-06'), (201, 3, 1, 3, 999, 'LEAK-three', '2020-02-29')",
		},
		{
			"insert into customers values (1, 2, 'LEAK-Eve', 'LEAK-eve@one.example', '2', 'LEAK-2', '1991-02-28'), (2, 2, 'x', 'y', 'z', 'a', NULL)",
			"insert into orders values (1, 1, 1, 1, 10, '{\"LEAK\": 2}', '2026-01-01'), (2, 1, 1, 2, 20, NULL, '2026-02-02'), (3, 1, 1, 3, 30, '42', '2026-03-03'), " +
				"(101, 2, 1, 1, 1, 'one of two', '2026-01-05'), (102, 2, 1, 2, NULL, 'two of two', '2026-01-06'), (202, 3, 2, 1, 3, '7', '2021-01-01'), (203, 4, 2, 1, 4, NULL, NULL)",
		},
	},
}

var leakEvents = [2]string{"insert into events values (1, 1, 'LEAK-one'), (2, 2, 'LEAK-two')", "insert into events values (7, 2, 'LEAK-zwei')"}

// leakWarehouse makes a warehouse for an audience in a world: its connection
// details, and a door to it behind which nothing is protected.
func leakWarehouse(t *testing.T, engine, audience string, world int) (details map[string]any, open *sql.DB) {
	t.Helper()
	var statements []string
	for _, s := range leakTables {
		statements = append(statements, s)
		if strings.HasPrefix(s, "create view") {
			statements = append(statements, leakExtras[engine]...)
		}
	}
	statements = append(append(statements, leakHidden[world]...), leakRows[audience][world]...)
	if engine == "postgres" {
		statements = append(statements, leakEvents[world], "refresh materialized view order_cache", "analyze")
	}
	connect := func(driver, address string) *sql.DB {
		db, err := sql.Open(driver, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		db.SetMaxOpenConns(2)
		return db
	}
	if engine == "sqlite" {
		file := filepath.Join(t.TempDir(), "shop.db")
		open = connect("sqlite", file)
		for _, q := range statements {
			if _, err := open.ExecContext(t.Context(), q); err != nil {
				t.Fatalf("%s: %v", q, err)
			}
		}
		return map[string]any{"db": file}, open
	}
	server := map[string]func(testing.TB) *dbtest.Server{"postgres": dbtest.PostgreSQL, "mysql": dbtest.MariaDB}[engine](t)
	name := server.Database(t)
	server.Exec(t, name, statements...)
	if engine == "postgres" {
		return server.Details(name, ""), connect("pgx", server.URL(name)+"&default_query_exec_mode=simple_protocol")
	}
	return server.Details(name, ""), connect("mysql", fmt.Sprintf("%s@tcp(%s:%d)/%s?multiStatements=true", server.Admin, server.Host, server.Port, name))
}

// leakSite is a server with one such warehouse.
type leakSite struct {
	settled
	database catalog.DatabaseID
	tables   map[string]catalog.TableID
	fields   map[string]catalog.FieldID
	sessions map[string]string
	raw      *sql.DB
	name     string            // of the database on MariaDB, which attacks call shop
	names    *strings.Replacer // what attacks call BOUNDARY and VIEW_orders by their names
	unnames  *strings.Replacer
}

// leakServer is a server of a world, with the people of an audience.
func leakServer(t *testing.T, engine, audience string, world int) *leakSite {
	t.Helper()
	s := &leakSite{settled: settledWorld(t), tables: map[string]catalog.TableID{}, fields: map[string]catalog.FieldID{}, sessions: map[string]string{}}
	details, raw := leakWarehouse(t, engine, audience, world)
	if s.raw = raw; engine == "mysql" {
		s.name, _ = details["dbname"].(string)
	}
	s.database = catalog.DatabaseID(s.admin().post("/api/database", fields{"name": "Shop", "engine": engine, "details": details}).id())
	if engine == "postgres" { // as the doctor demands
		if _, err := raw.ExecContext(t.Context(), "revoke execute on function all_orders() from public"); err != nil {
			t.Fatal(err)
		}
	}
	if engine != "sqlite" {
		var g governanceWire
		s.admin().post(path("/api/database/%d/governance", s.database), fields{"slots": 4}).want(200).into(&g)
		if !g.Governs {
			t.Fatalf("the boundary does not hold: %+v", g)
		}
	}
	all := s.store.Graph().Catalog()
	for tb := range all.Tables(s.database) {
		s.tables[tb.Name] = tb.ID
		for _, f := range all.Fields(tb.ID) {
			s.fields[tb.Name+"."+f.Name] = f.ID
		}
	}
	group := func(name string) permission.GroupID {
		return permission.GroupID(s.admin().post("/api/permissions/group", fields{"name": name}).id())
	}
	person := func(name string, attributes fields, groups ...permission.GroupID) {
		email := name + "@shop.example.com"
		s.admin().post("/api/user", fields{"email": email, "password": testPassword, "group_ids": groups, "login_attributes": attributes}).id()
		var in sessionWire
		s.nobody().post("/api/session", fields{"username": email, "password": testPassword}).want(200).into(&in)
		s.sessions[name] = in.ID
	}
	whole := permission.WholeDatabase()
	if audience == "dan" {
		a, b := group("Halves of one"), group("Halves of two")
		person("dan", fields{"one": "1", "two": "2"}, a, b)
		s.decide(func(d *permission.Draft) error {
			if err := d.Set(a, s.database, permission.View, permission.OneTable(s.tables["plans"]), permission.Unrestricted); err != nil {
				return err
			}
			if err := s.policy(d, a, "orders", "one", "id tenant_id customer_id plan_id amount placed"); err != nil {
				return err
			}
			if err := s.policy(d, b, "orders", "two", "id tenant_id customer_id plan_id note placed"); err != nil {
				return err
			}
			return d.SetCreate(a, s.database, whole, permission.Native)
		})
		return s
	}
	writers, readers := group("Writers of SQL"), group("Readers of the shop")
	person("ann", fields{"tenant_id": "1"}, writers, readers)
	person("bob", fields{"other": "1"}, writers, readers)
	person("eve", fields{"tenant_id": "1"}, readers)
	s.decide(func(d *permission.Draft) error {
		for _, group := range []permission.GroupID{readers, writers} {
			if err := d.Set(group, s.database, permission.View, permission.OneTable(s.tables["plans"]), permission.Unrestricted); err != nil {
				return err
			}
		}
		if err := s.policy(d, readers, "orders", "tenant_id", ""); err != nil {
			return err
		}
		if err := s.policy(d, readers, "customers", "tenant_id", "id tenant_id name email:hash phone:partial born:date-trunc"); err != nil {
			return err
		}
		if err := d.SetCreate(readers, s.database, whole, permission.QueryBuilder); err != nil {
			return err
		}
		return d.SetCreate(writers, s.database, whole, permission.Native)
	})
	if engine != "sqlite" {
		fay := group("All but payroll")
		person("fay", nil, fay)
		s.decide(func(d *permission.Draft) error {
			for _, name := range wholeViews {
				if err := d.Set(fay, s.database, permission.View, permission.OneTable(s.tables[name]), permission.Unrestricted); err != nil {
					return err
				}
			}
			return d.SetCreate(fay, s.database, whole, permission.Native)
		})
		s.guess(engine)
	}
	return s
}

// wholeViews are the tables of which somebody sees all, so that there are views
// of them. Attacks call them VIEW_ and the name of the table.
var wholeViews = []string{"orders", "customers", "secrets"}

// guess finds out what attacks cannot have guessed, and gives the plain
// connection a lease that lets it read the views: behind it they are open.
func (s *leakSite) guess(engine string) {
	s.t.Helper()
	var script scriptWire
	s.admin().get(path("/api/database/%d/governance/script", s.database)).want(200).into(&script)
	boundary := regexp.MustCompile(`sluice_[0-9a-f]{8}`).FindString(script.SQL)
	names, grants := []string{"BOUNDARY", boundary}, "{"
	for _, table := range wholeViews {
		s.with(s.sessions["fay"]).post("/api/dataset", fields{"database": s.database, "type": "native", "native": fields{"query": "select count(*) from " + table}}).ended("completed")
		var view string
		if err := s.raw.QueryRowContext(s.t.Context(), "select table_name from information_schema.views where table_schema = '"+boundary+"_views' and table_name like 'v\\_"+table+"%'").Scan(&view); err != nil {
			s.t.Fatal(err)
		}
		names, grants = append(names, "VIEW_"+table, view), grants+`"`+view+`": [], `
	}
	grants = strings.TrimSuffix(grants, ", ") + "}"
	lease := "insert into %s.lease (slot, nonce, grants, expires) values (session_user, 'LEAK-nonce', '%s', '2099-01-01')"
	if engine == "mysql" {
		lease = "insert into %s.lease (slot, nonce, `grants`, expires) values (substring_index(session_user(), '@', 1), 'LEAK-nonce', '%s', '2099-01-01')"
	}
	if _, err := s.raw.ExecContext(s.t.Context(), fmt.Sprintf(lease, boundary, grants)); err != nil {
		s.t.Fatal(err)
	}
	s.names = strings.NewReplacer(names...)
	slices.Reverse(names)
	s.unnames = strings.NewReplacer(names...)
}

// columns are rules for columns by their names, with a mask behind a colon; nil
// for none.
func (s *leakSite) columns(table, columns string) (all []permission.ColumnRule) {
	for _, word := range strings.Fields(columns) {
		name, mask, _ := strings.Cut(word, ":")
		c := permission.ColumnRule{Field: s.fields[table+"."+name], Mask: permission.Mask{Kind: permission.MaskKind(mask)}}
		switch c.Mask.Kind {
		case permission.MaskPartial:
			c.Mask.Last = 2
		case permission.MaskDate:
			c.Mask.Unit = "year"
		default:
		}
		all = append(all, c)
	}
	return all
}

// policy sets one that shows the rows of a tenant.
func (s *leakSite) policy(d *permission.Draft, group permission.GroupID, table, attribute, columns string) error {
	p := &permission.Policy{Where: []permission.AttributeEquality{{Field: s.fields[table+".tenant_id"], Attribute: attribute}}, Columns: s.columns(table, columns)}
	if err := d.Set(group, s.database, permission.View, permission.OneTable(s.tables[table]), permission.Sandboxed); err != nil {
		return err
	}
	return d.SetSandbox(group, s.tables[table], p)
}

func (s *leakSite) decide(f func(*permission.Draft) error) {
	s.t.Helper()
	_, err := s.store.Change(s.t.Context(), store.Actor{}, func(now *permission.Graph) ([]permission.Change, store.Bump, error) {
		d := now.Draft()
		err := f(d)
		changes, _ := d.Changes()
		return changes, store.Bump{Data: true}, err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

var leakShop = regexp.MustCompile(`\bshop\b`)

// named is SQL with the names that a server draws; unnamed is an answer without
// them.
func (s *leakSite) named(sql string) string {
	if s.name != "" {
		sql = leakShop.ReplaceAllString(sql, s.name)
	}
	if s.names != nil {
		sql = s.names.Replace(sql)
	}
	return sql
}

func (s *leakSite) unnamed(answer string) string {
	if s.name != "" {
		answer = strings.ReplaceAll(answer, s.name, "shop")
	}
	if s.unnames != nil {
		answer = s.unnames.Replace(answer)
	}
	return answer
}
