package api

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/permission/accesscase"
)

func completed(a reply) bool {
	if a.status != http.StatusAccepted {
		return false
	}
	var result struct{ Status string }
	a.into(&result)
	return result.Status == "completed"
}

// chooses tells whether there are values to choose from: where there is no way
// to them, there are none.
func chooses(a reply) bool {
	if a.status != http.StatusOK {
		return false
	}
	var found choicesWire
	a.into(&found)
	return len(found.Values) > 0
}

// does tries an action, and undoes it.
func (r *httpCaseRun) does(who caller, name string, a accesscase.Action) bool {
	card := func() string { return fmt.Sprint("/api/card/", r.questions[a.Question]) }
	collection := r.world.Collections[a.Collection]
	collectionPath := "/api/collection/" + collection.String()
	ok := func(a reply) bool { return a.status == 200 }
	question := func() accesscase.Question {
		q, err := r.c.Question(a.Question)
		if err != nil {
			r.t.Fatal(err)
		}
		return *q
	}
	on := func(sql bool) accesscase.Question {
		return accesscase.Question{Name: "asked by " + name, Tables: []accesscase.Ref{a.Table}, Native: sql}
	}
	switch a.Verb {
	case accesscase.Administers:
		return ok(who.get("/api/permissions/graph"))
	case accesscase.SeesDatabase:
		return ok(who.get(fmt.Sprint("/api/database/", r.world.Databases[a.Database])))
	case accesscase.WritesSQL:
		return completed(who.post("/api/dataset", native(r.world.Databases[a.Database], "select 1")))
	case accesscase.Manages:
		return ok(who.put(fmt.Sprint("/api/database/", r.world.Databases[a.Database]), map[string]any{}))
	case accesscase.SeesTable:
		return ok(who.get(fmt.Sprint("/api/table/", r.table(a.Table))))
	case accesscase.Describes:
		return ok(who.put(fmt.Sprint("/api/table/", r.table(a.Table)), map[string]any{"description": "as " + name + " says"}))
	case accesscase.Asks:
		return completed(who.post("/api/dataset", r.query(on(false), 1)))
	case accesscase.IsShown:
		id := r.card(on(false), permission.CollectionID(r.shown))
		return completed(who.post(fmt.Sprintf("/api/card/%d/query", id), nil))
	case accesscase.Exports, accesscase.ExportsAll:
		id := r.card(on(false), permission.CollectionID(r.shown))
		result := who.post(fmt.Sprintf("/api/card/%d/query", id), nil)
		if !completed(result) {
			return false
		}
		level := result.object()["data"].(map[string]any)["download_perms"]
		return level == "full" || level == "limited" && a.Verb == accesscase.Exports
	case accesscase.OpensCollection:
		return ok(who.get(collectionPath))
	case accesscase.Curates:
		made := who.post("/api/dashboard", map[string]any{"name": "made by " + name, "collection_id": r.cardBody("", nil, collection)["collection_id"]})
		if ok(made) {
			r.admin.delete(fmt.Sprint("/api/dashboard/", made.id()))
		}
		return ok(made)
	case accesscase.RunsQuestion:
		return completed(who.post(card()+"/query", nil))
	case accesscase.BuildsOn:
		q := question()
		return r.asks(who, q.Tables[0], map[string]any{"source-table": r.cardSource(a), "limit": 1})
	case accesscase.BuildsAndJoins:
		q := question()
		return r.asks(who, a.Table, map[string]any{"source-table": r.cardSource(a), "joins": []any{map[string]any{"source-table": r.table(a.Table), "alias": "j",
			"condition": []any{"=", r.columnOf(q, nil), []any{"field", r.field(r.table(a.Table)), map[string]any{"join-alias": "j"}}}}}, "limit": 1})
	case accesscase.Joins:
		return completed(who.post("/api/dataset", r.query(accesscase.Question{Tables: []accesscase.Ref{a.Table, a.Other}}, 1)))
	case accesscase.Follows:
		return r.asks(who, a.Table, map[string]any{"source-table": r.table(a.Table), "fields": []any{[]any{"field", r.field(r.table(a.Other)), map[string]any{"source-field": r.key(a.Table, a.Other)}}}, "limit": 1})
	case accesscase.JoinsQuestion:
		// With its columns: SQLite does not read what nobody asks for.
		return r.asks(who, a.Table, map[string]any{"source-table": r.table(a.Table), "joins": []any{map[string]any{"source-table": r.cardSource(a), "alias": "j", "fields": "all",
			"condition": []any{"=", []any{"field", r.field(r.table(a.Table)), nil}, r.columnOf(question(), map[string]any{"join-alias": "j"})}}}, "limit": 1})
	case accesscase.UsesMetric:
		return r.asks(who, a.Table, map[string]any{"source-table": r.table(a.Table), "aggregation": []any{[]any{"metric", r.questions[a.Question]}}})
	case accesscase.WritesSQLOver:
		return completed(who.post("/api/dataset", native(r.world.Databases[question().Tables[0].Database], fmt.Sprintf("select count(*) from {{#%d}} as x", r.questions[a.Question]))))
	case accesscase.ExportsQuestion:
		return ok(who.post(card()+"/query/csv", nil))
	case accesscase.Finds:
		return r.finds(who, a.Question, r.questions[a.Question], "card", "dataset", "metric")
	case accesscase.FindsTable:
		return r.finds(who, a.Table.Table, int64(r.table(a.Table)), "table")
	case accesscase.ListsValues:
		return ok(who.get(fmt.Sprintf("/api/field/%d/values", r.field(r.table(a.Table)))))
	case accesscase.Chooses:
		return chooses(who.post("/api/dataset/parameter/values", fields{"parameter": fields{"id": "p", "type": "id"}, "field_ids": []any{r.field(r.table(a.Table))}}))
	case accesscase.ChoosesFrom:
		column := r.columnOf(question(), nil)
		if question().SQL { // the one that it counts: SQLite does not read what nobody asks for
			column = []any{"field", "n", map[string]any{"base-type": "type/Integer"}}
		}
		return chooses(who.post("/api/dataset/parameter/values", fields{"parameter": fields{"id": "p", "type": "id", "values_source_type": "card",
			"values_source_config": fields{"card_id": r.questions[a.Question], "value_field": column}}}))
	case accesscase.ChoosesFor:
		p := fields{"id": "p", "name": "P", "slug": "p", "type": "id", "target": []any{"dimension", r.columnOf(question(), nil)}}
		r.admin.put(card(), fields{"parameters": []any{p}}).want(200)
		got := chooses(who.get(card() + "/params/p/values"))
		r.admin.put(card(), fields{"parameters": []any{}}).want(200)
		return got
	case accesscase.ChoosesOn:
		return chooses(who.get(fmt.Sprintf("/api/dashboard/%d/params/%s/values", r.dashboards[a.Dashboard], parameterFor(r.questions[a.Question]))))
	case accesscase.EditsQuestion:
		return ok(who.put(card(), map[string]any{"dataset_query": r.query(question(), 7)})) && ok(r.admin.put(card(), map[string]any{"dataset_query": r.query(question(), 3)}))
	case accesscase.RenamesQuestion:
		return ok(who.put(card(), map[string]any{"name": "renamed"})) && ok(r.admin.put(card(), map[string]any{"name": a.Question}))
	case accesscase.MovesQuestion:
		return ok(who.put(card(), map[string]any{"collection_id": collection})) && ok(r.admin.put(card(), map[string]any{"collection_id": r.world.Collections[question().Collection]}))
	case accesscase.SavesQuestion:
		return ok(who.post("/api/card", r.cardBody("saved by "+name, r.query(on(false), 1), collection)))
	case accesscase.SavesSQL:
		return ok(who.post("/api/card", r.cardBody("saved by "+name, native(r.world.Databases[a.Database], "select 1"), collection)))
	case accesscase.OpensDashboard:
		return ok(who.get(fmt.Sprint("/api/dashboard/", r.dashboards[a.Dashboard])))
	case accesscase.EditsDashboard:
		return ok(who.put(fmt.Sprint("/api/dashboard/", r.dashboards[a.Dashboard]), map[string]any{"name": a.Dashboard}))
	case accesscase.SeesCard, accesscase.SeesCardLocked:
		return r.seesCard(who, a)
	case accesscase.RunsCard:
		return completed(who.post(fmt.Sprintf("/api/dashboard/%d/dashcard/%d/card/%d/query", r.dashboards[a.Dashboard], r.dashcards[a.Dashboard+"/"+a.Question], r.questions[a.Question]), nil))
	}
	r.t.Fatalf("there is no way to try %q over HTTP", a.Verb)
	return false
}

func (r *httpCaseRun) asks(who caller, of accesscase.Ref, query map[string]any) bool {
	return completed(who.post("/api/dataset", map[string]any{"database": r.world.Databases[of.Database], "type": "query", "query": query}))
}

func (r *httpCaseRun) cardSource(a accesscase.Action) string {
	return fmt.Sprint("card__", r.questions[a.Question])
}

// columnOf is the first column of a question.
func (r *httpCaseRun) columnOf(q accesscase.Question, options map[string]any) any {
	if !q.SQL {
		return []any{"field", r.field(r.table(q.Tables[0])), options}
	}
	named := map[string]any{"base-type": "type/Integer"}
	maps.Copy(named, options)
	return []any{"field", "id", named}
}

// key is the foreign key from one table to another.
func (r *httpCaseRun) key(from, to accesscase.Ref) catalog.FieldID {
	c := r.s.store.Graph().Catalog()
	for _, f := range c.Fields(r.table(from)) {
		if target := c.Field(f.Target); target != nil && target.Table == r.table(to) {
			return f.ID
		}
	}
	r.t.Fatalf("no key leads from %s to %s", from, to)
	return 0
}

// finds tells whether something is found by its name.
func (r *httpCaseRun) finds(who caller, name string, id int64, models ...string) bool {
	var found struct {
		Data []struct {
			ID    int64
			Model string
		}
	}
	who.get("/api/search?limit=100&offset=0&q=" + url.QueryEscape(name)).want(200).into(&found)
	for _, f := range found.Data {
		if f.ID == id && slices.Contains(models, f.Model) {
			return true
		}
	}
	return false
}

// seesCard tells whether a card of a dashboard is seen, or is there and says
// nothing of itself.
func (r *httpCaseRun) seesCard(who caller, a accesscase.Action) bool {
	for _, dc := range r.dashcardsOf(who, r.dashboards[a.Dashboard]) {
		if dc.ID != r.dashcards[a.Dashboard+"/"+a.Question] {
			continue
		}
		seen := dc.Card.Name != nil && *dc.Card.Name == a.Question && len(dc.Card.DatasetQuery) > 0
		locked := dc.Card.Name == nil && len(dc.Card.DatasetQuery) == 0
		if a.Verb == accesscase.SeesCard {
			return seen
		}
		if locked && strings.Contains(string(who.get(fmt.Sprint("/api/dashboard/", r.dashboards[a.Dashboard])).body), fmt.Sprintf("%q", a.Question)) {
			r.t.Errorf("the locked card %q shows its title", a.Question)
		}
		return locked
	}
	return false
}

// sees lists what a person is shown; false when there is no list of the kind.
func (r *httpCaseRun) sees(who caller, l accesscase.Listing) ([]string, bool) {
	var names []string
	switch l.Kind {
	case "databases":
		var list struct{ Data []struct{ ID int64 } }
		who.get("/api/database").want(200).into(&list)
		for name, id := range r.world.Databases {
			if slices.ContainsFunc(list.Data, func(d struct{ ID int64 }) bool { return d.ID == int64(id) }) {
				names = append(names, name)
			}
		}
	case "tables":
		seen := map[catalog.TableID]bool{}
		for _, tb := range who.get("/api/table").want(200).list() {
			seen[catalog.TableID(tb["id"].(float64))] = true
		}
		for name, id := range r.world.Tables {
			if seen[id] {
				names = append(names, name)
			}
		}
	case "collections":
		seen := map[string]bool{}
		for _, c := range who.get("/api/collection").want(200).list() {
			seen[fmt.Sprint(c["id"])] = true
		}
		for _, path := range append([]string{"root"}, r.c.Collections...) {
			if seen[r.world.Collections[path].String()] {
				names = append(names, path)
			}
		}
	default:
		return nil, false
	}
	slices.Sort(names)
	return names, true
}
