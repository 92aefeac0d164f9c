package query_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
)

// governedOn is the source of a person where a boundary holds SQL of people: the
// gate is one that takes everything.
func governedOn(t testing.TB, engine, base string, id permission.UserID) query.Source {
	t.Helper()
	s := sourceOn(t, engine, id)
	g := s.Access.Graph()
	d := *g.Catalog().Database(shop)
	d.Governs = true
	s.Access = g.WithCatalog(g.Catalog().WithDatabase(d)).AccessOf(id)
	s.Boundary = func() (*query.Boundary, error) {
		return &query.Boundary{Home: "home", Views: "views", Base: base, Gate: anything}, nil
	}
	return s
}

var fromTable = regexp.MustCompile(`from (?:(\w+)\.)?(\w+)`)

// anything puts the views in place of the tables after "from".
func anything(sql string, names func(schema, name string) (string, string, bool)) (string, error) {
	var wrong error
	printed := fromTable.ReplaceAllStringFunc(sql, func(s string) string {
		m := fromTable.FindStringSubmatch(s)
		schema, name, ok := names(m[1], m[2])
		if !ok {
			wrong = fmt.Errorf("there is no table %s that you may read", m[2])
		}
		return "from " + schema + "." + name
	})
	return printed, wrong
}

// leasing is a server in which views that stay can be made by hand.
type leasing struct {
	*testing.T
	engine string
	db     *sql.DB
}

func newLeasing(t *testing.T, engine string) *leasing {
	l := &leasing{t, engine, warehouseOn(t, engine)}
	t.Cleanup(func() {
		for _, name := range []string{"home", "views"} {
			_, _ = l.db.ExecContext(context.Background(), "drop schema "+name+map[string]string{"postgres": " cascade"}[engine])
		}
	})
	l.do("create schema home", "create schema views", "create table home.mine (grants "+map[string]string{"postgres": "jsonb", "mysql": "longtext"}[engine]+")")
	return l
}

func (l *leasing) do(statements ...string) {
	l.Helper()
	for _, s := range statements {
		if _, err := l.db.ExecContext(context.Background(), s); err != nil {
			l.Fatalf("%s: %v", s, err)
		}
	}
}

// base is the schema of the tables.
func (l *leasing) base() string {
	if l.engine == "postgres" {
		return "public"
	}
	var name string
	if err := l.db.QueryRow("select database()").Scan(&name); err != nil {
		l.Fatal(err)
	}
	return name
}

// rows are those of a statement whose lease says what is granted.
func (l *leasing) rows(st query.Statement, granted map[string]any) []string {
	l.Helper()
	text, err := json.Marshal(granted)
	if err != nil {
		l.Fatal(err)
	}
	l.do("delete from home.mine", "insert into home.mine values ("+quotedText(string(text))+")")
	for _, v := range st.Views() {
		l.do("create or replace view views." + v.Name() + " as " + v.Definition())
	}
	got, err := run(l.db, st)
	if err != nil {
		l.Fatalf("%s: %v", st.SQL(), err)
	}
	return got
}

func quotedText(s string) string {
	return "'" + strings.NewReplacer("'", "''", `\`, `\\`).Replace(s) + "'"
}

func lease(st query.Statement) map[string]any {
	all := map[string]any{}
	for _, v := range st.Views() {
		all[v.Name()] = append([]any{}, v.Values()...)
	}
	return all
}

// What SQL reads through views that stay is what the query builder shows, for
// everybody and every table; without a lease, or with that of another view, it
// is nothing.
func TestViewsThatStayShowWhatTheQueryBuilderShows(t *testing.T) {
	for _, engine := range []string{"postgres", "mysql"} {
		t.Run(engine, func(t *testing.T) {
			l := newLeasing(t, engine)
			views := 0
			for who := analyst; who <= masked; who++ {
				if who == nobody {
					continue
				}
				for id, name := range map[catalog.TableID]string{organizations: "organizations", people: "people", products: "products", orders: "orders", secrets: "secrets", events: "events"} {
					s := governedOn(t, engine, l.base(), who)
					s.Saved = true
					sorted := int(id)*100 + 1
					st, structured := query.Compile(parse(t, fmt.Sprintf(`{"database":1,"query":{"source-table":%d,"order-by":[["asc",["field",%d,null]]]}}`, id, sorted)), s)
					typed, native := query.Check(parse(t, fmt.Sprintf(`{"database":1,"native":{"query":"select * from %s order by id"}}`, name)), s)
					if (structured == nil) != (native == nil) {
						var policy *query.PolicyError
						if errors.As(native, &policy) && structured != nil {
							continue
						}
						if structured == nil && denied(native) && !s.Access.Can(permission.QueryNatively, permission.ADatabase(shop)) {
							continue
						}
						t.Errorf("person %d, %s: SQL says %v, and the query builder %v", who, name, native, structured)
						continue
					}
					if native != nil || !typed.Leased() {
						continue
					}
					want, err := run(l.db, st)
					if err != nil {
						t.Fatal(err)
					}
					got := l.rows(typed, lease(typed))
					if len(got) != len(want) || typed.Sandboxed() != st.Sandboxed() || st.Sandboxed() && id != orders && strings.Join(got, "\n") != strings.Join(want, "\n") {
						t.Errorf("person %d: of %s SQL shows\n%s\nand the query builder\n%s\nby %s", who, name, strings.Join(got, "\n"), strings.Join(want, "\n"), typed.Views()[0].Definition())
					}
					if got := l.rows(typed, map[string]any{}); len(got) != 0 {
						t.Errorf("person %d: of %s SQL shows %d rows to who has no lease for it", who, name, len(got))
					}
					if got := l.rows(typed, map[string]any{typed.Views()[0].Name() + "0": lease(typed)[typed.Views()[0].Name()]}); len(got) != 0 {
						t.Errorf("person %d: of %s SQL shows %d rows to who has a lease for another view", who, name, len(got))
					}
					views++
				}
			}
			if views < 20 {
				t.Errorf("only %d views were compared", views)
			}
		})
	}
}

// A view's text and name are of the policy, and those of its values that differ
// from person to person stand in the lease.
func TestPeopleUnderOnePolicyShareItsViews(t *testing.T) {
	for _, engine := range []string{"postgres", "mysql"} {
		sql := parse(t, `{"database":1,"native":{"query":"select * from orders"}}`)
		of := func(value string) query.View {
			t.Helper()
			s := governedOn(t, engine, "base", coder)
			from := s.Access.Graph().User(coder)
			to := *from
			to.Attributes = map[string]string{"org": value}
			g, err := s.Access.Graph().Apply(permission.SetUser{From: from, To: &to})
			if err != nil {
				t.Fatal(err)
			}
			s.Access = g.AccessOf(coder)
			st, err := query.Check(sql, s)
			if err != nil {
				t.Fatal(err)
			}
			if !st.Leased() || len(st.Views()) != 1 || !strings.Contains(st.SQL(), st.Views()[0].Name()) {
				t.Fatalf("%s reads %v", st.SQL(), st.Views())
			}
			return st.Views()[0]
		}
		seven, eight, two, three := of("70707"), of("8"), of(permission.AttributeList([]string{"7", "8"})), of(permission.AttributeList([]string{"7", "8", "9"}))
		if seven.Name() != eight.Name() || seven.Definition() != eight.Definition() || fmt.Sprint(seven.Values()) != "[70707]" || seven.Key() == eight.Key() {
			t.Errorf("%s: %s %q, and %s %q", engine, seven.Name(), seven.Values(), eight.Name(), eight.Values())
		}
		if two.Name() == seven.Name() || two.Name() != three.Name() || two.Definition() != three.Definition() {
			t.Errorf("%s: lists have the views %s and %s", engine, two.Definition(), three.Definition())
		}
		if strings.Contains(seven.Definition(), "70707") {
			t.Errorf("a value stands in %s", seven.Definition())
		}
	}
}

func TestSQLIsRefusedWhereNothingHoldsIt(t *testing.T) {
	sql := parse(t, `{"database":1,"native":{"query":"select * from orders"}}`)
	s := governedOn(t, "postgres", "base", coder)
	s.Boundary = nil
	if st, err := query.Check(sql, s); !denied(err) || !st.IsZero() {
		t.Errorf("without a boundary: %v", err)
	}
	s.Boundary = func() (*query.Boundary, error) { return nil, errors.New("it was not proved") }
	var wrong *query.Error
	if st, err := query.Check(sql, s); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "it was not proved") || !st.IsZero() {
		t.Errorf("with one that is not in force: %v", err)
	}
	s = governedOn(t, "postgres", "base", coder)
	s.Boundary = func() (*query.Boundary, error) {
		return &query.Boundary{Home: "home", Views: "views", Gate: func(string, func(string, string) (string, string, bool)) (string, error) { return "", errors.New("no") }}, nil
	}
	if st, err := query.Check(sql, s); !errors.As(err, &wrong) || !st.IsZero() {
		t.Errorf("past a gate that refuses: %v", err)
	}
	// Whoever sees everything is not held.
	if st, err := query.Check(sql, s); err == nil {
		t.Error(st.SQL())
	}
	s = governedOn(t, "postgres", "base", admin)
	s.Boundary = func() (*query.Boundary, error) { return nil, errors.New("it was not proved") }
	if st, err := query.Check(sql, s); err != nil || st.Leased() || st.Views() != nil {
		t.Errorf("an administrator: %v, %v", st.Views(), err)
	}
}

func TestNamesInSQLAreThoseOfTablesThatOneMayRead(t *testing.T) {
	s := governedOn(t, "postgres", "base", coder)
	for text, ok := range map[string]bool{
		"select * from orders": true, "select * from secrets": false, "select * from nowhere": false, "select * from other.orders": false,
		"select * from base.orders": true,
	} {
		st, err := query.Check(parse(t, `{"database":1,"native":{"query":"`+text+`"}}`), s)
		if (err == nil) != ok || ok && (len(st.Tables()) != 1 || st.Tables()[0].ID != orders) {
			t.Errorf("%s: %v, %v", text, st.Tables(), err)
		}
	}
}

// A condition on a key uses its index below a view that stays, where the engine
// keeps what can fail away from rows that are held back: on MariaDB only in
// statements in which nothing can.
func TestKeysLeadThroughViewsThatStay(t *testing.T) {
	for _, engine := range []string{"postgres", "mysql"} {
		t.Run(engine, func(t *testing.T) {
			l := newLeasing(t, engine)
			for _, calm := range []bool{true, false} {
				s := governedOn(t, engine, l.base(), coder)
				b, err := s.Boundary()
				if err != nil {
					t.Fatal(err)
				}
				b.Calm = func(string) bool { return calm }
				s.Boundary = func() (*query.Boundary, error) { return b, nil }
				st, err := query.Check(parse(t, `{"database":1,"native":{"query":"select * from orders where id = 2"}}`), s)
				if err != nil {
					t.Fatal(err)
				}
				if got := l.rows(st, lease(st)); len(got) != 1 {
					t.Errorf("%d rows", len(got))
				}
				if engine == "postgres" {
					l.do("set enable_seqscan = off")
				}
				rows, err := l.db.Query("explain " + st.SQL())
				if err != nil {
					t.Fatal(err)
				}
				names, err := rows.Columns()
				if err != nil {
					t.Fatal(err)
				}
				plan := ""
				for rows.Next() {
					cells, into := make([]sql.NullString, len(names)), make([]any, len(names))
					for i := range cells {
						into[i] = &cells[i]
					}
					if err := rows.Scan(into...); err != nil {
						t.Fatal(err)
					}
					plan += fmt.Sprintln(cells)
				}
				if err := rows.Err(); err != nil {
					t.Fatal(err)
				}
				keyed := strings.Contains(plan, "orders_pkey") && strings.Contains(plan, "Index Cond: (id = 2)") || engine == "mysql" && !strings.Contains(plan, "DERIVED")
				if want := calm || engine == "postgres"; keyed != want {
					t.Errorf("calm is %v, and the plan\n%s", calm, plan)
				}
			}
		})
	}
}
