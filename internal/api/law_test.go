package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-bi/sluice/internal/permission"
)

// The law: an answer depends on nothing that the person may not see. Two
// servers whose things have the same ids differ in what the tested people may
// not see - hidden tables, their rows, columns, descriptions and foreign keys,
// whether they are there at all, rows that a sandbox holds back, and what lies
// in collections that they may not read - and answer every request alike.
//
// Requests are to every route there is, so that a new one is under the law
// without a word here, and questions of all kinds.

// lawRequest is a request of one of the tested people.
type lawRequest struct {
	who, method, path string
	body              string // "" for none
}

func (r lawRequest) String() string { return r.who + ": " + r.method + " " + r.path + " " + r.body }

// unlike are the parts of an answer that are another on every server: random
// ids of content, and nothing that tells of data.
var unlike = regexp.MustCompile(`"entity_id":"[^"]*"`)

// answer is what the person gets, as far as it may not differ.
func (p *lawPair) answer(both [2]settled, i int, r lawRequest) string {
	var body any
	if r.body != "" {
		body = r.body
	}
	to := p.address(i, r)
	if to == "" {
		return ""
	}
	a := p.caller(both, i, r.who).send(r.method, to, body)
	p.note(i, r, a.status, a.body)
	if a.status >= http.StatusInternalServerError {
		a.t.Errorf("%s: status %d: %s\n%s", r, a.status, a.body, both[i].log)
	}
	p.told["asked"]++
	switch {
	case a.status < 300 && bytes.Contains(a.body, []byte(`"rows":[[`)):
		p.told["rows"]++
	case a.status < 300 && r.method == http.MethodGet:
		p.told["found"]++
	case a.status == http.StatusForbidden || bytes.Contains(a.body, []byte(`"missing-required-permissions"`)):
		p.told["refused"]++
	}
	header := a.header.Clone()
	for _, name := range []string{"X-Request-Id", "X-Sluice-Written", "Content-Length"} {
		header.Del(name)
	}
	return fmt.Sprintf("%d %v\n%s", a.status, header, unlike.ReplaceAll(a.body, []byte(`"entity_id":""`)))
}

// compare asks both servers, and says how their answers differ.
func (p *lawPair) compare(both [2]settled, r lawRequest) string {
	first, second := p.answer(both, 0, r), p.answer(both, 1, r)
	if first == second {
		return ""
	}
	at := 0
	for at < min(len(first), len(second)) && first[at] == second[at] {
		at++
	}
	around := func(s string) string { return s[max(0, at-200):min(len(s), at+200)] }
	return fmt.Sprintf("%s\nis answered\n...%s\nand where hidden things differ\n...%s", r, around(first), around(second))
}

// lawNouns are what the ids in addresses are of; elsewhere any number is tried.
func (s lawSite) ids(noun string) []int64 {
	switch noun {
	case "table":
		return numbersTo(int64(slices.Max(s.hidden)) + 3)
	case "field":
		return numbersTo(int64(s.lastField) + 1)
	case "card":
		return numbersTo(slices.Max(slices.Collect(maps.Values(s.cards))) + 2)
	case "dashcard":
		return numbersTo(slices.Max(s.dashcards) + 1)
	case "collection":
		return numbersTo(int64(slices.Max(slices.Collect(maps.Values(s.collections)))) + 2)
	case "database":
		return numbersTo(int64(s.database) + 2)
	case "dashboard":
		return numbersTo(slices.Max(slices.Collect(maps.Values(s.dashboards))) + 2)
	case "user":
		return numbersTo(int64(s.people["zoe"]) + 1)
	}
	return numbersTo(12)
}

func numbersTo(n int64) (all []int64) {
	for i := range n {
		all = append(all, i+1)
	}
	return all
}

// anyTexts are what the texts in addresses and queries may be.
func anyTexts() []string {
	return slices.Concat([]string{"r", "json", "csv", "xlsx", "public", "main", "root", "trash", "Accounts", "a"}, secretWords[0], secretWords[1])
}

// noun is what the id in a path is of, which the word before it tells, or its
// own name.
func noun(words []string, i int) string {
	name := strings.Trim(words[i], "{}")
	for _, kind := range []string{"card", "dashcard", "table", "field", "database", "collection", "dashboard", "user"} {
		if name == kind+"_id" || words[i-1] == kind {
			return kind
		}
	}
	return ""
}

// lawful tells whether a route is asked by the law: what only administrators
// may do is refused to all who are tested, and sign-in has tests of its own.
func lawful(rt *Route) bool {
	return !rt.Need.public && rt.Need.name != "administrator" && !strings.Contains(rt.Path, "password") && !strings.HasPrefix(rt.Path, "/api/session")
}

// everyGet lists requests to all that can be got, with every id.
func (s lawSite) everyGet(who string) (all []lawRequest) {
	for _, rt := range routes() {
		if rt.Method != http.MethodGet || !lawful(&rt) {
			continue
		}
		addresses := []string{""}
		words := strings.Split(rt.Path, "/")
		for i, word := range words[1:] {
			values := []string{word}
			if strings.HasPrefix(word, "{") {
				values = nil
				for _, id := range s.ids(noun(words, i+1)) {
					values = append(values, fmt.Sprint(id))
				}
				if strings.Contains(word, ":text") {
					values = append(values, anyTexts()...)
				}
			}
			var longer []string
			for _, a := range addresses {
				for _, v := range values {
					longer = append(longer, a+"/"+url.PathEscape(v))
				}
			}
			addresses = longer
		}
		for _, a := range addresses {
			all = append(all, lawRequest{who: who, method: rt.Method, path: a})
		}
	}
	for _, word := range anyTexts() {
		all = append(all, lawRequest{who: who, method: "GET", path: "/api/search?q=" + url.QueryEscape(word)})
	}
	return append(all, lawRequest{who: who, method: "GET", path: "/api/database?include=tables"}, lawRequest{who: who, method: "GET", path: fmt.Sprintf("/api/database/%d?include=tables.fields", s.database)})
}

// everyQuestion lists the questions that are asked whatever is drawn: on each
// table and card, over each key, by each hidden field.
func (s lawSite) everyQuestion(who string) (all []lawRequest) {
	ask := func(query any) {
		text, err := json.Marshal(fields{"database": s.database, "type": "query", "query": query})
		if err != nil {
			panic(err)
		}
		all = append(all, lawRequest{who, "POST", "/api/dataset", string(text)})
	}
	for _, id := range s.ids("table") {
		ask(fields{"source-table": id})
		ask(fields{"source-table": s.tables["accounts"], "joins": []any{fields{"source-table": id, "alias": "j", "fields": "all", "condition": []any{"=", 1, 1}}}})
	}
	for _, id := range s.ids("field") {
		for _, tb := range []string{"accounts", "visits"} {
			for _, options := range []any{nil, fields{"source-field": s.fields["accounts.boss_id"]}, fields{"source-field": s.fields["visits.account_id"]}} {
				ask(fields{"source-table": s.tables[tb], "filter": []any{"not-null", []any{"field", id, options}}, "aggregation": []any{[]any{"count"}}})
			}
		}
		ask(fields{"source-table": s.tables["visits"], "aggregation": []any{[]any{"count"}}, "breakout": []any{[]any{"field", id, fields{"binning": fields{"strategy": "default"}}}}})
	}
	for _, id := range s.ids("card") {
		ask(fields{"source-table": fmt.Sprint("card__", id)})
		ask(fields{"source-table": s.tables["visits"], "aggregation": []any{[]any{"metric", id}}})
		for _, name := range []string{"reason", "seen", "name"} {
			ask(fields{"source-table": fmt.Sprint("card__", id), "filter": []any{"not-null", []any{"field", name, fields{"base-type": "type/Text"}}}})
		}
		for _, format := range []string{"", "/json", "/csv"} {
			all = append(all, lawRequest{who, "POST", path("/api/card/%d/query%s", id, format), ""})
		}
		for _, d := range s.dashboards {
			for _, dc := range s.dashcards {
				all = append(all, lawRequest{who, "POST", path("/api/dashboard/%d/dashcard/%d/card/%d/query", d, dc, id), `{"parameters":[{"id":"r","value":["north"]}]}`})
			}
		}
	}
	for _, text := range []string{"select 1", "select * from w_payroll", "select * from x_layoffs", "select count(*) from visits", "select no_such from accounts", "select name from sqlite_master"} {
		body, err := json.Marshal(fields{"database": s.database, "type": "native", "native": fields{"query": text}})
		if err != nil {
			panic(err)
		}
		all = append(all, lawRequest{who, "POST", "/api/dataset", string(body)})
	}
	return all
}

// lawGraphs are graphs under which much is shown, and much is hidden in other
// ways.
func lawGraphs() map[string]lawGraph {
	all := map[string]lawGraph{}
	for name, view := range map[string]permission.Level{"table by table": permission.None, "under a wide grant": permission.Unrestricted} {
		g := lawGraph{hidden: map[string][3]permission.Level{"All Users": {}, "Readers": {permission.None, permission.Blocked, permission.Sandboxed}}, folders: map[string]map[string]permission.Level{"All Users": {"open": permission.Read}, "Readers": {"shared": permission.Write}}}
		if view == permission.Unrestricted {
			g.hidden["Readers"] = [3]permission.Level{permission.Blocked, permission.None, permission.Blocked}
			g.levels = append(g.levels, lawLevel{"Readers", "", permission.View, view})
		}
		for _, tb := range []string{"accounts", "goods"} {
			g.levels = append(g.levels, lawLevel{"Readers", tb, permission.View, permission.Unrestricted})
		}
		g.levels = append(g.levels, lawLevel{"Readers", "visits", permission.View, permission.Sandboxed}, lawLevel{"Readers", "", permission.Create, permission.Native}, lawLevel{"Readers", "", permission.Download, permission.Full},
			lawLevel{"Readers", "accounts", permission.DataModel, permission.Yes})
		all[name] = g
	}
	byCard := all["table by table"]
	byCard.byCard = true
	all["by a question"] = byCard
	return all
}

func TestNothingHiddenIsToldByAnyRouteOrQuestion(t *testing.T) {
	t.Parallel()
	for _, engine := range lawEngines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := newLawPair(t, engine)
			for name, g := range lawGraphs() {
				if engine != "sqlite" && name == "under a wide grant" {
					continue // one of each is enough where only questions differ
				}
				t.Run(name, func(t *testing.T) {
					both := p.servers(t)
					for i := range both {
						p.decide(t, both[i], i, g)
					}
					requests := slices.Concat(p.site.everyQuestion("ann"), p.site.everyParameter("ann"))
					if engine == "sqlite" {
						requests = append(requests, p.site.everyGet("ann")...)
					}
					differences := 0
					for _, r := range requests {
						difference := p.compare(both, r)
						if difference == "" {
							continue
						}
						t.Error(difference)
						if differences++; differences == 20 {
							t.FailNow()
						}
					}
					if p.told["saved"] < 100 { // questions, with parameters or without
						t.Errorf("%d questions were saved", p.told["saved"])
					}
				})
			}
		})
	}
}

// lawDraws is how often the law is tested on an engine: less than what is
// pure, for it takes two servers.
func lawDraws(t *testing.T, engine string) int {
	t.Helper()
	var checks int
	if _, err := fmt.Sscan(flag.Lookup("rapid.checks").Value.String(), &checks); err != nil {
		t.Fatal(err)
	}
	return map[string]int{"sqlite": checks / 4, "postgres": checks / 12, "mysql": checks / 12}[engine]
}

// TestTheAnswerDependsOnNothingThatThePersonMayNotSee draws graphs, people and
// what they ask. People may change things as well; what they can change is
// alike on both servers and stays so.
func TestTheAnswerDependsOnNothingThatThePersonMayNotSee(t *testing.T) {
	t.Parallel()
	for _, engine := range lawEngines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := newLawPair(t, engine)
			bodies, draws, failed := readBodies(t), 0, false
			most := lawDraws(t, engine)
			rapid.Check(t, func(rt *rapid.T) {
				if draws++; draws > most && !failed {
					return
				}
				d := lawDraw{rt, p.site, bodies}
				g := d.graph()
				var requests []lawRequest
				for len(requests) < 30 {
					if d.n("saved", 12) == 0 {
						requests = append(requests, d.saved()...)
					} else {
						requests = append(requests, d.request())
					}
				}
				difference := ""
				t.Run(fmt.Sprint(draws), func(t *testing.T) {
					both := p.servers(t)
					for i := range both {
						p.decide(t, both[i], i, g)
					}
					for _, r := range requests {
						if difference = p.compare(both, r); difference != "" {
							return
						}
					}
				})
				if difference != "" {
					failed = true
					rt.Fatalf("%+v\n%s", g, difference)
				}
			})
			// Where everything is refused nothing is tested.
			for what, least := range map[string]int{"found": 3, "rows": 1, "refused": 5} {
				if n := p.told[what]; n*100 < least*p.told["asked"] {
					t.Errorf("%d of %d requests were answered with what counts as %s", n, p.told["asked"], what)
				}
			}
		})
	}
}
