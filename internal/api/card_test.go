package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Clients compare what they get with what they sent (clients 5).
func TestACardIsGivenBackAsItWasSent(t *testing.T) {
	s := settledWorld(t)
	products := s.tableNamed("products")
	id := s.fieldNamed("products", "id")
	queries := map[string]string{
		"legacy":  path(`{"type":"query","database":%d,"query":{"limit":3,"source-table":%d,"filter":["<",["field-id",%d],1.0e1]}}`, s.Database, products, id),
		"newer":   path(`{"lib/type":"mbql/query","database":%d,"stages":[{"lib/type":"mbql.stage/mbql","source-table":%d,"limit":3}]}`, s.Database, products),
		"native":  path(`{"native":{"template-tags":{},"query":"select '<b>&\u00e9' as \"x\""},"database":%d,"type":"native"}`, s.Database),
		"unknown": path(`{"database":%d,"type":"query","query":{"source-table":%d},"x-tool":{"a":[1,null]},"parameters":[]}`, s.Database, products),
	}
	for name, query := range queries {
		t.Run(name, func(t *testing.T) {
			sent := fields{"name": "Q " + name, "display": "bar", "description": nil, "collection_id": s.Collection, "collection_position": 2,
				"cache_ttl": nil, "query_type": "query", "dataset_query": json.RawMessage(query),
				"visualization_settings": json.RawMessage(`{"graph.dimensions":["a"],"z":{"<k>":null},"n":1.50}`),
				"parameters":             json.RawMessage(`[{"id":"p1","name":"P","slug":"p","type":"number/=","sectionId":"number"}]`),
				"parameter_mappings":     nil}
			body := unescaped(t, sent)
			made := s.admin().post("/api/card/", body).keeps(sent)
			address := path("/api/card/%d", made.id())
			for _, r := range []reply{made, s.admin().get(address).keeps(sent), s.admin().put(address, body).keeps(sent)} {
				for _, exact := range []string{`"dataset_query":` + query, `"visualization_settings":` + string(sent["visualization_settings"].(json.RawMessage)), `"parameter_mappings":null`} {
					if !strings.Contains(string(r.body), exact) {
						t.Errorf("%s: no %s in %.400s", r.what, exact, r.body)
					}
				}
			}
			// A whole answer sent back changes nothing.
			before := s.admin().get(address).object()
			after := s.admin().put(address, before).want(200).object()
			delete(before, "updated_at")
			delete(after, "updated_at")
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("sent back whole (-before +after):\n%s", diff)
			}
		})
	}
}

func TestACardHasWhatClientsRead(t *testing.T) {
	s := settledWorld(t)
	made := s.member().post("/api/card", s.newCard(s.Collection, s.question(s.tableNamed("products")))).want(200).object()
	hasKinds(t, "card", made, map[string]string{"id": "int", "name": "string", "type": "string", "display": "string", "description": "null", "archived": "bool",
		"query_type": "string", "database_id": "int", "table_id": "int", "collection_id": "int", "entity_id": "string", "creator_id": "int",
		"dataset_query": "object", "visualization_settings": "object", "creator": "object", "created_at": "string", "updated_at": "string",
		"result_metadata": "array", "parameters": "array", "parameter_mappings": "array", "collection": "object", "can_write": "bool",
		"can_run_adhoc_query": "bool", "enable_embedding": "bool", "public_uuid": "null", "cache_ttl": "null", "collection_position": "null"})
	if made["query_type"] != "query" || made["type"] != "question" || made["can_run_adhoc_query"] != true {
		t.Errorf("query_type %v, type %v, can_run_adhoc_query %v", made["query_type"], made["type"], made["can_run_adhoc_query"])
	}
	if c := made["creator"].(map[string]any); c["email"] != "member@example.org" || c["common_name"] != "member@example.org" {
		t.Errorf("creator %v", c)
	}
	list := s.member().get("/api/card").want(200).list()
	if len(list) != 2 {
		t.Errorf("%d cards, want Products and the new one", len(list))
	}
}

func TestTheColumnsOfASavedQuestionAreKnown(t *testing.T) {
	s := settledWorld(t)
	names := func(r reply) []string {
		t.Helper()
		var in struct {
			Columns []struct{ Name string } `json:"result_metadata"`
		}
		r.want(200).into(&in)
		var names []string
		for _, c := range in.Columns {
			names = append(names, c.Name)
		}
		return names
	}
	made := s.admin().post("/api/card", s.newCard(0, s.sql(`SELECT 1 as "one", 'x' as "Two";`)))
	if diff := cmp.Diff([]string{"one", "Two"}, names(made)); diff != "" {
		t.Error("native:", diff)
	}
	made = s.admin().post("/api/card", s.newCard(0, s.question(s.tableNamed("products"), fields{"aggregation": []any{[]any{"count"}}})))
	if diff := cmp.Diff([]string{"count"}, names(made)); diff != "" {
		t.Error("structured:", diff)
	}
	changed := s.admin().put(path("/api/card/%d", made.id()), fields{"dataset_query": s.sql("select 2 as b")})
	if diff := cmp.Diff([]string{"b"}, names(changed)); diff != "" {
		t.Error("changed:", diff)
	}
	changed.keeps(fields{"query_type": "native", "table_id": nil})
}

// The seeds' matrix, reference 7.14, 7.15, 7.67-7.69.
func TestSavingNeedsTheRightToAskAndTheCollection(t *testing.T) {
	s := settledWorld(t)
	products := s.question(s.tableNamed("products"))
	s.member().post("/api/card", s.newCard(s.Collection, products)).want(200)
	s.member().post("/api/card", s.newCard(s.Closed, products)).forbidden()
	s.member().post("/api/card", s.newCard(0, products)).forbidden()
	s.member().post("/api/card", s.newCard(99999, products)).forbidden()
	s.member().post("/api/card", s.newCard(s.Collection, s.sql("select 1"))).unsavable()
	s.outsider().post("/api/card", s.newCard(s.Closed, products)).unsavable()
	own := int64(s.outsider().get("/api/user/current").object()["personal_collection_id"].(float64))
	s.outsider().post("/api/card", s.newCard(own, products)).unsavable()

	// On top of a question that one may not read: not even when its tables are open.
	onTop := fields{"database": s.Database, "type": "query", "query": fields{"source-table": path("card__%d", s.ClosedCard)}}
	missing := fields{"database": s.Database, "type": "query", "query": fields{"source-table": "card__99999"}}
	hidden, none := s.member().post("/api/card", s.newCard(s.Collection, onTop)), s.member().post("/api/card", s.newCard(s.Collection, missing))
	if hidden.status < 400 || hidden.status != none.status || string(hidden.body) != string(none.body) {
		t.Errorf("on a hidden question %d %s, on a missing one %d %s: they tell the two apart", hidden.status, hidden.body, none.status, none.body)
	}

	// Collection access without data access: rename, archive, delete, but no new question.
	s.data(fields{"view-data": "unrestricted", "create-queries": "no"})
	card := path("/api/card/%d", s.Card)
	s.member().get(card).keeps(fields{"can_write": true, "can_run_adhoc_query": false})
	s.member().put(card, fields{"name": "Renamed", "description": "x", "display": "bar"}).keeps(fields{"name": "Renamed"})
	s.member().put(card, fields{"dataset_query": s.question(s.tableNamed("orders"))}).unsavable()
	s.member().put(card, fields{"dataset_query": s.admin().get(card).object()["dataset_query"], "name": "Same"}).keeps(fields{"name": "Same"})
	s.member().post(card+"/copy", nil).unsavable()
	s.member().post(card+"/query", nil).want(202)

	// Moving needs both collections.
	s.folder(s.Closed, "read")
	s.member().put(card, fields{"collection_id": s.Closed}).forbidden()
	s.folder(s.Closed, "write")
	s.member().put(card, fields{"collection_id": path("%d", s.Closed)}).keeps(fields{"collection_id": s.Closed})
	s.folder(s.Collection, "read")
	s.member().put(card, fields{"collection_id": s.Collection}).forbidden()
	s.member().put(card, fields{"collection_id": nil}).forbidden()

	// Collection access to read only.
	s.folder(s.Closed, "read")
	s.member().put(card, fields{"name": "No"}).forbidden()
	s.member().delete(card).forbidden()
	s.member().get(card).keeps(fields{"name": "Same", "can_write": false})
	s.folder(s.Closed, "none")
	for _, r := range []reply{s.member().get(card), s.member().post(card+"/query", nil), s.member().post(card+"/query/json", nil), s.member().get("/api/card/99999")} {
		r.forbidden()
	}
	s.member().get("/api/card").listsExactly("A question")
	s.admin().get("/api/card/99999").text(http.StatusNotFound, "Not found.")
}

// A parameter filters by a column that the chart may not show.
func TestAParameterOnAColumnNeedsTheRightToAsk(t *testing.T) {
	s := settledWorld(t)
	card := path("/api/card/%d", s.Card)
	on := func(field string) fields {
		return fields{"parameters": []any{fields{"id": "a", "slug": "a", "name": "A", "type": "category", "target": []any{"dimension", []any{"field", s.fieldNamed("products", field), nil}}}}}
	}
	s.member().put(card, on("id")).want(200)
	s.data(fields{"view-data": "unrestricted", "create-queries": "no"})
	s.member().put(card, on("title")).forbidden()
	s.member().put(card, on("id")).want(200)
	s.member().put(card, fields{"parameters": []any{fields{"id": "v", "type": "category", "target": []any{"variable", []any{"template-tag", "v"}}}}}).want(200)
}

func TestWrongCardsAreRefusedByField(t *testing.T) {
	s := settledWorld(t)
	products := s.question(s.tableNamed("products"))
	s.admin().post("/api/card", fields{"name": " ", "display": "table", "visualization_settings": fields{}, "dataset_query": products}).
		wrong("name", "value must be a non-blank string.")
	s.admin().post("/api/card", fields{"name": "x"}).wrong("dataset_query", "value must be a map.")
	s.admin().post("/api/card", s.newCard(0, products, fields{"type": "thing"})).wrong("type", "value must be one of question, model, metric.")
	s.admin().post("/api/card", s.newCard(0, products, fields{"collection_position": 0})).wrong("collection_position", "value must be an integer greater than zero.")
	s.admin().post("/api/card", s.newCard(0, products, fields{"dashboard_id": s.Dashboard})).want(400)
	s.admin().post("/api/card", s.newCard(99999, products)).missing("collection_id", "There is no collection 99999.")
	s.admin().post("/api/collection", fields{"name": "x", "parent_id": 99999}).missing("parent_id", "There is no collection 99999.")
	s.admin().post("/api/card", s.newCard(-1, products)).wrong("collection_id", "value must be an integer greater than zero.")
	for _, wrong := range []fields{
		{"database": s.Database, "type": "query", "query": fields{"source-table": s.tableNamed("products"), "nonsense": 1}},
		{"database": s.Database, "type": "query", "query": fields{"source-table": 99999}},
		{"database": 99999, "type": "query", "query": fields{"source-table": s.tableNamed("products")}},
		{"database": s.Database, "type": "query"},
	} {
		r := s.admin().post("/api/card", s.newCard(0, wrong)).want(400)
		if why, _ := r.object()["message"].(string); len(why) < 10 {
			t.Errorf("%v: the message %q does not say what is wrong", wrong, why)
		}
	}
	archived := s.newCollection("Old", 0)
	s.admin().put(path("/api/collection/%d", archived), fields{"archived": true}).want(200)
	s.admin().post("/api/card", s.newCard(archived, products)).wrong("collection_id", "The collection is archived.")
	s.admin().put(path("/api/card/%d", s.Card), fields{"collection_id": archived}).wrong("collection_id", "The collection is archived.")
}

// Reference 7.81.
func TestAnArchivedCardIsInTheTrashAndComesBack(t *testing.T) {
	s := settledWorld(t)
	card := path("/api/card/%d", s.Card)
	s.member().put(card, fields{"archived": true}).keeps(fields{"archived": true, "archived_directly": true})
	if in := s.member().get(card).object()["collection"].(map[string]any); in["type"] != "trash" || in["id"] != "trash" {
		t.Errorf("an archived card lies in %v, want the trash", in)
	}
	s.member().get("/api/card").listsExactly()
	s.member().get("/api/card?f=archived").listsExactly("Products")
	s.member().get("/api/collection/trash/items").listsExactly("Products")
	s.outsider().get("/api/collection/trash/items").listsExactly()
	s.folder(s.Collection, "read")
	s.member().get("/api/collection/trash/items").listsExactly()
	s.member().get("/api/card?f=archived").listsExactly()
	s.folder(s.Collection, "write")

	s.admin().put(path("/api/collection/%d", s.Collection), fields{"archived": true}).want(200)
	s.member().put(card, fields{"archived": false}).wrong("collection_id", "The collection is archived.")
	own := int64(s.member().get("/api/user/current").object()["personal_collection_id"].(float64))
	s.member().put(card, fields{"archived": false, "collection_id": own}).keeps(fields{"archived": false, "collection_id": own})
	s.member().delete(card).want(204)
	s.member().get(card).forbidden()
	s.admin().get(card).want(404)
}

func TestCardsAreListedByWhatTheyAreAbout(t *testing.T) {
	s := settledWorld(t)
	s.member().post("/api/card", s.newCard(s.Collection, s.question(s.tableNamed("orders")), fields{"name": "Orders"})).want(200)
	onTop := fields{"database": s.Database, "type": "query", "query": fields{"source-table": path("card__%d", s.Card)}}
	s.member().post("/api/card", s.newCard(s.Collection, onTop, fields{"name": "On top"})).want(200)
	s.member().get("/api/card?f=mine").listsExactly("On top", "Orders")
	s.member().get(path("/api/card?f=table&model_id=%d", s.tableNamed("orders"))).listsExactly("Orders")
	s.member().get(path("/api/card?f=database&model_id=%d", s.Database)).listsExactly("On top", "Orders", "Products")
	s.member().get(path("/api/card?f=using_model&model_id=%d", s.Card)).listsExactly("On top")
	s.member().get("/api/card?f=table").want(400)
	s.member().get("/api/card?f=nonsense").want(400)
	s.admin().get("/api/card?f=all").listsExactly("Board products", "On top", "Orders", "Products")
	s.member().get(path("/api/card/%d/dashboards", s.Card)).listsExactly("Overview")
	tables := s.member().get(path("/api/card/%d/query_metadata", s.Card)).object()["tables"].([]any)
	if len(tables) != 1 || len(tables[0].(map[string]any)["fields"].([]any)) == 0 {
		t.Errorf("query_metadata: %v", tables)
	}
	s.data(fields{"view-data": "unrestricted", "create-queries": "no"})
	if tables := s.member().get(path("/api/card/%d/query_metadata", s.Card)).object()["tables"].([]any); len(tables) != 0 {
		t.Errorf("query_metadata of a table that may not be seen: %v", tables)
	}
}

func TestBlockedDataHidesTheResultsAndTheNamesOfTheirColumns(t *testing.T) {
	s := settledWorld(t)
	card := s.member().post("/api/card", s.newCard(s.Collection, s.question(s.tableNamed("people")))).id()
	address := path("/api/card/%d", card)
	s.data(nothing)
	columns := s.admin().get(address).want(200)
	if !strings.Contains(string(columns.body), `"Email"`) {
		t.Fatalf("the test needs a table with an e-mail column: %s", columns.body)
	}
	s.member().post(address+"/query", nil).want(202).ended("completed")
	s.data(fields{"view-data": "blocked"})
	blocked := s.member().get(address).want(200)
	blocked.leaks(`"Email"`)
	run := s.member().post(address+"/query", nil).want(202).ended("failed")
	run.leaks("Email", "people")
	s.member().get("/api/card").leaks(`"Email"`)
}

// What SQL reads is known only when it is run, so that its columns are shown to
// those who may be shown the whole database.
func TestTheColumnsOfSQLAreForThoseWhoSeeTheWholeDatabase(t *testing.T) {
	s := settledWorld(t)
	card := s.admin().post("/api/card", s.newCard(s.Collection, s.sql("select email as hush from people"))).id()
	above := s.admin().post("/api/card", s.newCard(s.Collection, fields{"database": s.Database, "type": "query", "query": fields{"source-table": path("card__%d", card)}})).id()
	for _, c := range []struct {
		name string
		data any
		seen bool
	}{
		{"everything", fields{"view-data": "unrestricted", "create-queries": "no"}, true},
		{"everything but this table", fields{"view-data": fields{"": fields{path("%d", s.tableNamed("people")): "blocked", path("%d", s.tableNamed("orders")): "unrestricted"}}}, false},
		{"everything but another table", fields{"view-data": fields{"": fields{path("%d", s.tableNamed("orders")): "blocked", path("%d", s.tableNamed("people")): "unrestricted"}}}, false},
		{"nothing", fields{"view-data": "blocked", "create-queries": "no"}, false},
	} {
		s.data(c.data)
		for id, kind := range map[int64]string{card: "native", above: "query"} {
			address := path("/api/card/%d", id)
			r := s.member().get(address).want(200)
			if shown := r.object()["result_metadata"] != nil; shown != c.seen {
				t.Errorf("%s, %s: shown %v, want %v", c.name, kind, shown, c.seen)
			}
			s.admin().get(address).keeps(fields{"query_type": kind})
			if s.admin().get(address).object()["result_metadata"] == nil {
				t.Errorf("%s, %s: hidden from administrators", c.name, kind)
			}
		}
	}
}

func TestACopyStandsBesideTheOriginal(t *testing.T) {
	s := settledWorld(t)
	sent := s.newCard(s.Collection, s.question(s.tableNamed("products")), fields{"description": "d", "visualization_settings": fields{"a": 1}})
	card := s.admin().post("/api/card", sent).id()
	sent["name"] = "Copy of A question"
	copied := s.member().post(path("/api/card/%d/copy", card), nil).keeps(sent).keeps(fields{"creator_id": s.Member})
	if copied.id() == card {
		t.Error("the copy has the id of the original")
	}
	s.folder(s.Collection, "read")
	s.member().post(path("/api/card/%d/copy", card), nil).forbidden()
}
