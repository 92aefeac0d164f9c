package query_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
)

// denied tells whether the error is a refusal by permission.
func denied(err error) bool {
	var d *permission.DeniedError
	return errors.As(err, &d)
}

// Wherever a table stands that the person may not query, the question is
// refused, and refused before anything else in it is looked at: a mistake
// beside it tells nothing.
func TestADeniedTableIsRefusedWhereverItStands(t *testing.T) {
	inJoin := `"joins":[{"alias":"s","source-table":5,"condition":["=",["field",401,null],["field",501,{"join-alias":"s"}]]}]`
	for name, text := range map[string]string{
		"source":            `{"database":1,"query":{"source-table":5}}`,
		"join":              onOrders(inJoin),
		"join of a stage":   `{"database":1,"query":{"source-query":{"source-table":4,` + inJoin + `}}}`,
		"nested":            `{"database":1,"query":{"source-query":{"source-query":{"source-table":5}}}}`,
		"joined stage":      onOrders(`"joins":[{"alias":"s","source-query":{"source-table":5},"condition":["=",1,1]}]`),
		"card":              `{"database":1,"query":{"source-table":"card__6"}}`,
		"card of a card":    `{"database":1,"query":{"source-table":"card__7"}}`,
		"joined card":       onOrders(`"joins":[{"alias":"s","source-table":"card__7","condition":["=",1,1]}]`),
		"newer form":        `{"database":1,"stages":[{"source-table":4,"joins":[{"alias":"s","stages":[{"source-table":5}],"conditions":[["=",{},1,1]]}]}]}`,
		"beside a mistake":  onOrders(`"fields":[["field",99999,null]],` + inJoin),
		"absent table":      `{"database":1,"query":{"source-table":77}}`,
		"another database":  `{"database":1,"query":{"source-table":20}}`,
		"unknown data base": `{"database":99,"query":{"source-table":5}}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := source(t, builder)
			st, err := query.Compile(parse(t, text), s)
			if !denied(err) || !st.IsZero() {
				t.Errorf("got %v, %q; want a refusal and no statement", err, st.SQL())
			}
			if err := query.Allowed(parse(t, text), s); !denied(err) {
				t.Errorf("Allowed says %v, want a refusal", err)
			}
		})
	}
}

// A field of a table that is not a source of the stage is no way to it, and
// the answer does not depend on whether there is such a field.
func TestAFieldOfAnotherTableIsAMistakeLikeAnAbsentOne(t *testing.T) {
	s := source(t, builder)
	for _, clause := range []string{
		`"filter":["=",["field",%d,null],"xyzzy"]`,
		`"fields":[["field",%d,null]]`,
		`"breakout":[["field",%d,null]]`,
		`"aggregation":[["max",["field",%d,null]]]`,
		`"aggregation":[["count-where",["=",["field",%d,null],"x"]]]`,
		`"order-by":[["asc",["field",%d,null]]]`,
		`"expressions":{"e":["coalesce",["field",%d,null]]}`,
		`"joins":[{"alias":"p","source-table":3,"condition":["=",["field",%d,null],1]}]`,
		`"joins":[{"alias":"p","source-table":3,"condition":["=",1,1],"fields":[["field",%d,{"join-alias":"p"}]]}]`,
	} {
		message := func(id int) string {
			_, err := query.Compile(parse(t, onOrders(fmt.Sprintf(clause, id))), s)
			var mistake *query.Error
			if !errors.As(err, &mistake) {
				t.Fatalf("%s of %d: got %v, want a mistake", clause, id, err)
			}
			return strings.ReplaceAll(err.Error(), fmt.Sprint(id), "N")
		}
		if there, absent := message(502), message(59999); there != absent {
			t.Errorf("the field of a table out of reach: %s\nan absent field: %s", there, absent)
		}
	}
}

// However a question reaches the orders, the tenant's condition sits right on
// the table, with its value bound.
func TestEveryScanOfASandboxedTableHasItsCondition(t *testing.T) {
	const scan = `FROM "orders" AS "t"`
	const held = scan + ` WHERE ("t"."organization_id" = ?`
	join := func(src string) string {
		return `{"alias":"j%d",` + src + `,"strategy":"inner-join","condition":["=",1,1]}`
	}
	for name, text := range map[string]string{
		"source":     onOrders(``),
		"self joins": onOrders(`"joins":[` + fmt.Sprintf(join(`"source-table":4`), 1) + `,` + fmt.Sprintf(join(`"source-table":4`), 2) + `]`),
		"stages":     onOrders(`"joins":[` + fmt.Sprintf(join(`"source-query":{"source-query":{"source-table":4}}`), 1) + `]`),
		"cards":      onOrders(`"joins":[` + fmt.Sprintf(join(`"source-table":"card__1"`), 1) + `,` + fmt.Sprintf(join(`"source-table":"card__8"`), 2) + `]`),
		"an or":      onOrders(`"filter":["or",["=",1,1],["=",["field",402,null],8]]`),
	} {
		for _, saved := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s saved %v", name, saved), func(t *testing.T) {
				s := source(t, tenant)
				s.Saved = saved
				st, err := query.Compile(parse(t, text), s)
				if err != nil {
					t.Fatal(err)
				}
				scans := strings.Count(st.SQL(), scan)
				if scans == 0 || scans != strings.Count(st.SQL(), held) {
					t.Errorf("%d scans, %d with the condition\n%s", scans, strings.Count(st.SQL(), held), st.SQL())
				}
				sevens := 0
				for _, a := range st.Args() {
					if a == int64(7) {
						sevens++
					}
				}
				if sevens != scans || !st.Sandboxed() {
					t.Errorf("%d arguments 7 for %d scans, sandboxed %v: %v", sevens, scans, st.Sandboxed(), st.Args())
				}
			})
		}
	}
}

// No text that a person wrote is found in the SQL of a structured question.
func TestTextOfPeopleNeverReachesTheSQL(t *testing.T) {
	const word = "zqx"
	text := onOrders(`"expressions":{"zqx1":["concat",["field",407,null],"zqx2"]},
		"joins":[{"alias":"zqx3","source-table":3,"condition":["=",["field",302,{"join-alias":"zqx3"}],"zqx4"]}],
		"filter":["and",["=",["field",407,null],"zqx5","zqx6"],["starts-with",["field",407,null],"zqx7"],["!=",["expression","zqx1"],"zqx8"],
			["contains",["field",407,null],"zqx9",{"case-sensitive":false}]],
		"aggregation":[["aggregation-options",["count"],{"name":"zqxA","display-name":"zqxB"}]],
		"breakout":[["expression","zqx1"],["field","title",{"join-alias":"zqx3","base-type":"type/zqx"}]]`)
	st, err := query.Compile(parse(t, text), source(t, builder))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(st.SQL(), word) {
		t.Errorf("the SQL has text of the person in it:\n%s", st.SQL())
	}
	if n := strings.Count(fmt.Sprint(st.Args()), word); n < 7 {
		t.Errorf("only %d of the texts are bound: %v", n, st.Args())
	}
}

// An attribute that is not a value of its field's type refuses every question
// on the table and is named; never is there "no filter".
func TestAnAttributeThatIsNoValueRefuses(t *testing.T) {
	for _, c := range []struct {
		attribute, base string
		want            any // nil: refused
	}{
		{"7", "type/Integer", int64(7)}, {"-7", "type/BigInteger", int64(-7)}, {"7", "type/Float", int64(7)}, {"7.5", "type/Float", 7.5},
		{"7.0", "type/Integer", nil}, {" 7", "type/Integer", nil}, {"7 or 1=1", "type/Integer", nil}, {"0x7", "type/Integer", nil},
		{"99999999999999999999", "type/Integer", nil}, {"NaN", "type/Float", nil}, {"Inf", "type/Float", nil}, {"1e999", "type/Float", nil}, {"1_0", "type/Float", nil},
		{"acme", "type/Text", "acme"}, {"' OR ''='", "type/Text", "' OR ''='"}, {"a\x00b", "type/Text", nil},
		{"true", "type/Boolean", true}, {"yes", "type/Boolean", nil},
		{"2026-01-31", "type/Date", "2026-01-31"}, {"2026-1-31", "type/Date", nil},
		{"2026-01-31", "type/DateTime", nil}, {"x", "type/JSON", nil}, {"x", "type/*", nil}, {"x", "", nil},
	} {
		t.Run(c.attribute+" for "+c.base, func(t *testing.T) {
			base := newCatalog("sqlite").WithTable(catalog.Table{ID: orders, Database: shop, Name: "orders", Since: 1},
				[]catalog.Field{{ID: 401, Name: "id", BaseType: "type/Integer"}, {ID: 402, Name: "organization_id", BaseType: c.base}})
			g := newGraph(t).WithCatalog(base)
			u := *g.User(tenant)
			to := u
			to.Attributes = map[string]string{"org": c.attribute}
			g, err := g.Apply(permission.SetUser{From: &u, To: &to})
			if err != nil {
				t.Fatal(err)
			}
			s := source(t, tenant)
			s.Access = g.AccessOf(tenant)
			st, err := query.Compile(parse(t, onOrders("")), s)
			if c.want != nil {
				if err != nil || len(st.Args()) != 1 || st.Args()[0] != c.want {
					t.Fatalf("got %v, %v, want the argument %v", st.Args(), err, c.want)
				}
				return
			}
			var invalid *query.PolicyError
			if !errors.As(err, &invalid) || invalid.Attribute != "org" || !st.IsZero() {
				t.Fatalf("got %v and %q, want a refusal that names the attribute", err, st.SQL())
			}
			if err := query.Allowed(parse(t, onOrders("")), s); !errors.As(err, &invalid) {
				t.Errorf("Allowed says %v, want the same refusal", err)
			}
		})
	}
}

// A sandbox on a field that has gone, or that now is another table's, refuses.
func TestASandboxOnAnAbsentFieldRefuses(t *testing.T) {
	for name, field := range map[string]catalog.FieldID{"gone": 9999, "another table's": 301} {
		g := newGraph(t)
		from := g.Sandbox(12, orders)
		to := *from
		to.Where = []permission.AttributeEquality{{Field: field, Attribute: "org"}}
		g, err := g.Apply(permission.SetSandbox{From: from, To: &to})
		if err != nil {
			t.Fatal(err)
		}
		s := source(t, tenant)
		s.Access = g.AccessOf(tenant)
		if st, err := query.Compile(parse(t, onOrders("")), s); !denied(err) || !st.IsZero() {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
	}
}

// The zero value of everything is refused.
func TestZeroValuesAreRefused(t *testing.T) {
	structured, sql := parse(t, onOrders("")), parse(t, `{"database":1,"native":{"query":"select 1"}}`)
	for name, change := range map[string]func(*query.Source){
		"no source":       func(s *query.Source) { *s = query.Source{} },
		"no access":       func(s *query.Source) { s.Access = permission.Access{} },
		"nobody active":   func(s *query.Source) { s.Access = newGraph(t).AccessOf(nobody) },
		"no dialect":      func(s *query.Source) { s.Dialect = query.Dialect{} },
		"no row limit":    func(s *query.Source) { s.MaxRows = 0 },
		"negative limit":  func(s *query.Source) { s.MaxRows = -1 },
		"an empty engine": func(s *query.Source) { s.Access = newGraph(t).WithCatalog(&catalog.Snapshot{}).AccessOf(admin) },
	} {
		s := source(t, admin)
		change(&s)
		for _, q := range []*query.Query{structured, sql, nil, {}} {
			st, err := write(orEmpty(q), s)
			if err == nil || !st.IsZero() {
				t.Errorf("%s: there is a statement %q", name, st.SQL())
			}
		}
	}
	if !(query.Statement{}).IsZero() || (query.Statement{}).Reads("", "") {
		t.Error("the zero statement is one, or may read something")
	}
	if _, err := query.Compile(sql, source(t, admin)); err == nil {
		t.Error("Compile takes SQL")
	}
	if _, err := query.Check(structured, source(t, admin)); err == nil {
		t.Error("Check takes a structured question")
	}
	if _, err := json.Marshal(&query.Query{}); err == nil {
		t.Error("a question that was not parsed is written")
	}
}

func orEmpty(q *query.Query) *query.Query {
	if q == nil {
		return &query.Query{}
	}
	return q
}

// A card out of reach is answered as one that is not there, whether it is
// Source.Card that hides it or its collection.
func TestAHiddenCardIsLikeAnAbsentOne(t *testing.T) {
	s := source(t, builder)
	message := func(id int) string {
		_, err := query.Compile(parse(t, fmt.Sprintf(`{"database":1,"query":{"source-table":"card__%d"}}`, id)), s)
		if err == nil {
			t.Fatalf("card %d is used", id)
		}
		return strings.ReplaceAll(err.Error(), fmt.Sprint(id), "N")
	}
	if hidden, absent := message(2), message(404); hidden != absent {
		t.Errorf("hidden: %s\nabsent: %s", hidden, absent)
	}
	s.Card = func(int64) (*query.Card, error) { return nil, nil }
	if got, want := message(1), message(404); got != want {
		t.Errorf("nil: %s\nabsent: %s", got, want)
	}
	s.Card = nil
	message(1)
	s.Card = func(id int64) (*query.Card, error) {
		_, err := query.Parse([]byte(`{"database":1,"query":{}}`))
		return nil, err
	}
	if got := message(9); !strings.Contains(got, "card N: query: has no") {
		t.Errorf("a card that cannot be read says %q", got)
	}
	s.Card = lookup
	if _, err := query.Compile(parse(t, `{"database":1,"query":{"source-table":"card__404"}}`), s); !errors.Is(err, errNoCard) {
		t.Errorf("the cause %v is lost", err)
	}
}

// Rights differ by how a question is asked: collection access without data
// access shows saved results and gives no question on top.
func TestSavedAndAdHocNeedDifferentRights(t *testing.T) {
	onCard := `{"database":1,"query":{"source-table":"card__1"}}`
	sql := `{"database":1,"native":{"query":"select 1"}}`
	for _, c := range []struct {
		who          permission.UserID
		saved, adHoc bool
		question     string
	}{
		{reader, true, false, onOrders("")},
		{reader, true, false, onCard},
		{builder, true, true, onCard},
		{empty, false, false, onCard},
		{tenant, true, true, onCard},
		{reader, true, false, sql},
		{builder, true, false, sql},
		{tenant, true, false, sql},
		{coder, true, true, sql},
		{masked, true, true, sql},
		{analyst, true, true, sql},
		{admin, true, true, sql},
	} {
		for _, saved := range []bool{true, false} {
			s := source(t, c.who)
			s.Saved = saved
			want := c.adHoc
			if saved {
				want = c.saved
			}
			q := parse(t, c.question)
			_, err := write(q, s)
			if (err == nil) != want || err != nil && !denied(err) {
				t.Errorf("person %d, saved %v, %s: got %v, want allowed %v", c.who, saved, c.question, err, want)
			}
			if allowed := query.Allowed(q, s); (allowed == nil) != (err == nil) {
				t.Errorf("person %d, saved %v, %s: Allowed says %v, writing it %v", c.who, saved, c.question, allowed, err)
			}
		}
	}
}
