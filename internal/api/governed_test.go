package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-bi/sluice/internal/dataset"
	"github.com/sluice-bi/sluice/internal/permission"
)

// What SQL shows somebody is what the query builder shows them.

// ruled is a policy by names: conditions "column=attribute", and columns as
// leakSite.columns has them. With neither the table is open whole.
type ruled struct{ table, where, columns string }

// person makes somebody in a group of their own for each list of policies, who
// may write SQL and is shown plans whole.
func (s *leakSite) person(name string, attributes fields, groups ...[]ruled) caller {
	s.t.Helper()
	var ids []permission.GroupID
	for i, policies := range groups {
		id := permission.GroupID(s.admin().post("/api/permissions/group", fields{"name": fmt.Sprint(name, " ", i)}).id())
		ids = append(ids, id)
		s.decide(func(d *permission.Draft) error {
			for _, p := range policies {
				if p.where == "" && p.columns == "" {
					if err := d.Set(id, s.database, permission.View, permission.OneTable(s.tables[p.table]), permission.Unrestricted); err != nil {
						return err
					}
					continue
				}
				if err := d.Set(id, s.database, permission.View, permission.OneTable(s.tables[p.table]), permission.Sandboxed); err != nil {
					return err
				}
				rule := &permission.Policy{AllRows: p.where == "", Columns: s.columns(p.table, p.columns)}
				for _, word := range strings.Fields(p.where) {
					column, attribute, _ := strings.Cut(word, "=")
					rule.Where = append(rule.Where, permission.AttributeEquality{Field: s.fields[p.table+"."+column], Attribute: attribute})
				}
				if err := d.SetSandbox(id, s.tables[p.table], rule); err != nil {
					return err
				}
			}
			if err := d.Set(id, s.database, permission.View, permission.OneTable(s.tables["plans"]), permission.Unrestricted); err != nil {
				return err
			}
			return d.SetCreate(id, s.database, permission.WholeDatabase(), permission.Native)
		})
	}
	email := name + "@shop.example.com"
	s.admin().post("/api/user", fields{"email": email, "password": testPassword, "group_ids": ids, "login_attributes": attributes}).id()
	var in sessionWire
	s.nobody().post("/api/session", fields{"username": email, "password": testPassword}).want(200).into(&in)
	return s.with(in.ID)
}

func (s *leakSite) typed(sql string, more ...fields) fields {
	native := fields{"query": sql}
	for _, m := range more {
		native["template-tags"] = m
	}
	return fields{"database": s.database, "type": "native", "native": native}
}

func (s *leakSite) built(table string, more ...fields) fields {
	q := fields{"source-table": s.tables[table], "order-by": []any{[]any{"asc", []any{"field", s.fields[table+".id"], nil}}}}
	for _, m := range more {
		for k, v := range m {
			q[k] = v
		}
	}
	return fields{"database": s.database, "type": "query", "query": q}
}

// shown is what an answer shows: the names of its columns, its rows, and of
// which tables it says that a part was shown.
func (r reply) shown() (names []string, rows [][]any, filtered []dataset.Filtered) {
	r.t.Helper()
	got := r.result()
	if got.Status != "completed" {
		r.t.Errorf("%s: %.600s", r.what, r.body)
	}
	for _, c := range got.Data.Cols {
		names = append(names, c.Name)
	}
	return names, got.Data.Rows, got.Data.Filtered
}

// sameAsBuilt demands that SQL on a table shows what the query builder does.
func (s *leakSite) sameAsBuilt(what string, who caller, table string) (rows [][]any) {
	s.t.Helper()
	wantNames, want, wantFiltered := who.post("/api/dataset", s.built(table)).shown()
	names, rows, filtered := who.post("/api/dataset", s.typed("select * from "+table+" order by id")).shown()
	if diff := cmp.Diff(wantNames, names); diff != "" {
		s.t.Errorf("%s: the columns of %s: %s", what, table, diff)
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		s.t.Errorf("%s: the rows of %s: %s", what, table, diff)
	}
	if diff := cmp.Diff(wantFiltered, filtered); diff != "" {
		s.t.Errorf("%s: what is filtered of %s: %s", what, table, diff)
	}
	return rows
}

func TestGovernedSQLShowsWhatTheQueryBuilderShows(t *testing.T) {
	t.Parallel()
	odd := `O'Neill" \ ; -- {"$.v": [1]} \u0000 %s $1 ? 😀`
	long := strings.Repeat("ab'", 3500)
	for _, engine := range []string{"postgres", "mysql"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := leakServer(t, engine, "ann", 0)
			stored := strings.ReplaceAll(odd, "'", "''")
			if engine == "mysql" {
				stored = strings.ReplaceAll(stored, `\`, `\\`)
			}
			if _, err := s.raw.ExecContext(t.Context(), "insert into customers values (20, 5, '"+stored+"', 'e', '12', 'c', '2001-02-03'), (21, 5, '[\"Ada\"]', NULL, NULL, NULL, NULL)"); err != nil {
				t.Fatal(err)
			}
			tenants := func(attribute string) []ruled { return []ruled{{table: "orders", where: "tenant_id=" + attribute}} }
			named := []ruled{{table: "customers", where: "name=name"}}
			for _, c := range []struct {
				what, table string
				attributes  fields
				groups      [][]ruled
				rows        int
			}{
				{"a list", "orders", fields{"t": []string{"1", "3"}}, [][]ruled{tenants("t")}, 6},
				{"a list of one", "orders", fields{"t": []string{"2"}}, [][]ruled{tenants("t")}, 2},
				{"a list of texts", "customers", fields{"name": []string{"Ada", odd, "nobody", long}}, [][]ruled{named}, 2},
				{"a list that is an item's text", "customers", fields{"name": `["Ada"]`}, [][]ruled{named}, 1},
				{"an odd text", "customers", fields{"name": odd}, [][]ruled{named}, 1},
				{"a long text", "customers", fields{"name": long}, [][]ruled{named}, 0},
				{"a text in other letters", "customers", fields{"name": "ada"}, [][]ruled{named}, 0},
				{"masks of all kinds", "customers", fields{}, [][]ruled{{{"customers", "", "id tenant_id:null name:partial email:hash phone:partial card:null born:date-trunc"}}}, 5},
				{"hashes of numbers and dates", "customers", fields{}, [][]ruled{{{"customers", "", "id tenant_id:hash name:hash phone:hash born:hash"}}}, 5},
				{"two policies", "orders", fields{"one": "1", "two": "2"}, [][]ruled{{{"orders", "tenant_id=one", "id tenant_id amount"}}, {{"orders", "tenant_id=two", "id note:hash amount:null"}}}, 7},
				{"two conditions", "orders", fields{"t": []string{"1", "2"}, "p": "1"}, [][]ruled{{{table: "orders", where: "tenant_id=t plan_id=p"}}}, 4},
				{"a whole table", "orders", fields{}, [][]ruled{{{table: "orders"}}}, 8},
				{"a whole table beside a policy", "orders", fields{"t": "1"}, [][]ruled{{{table: "orders"}}, tenants("t")}, 8},
			} {
				who := s.person(strings.ReplaceAll(c.what, " ", "."), c.attributes, c.groups...)
				if rows := s.sameAsBuilt(c.what, who, c.table); len(rows) != c.rows {
					t.Errorf("%s: %d rows, want %d: %v", c.what, len(rows), c.rows, rows)
				}
				s.sameAsBuilt(c.what, who, "plans")
			}
		})
	}
}

func TestGovernedSQLIsRefusedWhereAPolicyCannotBeApplied(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"postgres", "mysql"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := leakServer(t, engine, "ann", 0)
			orders := []ruled{{table: "orders", where: "tenant_id=t"}}
			dates := []ruled{{table: "orders", where: "placed=t"}}
			noted := []ruled{{"orders", "note=t", "id note"}}
			refused := func(what string, who caller, sql string) {
				t.Helper()
				got := who.post("/api/dataset", s.typed(sql)).result()
				if got.Status != "failed" || len(got.Data.Rows) > 0 {
					t.Errorf("%s: %+v", what, got)
				}
				for _, word := range []string{"tenant_id", "sluice_", "v_orders"} {
					if strings.Contains(got.Error, word) {
						t.Errorf("%s: tells %q", what, got.Error)
					}
				}
			}
			for what, c := range map[string]struct {
				attributes fields
				policy     []ruled
			}{
				"missing":         {fields{}, orders},
				"empty":           {fields{"t": ""}, orders},
				"of another type": {fields{"t": "1 or 1=1"}, orders},
				"half a number":   {fields{"t": "1.5e"}, orders},
				"mixed":           {fields{"t": []string{"1", "x"}}, orders},
				"no date":         {fields{"t": "2026-02-31"}, dates},
				"10 kB of digits": {fields{"t": strings.Repeat("1", 10_000)}, orders},
			} {
				who := s.person(strings.ReplaceAll(what, " ", "."), c.attributes, c.policy)
				built := who.post("/api/dataset", s.built("orders")).result()
				if built.Status != "failed" {
					if names, rows, _ := who.post("/api/dataset", s.typed("select * from orders order by id")).shown(); len(rows) != len(built.Data.Rows) {
						t.Errorf("%s: %v %v, the builder shows %v", what, names, rows, built.Data.Rows)
					}
					continue
				}
				refused(what, who, "select count(*) from orders")
				refused(what+", by an alias", who, "select count(*) from plans p, orders o")
			}

			// A column that goes after the policy was made, before and after the
			// catalog knows.
			who := s.person("noted", fields{"t": "first"}, noted)
			s.sameAsBuilt("a column that is there", who, "orders")
			for _, sql := range []string{"drop index orders_note", "alter table orders drop column note"} {
				if engine == "mysql" {
					sql = strings.Replace(sql, "drop index orders_note", "alter table orders drop index orders_note", 1)
				} else {
					sql = strings.Replace(sql, "drop column note", "drop column note cascade", 1)
				}
				if _, err := s.raw.ExecContext(t.Context(), sql); err != nil {
					t.Fatal(err)
				}
			}
			refused("a dropped column", who, "select count(*) from orders")
			s.admin().post(path("/api/database/%d/sync_schema", s.database), nil)
			for tb := range s.store.Graph().Catalog().Tables(s.database) {
				if strings.HasPrefix(tb.Schema, "sluice_") {
					t.Errorf("the boundary's own %s.%s is a table of the catalog", tb.Schema, tb.Name)
				}
			}
			s.admin().post(path("/api/database/%d/governance", s.database), fields{"slots": 4}).want(200)
			refused("a column that the catalog has dropped", who, "select count(*) from orders")
			if _, rows, _ := s.with(s.sessions["ann"]).post("/api/dataset", s.typed("select * from orders")).shown(); len(rows) != 5 {
				t.Errorf("whose policy does not need the column: %v", rows)
			}
		})
	}
}

func TestSavedSQLShowsItsReadersRows(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"postgres", "mysql"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := leakServer(t, engine, "ann", 0)
			saved := s.admin().post("/api/card", s.newCard(0, s.typed("select id, tenant_id, note from orders order by id"), fields{"name": "All orders"})).id()
			for _, name := range []string{"All Users"} { // to whom the root is open
				for _, g := range s.admin().get("/api/permissions/group").want(200).list() {
					if g["name"] == name {
						s.admin().put("/api/collection/graph", fields{"force": true, "revision": 0, "groups": fields{fmt.Sprint(g["id"]): fields{"root": "read"}}}).want(200)
					}
				}
			}
			columns := fields{"fields": []any{[]any{"field", s.fields["orders.id"], nil}, []any{"field", s.fields["orders.tenant_id"], nil}, []any{"field", s.fields["orders.note"], nil}}}
			count := fields{"database": s.database, "type": "query", "query": fields{"source-table": fmt.Sprintf("card__%d", saved), "aggregation": []any{[]any{"count"}}}}
			filtered := fields{"database": s.database, "type": "query", "query": fields{"source-table": fmt.Sprintf("card__%d", saved),
				"filter": []any{"=", []any{"field", "tenant_id", fields{"base-type": "type/Integer"}}, 2}, "order-by": []any{[]any{"asc", []any{"field", "id", fields{"base-type": "type/Integer"}}}}}}
			two := s.person("two", fields{"t": []string{"2", "3"}}, []ruled{{table: "orders", where: "tenant_id=t"}})
			for what, c := range map[string]struct {
				who   caller
				rows  int
				other int // of the tenant 2
				part  bool
			}{
				"the administrator": {s.admin(), 8, 2, false}, "ann": {s.with(s.sessions["ann"]), 5, 0, true}, "fay": {s.with(s.sessions["fay"]), 8, 2, false}, "two": {two, 3, 2, true},
			} {
				names, rows, told := c.who.post(path("/api/card/%d/query", saved), nil).shown()
				wantNames, want, wantTold := c.who.post("/api/dataset", s.built("orders", columns)).shown()
				if diff := cmp.Diff([]any{wantNames, want, wantTold}, []any{names, rows, told}); diff != "" || len(rows) != c.rows || (told != nil) != c.part {
					t.Errorf("%s reads saved SQL: %d rows, filtered %v, %s", what, len(rows), told, diff)
				}
				_, n, told := c.who.post("/api/dataset", count).shown()
				if len(n) != 1 || fmt.Sprint(n[0][0]) != fmt.Sprint(c.rows) || (told != nil) != c.part {
					t.Errorf("%s counts on top of saved SQL: %v, filtered %v", what, n, told)
				}
				if _, rows, _ = c.who.post("/api/dataset", filtered).shown(); len(rows) != c.other {
					t.Errorf("%s filters saved SQL: %v", what, rows)
				}
			}
			s.with(s.sessions["bob"]).post(path("/api/card/%d/query", saved), nil).ended("failed") // who lacks the attribute
		})
	}
}

func TestFieldFiltersCompareWhatIsShown(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"postgres", "mysql"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := leakServer(t, engine, "ann", 0)
			ann := s.with(s.sessions["ann"])
			all := s.sameAsBuilt("ann", ann, "customers")
			names, _, _ := ann.post("/api/dataset", s.built("customers")).shown()
			clear := map[string]string{"email": "LEAK-ada@one.example", "phone": "+1-555-0112", "name": "nobody"}
			for column, hidden := range clear {
				seen := fmt.Sprint(all[0][slices.Index(names, column)])
				for _, value := range []string{seen, hidden} {
					want := 0
					if value == seen {
						want = 1
					}
					tag := fields{"f": fields{"name": "f", "display-name": "f", "type": "dimension", "widget-type": "string/=", "dimension": []any{"field", s.fields["customers."+column], nil}}}
					ask := s.typed("select id from customers where {{f}}", tag)
					ask["parameters"] = []any{fields{"type": "string/=", "target": []any{"dimension", []any{"template-tag", "f"}}, "value": []any{value}}}
					_, rows, _ := ann.post("/api/dataset", ask).shown()
					_, built, _ := ann.post("/api/dataset", s.built("customers", fields{"filter": []any{"=", []any{"field", s.fields["customers."+column], nil}, value}})).shown()
					if len(rows) != want || len(built) != want {
						t.Errorf("%s = %q: SQL shows %v, the builder %v", column, value, rows, built)
					}
				}
			}
		})
	}
}

// A result of SQL says of which of its tables a part was shown, and of no other.
func TestResultsOfGovernedSQLSayWhatWasHeldBack(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres", "mysql"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := leakServer(t, engine, "ann", 0)
			masked := s.person("masked", fields{}, []ruled{{"customers", "", "id name:partial"}, {table: "orders"}})
			ann, admin := s.with(s.sessions["ann"]), s.admin()
			for _, c := range []struct {
				who  caller
				sql  string
				want string
			}{
				{ann, "select count(*) from orders", `orders rows`},
				{ann, "select max(id) from customers", `customers rows columns`},
				{ann, "with x as (select customer_id from orders) select count(*) from x join customers c on c.id = x.customer_id join plans on 1 = 1", `customers rows columns; orders rows`},
				{ann, "select title from plans", ``},
				{ann, "select title from plans where title <> 'orders'", ``},
				{ann, "select (select count(*) from orders) as n from plans", `orders rows`},
				{ann, "with orders as (select 1 as id) select id from orders", ``},
				{ann, "select 1 as one", ``},
				{masked, "select id from customers", `customers columns`},
				{masked, "select count(*) from orders, customers", `customers columns`},
				{masked, "select count(*) from orders", ``},
				{admin, "select count(*) from orders, customers", ``},
			} {
				if engine == "sqlite" && (strings.Contains(c.sql, "'orders'") || strings.HasPrefix(c.sql, "with orders")) {
					continue // which tables are read is told there by the words in the text
				}
				_, rows, told := c.who.post("/api/dataset", s.typed(c.sql)).shown()
				got := []string{}
				for _, f := range told {
					got = append(got, s.store.Graph().Catalog().Table(f.Table).Name+" "+strings.Join(f.Hidden, " "))
				}
				slices.Sort(got)
				if strings.Join(got, "; ") != c.want || len(rows) == 0 {
					told, _ := json.Marshal(told)
					t.Errorf("%s: says %s %s, want %q", c.sql, strings.Join(got, "; "), told, c.want)
				}
			}
		})
	}
}
