package api

import (
	"encoding/json"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// byColumn is the target of a parameter on a column of products.
func (s settled) byColumn(field string) any {
	return []any{"dimension", []any{"field", s.fieldNamed("products", field), nil}}
}

func TestParametersAreReadBeforeTheyAreSaved(t *testing.T) {
	s := settledWorld(t)
	card, board := path("/api/card/%d", s.Card), path("/api/dashboard/%d", s.Dashboard)
	for _, c := range []struct {
		parameters any
		at, must   string
	}{
		{[]any{fields{"id": 5}}, "parameters[0].id", "a string"},
		{[]any{"x"}, "parameters[0]", "a map"},
		{[]any{nil}, "parameters[0]", "given"},
		{[]any{fields{"id": "p"}, fields{"id": "q", "type": 5}}, "parameters[1].type", "a string"},
	} {
		s.admin().put(card, fields{"parameters": c.parameters}).wrong(c.at, "value must be "+c.must+".")
		s.admin().put(board, fields{"parameters": c.parameters}).wrong(c.at, "value must be "+c.must+".")
		s.admin().post("/api/dashboard", fields{"name": "x", "parameters": c.parameters}).wrong(c.at, "value must be "+c.must+".")
		s.admin().post("/api/card", s.newCard(0, s.sql("select 1"), fields{"parameters": c.parameters})).wrong(c.at, "value must be "+c.must+".")
	}
	map1 := func(mapping any) fields {
		return fields{"dashcards": []any{placeOf(s.Dashcard, s.Card, fields{"parameter_mappings": []any{mapping}})}}
	}
	s.admin().put(board, map1("x")).wrong("dashcards[0].parameter_mappings[0]", "value must be a map.")
	s.admin().put(board, map1(fields{"parameter_id": 1})).wrong("dashcards[0].parameter_mappings[0].parameter_id", "value must be a string.")
	s.admin().put(board, map1(fields{"parameter_id": "p", "card_id": "twelve"})).
		wrong("dashcards[0].parameter_mappings[0].card_id", "value must be an integer or a string of decimal digits.")
}

// What was stored before it was checked, or by other ways, fails for its
// readers as a question does.
func TestStoredParametersThatCannotBeReadFailTheQuestion(t *testing.T) {
	s := settledWorld(t)
	run := path("/api/card/%d/query", s.Card)
	onBoard := path("/api/dashboard/%d/dashcard/%d/card/%d/query", s.Dashboard, s.Dashcard, s.Card)
	who := store.Actor{User: permission.UserID(s.Admin)}
	for _, stored := range []string{`[{"id":5}]`, `["x"]`, `[{"id":"p","type":5}]`, `{}`, `[{"id":"p","target":5,"default":1}]`, `[{"id":"p","target":["dimension"],"default":[1]}]`} {
		c, err := s.store.Card(t.Context(), s.Card)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.store.UpdateCard(t.Context(), who, c, store.CardUpdate{Parameters: json.RawMessage(stored)}); err != nil {
			t.Fatal(err)
		}
		s.member().post(run, nil).want(202).ended("failed")
		s.member().get(path("/api/card/%d", s.Card)).want(200)
		s.member().get(path("/api/dashboard/%d", s.Dashboard)).want(200)
		s.member().post(path("/api/card/%d/query/csv", s.Card), nil).want(400)
	}
	c, _ := s.store.Card(t.Context(), s.Card)
	if _, err := s.store.UpdateCard(t.Context(), who, c, store.CardUpdate{Parameters: json.RawMessage(`[]`)}); err != nil {
		t.Fatal(err)
	}
	for _, stored := range []string{`[{"parameter_id":5}]`, `["x"]`, `[{"parameter_id":"p","card_id":"x"}]`} {
		d, err := s.store.Dashboard(t.Context(), s.Dashboard)
		if err != nil {
			t.Fatal(err)
		}
		d.Dashcards[0].ParameterMappings = json.RawMessage(stored)
		was, _ := s.store.Dashboard(t.Context(), s.Dashboard)
		if _, err := s.store.UpdateDashboard(t.Context(), who, was, store.DashboardUpdate{Dashcards: d.Dashcards}); err != nil {
			t.Fatal(err)
		}
		s.member().post(onBoard, nil).want(202).ended("failed")
		s.member().put(path("/api/dashboard/%d", s.Dashboard), fields{"name": "Still ours"}).want(200)
	}
}

// A filter that is spelled otherwise is the same filter.
func TestConnectingNeedsTheRightInEverySpelling(t *testing.T) {
	s := settledWorld(t)
	board := path("/api/dashboard/%d", s.Dashboard)
	p := []any{fields{"id": "p", "name": "P", "slug": "p", "type": "string/="}}
	connect := func(who caller, mapping string) reply {
		return who.put(board, fields{"parameters": p, "dashcards": []any{placeOf(s.Dashcard, s.Card, fields{"parameter_mappings": json.RawMessage(mapping)})}})
	}
	target := string(jsonOf(t, s.byColumn("vendor")))
	s.data(fields{"view-data": "unrestricted", "create-queries": "no"})
	for _, mapping := range []string{
		path(`[{"parameter_id":"p","card_id":%d,"target":%s}]`, s.Card, target),
		path(`[{"parameter_id":"p","card_id":"%d","target":%s}]`, s.Card, target),
		path(`[{"parameter_id":"p","target":%s}]`, target),
		path(`[{"parameter_id":"none","card_id":"%d","target":%s}]`, s.Card, target),
		path(`[{"parameter_id":"p","card_id":1000,"card_id":"%d","target":%s}]`, s.Card, target),
	} {
		if r := connect(s.member(), mapping); r.status != 403 {
			t.Errorf("%s: status %d", mapping, r.status)
		}
	}
	// A key in another case is no such key, when asking and when running.
	connect(s.member(), path(`[{"parameter_id":"p","Card_ID":%d,"card_id":1000,"target":%s}]`, s.Card, target)).want(200)
	run := path("%s/dashcard/%d/card/%d/query", board, s.Dashcard, s.Card)
	value := fields{"parameters": []any{fields{"id": "p", "value": []any{"no such vendor"}}}}
	if n := s.member().post(run, value).want(202).ended("completed").object()["row_count"]; n == 0.0 {
		t.Error("the parameter met the card by a key of another name")
	}
	// What the administrator connected by a string works.
	connect(s.admin(), path(`[{"parameter_id":"p","card_id":"%d","target":%s}]`, s.Card, target)).want(200)
	if n := s.member().post(run, value).want(202).ended("completed").object()["row_count"]; n != 0.0 {
		t.Errorf("%v rows of no vendor", n)
	}
}

// Another comparison tells other things: that some vendor begins with an A.
func TestAnotherComparisonNeedsTheRightToAsk(t *testing.T) {
	s := settledWorld(t)
	card, board := path("/api/card/%d", s.Card), path("/api/dashboard/%d", s.Dashboard)
	own := func(kind string) fields {
		return fields{"parameters": []any{fields{"id": "a", "name": "A", "slug": "a", "type": kind, "target": s.byColumn("vendor")}}}
	}
	shared := func(kind string) fields {
		return fields{"parameters": []any{fields{"id": "p", "name": "P", "slug": "p", "type": kind}}}
	}
	s.member().put(card, own("string/=")).want(200)
	all := shared("string/=")
	all["dashcards"] = []any{placeOf(s.Dashcard, s.Card, fields{"parameter_mappings": []any{fields{"parameter_id": "p", "card_id": s.Card, "target": s.byColumn("vendor")}}})}
	s.member().put(board, all).want(200)
	s.data(fields{"view-data": "unrestricted", "create-queries": "no"})
	s.member().put(card, own("string/=")).want(200)
	s.member().put(card, own("string/starts-with")).forbidden()
	s.member().put(board, shared("string/=")).want(200)
	s.member().put(board, shared("string/starts-with")).forbidden()
	options := shared("string/=")
	options["parameters"].([]any)[0].(fields)["options"] = fields{"case-sensitive": false}
	s.member().put(board, options).forbidden()
	s.admin().put(board, shared("string/starts-with")).want(200)
}

func jsonOf(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A foreign key leads a filter to another table: who connects it must be able
// to ask for that table too, or readers' answers tell what is in it.
func TestConnectingOverAForeignKeyNeedsTheRightOnTheOtherTable(t *testing.T) {
	s := settledWorld(t)
	orders, people := s.tableNamed("orders"), s.tableNamed("people")
	card := s.admin().post("/api/card", s.newCard(s.Collection, s.question(orders))).id()
	s.admin().put(path("/api/dashboard/%d", s.Dashboard), fields{"dashcards": []any{placeOf(s.Dashcard, card)}}).want(200)
	target := func(field string) any {
		return []any{"dimension", []any{"field", s.fieldNamed("people", field), fields{"source-field": s.fieldNamed("orders", "person_id")}}}
	}
	p := fields{"id": "p", "name": "P", "slug": "p", "type": "string/="}
	own := func(field string) fields {
		return fields{"parameters": []any{fields{"id": "p", "name": "P", "slug": "p", "type": "string/=", "target": target(field)}}}
	}
	connect := func(field string) fields {
		return fields{"parameters": []any{p}, "dashcards": []any{placeOf(s.Dashcard, card, fields{"parameter_mappings": []any{
			fields{"parameter_id": "p", "card_id": card, "target": target(field)}}})}}
	}
	on := func(tables ...catalog.TableID) {
		s.data(nothing)
		levels, asks := fields{}, fields{}
		for _, id := range tables {
			levels[path("%d", id)], asks[path("%d", id)] = "unrestricted", "query-builder"
		}
		s.data(fields{"view-data": fields{"": levels}, "create-queries": fields{"": asks}})
	}
	on(orders)
	s.member().put(path("/api/card/%d", card), own("email")).forbidden()
	s.member().put(path("/api/dashboard/%d", s.Dashboard), connect("email")).forbidden()
	on(orders, people)
	s.member().put(path("/api/card/%d", card), own("email")).want(200)
	s.member().put(path("/api/dashboard/%d", s.Dashboard), connect("email")).want(200)
	// What is connected stays so, and one more field is one more question.
	on(orders)
	s.member().put(path("/api/dashboard/%d", s.Dashboard), connect("email")).want(200)
	s.member().put(path("/api/dashboard/%d", s.Dashboard), connect("name")).forbidden()
}

func TestPeopleChooseFromWhatTheyMaySee(t *testing.T) {
	s := settledWorld(t)
	board := path("/api/dashboard/%d", s.Dashboard)
	s.admin().put(board, fields{
		"parameters": []any{fields{"id": "t", "name": "Title", "slug": "t", "type": "string/="}, fields{"id": "c", "name": "Category", "slug": "c", "type": "string/="},
			fields{"id": "w", "name": "Word", "slug": "w", "type": "string/=", "values_source_type": "static-list", "values_source_config": fields{"values": []any{"a", []any{"b", "Bee"}}}}},
		"dashcards": []any{placeOf(s.Dashcard, s.Card, fields{"parameter_mappings": []any{
			fields{"parameter_id": "t", "card_id": s.Card, "target": s.byColumn("title")}, fields{"parameter_id": "c", "card_id": s.Card, "target": s.byColumn("category")}}})},
	}).want(200)
	get := func(who caller, address string) choicesWire {
		t.Helper()
		var c choicesWire
		who.get(board + "/params/" + address).want(200).into(&c)
		return c
	}
	categories := get(s.member(), "c/values")
	if len(categories.Values) < 3 || categories.More || len(categories.Values[0]) != 1 {
		t.Fatalf("%+v", categories)
	}
	first := categories.Values[0][0].(string)
	titles, some := get(s.member(), "t/values"), get(s.member(), "t/values?c="+first+"&unknown=x")
	if len(some.Values) == 0 || len(some.Values) >= len(titles.Values) {
		t.Errorf("%d titles, %d of %s", len(titles.Values), len(some.Values), first)
	}
	if found := get(s.member(), "c/search/"+first[1:4]); len(found.Values) == 0 || len(found.Values) == len(categories.Values) {
		t.Errorf("found %+v", found)
	}
	s.member().get(board+"/params/w/remapping?value=b").want(200).text(200, "[\"b\",\"Bee\"]\n")
	s.member().get(board+"/params/c/remapping?value=nothing").text(200, "[\"nothing\"]\n")
	s.member().get(board + "/params/c/remapping").want(400)
	s.member().get(board + "/params/none/values").want(400)
	s.outsider().get(board + "/params/c/values").forbidden()

	unsaved := fields{"parameter": fields{"id": "x", "type": "string/="}, "field_ids": []any{s.fieldNamed("products", "category")}}
	if a, b := s.member().post("/api/dataset/parameter/values", unsaved).want(200), s.member().get(board+"/params/c/values"); string(a.body) != string(b.body) {
		t.Errorf("%s, saved %s", a.body, b.body)
	}
	unsaved["field_ids"] = make([]int, 21) // a question each, of all of them
	s.member().post("/api/dataset/parameter/values", unsaved).want(400)
	unsaved["field_ids"] = []any{s.fieldNamed("products", "category")}
	s.outsider().post("/api/dataset/parameter/values", unsaved).text(200, `{"values":[],"has_more_values":false}`+"\n")
	s.data(nothing) // the dashboard is theirs to read, and no question is theirs to ask
	if got := get(s.member(), "c/values"); len(got.Values) != len(categories.Values) {
		t.Errorf("%+v", got)
	}
	s.member().post("/api/dataset/parameter/values", unsaved).text(200, `{"values":[],"has_more_values":false}`+"\n")
	s.data(fields{"view-data": "blocked"})
	if got := get(s.member(), "c/values"); len(got.Values) != 0 {
		t.Errorf("who is blocked chooses from %+v", got)
	}
}

// However a card comes to its question and parameters, who gives it a filter
// may ask for what the filter tells.
func TestASavedQuestionIsGivenNoFilterThatOneMayNotAsk(t *testing.T) {
	s := settledWorld(t)
	orders, people := s.tableNamed("orders"), s.tableNamed("people")
	filter := func(field any) fields {
		return fields{"parameters": []any{fields{"id": "p", "name": "P", "slug": "p", "type": "string/=", "target": []any{"dimension", field}}}}
	}
	email := filter([]any{"field", s.fieldNamed("people", "email"), fields{"source-field": s.fieldNamed("orders", "person_id")}})
	elsewhere := filter([]any{"field", s.fieldNamed("people", "email"), nil})
	missing := filter([]any{"field", 99999, nil})
	quantity := filter([]any{"field", s.fieldNamed("orders", "quantity"), nil})
	filtered := s.admin().post("/api/card", s.newCard(s.Collection, s.question(orders), email, fields{"name": "Filtered"})).want(200).id()
	at := path("/api/card/%d", filtered)
	s.admin().put(path("/api/dashboard/%d", s.Dashboard), fields{"dashcards": []any{placeOf(-1, filtered), placeOf(-2, s.Card)}}).want(200)
	few := fields{"dataset_query": s.question(orders, fields{"limit": 3})}

	for _, c := range []struct {
		levels, asks fields
		may          bool
	}{
		{fields{path("%d", orders): "unrestricted"}, fields{path("%d", orders): "query-builder"}, false},
		{fields{path("%d", orders): "unrestricted", path("%d", people): "unrestricted"}, fields{path("%d", orders): "query-builder", path("%d", people): "query-builder"}, true},
	} {
		s.data(nothing)
		s.data(fields{"view-data": fields{"": c.levels}, "create-queries": fields{"": c.asks}})
		s.member().post("/api/card", s.newCard(s.Collection, s.question(orders), quantity)).want(200)
		s.member().post("/api/card", s.newCard(s.Collection, s.question(orders), missing)).forbidden()
		s.member().put(at, fields{"name": "Filtered"}).want(200)
		deep := s.member().post(path("/api/dashboard/%d/copy", s.Dashboard), fields{"collection_id": s.Collection, "is_deep_copy": true}).want(200).dashcards()
		given := []reply{s.member().post("/api/card", s.newCard(s.Collection, s.question(orders), email)),
			s.member().post("/api/card", s.newCard(s.Collection, s.question(orders), elsewhere)),
			s.member().post(at+"/copy", nil), s.member().put(at, few)}
		for i, r := range given {
			if !c.may {
				r.forbidden()
			} else if r.status != 200 {
				t.Errorf("request %d, of who may ask: status %d %s", i, r.status, r.body)
			}
		}
		if is := len(deep) == 1; is != c.may { // s.Card asks products
			t.Errorf("the deep copy of who may ask: %v has %d cards", c.may, len(deep))
		}
	}
}

// A variable by a column is asked for also where the SQL does not use it, and
// there is none of another database.
func TestAVariableThatIsNotUsedIsAskedFor(t *testing.T) {
	s := settledWorld(t)
	other := catalog.DatabaseID(s.admin().post("/api/database", fields{"name": "Other", "engine": "sqlite", "details": fields{"db": s.Warehouse}}).id())
	var email catalog.FieldID
	for tb := range s.store.Graph().Catalog().Tables(other) {
		for _, f := range s.store.Graph().Catalog().Fields(tb.ID) {
			if f.Name == "email" {
				email = f.ID
			}
		}
	}
	question := func(field catalog.FieldID) fields {
		return fields{"database": s.Database, "type": "native", "native": fields{"query": "select 1", "template-tags": fields{
			"x": fields{"id": "x", "name": "x", "display-name": "X", "type": "dimension", "dimension": []any{"field", field, nil}}}}}
	}
	s.data(fields{"view-data": "unrestricted", "create-queries": "query-builder-and-native"})
	s.member().post("/api/card", s.newCard(s.Collection, question(email))).unsavable()
	s.member().post("/api/card", s.newCard(s.Collection, question(99999))).unsavable()
	s.admin().post("/api/card", s.newCard(s.Collection, question(email))).want(400)
	own := s.member().post("/api/card", s.newCard(s.Collection, question(s.fieldNamed("people", "email")))).want(200).id()
	values := path("/api/card/%d/params/x/values", own)
	if c := s.member().get(values).want(200); len(c.object()["values"].([]any)) == 0 {
		t.Error("who may ask is offered nothing")
	}
	s.data(nothing)
	s.member().get(values).text(200, `{"values":[],"has_more_values":false}`+"\n")
}
