package query_test

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	"pgregory.net/rapid"
)

// Saved questions that stand in for the orders.
var standIns = map[int64]string{
	31: `{"database":1,"type":"query","query":{"source-table":4,"filter":["=",["field",402,null],7]}}`,
	32: `{"database":1,"type":"query","query":{"source-table":"card__31","fields":[["field",401,null],["field",402,null],["field",407,null]],"filter":["=",["field",408,null],true]}}`,
	// Over a table that the person may not read.
	33: `{"database":1,"type":"query","query":{"source-table":5,"expressions":{"status":["field",502,null]},"fields":[["field",501,null],["expression","status"]]}}`,
	34: `{"database":1,"type":"native","native":{"query":"select o.id, o.total, o.status from orders o where o.status = {{state}} and o.id > {{low}} -- of it","template-tags":{"state":{"type":"text"},"low":{"type":"number","default":0}}}}`,
	35: `{"database":1,"type":"native","native":{"query":"select id, word as status from secrets"}}`,
	36: `{"database":1,"type":"query","query":{"source-table":4,"aggregation":[["count"]],"breakout":[["field",407,null]]}}`,
	37: `{"database":2,"type":"query","query":{"source-table":20}}`,
	38: `{"database":1,"type":"query","query":{"source-table":4,"expressions":{"total":["field",407,null]},"fields":[["field",401,null],["expression","total"]]}}`,
	39: `{"database":1,"type":"query","query":{"source-table":4,"fields":[["field",9999,null]]}}`,
	40: `{"database":1,"type":"query","query":{"source-table":"card__40"}}`,
	41: `{"database":1,"type":"native","native":{"query":"select id from orders) union (select id from orders"}}`,
	42: `{"database":1,"type":"query","query":{"source-table":"card__34","fields":[["field","id",{"base-type":"type/Integer"}],["field","status",{"base-type":"type/Text"}]]}}`,
	43: `{"database":1,"type":"native","native":{"query":"select id from orders where paid = {{paid}} and created_at >= {{since}}","template-tags":{"paid":{"type":"boolean"},"since":{"type":"date"}}}}`,
}

func standIn(id int64) (*query.StandIn, error) {
	text, ok := standIns[id]
	if !ok {
		return nil, &query.Error{Message: "it is gone"}
	}
	below := func(id int64) (*query.Card, error) {
		text, ok := standIns[id]
		if !ok {
			return nil, errNoCard
		}
		q, err := query.Parse([]byte(text))
		if err != nil {
			return nil, err
		}
		c := &query.Card{ID: id, Query: q, Collection: closed}
		if q.Native() {
			c.Columns = []query.Column{{Name: "id", BaseType: "type/Integer"}, {Name: "status", BaseType: "type/Text"}}
		}
		return c, nil
	}
	q, err := query.Parse([]byte(text))
	if err != nil {
		return nil, err
	}
	return &query.StandIn{Card: query.Card{ID: id, Query: q, Collection: closed}, Seal: "sealed", Below: below, Snippet: snippet}, nil
}

// byQuestion is a policy on the orders that shows these columns of a question.
func byQuestion(card int64, columns ...catalog.FieldID) permission.Policy {
	p := permission.Policy{Card: card, Seal: "sealed", Columns: []permission.ColumnRule{}}
	for _, id := range columns {
		p.Columns = append(p.Columns, permission.ColumnRule{Field: id})
	}
	return p
}

var ofOrders = []catalog.FieldID{401, 402, 403, 404, 405, 406, 407, 408, 409}

// under is a source of a person of the tenant's group, in which the policy on
// the orders is another.
func under(t testing.TB, s query.Source, p permission.Policy, attributes map[string]string) query.Source {
	t.Helper()
	who, g := s.Access.User(), s.Access.Graph()
	u := *g.User(who)
	u.Attributes = attributes
	g, err := g.Apply(permission.SetSandbox{From: g.Sandbox(12, orders), To: &permission.Sandbox{Group: 12, Table: orders, Policy: p, At: 2}},
		permission.SetUser{From: g.User(who), To: &u})
	if err != nil {
		t.Fatal(err)
	}
	s.Access, s.Policy = g.AccessOf(who), standIn
	return s
}

func sorted(lines []string) []string {
	lines = slices.Clone(lines)
	slices.Sort(lines)
	return lines
}

// Whatever is asked, a question that shows the rows of an organization shows
// what a policy with that condition shows.
func TestAQuestionStandsInForATableWhereverItIs(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			db, base := warehouseOn(t, engine), sourceOn(t, engine, tenant)
			plain := byQuestion(0, ofOrders...)
			plain.Seal, plain.Where = "", []permission.AttributeEquality{{Field: 402, Attribute: "org"}}
			attributes := map[string]string{"org": "7"}
			byRows, byCard := under(t, base, plain, attributes), under(t, base, byQuestion(31, ofOrders...), attributes)
			rapid.Check(t, func(t *rapid.T) {
				g := &gen{t: t, source: base, full: engine == "postgres"}
				sameRows(t, db, g.parse(g.stage(2)), byRows, byCard)
			})
		})
	}
}

func sameRows(t *rapid.T, db *sql.DB, q *query.Query, a, b query.Source) {
	x, err := query.Compile(q, a)
	y, err2 := query.Compile(q, b)
	if fmt.Sprint(err) != fmt.Sprint(err2) {
		t.Fatalf("%v, and %v", err, err2)
	}
	if err != nil {
		return
	}
	if wrong := structure(y); wrong != "" {
		t.Fatalf("%s:\n%s", wrong, y.SQL())
	}
	got, err := run(db, x)
	want, err2 := run(db, y)
	if err != nil && err2 != nil && err.Error() == err2.Error() {
		return // what the engine does not take, it takes in neither form
	}
	if err != nil || err2 != nil || !slices.Equal(sorted(got), sorted(want)) {
		t.Fatalf("%v %v\n%s\n%v %v\n%s\n%v", got, err, x.SQL(), want, err2, y.SQL(), y.Args())
	}
	if x.Sandboxed() != y.Sandboxed() || !slices.Equal(x.Tables(), y.Tables()) {
		t.Fatalf("%v %v, %v %v", x.Sandboxed(), y.Sandboxed(), x.Tables(), y.Tables())
	}
}

func TestWhatAQuestionShowsInPlaceOfATable(t *testing.T) {
	mapped := func(p permission.Policy, where ...permission.AttributeEquality) permission.Policy {
		p.Where = where
		return p
	}
	valued := func(p permission.Policy, vars ...string) permission.Policy {
		for _, v := range vars {
			p.Variables = append(p.Variables, permission.AttributeVariable{Variable: v, Attribute: v})
		}
		return p
	}
	org := permission.AttributeEquality{Field: 402, Attribute: "org"}
	for name, c := range map[string]struct {
		policy     permission.Policy
		attributes map[string]string
		rows       string // of the orders, or the reason of a refusal after "!"
		below      string // tables that are read besides
	}{
		"on a question":              {byQuestion(32, 401, 407), nil, "2,closed", "[4]"},
		"with a condition":           {mapped(byQuestion(31, 401), org), map[string]string{"org": "7"}, "1 2 5", "[4]"},
		"a condition of no row":      {mapped(byQuestion(31, 401), org), map[string]string{"org": "8"}, "", "[4]"},
		"a list":                     {mapped(byQuestion(31, 401), org), map[string]string{"org": "\x1f8\x1f7"}, "1 2 5", "[4]"},
		"a condition that is hidden": {mapped(byQuestion(32, 401), org), map[string]string{"org": "7"}, "2", "[4]"},
		"of another type":            {mapped(byQuestion(31, 401), org), map[string]string{"org": "seven"}, "!not a whole number", ""},
		"without the attribute":      {mapped(byQuestion(31, 401), org), map[string]string{}, "!no value for the attribute", ""},
		"a table out of reach":       {byQuestion(33, 401, 407), nil, "1,xyzzy", "[5]"},
		"SQL":                        {valued(byQuestion(34, 401), "state"), map[string]string{"state": "open"}, "1 3 6", "[1 2 3 4 5 6 7]"},
		"SQL with quotes":            {valued(byQuestion(34, 401), "state"), map[string]string{"state": "open' or '1'='1"}, "", "[1 2 3 4 5 6 7]"},
		"SQL with two":               {valued(byQuestion(34, 401), "state", "low"), map[string]string{"state": "open", "low": "2"}, "3 6", "[1 2 3 4 5 6 7]"},
		"SQL with no number":         {valued(byQuestion(34, 401), "state", "low"), map[string]string{"state": "open", "low": "2 or 1=1"}, "!not a value for a variable", ""},
		"SQL with a list":            {valued(byQuestion(34, 401), "state"), map[string]string{"state": "\x1fopen\x1fclosed"}, "!takes one value", ""},
		"SQL with a NUL":             {valued(byQuestion(34, 401), "state"), map[string]string{"state": "a\x00"}, "!not a text", ""},
		"SQL without the attribute":  {valued(byQuestion(34, 401), "state"), map[string]string{"low": "1"}, "!no value for the attribute", ""},
		"SQL without its variable":   {byQuestion(34, 401), nil, "!needs a value", ""},
		"SQL with another variable":  {valued(byQuestion(35, 401), "state"), map[string]string{"state": "open"}, "!no variable", ""},
		"SQL out of reach":           {byQuestion(35, 401, 407), nil, "1,xyzzy", "[1 2 3 4 5 6 7]"},
		"SQL with other kinds":       {valued(byQuestion(43, 401), "paid", "since"), map[string]string{"paid": "true", "since": "2026-06-01"}, "2 3", "[1 2 3 4 5 6 7]"},
		"SQL that leaves":            {byQuestion(41, 401), nil, "!parentheses", ""},
		"a question on SQL":          {byQuestion(42, 401), nil, "!needs a value", ""},
		"a column that is not":       {byQuestion(36, 407), nil, `!has a column "count"`, ""},
		"a column that has gone":     {byQuestion(32, 401, 406), nil, `!no longer has the column "total"`, ""},
		"a column of another type":   {byQuestion(38, 401, 406), nil, "!is text, and in table", ""},
		"another database":           {byQuestion(37, 401), nil, "!table's database", ""},
		"that is wrong":              {byQuestion(39, 401), nil, "!", ""},
		"that is made of itself":     {byQuestion(40, 401), nil, "!made of itself", ""},
		"that has gone":              {byQuestion(99, 401), nil, "!it is gone", ""},
	} {
		for _, engine := range engines {
			t.Run(name+" "+engine, func(t *testing.T) {
				s := under(t, sourceOn(t, engine, tenant), c.policy, c.attributes)
				q := parse(t, `{"database":1,"query":{"source-table":4}}`)
				st, err := query.Compile(q, s)
				if allowed := query.Allowed(q, s); (allowed == nil) != (err == nil) {
					t.Errorf("Compile says %v, Allowed %v", err, allowed)
				}
				if reason, refused := strings.CutPrefix(c.rows, "!"); refused {
					var policy *query.PolicyError
					if !errors.As(err, &policy) && !denied(err) || !strings.Contains(err.Error(), reason) || !st.IsZero() {
						t.Fatalf("got %v, %s", err, st.SQL())
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				got, err := run(warehouseOn(t, engine), st)
				if err != nil {
					t.Fatalf("%v\n%s", err, st.SQL())
				}
				rows := strings.ReplaceAll(strings.Join(sorted(got), " "), " | ", ",")
				var below []catalog.TableID
				for _, table := range st.Below() {
					below = append(below, table.ID)
				}
				if rows != c.rows || fmt.Sprint(below) != c.below || len(st.Tables()) != 1 || !st.Sandboxed() || len(st.Columns()) != len(c.policy.Columns) {
					t.Errorf("got %q, below %v, tables %v\n%s", rows, below, st.Tables(), st.SQL())
				}
				for _, v := range c.attributes {
					if strings.Contains(st.SQL(), v) && len(v) > 2 {
						t.Errorf("%q stands in the text: %s", v, st.SQL())
					}
				}
			})
		}
	}
}

// A question that was changed, and one that cannot be looked up, shows nothing;
// nor does one beside another policy.
func TestAQuestionThatIsNotTheSameShowsNothing(t *testing.T) {
	q := parse(t, `{"database":1,"query":{"source-table":4}}`)
	refused := func(what string, s query.Source) {
		t.Helper()
		if st, err := query.Compile(q, s); err == nil {
			t.Errorf("%s: %s", what, st.SQL())
		}
	}
	base := source(t, tenant)
	changed, unsealed := byQuestion(31, 401), byQuestion(31, 401)
	changed.Seal, unsealed.Seal = "another", ""
	refused("changed", under(t, base, changed, nil))
	refused("without a seal", under(t, base, unsealed, nil))
	blind := under(t, base, byQuestion(31, 401), nil)
	blind.Policy = nil
	refused("not looked up", blind)
	unknown := byQuestion(31)
	unknown.Columns = nil
	refused("columns not known", under(t, base, unknown, nil))
	two := under(t, base, byQuestion(31, 401), map[string]string{"org": "7", "state": "open"})
	if _, err := query.Compile(q, two); err != nil {
		t.Fatal(err)
	}
	g, err := two.Access.Graph().Apply(permission.SetMembership{User: tenant, Group: 14, To: true})
	if err != nil {
		t.Fatal(err)
	}
	two.Access = g.AccessOf(tenant)
	refused("beside another policy", two)
	if err := two.Access.Check(permission.QueryTable, permission.ATable(orders)); err == nil || !strings.Contains(err.Error(), "by a saved question") {
		t.Errorf("the reason is %v", err)
	}
	g, err = g.Apply(permission.SetMembership{User: tenant, Group: 10, To: true})
	if err != nil {
		t.Fatal(err)
	}
	two.Access = g.AccessOf(tenant)
	if st, err := query.Compile(q, two); err != nil || st.Sandboxed() || len(st.Below()) > 0 {
		t.Errorf("unrestricted in another group: %v, %s", err, st.SQL())
	}
	fault := errors.New("a fault")
	two = under(t, base, byQuestion(31, 401), nil)
	two.Policy = func(int64) (*query.StandIn, error) { return nil, fault }
	if _, err := query.Compile(q, two); !errors.Is(err, fault) {
		t.Errorf("a fault is told as %v", err)
	}
}

// SQL that people type reads through views what the query builder shows, and is
// refused where it cannot be held to that.
func TestSQLIsHeldToAQuestionOrRefused(t *testing.T) {
	typed := parse(t, `{"database":1,"type":"native","native":{"query":"select id, status from orders"}}`)
	elsewhere := parse(t, `{"database":1,"type":"native","native":{"query":"select title from products"}}`)
	var policy *query.PolicyError
	s := under(t, source(t, coder), byQuestion(31, 401, 407), map[string]string{"org": "7"})
	for _, q := range []*query.Query{typed, elsewhere} {
		if st, err := query.Check(q, s); !errors.As(err, &policy) || !strings.Contains(err.Error(), "on this engine") {
			t.Errorf("SQLite: %v, %s", err, st.SQL())
		}
	}
	for _, engine := range []string{"postgres", "mysql"} {
		t.Run(engine, func(t *testing.T) {
			l := newLeasing(t, engine)
			p := byQuestion(31, 401, 407)
			p.Where = []permission.AttributeEquality{{Field: 407, Attribute: "state"}}
			s := under(t, governedOn(t, engine, l.base(), coder), p, map[string]string{"org": "7", "state": "o'pen"})
			st, err := query.Check(typed, s)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(st.Views()[0].Definition(), "o'pen") || !st.Sandboxed() || !st.Leased() {
				t.Errorf("%+v", st.Views())
			}
			if got := l.rows(st, lease(st)); len(got) > 0 {
				t.Errorf("nobody's: %v", got)
			}
			s = under(t, governedOn(t, engine, l.base(), coder), p, map[string]string{"org": "7", "state": "open"})
			if st, err = query.Check(typed, s); err != nil {
				t.Fatal(err)
			}
			if got := l.rows(st, lease(st)); fmt.Sprint(got) != "[1 | open]" {
				t.Errorf("got %v from %s", got, st.Views()[0].Definition())
			}
			if got := l.rows(st, map[string]any{}); len(got) > 0 {
				t.Errorf("without a lease: %v", got)
			}
			s = under(t, governedOn(t, engine, l.base(), coder), byQuestion(35, 401, 407), map[string]string{"org": "7"})
			if st, err := query.Check(typed, s); !errors.As(err, &policy) || !strings.Contains(err.Error(), "there is SQL in it") {
				t.Errorf("by SQL: %v, %s", err, st.SQL())
			}
			if _, err := query.Check(elsewhere, s); err != nil {
				t.Errorf("SQL about another table: %v", err)
			}
		})
	}
}

func TestVariablesOfAQuestionThatStandsIn(t *testing.T) {
	field := `{"database":1,"type":"native","native":{"query":"select id from orders where {{f}}","template-tags":{"f":{"type":"dimension","dimension":["field",407,null]}}}}`
	given := `{"database":1,"type":"native","native":{"query":"select id from orders where id = {{n}}","template-tags":{"n":{"type":"number"}}},"parameters":[{"target":["variable",["template-tag","n"]],"value":1}]}`
	for _, c := range []struct{ text, variables, says string }{
		{standIns[34], "state", ""}, {standIns[34], "state low", ""}, {standIns[31], "", ""}, {given, "", ""}, {given, "n", ""},
		{standIns[34], "", `"state" has no default`}, {standIns[34], "low", `"state" has no default`},
		{standIns[34], "state other", `no variable "other"`}, {standIns[34], "state state", "two attributes"},
		{standIns[31], "state", "no variables"}, {field, "f", "filters by a field"}, {field, "", "no default"},
	} {
		var all []permission.AttributeVariable
		for i, v := range strings.Fields(c.variables) {
			all = append(all, permission.AttributeVariable{Variable: v, Attribute: fmt.Sprint(i)})
		}
		err := query.FitsVariables(parse(t, c.text), all)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s with %q: %v, want %q", c.text, c.variables, err, c.says)
		}
	}
	data, err := parse(t, standIns[34]).Tried().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	s := source(t, admin)
	if st, err := query.Check(parse(t, string(data)), s); err != nil || len(st.Args()) != 2 {
		t.Errorf("%s: %v, %v", data, err, st.Args())
	}
}
