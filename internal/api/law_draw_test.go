package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/sluice-bi/sluice/internal/permission"
)

// lawDraw draws graphs and requests.
type lawDraw struct {
	t      *rapid.T
	s      lawSite
	bodies map[string]string // that work, by route
}

func (d lawDraw) n(label string, most int) int { return below(d.t, most, label) }

func one[V any](d lawDraw, label string, of ...V) V { return of[d.n(label, len(of))] }

// graph draws what the groups have on shown tables, in which way hidden ones
// are hidden, and who reads which collection.
func (d lawDraw) graph() lawGraph {
	g := lawGraph{byCard: d.n("by card", 3) == 0, hidden: map[string][3]permission.Level{}, folders: map[string]map[string]permission.Level{}}
	for _, group := range []string{"All Users", "Readers", "Writers", "Guests"} {
		// The readers have much for the most part: what is refused tells little.
		much := group == "Readers" && d.n("much", 4) > 0
		level := func(table string, kind permission.Kind, of ...permission.Level) {
			l := one(d, "level", of...)
			if much && table != "" {
				l = of[len(of)-1]
			}
			g.levels = append(g.levels, lawLevel{group, table, kind, l})
		}
		level("", permission.View, permission.None, permission.None, permission.Blocked, permission.Unrestricted)
		level("", permission.Create, permission.None, permission.QueryBuilder, permission.QueryBuilder, permission.Native)
		for _, table := range []string{"accounts", "goods"} {
			level(table, permission.View, permission.None, permission.Blocked, permission.Unrestricted, permission.Unrestricted, permission.Unrestricted)
			level(table, permission.Create, permission.None, permission.QueryBuilder, permission.QueryBuilder)
		}
		level("visits", permission.View, permission.Blocked, permission.Sandboxed, permission.Sandboxed)
		level("visits", permission.Create, permission.None, permission.QueryBuilder)
		level("", permission.Download, permission.None, permission.Limited, permission.Full)
		level("accounts", permission.DataModel, permission.None, permission.Yes)
		var hidden [3]permission.Level
		for i := range hidden {
			hidden[i] = one(d, "hidden", permission.None, permission.Blocked, permission.Sandboxed)
		}
		g.hidden[group] = hidden
		g.folders[group] = map[string]permission.Level{}
		for _, key := range []string{"open", "shared"} {
			g.folders[group][key] = one(d, "folder", permission.None, permission.Read, permission.Read, permission.Write)
		}
	}
	return g
}

// id draws an id of something that is there, or any.
func (d lawDraw) id(noun string) int64 {
	if all := map[string]map[string]int64{"card": d.s.cards, "dashboard": d.s.dashboards}[noun]; all != nil && d.n("there", 3) > 0 {
		return all[one(d, noun, slices.Sorted(maps.Keys(all))...)]
	}
	switch {
	case noun == "database" && d.n("there", 3) > 0:
		return int64(d.s.database)
	case noun == "table" && d.n("there", 3) > 0:
		return int64(d.s.tables[one(d, noun, "accounts", "goods", "visits")])
	case noun == "collection" && d.n("there", 3) > 0:
		return int64(d.s.collections[one(d, noun, slices.Sorted(maps.Keys(d.s.collections))...)])
	}
	return one(d, noun, d.s.ids(noun)...)
}

// request draws one of the tested people, and what they ask.
func (d lawDraw) request() lawRequest {
	r := lawRequest{who: one(d, "who", "ann", "ann", "bea", "bea", "cid", "dov")}
	switch d.n("kind", 8) {
	default:
		r.method, r.path = "POST", one(d, "address", "/api/dataset", "/api/dataset", "/api/dataset/json", "/api/dataset/csv", "/api/dataset/native")
		question := d.question()
		if strings.HasSuffix(r.path, "json") || strings.HasSuffix(r.path, "csv") {
			question = fields{"query": question}
		}
		text, err := json.Marshal(question)
		if err != nil {
			d.t.Fatal(err)
		}
		r.body = string(text)
		return r
	case 0, 1:
		return d.route(r, func(rt Route) bool { return rt.Method == http.MethodGet })
	case 2:
		return d.route(r, func(rt Route) bool { return rt.Method == http.MethodPost && strings.Contains(rt.Path, "query") })
	case 3:
		return d.route(r, func(rt Route) bool { return rt.Method != http.MethodGet })
	}
}

// route draws a request to a route: with any id in its address, any values for
// what it takes in the query, and the body that is known to work with other
// ids in it.
func (d lawDraw) route(r lawRequest, which func(Route) bool) lawRequest {
	rt := one(d, "route", slices.DeleteFunc(routes(), func(rt Route) bool { return !lawful(&rt) || !which(rt) })...)
	words := strings.Split(rt.Path, "/")
	for i, word := range words {
		switch {
		case strings.HasSuffix(word, ":text}") && d.n("text", 2) == 0:
			words[i] = url.PathEscape(one(d, "text", anyTexts()...))
		case strings.HasPrefix(word, "{"):
			words[i] = fmt.Sprint(d.id(noun(strings.Split(rt.Path, "/"), i)))
		}
	}
	r.method, r.path = rt.Method, strings.Join(words, "/")
	if rt.Query != nil {
		values := url.Values{}
		d.values(values, reflect.TypeOf(rt.Query))
		r.path += "?" + values.Encode()
	}
	if body, has := d.bodies[rt.Method+" "+rt.Path]; has {
		r.body = blank.ReplaceAllStringFunc(body, func(name string) string {
			switch noun := strings.TrimPrefix(strings.TrimPrefix(name, "$"), "closed_"); noun {
			case "password", "warehouse":
				return "none"
			case "closed":
				return fmt.Sprint(d.id("collection"))
			case "member", "outsider", "admin":
				return fmt.Sprint(d.id("user"))
			default:
				return fmt.Sprint(d.id(noun))
			}
		})
	}
	return r
}

var blank = regexp.MustCompile(`\$[a-z_]+`)

// values draws some of the values that a query takes.
func (d lawDraw) values(into url.Values, of reflect.Type) {
	for i := range of.NumField() {
		f := of.Field(i)
		if f.Anonymous {
			d.values(into, f.Type)
			continue
		}
		if d.n("given", 2) == 0 {
			continue
		}
		kind := f.Type
		for kind.Kind() == reflect.Pointer || kind.Kind() == reflect.Slice {
			kind = kind.Elem()
		}
		name := f.Tag.Get("query")
		var value string
		switch {
		case f.Tag.Get("enum") != "":
			value = one(d, name, strings.Split(f.Tag.Get("enum"), ",")...)
		case kind.Kind() == reflect.Bool:
			value = one(d, name, "true", "false")
		case kind.Kind() == reflect.String:
			value = one(d, name, anyTexts()...)
		default:
			value = fmt.Sprint(d.id(one(d, "noun", "table", "card", "database", "")))
		}
		into.Set(name, value)
	}
}

// question draws a question that makes sense of shown things for the most
// part, and has hidden ones anywhere.
func (d lawDraw) question() fields {
	if d.n("sql", 8) == 0 {
		text := one(d, "text", "select 1", "select count(*) from goods", "select * from {{#"+fmt.Sprint(d.id("card"))+"}} as x", "select * from "+one(d, "table", anyTexts()...), "select name from sqlite_master")
		return fields{"database": d.s.database, "type": "native", "native": fields{"query": text}}
	}
	q := d.plain()
	if d.n("any", 2) == 0 {
		q = d.stage("", 2)
	}
	all := fields{"database": d.s.database, "type": "query", "query": q}
	if d.n("parameters", 4) == 0 {
		all["parameters"] = []any{fields{"type": one(d, "type", "id", "string/=", "category"), "target": []any{"dimension", d.field("", "")}, "value": one[any](d, "value", 1, "north")}}
	}
	return all
}

// plain draws one of the questions that people ask all day.
func (d lawDraw) plain() fields {
	f := func(name string, options any) any { return []any{"field", d.s.fields[name], options} }
	via, count := fields{"source-field": d.s.fields["visits.account_id"]}, []any{"count"}
	accounts := func(of any, alias any) fields {
		return fields{"alias": "j", "fields": "all", "source-table": of, "condition": []any{"=", f("visits.account_id", nil), f("accounts.id", alias)}}
	}
	table := one(d, "table", "accounts", "goods", "visits", "visits")
	filters := map[string][]any{
		"accounts": {[]any{"=", f("accounts.region", nil), "north"}, []any{"not-null", f("accounts.boss_id", nil)}, []any{"contains", f("accounts.name", nil), "a"}},
		"goods":    {[]any{">", f("goods.price", nil), 5}, []any{"starts-with", f("goods.title", nil), "B"}},
		"visits":   {[]any{"between", f("visits.day", nil), "2026-02-01", "2026-03-01"}, []any{"=", f("accounts.region", via), "north"}, []any{"!=", f("visits.note", nil), "first"}},
	}
	q := fields{"source-table": d.s.tables[table]}
	if d.n("filter", 2) == 0 {
		q["filter"] = one(d, "condition", filters[table]...)
	}
	if table != "visits" {
		if d.n("grouped", 2) == 0 {
			q["aggregation"], q["breakout"] = []any{count}, []any{map[string]any{"accounts": f("accounts.region", nil), "goods": f("goods.price", fields{"binning": fields{"strategy": "default"}})}[table]}
		}
		return q
	}
	switch d.n("shape", 6) {
	case 0:
		q["aggregation"], q["breakout"] = []any{[]any{"sum", f("visits.minutes", nil)}, []any{"max", f("visits.note", nil)}}, []any{f("visits.day", fields{"temporal-unit": "month"})}
	case 1:
		q["aggregation"], q["breakout"] = []any{[]any{"distinct", f("visits.account_id", nil)}}, []any{f("visits.minutes", fields{"binning": fields{"strategy": "num-bins", "num-bins": 5}})}
	case 2:
		q["aggregation"], q["breakout"] = []any{count}, []any{f("accounts.name", via)}
	case 3:
		q["joins"] = []any{accounts(one[any](d, "joined", d.s.tables["accounts"], fmt.Sprint("card__", d.s.cards["accounts"])), fields{"join-alias": "j"})}
	case 4:
		q["aggregation"] = []any{[]any{"metric", d.s.cards["metric"]}, []any{"/", []any{"sum", f("visits.minutes", nil)}, count}}
	}
	return q
}

// fieldOf draws a field of a shown table, or any.
func (d lawDraw) fieldOf(table string) int64 {
	if d.n("any", 8) == 0 {
		return d.id("field")
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(d.s.fields)), func(name string) bool { return !strings.HasPrefix(name, table) })
	return int64(d.s.fields[one(d, "field", names...)])
}

// field draws a reference to a field of the table, at a join or not.
func (d lawDraw) field(table, alias string) any {
	id, options := d.fieldOf(table), fields{}
	if alias != "" {
		options["join-alias"] = alias
	}
	switch d.n("option", 12) {
	case 0:
		options["source-field"] = id
		id = d.fieldOf("")
	case 1:
		options["source-field"] = d.s.fields[one(d, "key", "visits.account_id", "visits.good_id", "accounts.boss_id")]
		id = d.fieldOf("")
	case 2:
		options["temporal-unit"] = one(d, "unit", "month", "day-of-week")
	case 3:
		options["binning"] = fields{"strategy": "num-bins", "num-bins": 4}
	case 4:
		options["base-type"] = "type/Text"
		return []any{"field", one(d, "name", "name", "region", "count", "reason", "seen", "salary", "plant"), options}
	}
	return []any{"field", id, options}
}

// source draws what a stage stands on, and the shown table that it is for the
// most part.
func (d lawDraw) source(depth int) (fields, string) {
	table := one(d, "table", "accounts", "goods", "visits")
	switch n := d.n("source", 16); {
	case n < 2 && depth > 0:
		return fields{"source-query": d.stage(table, depth-1)}, table
	case n == 2:
		return fields{"source-table": d.id("table")}, table
	case n < 6:
		key := one(d, "card", "accounts", "visits", "model", "sql", "sql with a filter")
		return fields{"source-table": fmt.Sprint("card__", d.s.cards[key])}, map[string]string{"visits": "visits", "sql": "goods"}[key]
	case n == 6:
		return fields{"source-table": fmt.Sprint("card__", d.id("card"))}, table
	}
	return fields{"source-table": d.s.tables[table]}, table
}

// stage draws what stands in "query"; table is what it stands on if depth is 0.
func (d lawDraw) stage(table string, depth int) fields {
	q, alias, other := fields{"source-table": d.s.tables[table]}, "", ""
	if depth > 0 {
		q, table = d.source(depth)
	}
	if d.n("join", 4) == 0 {
		j, to := d.source(depth)
		alias, other = "j", to
		j["alias"], j["fields"], j["strategy"] = alias, one[any](d, "fields", "all", "none"), one(d, "strategy", "left-join", "left-join", "inner-join", "right-join", "full-join")
		j["condition"] = []any{"=", d.field(table, ""), d.field(other, alias)}
		q["joins"] = []any{j}
	}
	field := func() any {
		if alias != "" && d.n("of the join", 2) == 0 {
			return d.field(other, alias)
		}
		return d.field(table, "")
	}
	if d.n("filter", 3) == 0 {
		q["filter"] = one(d, "condition", []any{"not-null", field()}, []any{"=", field(), 1}, []any{"contains", field(), "e"}, []any{"not", []any{">", field(), "2026-03-01"}}, []any{"time-interval", field(), -30, "day"})
	}
	switch d.n("shape", 4) {
	case 0:
		q["breakout"] = []any{field()}
		q["aggregation"] = []any{one(d, "aggregation", []any{"count"}, []any{"sum", field()}, []any{"max", field()}, []any{"distinct", field()}, []any{"metric", d.id("card")})}
	case 1:
		q["aggregation"] = []any{one(d, "aggregation", []any{"count"}, []any{"min", field()}, []any{"/", []any{"count"}, []any{"sum", field()}}, []any{"metric", d.id("card")})}
	case 2:
		q["fields"] = []any{field()}
	}
	if d.n("order", 4) == 0 && q["aggregation"] == nil {
		q["order-by"] = []any{[]any{one(d, "direction", "asc", "desc"), field()}}
	}
	if d.n("limit", 4) == 0 {
		q["limit"] = 2
	}
	return q
}
