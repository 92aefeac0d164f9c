package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// lawNew in an address is the card that was saved last. Where none was,
// nothing is asked.
const lawNew = "$new"

// targets are references to a field: as one of the table itself, and over each
// foreign key of shown tables.
func (s lawSite) targets(id int64) (all []any) {
	all = append(all, []any{"field", id, nil})
	for _, key := range []string{"accounts.boss_id", "visits.account_id"} {
		all = append(all, []any{"field", id, fields{"source-field": s.fields[key]}})
	}
	return all
}

// everyParameter lists what can be done with parameters, whatever is drawn:
// questions saved and changed with one by each field, run with it and asked for
// its values; values that look like parts of questions; and values for
// parameters that are not saved.
func (s lawSite) everyParameter(who string) (all []lawRequest) {
	ask := func(method, address string, body any) {
		text, err := json.Marshal(body)
		if err != nil {
			panic(err)
		}
		all = append(all, lawRequest{who, method, address, string(text)})
	}
	get := func(address string) { all = append(all, lawRequest{who: who, method: http.MethodGet, path: address}) }
	values := func(of string, given ...string) {
		get(of + "/params/r/values")
		for _, v := range append(given, "1", "a") {
			get(of + "/params/r/search/" + url.PathEscape(v))
			get(of + "/params/r/remapping?value=" + url.QueryEscape(v))
			get(of + "/params/r/values?r=" + url.QueryEscape(v))
		}
	}
	try := func(target any, value any, card string) {
		ask("POST", "/api/card/"+card+"/query", fields{"parameters": []any{fields{"id": "r", "type": "id", "target": target, "value": value}}})
	}
	body := func(question fields, parameters ...any) fields {
		return fields{"name": "New", "display": "table", "visualization_settings": fields{}, "collection_id": s.collections["shared"], "dataset_query": question, "parameters": parameters}
	}
	question := func(table string) fields {
		return fields{"database": s.database, "type": "query", "query": fields{"source-table": s.tables[table], "aggregation": []any{[]any{"count"}}}}
	}
	tagged := func(text string, ref any) fields {
		return fields{"database": s.database, "type": "native", "native": fields{"query": text, "template-tags": fields{
			"r": fields{"id": "r", "name": "r", "display-name": "R", "type": "dimension", "dimension": ref, "widget-type": "id"}}}}
	}
	for _, id := range s.ids("field") {
		for _, ref := range s.targets(id) {
			target := []any{"dimension", ref}
			for _, table := range []string{"accounts", "visits"} {
				p := fields{"id": "r", "name": "R", "slug": "r", "type": "id", "target": target}
				ask("POST", "/api/card", body(question(table), p))
				try(target, []any{1}, lawNew)
				get("/api/card/" + lawNew + "/params/r/values")
				ask("POST", "/api/card", body(question(table)))
				ask("PUT", "/api/card/"+lawNew, fields{"parameters": []any{p}})
				try(target, []any{2}, lawNew)
			}
			// Text as a value is no part of a question.
			clause, err := json.Marshal(ref)
			if err != nil {
				panic(err)
			}
			try([]any{"dimension", []any{"field", s.fields["accounts.id"], nil}}, ref, fmt.Sprint(s.cards["accounts"]))
			get(path("/api/dashboard/%d/params/r/values", s.dashboards["front"]) + "?r=" + url.QueryEscape(string(clause)))
			get(path("/api/dashboard/%d/params/r/remapping", s.dashboards["front"]) + "?value=" + url.QueryEscape(string(clause)))
			get(path("/api/dashboard/%d/params/r/search/", s.dashboards["front"]) + url.PathEscape(string(clause)))
			of := fields{"id": "r", "type": "id", "values_source_type": "card", "values_source_config": fields{"card_id": s.cards["by region"], "value_field": ref}}
			ask("POST", "/api/dataset/parameter/values", fields{"parameter": of, "field_ids": []any{}})
			ask("POST", "/api/dataset/parameter/search/"+url.PathEscape(string(clause)), fields{"field_ids": []any{}, "parameter": fields{"id": "r", "type": "id",
				"values_source_type": "card", "values_source_config": fields{"card_id": s.cards["accounts"], "value_field": []any{"field", "id", fields{"base-type": "type/Integer"}}}}})
		}
		// A field filter that stands in the SQL, and one that stands nowhere in it.
		for _, text := range []string{"select count(*) from accounts where {{r}}", "select count(*) from accounts"} {
			ask("POST", "/api/card", body(tagged(text, []any{"field", id, nil})))
			get("/api/card/" + lawNew + "/params/r/values")
			try([]any{"dimension", []any{"template-tag", "r"}}, []any{1}, lawNew)
		}
		ask("POST", "/api/dataset/parameter/values", fields{"parameter": fields{"id": "r", "type": "id"}, "field_ids": []any{id}})
	}
	for _, d := range s.dashboards {
		values(path("/api/dashboard/%d", d))
	}
	for _, c := range s.ids("card") {
		values(path("/api/card/%d", c))
		for _, name := range []string{"id", "name", "reason", "seen", "count"} {
			ask("POST", "/api/dataset/parameter/values", fields{"field_ids": []any{}, "parameter": fields{"id": "r", "type": "id",
				"values_source_type": "card", "values_source_config": fields{"card_id": c, "value_field": []any{"field", name, fields{"base-type": "type/Text"}}}}})
		}
	}
	return all
}

// saved draws somebody who saves a question with parameters, and uses them.
func (d lawDraw) saved() (all []lawRequest) {
	who := one(d, "who", "ann", "bea")
	ask := func(method, address string, body any) {
		text, err := json.Marshal(body)
		if err != nil {
			d.t.Fatal(err)
		}
		all = append(all, lawRequest{who, method, address, string(text)})
	}
	q, target := d.question(), []any{"dimension", d.field(one(d, "table", "", "accounts", "visits"), "")}
	if d.n("sql", 4) == 0 {
		target = []any{"dimension", []any{"template-tag", "r"}}
		q = fields{"database": d.s.database, "type": "native", "native": fields{
			"query":         one(d, "text", "select count(*) from accounts where {{r}}", "select id from goods", "select count(*) from goods [[where {{r}}]]"),
			"template-tags": fields{"r": fields{"id": "r", "name": "r", "display-name": "R", "type": "dimension", "dimension": d.field("", ""), "widget-type": "id"}}}}
	}
	p := fields{"id": "r", "name": "R", "slug": "r", "type": one(d, "type", "id", "string/=", "string/contains", "number/>="), "target": target}
	if d.n("source", 4) == 0 {
		p["values_source_type"], p["values_source_config"] = "card", fields{"card_id": d.id("card"), "value_field": d.field("accounts", "")}
	}
	body := fields{"name": "New", "display": "table", "visualization_settings": fields{}, "dataset_query": q, "parameters": []any{p},
		"collection_id": d.s.collections[one(d, "folder", "shared", "open")]}
	if later := d.n("later", 2) == 0; later {
		delete(body, "parameters")
		ask("POST", "/api/card", body)
		ask("PUT", "/api/card/"+lawNew, fields{"parameters": []any{p}})
	} else {
		ask("POST", "/api/card", body)
	}
	ask("POST", "/api/card/"+lawNew+"/query", fields{"parameters": []any{fields{"id": "r", "type": p["type"], "target": target, "value": []any{one[any](d, "value", 1, "north", d.field("", ""))}}}})
	for _, of := range []string{"values", "search/a", "remapping?value=" + one(d, "text", "1", "a", "north")} {
		all = append(all, lawRequest{who: who, method: http.MethodGet, path: "/api/card/" + lawNew + "/params/r/" + of})
	}
	return all
}

// address is where the request goes on the i-th server, or "" when it speaks of
// a card that was not saved.
func (p *lawPair) address(i int, r lawRequest) string {
	if !strings.Contains(r.path, lawNew) {
		return r.path
	}
	if p.made[i] == 0 {
		return ""
	}
	return strings.Replace(r.path, lawNew, fmt.Sprint(p.made[i]), 1)
}

// note remembers which card was saved last.
func (p *lawPair) note(i int, r lawRequest, status int, body []byte) {
	if r.method != http.MethodPost || r.path != "/api/card" {
		return
	}
	var saved struct{ ID int64 }
	if p.made[i] = 0; status == http.StatusOK && json.Unmarshal(body, &saved) == nil {
		p.made[i] = saved.ID
		p.told["saved"]++
	}
}
