package query_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

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
	full   bool // the engine has all aggregations
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
		if table == 4 && g.maybe("hops") { // products and people, through their keys
			for i, k := range kinds[3] {
				all = append(all, choice{list{"field", 301 + i, g.hop(404, alias)}, k})
			}
			for i, k := range kinds[2] {
				all = append(all, choice{list{"field", 201 + i, g.hop(403, alias)}, k})
			}
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

// hop is the options of a field behind a foreign key.
func (g *gen) hop(key int, alias string) dict {
	m := dict{"source-field": key}
	if alias != "" {
		m["source-field-join-alias"] = alias
	}
	return m
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
		j["alias"], j["strategy"] = alias, pick(g, "strategy", "left-join", "inner-join", "right-join")
		near := slices.DeleteFunc(slices.Clone(more), far)
		j["condition"] = g.condition(append(near, all...), 1)
		if a, b := of(all, "number"), of(near, "number"); len(a) > 0 && len(b) > 0 {
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
			breakouts = append(breakouts, g.shaped(c))
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

// far tells whether a field is behind a foreign key.
func far(c choice) bool {
	m, is := c.ref.(list)[len(c.ref.(list))-1].(dict)
	return is && m["source-field"] != nil
}

// shaped is cut, and puts a number into bins, sometimes.
func (g *gen) shaped(c choice) any {
	ref := c.ref.(list)
	if c.kind != "number" || g.n("bins", 0, 2) > 0 || ref[0] != "field" {
		return g.cut(c)
	}
	ref = slices.Clone(ref)
	m := dict{"binning": pick[any](g, "binning", dict{"strategy": "default"}, dict{"strategy": "num-bins", "num-bins": g.n("number of bins", 1, 20)}, dict{"strategy": "bin-width", "bin-width": 2.5})}
	if old, is := ref[2].(dict); is {
		maps.Copy(m, old)
	}
	ref[2] = m
	return ref
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
		maps.Copy(m, old)
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
			list{pick(g, "list", "=", "!="), g.cutTo(c, unit), "2026-06-01", "9999-12-31", nil}, list{"during", c.ref, "2026-06-16", unit},
			list{compare, list{"datetime-add", c.ref, g.n("moved", -5, 5), unit}, "2026-06-01"},
			list{"relative-time-interval", c.ref, g.n("steps", -9, 9), unit, g.n("shift", -9, 9), unit},
			list{"time-interval", c.ref, g.n("steps", -40, 5), unit, dict{"include-current": g.maybe("current")}},
			list{compare, c.ref, list{"relative-datetime", g.n("steps", -40, 5), unit}})
	}
	return list{"not-null", c.ref}
}

func (g *gen) cutTo(c choice, unit string) any {
	ref := slices.Clone(c.ref.(list))
	m := dict{"temporal-unit": unit}
	if old, is := ref[2].(dict); is {
		maps.Copy(m, old)
	}
	ref[2] = m
	return ref
}

// value makes a number.
func (g *gen) value(all []choice, depth int) any {
	numbers, texts := of(all, "number"), of(all, "text")
	if depth > 0 && g.maybe("deeper") {
		a, b := g.value(all, depth-1), g.value(all, depth-1)
		return pick[any](g, "arithmetic", list{"+", a, b, 1}, list{"-", a, b, 1}, list{"*", a, b}, list{"/", a, b},
			list{"coalesce", a, b}, list{"round", a}, list{"abs", a}, list{"floor", a}, list{"ceil", a}, list{"sqrt", a}, list{"log", a},
			list{"power", list{"/", a, list{"+", list{"abs", a}, 1}}, 2}, list{"integer", a}, list{"float", list{"text", a}},
			list{"case", list{list{g.condition(all, 0), a}, list{g.condition(all, 0), b}}, dict{"default": 0}})
	}
	dates := of(all, "date", "datetime")
	switch {
	case len(texts) > 0 && g.n("of text", 0, 2) == 0:
		t := pick(g, "text", texts...).ref
		return list{"length", pick[any](g, "inner", t, list{"upper", t}, list{"concat", list{"trim", t}, "-", t}, list{"substring", t, 2, 3}, list{"replace", t, "l", "--"})}
	case len(dates) > 0 && g.n("of dates", 0, 2) == 0:
		d := pick(g, "date", dates...).ref
		return pick[any](g, "of a date", list{"get-month", d}, list{"get-week", d}, list{"get-day-of-week", d}, list{"length", list{"day-name", d}},
			list{"datetime-diff", d, list{"now"}, pick(g, "unit", "second", "hour", "day", "week", "month", "quarter", "year")})
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
	if g.n("window", 0, 3) == 0 {
		return pick[any](g, "running", list{"cum-count"}, list{"offset", g.counting(all), pick(g, "by", -1, 1)}, list{"+", list{"cum-count"}, g.counting(all)})
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
		some = append(some, list{"sum", x}, list{"avg", x}, list{"sum-where", x, g.condition(all, 0)}, list{"share", g.condition(all, 0)})
		if g.full {
			some = append(some, list{"median", x}, list{"stddev", x})
		}
	}
	return pick(g, "counting", some...)
}
