package query_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	"pgregory.net/rapid"
)

// Questions that are valid compile to SQL that runs, in which there are never
// more rows than the limit and one; Allowed agrees with Compile for everybody;
// and written again they are the same SQL.
func TestValidQuestionsRun(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			db, admins := warehouseOn(t, engine), sourceOn(t, engine, admin)
			rapid.Check(t, func(t *rapid.T) {
				g := &gen{t: t, source: admins, limits: true, full: engine == "postgres"}
				validQuestion(t, g, db)
			})
		})
	}
}

func validQuestion(t *rapid.T, g *gen, db *sql.DB) {
	q := g.parse(g.stage(2))
	text, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	who := permission.UserID(g.n("who", int(admin), int(nobody)))
	s := g.source
	s.Access, s.Saved = s.Access.Graph().AccessOf(who), g.maybe("saved")
	s.MaxRows = g.n("limit", 1, 5)
	st, err := query.Compile(q, s)
	allowed := query.Allowed(q, s)
	if (err == nil) != (allowed == nil) {
		t.Fatalf("%s\nCompile says %v, Allowed %v", text, err, allowed)
	}
	if err != nil {
		var mistake *query.Error
		if errors.As(err, &mistake) && !strings.Contains(err.Error(), "more than 50 sources") {
			t.Fatalf("%s\nis refused as a mistake: %v", text, err)
		}
		return
	}
	if wrong := structure(st); wrong != "" {
		t.Fatalf("%s\n%s:\n%s\n%v", text, wrong, st.SQL(), st.Args())
	}
	rows, err := run(db, st)
	if err != nil {
		t.Fatalf("%s\ndoes not run: %v\n%s", text, err, st.SQL())
	}
	if len(rows) > st.Limit()+1 || st.Limit() > s.MaxRows {
		t.Fatalf("%d rows under a limit of %d of %d", len(rows), st.Limit(), s.MaxRows)
	}
	again, err := query.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := query.Compile(again, s); err != nil || second.SQL() != st.SQL() {
		t.Fatalf("%s\nread again is other SQL: %v\n%s\n%s", text, err, st.SQL(), second.SQL())
	}
}

var placeholder = regexp.MustCompile(`\?[0-9]*|\$[0-9]+`)

// structure says what is wrong with the form of a structured statement:
// quotations and parentheses that do not match, or placeholders that are not
// one for each argument, in their order.
func structure(st query.Statement) string {
	open, quote := 0, rune(0)
	var code strings.Builder
	for _, r := range st.SQL() {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
			continue
		case r == '"' || r == '`' || r == '\'':
			quote = r
		case r == '(':
			open++
		case r == ')':
			if open--; open < 0 {
				return "a parenthesis is closed that was not opened"
			}
		}
		code.WriteRune(r)
	}
	if open != 0 || quote != 0 {
		return "something is not closed"
	}
	found := placeholder.FindAllString(code.String(), -1)
	if len(found) != len(st.Args()) {
		return fmt.Sprintf("%d placeholders for %d arguments", len(found), len(st.Args()))
	}
	for i, p := range found {
		if p != "?" && p[1:] != strconv.Itoa(i+1) {
			return fmt.Sprintf("placeholder %d is %s", i+1, p)
		}
	}
	return ""
}

// However a question is put, every scan of a table that is sandboxed for the
// person has the condition of the sandbox, behind a fence if anything in the
// question can fail for a row.
func TestEveryScanHasItsRowFilter(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			admins := sourceOn(t, engine, admin)
			tenants := admins
			tenants.Access = admins.Access.Graph().AccessOf(tenant)
			quoted := func(name string) string { return strings.ReplaceAll(`"`+name+`"`, `"`, words[engine]["at"][:1]) }
			scans := 0
			rapid.Check(t, func(t *rapid.T) {
				g := &gen{t: t, source: admins, full: engine == "postgres"}
				st, err := query.Compile(g.parse(g.stage(3)), tenants)
				if err != nil {
					return
				}
				for _, table := range []string{"orders", "people"} {
					parts := strings.Split(st.SQL(), " FROM "+quoted(table)+" AS "+quoted("t"))
					for _, after := range parts[1:] {
						scans++
						if !strings.HasPrefix(after, " WHERE ("+quoted("t")+"."+quoted("organization_id")+" = ") {
							t.Fatalf("a scan of %s without its condition\n%s", table, st.SQL())
						}
					}
					if len(parts) > 1 && !st.Sandboxed() {
						t.Fatal("rows are held back and nothing says so")
					}
				}
			})
			if scans == 0 {
				t.Error("no sandboxed table was scanned")
			}
		})
	}
}

// hidden are changes to rows that the tenant may not see, some of which make
// what a person may write fail: numbers that overflow, dates that are none.
var hidden = map[string][]string{
	"sqlite": {
		`delete from orders where organization_id <> 7 and id <> 4`,
		`update orders set total = -1e9, status = '%', created_at = 'never', quantity = 'many' where organization_id <> 7`,
		`update people set name = NULL, birth_date = '2026-06-17' where organization_id <> 7`,
		`insert into orders values (900, 8, 1, 1, 9223372036854775807, 9e307, 'open', 1, '2026-06-17 08:00:00'), (901, NULL, 1, 1, -9223372036854775808, 5, 'open', 1, '2026-06-17 08:00:00')`,
	},
	"postgres": {
		`delete from orders where organization_id <> 7 and id <> 4`,
		`update orders set total = 'NaN', status = '%', created_at = 'infinity', quantity = 9223372036854775807 where organization_id <> 7`,
		`update people set name = NULL, birth_date = '-infinity' where organization_id <> 7`,
		`insert into orders values (900, 8, 1, 1, -9223372036854775808, 9e307, 'open', true, '294276-12-31'), (901, NULL, 1, 1, 9223372036854775807, 5, 'open', true, '2026-06-17 08:00:00')`,
	},
	"mysql": {
		`delete from orders where organization_id <> 7 and id <> 4`,
		`update orders set total = -1e9, status = '%', created_at = '9999-12-31', quantity = 9223372036854775807 where organization_id <> 7`,
		`update people set name = NULL, birth_date = '1000-01-01' where organization_id <> 7`,
		`insert into orders values (900, 8, 1, 1, -9223372036854775808, 9e307, 'open', true, '1000-01-01'), (901, NULL, 1, 1, 9223372036854775807, 5, 'open', true, '2026-06-17 08:00:00')`,
	},
}

// Two warehouses that differ only in rows that a person may not see give that
// person the same answers, or the same errors.
func TestHiddenRowsDoNotMatter(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			full, without := warehouseOn(t, engine), warehouseOn(t, engine)
			for _, change := range hidden[engine] {
				fill(t, without, change)
			}
			admins, tenants := sourceOn(t, engine, admin), sourceOn(t, engine, tenant)
			compiled := 0
			rapid.Check(t, func(t *rapid.T) {
				g := &gen{t: t, source: admins, full: engine == "postgres"}
				st, err := query.Compile(g.parse(g.stage(2)), tenants)
				if err != nil {
					return
				}
				compiled++
				a, errA := run(full, st)
				b, errB := run(without, st)
				slices.Sort(a)
				slices.Sort(b)
				if fmt.Sprint(errA) != fmt.Sprint(errB) || !slices.Equal(a, b) {
					t.Fatalf("%v, %v\n%q\n%q\n%s\n%v", errA, errB, a, b, st.SQL(), st.Args())
				}
			})
			if compiled == 0 {
				t.Error("no question was answered")
			}
		})
	}
}

// A condition that fails for a hidden row fails for nobody who may not see it,
// wherever the engine would like to look first.
func TestHiddenRowsRaiseNoErrors(t *testing.T) {
	conditions := map[string][]string{
		"sqlite":   {`["=",["abs",["field",405,null]],5]`},
		"postgres": {`["<",["*",["field",405,null],["field",405,null]],0]`, `["=",["get-year",["field",409,null]],1]`, `["=",["integer",["field",407,null]],1]`},
		"mysql":    {`["<",["*",["field",405,null],["field",405,null]],0]`},
	}
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			db := warehouseOn(t, engine)
			for _, change := range hidden[engine] {
				fill(t, db, change)
			}
			fill(t, db, "update orders set status = '1' where organization_id = 7")
			fill(t, db, "update orders set status = 'shut' where id >= 900")
			// A sandbox that costs more to look at than what the person writes.
			g := newGraphOn(t, engine)
			from := g.Sandbox(14, orders)
			to := *from
			to.Where = []permission.AttributeEquality{{Field: 403, Attribute: "org"}}
			g, err := g.Apply(permission.SetSandbox{From: from, To: &to})
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range conditions[engine] {
				for _, text := range []string{
					onOrders(`"aggregation":[["count"]],"filter":` + c),
					onOrders(`"aggregation":[["count"]],"filter":["and",["=",["field",401,null],900],` + c + `]`),
					`{"database":1,"query":{"source-table":3,"aggregation":[["count"]],"joins":[{"alias":"o","source-query":{"source-table":4,"filter":` + c + `},"condition":["=",["field",301,null],["field",404,{"join-alias":"o"}]]}]}}`,
				} {
					for who, fails := range map[permission.UserID]bool{tenant: false, double: false, admin: true} {
						s := sourceOn(t, engine, who)
						s.Access = g.AccessOf(who)
						st, err := query.Compile(parse(t, text), s)
						if denied(err) {
							continue // the join of a table that is not theirs
						}
						if err != nil {
							t.Fatal(err)
						}
						_, err = run(db, st)
						if !fails && err != nil {
							t.Errorf("person %d is told of a hidden row: %v\n%s", who, err, st.SQL())
						}
						if fails && err == nil && !strings.Contains(text, "900") && !strings.Contains(text, "joins") {
							t.Errorf("%s fails for no row: it tells nothing\n%s", c, st.SQL())
						}
					}
				}
			}
		})
	}
}
