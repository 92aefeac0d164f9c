package query_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	"pgregory.net/rapid"
)

// choice is a field that a generated clause may name.
type choice struct {
	ref  any
	kind string // number, text, boolean, date, datetime
}

// kinds of the columns of the tables that questions are generated on.
var kinds = map[int][]string{
	2: {"number", "number", "text", "date"},
	3: {"number", "text", "text", "number"},
	4: {"number", "number", "number", "number", "number", "number", "text", "boolean", "datetime"},
}

func kindOf(base string) string {
	switch {
	case base == "type/Text":
		return "text"
	case base == "type/Boolean":
		return "boolean"
	case base == "type/Date":
		return "date"
	case strings.HasPrefix(base, "type/DateTime"):
		return "datetime"
	case base == "type/Integer", base == "type/Float":
		return "number"
	}
	return "other"
}

type (
	list = []any
	dict = map[string]any
)

// gen makes questions that are valid by construction.
type gen struct {
	t      *rapid.T
	source query.Source // an administrator's, to learn the columns of stages
	limits bool
}

func (g *gen) n(label string, low, high int) int { return rapid.IntRange(low, high).Draw(g.t, label) }
func (g *gen) maybe(label string) bool           { return rapid.Bool().Draw(g.t, label) }

func pick[T any](g *gen, label string, of ...T) T { return of[g.n(label, 0, len(of)-1)] }

// of are the choices of the kinds.
func of(all []choice, kinds ...string) []choice {
	return slices.DeleteFunc(slices.Clone(all), func(c choice) bool { return !slices.Contains(kinds, c.kind) })
}

// from picks a source and gives what can be named of it, with an alias or
// without.
func (g *gen) from(depth int, alias string) (dict, []choice) {
	options := func(m dict) any {
		if alias != "" {
			m["join-alias"] = alias
		}
		if len(m) == 0 {
			return nil
		}
		return m
	}
	if depth == 0 || g.n("source", 0, 2) > 0 {
		table := pick(g, "table", 2, 3, 4)
		var all []choice
		for i, k := range kinds[table] {
			all = append(all, choice{list{"field", table*100 + i + 1, options(dict{})}, k})
		}
		return dict{"source-table": table}, all
	}
	src := dict{"source-table": pick(g, "card", "card__1", "card__8")}
	if g.maybe("nested") {
		src = dict{"source-query": g.stage(depth - 1)}
	}
	st, err := query.Compile(g.parse(src), g.source)
	if err != nil {
		g.t.Fatalf("a stage does not compile: %v", err)
	}
	var all []choice
	seen := map[string]bool{}
	for _, c := range st.Columns() {
		named := any(c.Name)
		if c.ID != nil {
			named = int64(*c.ID)
		}
		if seen[fmt.Sprint(named)] {
			continue // the second of a self join, say
		}
		seen[fmt.Sprint(named)] = true
		m := dict{}
		if c.ID == nil {
			m["base-type"] = c.BaseType
		}
		kind := kindOf(c.BaseType)
		if c.Unit != "" {
			kind = "other"
		}
		all = append(all, choice{list{"field", named, options(m)}, kind})
	}
	return src, all
}

func (g *gen) parse(block dict) *query.Query {
	text, err := json.Marshal(dict{"database": 1, "type": "query", "query": block})
	if err != nil {
		g.t.Fatal(err)
	}
	q, err := query.Parse(text)
	if err != nil {
		g.t.Fatalf("%s: %v", text, err)
	}
	return q
}

// stage makes what stands in "query".
func (g *gen) stage(depth int) dict {
	b, all := g.from(depth, "")
	var joins list
	for i := range g.n("joins", 0, 2) {
		alias := fmt.Sprintf("join %d", i)
		j, more := g.from(depth, alias)
		j["alias"], j["strategy"] = alias, pick(g, "strategy", "left-join", "inner-join")
		j["condition"] = g.condition(append(slices.Clone(more), all...), 1)
		if a, b := of(all, "number"), of(more, "number"); len(a) > 0 && len(b) > 0 {
			j["condition"] = list{"=", pick(g, "left", a...).ref, pick(g, "right", b...).ref}
		}
		j["fields"] = pick[any](g, "fields", "all", "none", list{pick(g, "field", more...).ref})
		joins, all = append(joins, j), append(all, more...)
	}
	if joins != nil {
		b["joins"] = joins
	}
	if g.maybe("expressions") {
		b["expressions"] = dict{"e": g.value(all, 2)}
		all = append(all, choice{list{"expression", "e"}, "other"})
	}
	if g.maybe("filter") {
		b["filter"] = g.condition(all, 2)
	}
	var orders list
	if g.maybe("grouped") {
		var aggregations, breakouts list
		for range g.n("aggregations", 0, 3) {
			aggregations = append(aggregations, g.aggregation(all, 1))
		}
		for range g.n("breakouts", 1, 2) {
			c := pick(g, "breakout", all...)
			breakouts = append(breakouts, g.cut(c))
			orders = append(orders, list{pick(g, "direction", "asc", "desc"), breakouts[len(breakouts)-1]})
		}
		b["breakout"] = breakouts
		if aggregations != nil {
			b["aggregation"] = aggregations
			orders = append(orders, list{"desc", list{"aggregation", g.n("aggregation", 0, len(aggregations)-1)}})
		}
	} else {
		if g.maybe("fields") {
			b["fields"] = list{pick(g, "field", all...).ref, pick(g, "field", all...).ref}
		}
		orders = list{list{"asc", g.cut(pick(g, "order", all...))}}
	}
	if g.maybe("ordered") {
		b["order-by"] = orders
	}
	if g.limits && g.maybe("limited") {
		b["limit"] = g.n("limit", 1, 10)
	}
	return b
}

// cut gives a date a unit, sometimes.
func (g *gen) cut(c choice) any {
	units := []string{"day", "week", "month", "quarter", "year", "day-of-week", "day-of-month", "day-of-year", "week-of-year", "month-of-year", "quarter-of-year", "year-of-era"}
	if c.kind == "datetime" {
		units = append(units, "second", "minute", "hour", "minute-of-hour", "hour-of-day")
	}
	if c.kind != "date" && c.kind != "datetime" || g.maybe("plain") {
		return c.ref
	}
	ref := slices.Clone(c.ref.(list))
	m := dict{"temporal-unit": pick(g, "unit", units...)}
	if old, is := ref[2].(dict); is {
		for k, v := range old {
			m[k] = v
		}
	}
	ref[2] = m
	return ref
}

func (g *gen) condition(all []choice, depth int) any {
	if depth > 0 && g.n("deeper", 0, 2) > 0 {
		a, b := g.condition(all, depth-1), g.condition(all, depth-1)
		return pick[any](g, "logic", list{"and", a, b}, list{"or", a, b}, list{"not", a})
	}
	c := pick(g, "subject", all...)
	if g.n("null", 0, 4) == 0 {
		return list{pick(g, "op", "is-null", "not-null", "is-empty", "not-empty"), c.ref}
	}
	compare := pick(g, "comparison", "=", "!=", "<", "<=", ">", ">=")
	switch c.kind {
	case "number":
		return pick[any](g, "of numbers", list{compare, c.ref, g.n("number", -1, 9)}, list{"between", c.ref, 1, 7.5},
			list{"!=", c.ref, 1, "7", nil}, list{"=", c.ref, g.value(all, 1)})
	case "text":
		return pick[any](g, "of text", list{compare, c.ref, "open"}, list{"=", c.ref, "open", "Closed", nil},
			list{pick(g, "match", "contains", "does-not-contain", "starts-with", "ends-with"), c.ref,
				pick(g, "pattern", "", "o", "%", "é"), dict{"case-sensitive": g.maybe("case")}})
	case "boolean":
		return list{pick(g, "op", "=", "!="), c.ref, g.maybe("truth")}
	case "date", "datetime":
		unit := pick(g, "unit", "day", "week", "month", "quarter", "year")
		return pick[any](g, "of dates", list{compare, c.ref, "2026-06-01"}, list{"between", c.ref, "2026-06", "2026-06-16"},
			list{"time-interval", c.ref, g.n("steps", -40, 5), unit, dict{"include-current": g.maybe("current")}},
			list{compare, c.ref, list{"relative-datetime", g.n("steps", -40, 5), unit}})
	}
	return list{"not-null", c.ref}
}

// value makes a number.
func (g *gen) value(all []choice, depth int) any {
	numbers, texts := of(all, "number"), of(all, "text")
	if depth > 0 && g.maybe("deeper") {
		a, b := g.value(all, depth-1), g.value(all, depth-1)
		return pick[any](g, "arithmetic", list{"+", a, b, 1}, list{"-", a, b, 1}, list{"*", a, b}, list{"/", a, b},
			list{"coalesce", a, b}, list{"round", a},
			list{"case", list{list{g.condition(all, 0), a}, list{g.condition(all, 0), b}}, dict{"default": 0}})
	}
	switch {
	case len(texts) > 0 && g.n("of text", 0, 2) == 0:
		t := pick(g, "text", texts...).ref
		return list{"length", pick[any](g, "inner", t, list{"upper", t}, list{"concat", list{"trim", t}, "-", t})}
	case len(numbers) > 0:
		return pick(g, "number", numbers...).ref
	}
	return g.n("literal", -3, 3)
}

func (g *gen) aggregation(all []choice, depth int) any {
	if depth > 0 && g.n("deeper", 0, 3) == 0 {
		return list{pick(g, "op", "+", "-", "*", "/"), g.counting(all), 2}
	}
	if g.maybe("counting") {
		return g.counting(all)
	}
	c := pick(g, "of", all...)
	return list{pick(g, "extreme", "min", "max"), c.ref}
}

// counting makes an aggregation that is a number.
func (g *gen) counting(all []choice) any {
	c := pick(g, "of", all...)
	numbers := of(all, "number")
	some := []any{list{"count"}, list{"count", c.ref}, list{"distinct", c.ref}, list{"count-where", g.condition(all, 1)}}
	if len(numbers) > 0 {
		x := pick(g, "number", numbers...).ref
		some = append(some, list{"sum", x}, list{"avg", x}, list{"sum-where", x, g.condition(all, 0)})
	}
	return pick(g, "counting", some...)
}

// Questions that are valid compile to SQL that runs, in which there are never
// more rows than the limit and one; Allowed agrees with Compile for everybody;
// and written again they are the same SQL.
func TestValidQuestionsRun(t *testing.T) {
	db, admins := warehouse(t), source(t, admin)
	rapid.Check(t, func(t *rapid.T) {
		g := &gen{t: t, source: admins, limits: true}
		q := g.parse(g.stage(2))
		text, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		who := permission.UserID(g.n("who", int(admin), int(nobody)))
		s := admins
		s.Access, s.Saved = admins.Access.Graph().AccessOf(who), g.maybe("saved")
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
	})
}

// Two warehouses that differ only in rows that a person may not see give that
// person the same answers.
func TestHiddenRowsDoNotMatter(t *testing.T) {
	full, without := warehouse(t), warehouse(t)
	for _, change := range []string{
		`delete from orders where organization_id <> 7 and id <> 4`,
		`update orders set total = -1e9, status = '%', created_at = 'never', quantity = 'many' where organization_id <> 7`,
		`update people set name = NULL, birth_date = '2026-06-17' where organization_id <> 7`,
		`insert into orders values (900, 8, 1, 1, 9223372036854775807, 9e307, 'open', 1, '2026-06-17 08:00:00'), (901, NULL, 1, 1, 9223372036854775807, 5, 'open', 1, '2026-06-17 08:00:00')`,
	} {
		if _, err := without.ExecContext(t.Context(), change); err != nil {
			t.Fatal(err)
		}
	}
	admins := source(t, admin)
	tenants := source(t, tenant)
	compiled := 0
	rapid.Check(t, func(t *rapid.T) {
		g := &gen{t: t, source: admins}
		q := g.parse(g.stage(2))
		st, err := query.Compile(q, tenants)
		if err != nil {
			return
		}
		compiled++
		a, errA := run(full, st)
		b, errB := run(without, st)
		slices.Sort(a)
		slices.Sort(b)
		if errA != nil || errB != nil || !slices.Equal(a, b) {
			t.Fatalf("%v, %v\n%q\n%q\n%s\n%v", errA, errB, a, b, st.SQL(), st.Args())
		}
	})
	if compiled == 0 {
		t.Error("no question was answered")
	}
}
