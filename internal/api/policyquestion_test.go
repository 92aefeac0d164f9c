package api

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/permission"
)

// asked saves a question as the administrator, in a collection that the member
// cannot read.
func (s settled) asked(question any) int64 {
	s.t.Helper()
	return s.admin().post("/api/card", s.newCard(s.newCollection("of policies", 0), question)).id()
}

func (s settled) column(name string) []any { return []any{"field", s.fieldNamed("people", name), nil} }

func (s settled) named(names ...string) (all []any) {
	for _, n := range names {
		all = append(all, s.column(n))
	}
	return all
}

// tagged is SQL with variables of these types.
func (s settled) tagged(text string, types ...string) fields {
	q := s.sql(text)
	tags := fields{}
	for i := 0; i < len(types); i += 2 {
		tags[types[i]] = fields{"type": types[i+1], "name": types[i], "display-name": types[i]}
	}
	q["native"].(fields)["template-tags"] = tags
	return q
}

func (s settled) attributes(of fields) {
	s.t.Helper()
	s.admin().put(path("/api/user/%d", s.Member), fields{"login_attributes": of}).want(200)
}

// What a saved question shows is what the group's members get of the table,
// wherever they look, although they may not read the question.
func TestAPolicyShowsAQuestionInPlaceOfTheTable(t *testing.T) {
	s := settledWorld(t)
	people := s.tableNamed("people")
	card := s.asked(s.question(people, fields{"fields": s.named("id", "organization_id", "name"), "filter": []any{"<=", s.column("id"), 900}}))
	s.attributes(fields{"org": "2"})
	made := s.admin().post("/api/mt/gtap", s.policyBody(fmt.Sprintf(`"card_id":%d,"attribute_remappings":{"org":"organization_id"}`, card))).want(200)
	body := made.object()
	if body["card_id"] != float64(card) || body["columns"] != nil || body["all_rows"] != false || len(body["attribute_remappings"].(map[string]any)) != 1 {
		t.Errorf("the policy is %s", made.body)
	}
	at := path("/api/mt/gtap/%d", made.id())
	again := s.admin().put(at, s.admin().get(at).want(200).object()).want(200).object()
	delete(again, "warnings")
	if read := s.admin().get(at).want(200).object(); !reflect.DeepEqual(read, again) || read["card_id"] != float64(card) {
		t.Errorf("written back it is %v, was %v", again, read)
	}
	want := s.admin().post("/api/dataset", s.question(people, fields{"fields": s.named("id", "organization_id", "name"),
		"filter": []any{"and", []any{"<=", s.column("id"), 900}, []any{"=", s.column("organization_id"), 2}}})).result().Data.Rows
	shows := func(when string, columns []string, rows [][]any) {
		t.Helper()
		got, names := s.peopleOf(s.member())
		if !reflect.DeepEqual(names, columns) || !reflect.DeepEqual(got.Data.Rows, rows) || !got.Data.Sandboxed {
			t.Errorf("%s: %q %v, %d rows, want %d: %v", when, got.Error, names, len(got.Data.Rows), len(rows), got.Data.Rows)
		}
	}
	if len(want) == 0 || len(want) == 900 {
		t.Fatalf("%d rows tell nothing", len(want))
	}
	shows("at first", []string{"id", "organization_id", "name"}, want)

	// What stands on the table stands on the question.
	count := func(c caller, q fields) any {
		t.Helper()
		r := c.post("/api/dataset", q).result()
		if r.Status != "completed" {
			return r.Error
		}
		return r.Data.Rows[0][0]
	}
	counted := s.question(people, fields{"aggregation": []any{[]any{"count"}}})
	if got := count(s.member(), counted); got != float64(len(want)) {
		t.Errorf("counted: %v of %d", got, len(want))
	}
	const hidden = "Not found or no access."
	for _, q := range []fields{
		s.question(people, fields{"fields": s.named("email")}), s.question(people, fields{"filter": []any{"not-null", s.column("email")}}),
		s.sql("SELECT 1 FROM people"), {"database": s.Database, "type": "query", "query": fields{"source-table": fmt.Sprintf("card__%d", card)}},
	} {
		if r := s.member().post("/api/dataset", q).result(); r.Status != "failed" || r.Error != hidden && !strings.Contains(r.Error, "not found or no access") && !strings.Contains(r.Error, "there is no field") {
			t.Errorf("%v: %s %s", q, r.Status, r.Error)
		}
	}
	s.member().get(path("/api/card/%d", card)).want(http.StatusForbidden)
	values := s.member().get(path("/api/field/%d/values", s.fieldNamed("people", "name"))).want(200)
	names := map[string]bool{}
	for _, row := range want {
		names[row[2].(string)] = true
	}
	if got := values.object()["values"].([]any); len(got) != len(names) {
		t.Errorf("%d values, want %d", len(got), len(names))
	}
	s.member().get(path("/api/field/%d/values", s.fieldNamed("people", "email"))).want(http.StatusForbidden)

	// Changes of the question by an administrator show at once.
	card1 := path("/api/card/%d", card)
	s.admin().put(card1, fields{"dataset_query": s.question(people, fields{"fields": s.named("id", "organization_id"), "filter": []any{"<=", s.column("id"), 900}})}).want(200)
	var narrow [][]any
	for _, row := range want {
		narrow = append(narrow, row[:2])
	}
	shows("with a column less", []string{"id", "organization_id"}, narrow)
	refused := func(when, reason string) {
		t.Helper()
		if got, columns := s.peopleOf(s.member()); got.Status != "failed" || got.Error != hidden || len(columns) > 0 {
			t.Errorf("%s: %+v", when, got)
		}
		runs := s.admin().get(path("/api/permissions/runs?user_id=%d&limit=1", s.Member)).want(200)
		if !strings.Contains(string(runs.body), reason) {
			t.Errorf("%s: the reason is %s, want %s", when, runs.body, reason)
		}
	}
	good := s.question(people, fields{"fields": s.named("id", "organization_id"), "filter": []any{"<=", s.column("id"), 900}})
	s.admin().put(card1, fields{"dataset_query": s.question(people, fields{"fields": s.named("id")})}).want(200)
	refused("without the column of the condition", "was changed since the policy was saved")
	s.admin().put(card1, fields{"dataset_query": good}).want(200)
	shows("as before, which the policy was saved with", []string{"id", "organization_id"}, narrow)
	s.admin().put(card1, fields{"dataset_query": s.question(people, fields{"aggregation": []any{[]any{"count"}}, "breakout": s.named("organization_id")})}).want(200)
	refused("with a column that is none of the table", "was changed since the policy was saved")
	s.admin().put(at, fields{}).wrong("card_id", fmt.Sprintf(`question %d cannot stand in for the table: the question has a column "count", which is not one of table %d "people".`, card, people))
	s.admin().put(card1, fields{"dataset_query": good}).want(200)
	s.admin().put(card1, fields{"archived": true}).want(200)
	refused("archived", "is archived")
	s.admin().put(card1, fields{"archived": false}).want(200)
	shows("restored", []string{"id", "organization_id"}, narrow)
	s.attributes(fields{"org": "two"})
	refused("an attribute of another type", "not a whole number")
	s.attributes(fields{})
	refused("without the attribute", "has no value for the attribute")
	s.attributes(fields{"org": "2"})
	// Together with another policy it shows nothing.
	other := s.admin().post("/api/mt/gtap", s.ofPeople(fmt.Sprintf(`{"group_id":%d,"table_id":$people$,"all_rows":true}`, s.Tenants))).id()
	s.admin().patch("*", fields{"group_id": s.Tenants, "database_id": s.Database, "kind": "view-data", "level": "sandboxed", "table_id": people}).want(200)
	s.admin().post("/api/permissions/membership", fields{"group_id": s.Tenants, "user_id": s.Member}).want(200)
	refused("beside another policy", "by a saved question, which goes together with no other")
	if r := s.admin().put(at, fields{}).want(200); !strings.Contains(string(r.body), "they cannot be combined") {
		t.Errorf("it warns of %s", r.body)
	}
	s.admin().delete(path("/api/mt/gtap/%d", other)).want(204)
	shows("alone again", []string{"id", "organization_id"}, narrow)
	s.admin().delete(card1).want(204)
	refused("gone", "there is no question")

	// Without the question what it showed stays listed, and the condition.
	r := s.admin().put(at, fields{"card_id": nil}).want(200).object()
	if r["card_id"] != nil || len(r["columns"].(map[string]any)) != 2 {
		t.Errorf("without its question the policy is %v", r)
	}
}

func TestAPolicyByAQuestionIsCheckedWhenItIsSaved(t *testing.T) {
	s := settledWorld(t)
	people := s.tableNamed("people")
	whole := s.asked(s.question(people))
	renamed := s.asked(s.question(people, fields{"expressions": fields{"nick": s.column("name")}, "fields": []any{s.column("id"), []any{"expression", "nick"}}}))
	typed := s.asked(s.question(people, fields{"expressions": fields{"id": s.column("name")}, "fields": []any{[]any{"expression", "id"}}}))
	narrow := s.asked(s.question(people, fields{"fields": s.named("id")}))
	bySQL := s.asked(s.tagged("SELECT id, name FROM people WHERE organization_id = {{org}}", "org", "number"))
	joined := s.asked(s.sql("SELECT p.id, p.id FROM people p"))
	failing := s.asked(s.sql("SELECT id FROM nothing"))
	archived := s.asked(s.question(people))
	s.admin().put(path("/api/card/%d", archived), fields{"archived": true}).want(200)
	const org = `,"attribute_remappings":{"org":"organization_id"}`
	const variable = `,"attribute_remappings":{"org":["variable",["template-tag","org"]]}`
	for _, c := range []struct {
		card              int64
		parts, path, says string
	}{
		{whole, ``, "", ""},
		{whole, org, "", ""},
		{bySQL, variable, "", ""},
		{renamed, ``, "card_id", `has a column "nick", which is not one of table`},
		{typed, ``, "card_id", `column "id" is text, and in table`},
		{joined, ``, "card_id", `has a column "id_2"`},
		{failing, ``, "card_id", "cannot stand in for a table: "},
		{archived, ``, "card_id", "is archived"},
		{narrow, org, "attribute_remappings", "does not show field $organization_id$, which the attribute org is compared with"},
		{bySQL, org, "attribute_remappings", "is SQL: attributes go to its variables"},
		{bySQL, ``, "attribute_remappings", `the variable "org" has no default`},
		{bySQL, `,"attribute_remappings":{"org":["variable",["template-tag","other"]]}`, "attribute_remappings", `no variable "other"`},
		{bySQL, `,"attribute_remappings":{"org":["variable",["template-tag","org"]],"two":["variable",["template-tag","org"]]}`, "attribute_remappings", "two attributes go to"},
		{whole, variable, "attribute_remappings", "has no variables"},
		{whole, `,"attribute_remappings":{"org":["variable",["template-tag"]]}`, "attribute_remappings.org", "variables are those of a saved question"},
		{whole, `,"all_rows":true`, "all_rows", "says which rows are shown"},
		{whole, `,"columns":{"id":null}`, "columns", "says which columns are shown"},
		{whole, `,"columns":{}`, "columns", "says which columns are shown"},
	} {
		parts := fmt.Sprintf(`"card_id":%d%s`, c.card, c.parts)
		validated := s.admin().post("/api/mt/gtap/validate", s.ofPeople(`{"table_id":$people$,`+parts+`}`))
		graph := s.admin().put("/api/permissions/graph", fmt.Sprintf(`{"force":true,"groups":{},"sandboxes":[%s]}`, s.policyBody(parts)))
		patch := s.admin().send("PATCH", "/api/permissions/graph", fmt.Sprintf(`{"changes":[%s]}`, strings.Replace(s.policyBody(parts), "{", fmt.Sprintf(`{"op":"policy","database_id":%d,`, s.Database), 1)))
		if patch.status == http.StatusPreconditionRequired {
			admin := s.admin()
			admin.header.Set("If-Match", "*")
			patch = admin.send("PATCH", "/api/permissions/graph", fmt.Sprintf(`{"changes":[%s]}`, strings.Replace(s.policyBody(parts), "{", fmt.Sprintf(`{"op":"policy","database_id":%d,`, s.Database), 1)))
		}
		if c.says == "" {
			validated.want(http.StatusNoContent)
			for _, r := range []reply{graph, patch} {
				var answer graphAnswer
				r.want(200).into(&answer)
				if len(answer.Sandboxes) != 1 || answer.Sandboxes[0].Card == nil || *answer.Sandboxes[0].Card != c.card {
					t.Errorf("%s: %s", parts, r.body)
				}
			}
			id := s.admin().get(path("/api/mt/gtap?group_id=%d&table_id=%d", s.Group, people)).id()
			s.admin().delete(path("/api/mt/gtap/%d", id)).want(204)
			continue
		}
		says := s.ofPeople(c.says)
		for _, r := range []reply{validated, s.admin().post("/api/mt/gtap", s.policyBody(parts))} {
			var got invalid
			r.want(http.StatusBadRequest).into(&got)
			if len(got.Errors) != 1 || !strings.Contains(got.Errors[c.path], says) {
				t.Errorf("%s: %v, want %s: %s", parts, got.Errors, c.path, says)
			}
		}
		for prefix, r := range map[string]reply{"sandboxes[0].": graph, "changes[0].": patch} {
			if got, _ := r.want(http.StatusBadRequest).object()["message"].(string); !strings.HasPrefix(got, prefix+c.path+": ") || !strings.Contains(got, says) {
				t.Errorf("%s: %s", parts, got)
			}
		}
	}
	if got := s.admin().get(path("/api/mt/gtap?group_id=%d", s.Group)).want(200).list(); len(got) != 0 {
		t.Errorf("there are policies: %v", got)
	}
}

// The variables of SQL take attributes, as values and never as text.
func TestAPolicyBySQLTakesAttributesAsValues(t *testing.T) {
	s := settledWorld(t)
	card := s.asked(s.tagged("SELECT id, name FROM people WHERE organization_id = {{org}} AND name LIKE {{like}}", "org", "number", "like", "text"))
	s.admin().post("/api/mt/gtap", s.policyBody(fmt.Sprintf(`"card_id":%d,"attribute_remappings":{"org":["variable",["template-tag","org"]],"like":["variable",["template-tag","like"]]}`, card))).want(200)
	want := s.admin().post("/api/dataset", s.sql("SELECT id, name FROM people WHERE organization_id = 2")).result().Data.Rows
	for _, c := range []struct {
		attributes fields
		rows       int // -1 for a refusal
	}{
		{fields{"org": "2", "like": "%"}, len(want)},
		{fields{"org": "2", "like": "' OR '1'='1"}, 0},
		{fields{"org": "2 OR 1=1", "like": "%"}, -1},
		{fields{"org": "2"}, -1},
		{fields{"like": "%"}, -1},
		{fields{"org": []any{2, 3}, "like": "%"}, -1},
		{fields{"org": []any{2}, "like": "%"}, len(want)},
	} {
		s.attributes(c.attributes)
		got, names := s.peopleOf(s.member())
		if c.rows < 0 {
			if got.Status != "failed" || got.Error != "Not found or no access." {
				t.Errorf("%v: %+v", c.attributes, got)
			}
			continue
		}
		if got.Status != "completed" || len(got.Data.Rows) != c.rows || !reflect.DeepEqual(names, []string{"id", "name"}) || len(want) == 0 {
			t.Errorf("%v: %s, %d rows of %d, %v", c.attributes, got.Error, len(got.Data.Rows), c.rows, names)
		}
	}
}

// Who may write no policies changes no question that stands in for a table, and
// nothing that it is made of without the policy noticing.
func TestOnlyAdministratorsChangeWhatStandsIn(t *testing.T) {
	s := settledWorld(t)
	people := s.tableNamed("people")
	folder := s.newCollection("shared", 0)
	s.folder(folder, "write")
	base := s.admin().post("/api/card", s.newCard(folder, s.question(people, fields{"fields": s.named("id", "name"), "filter": []any{"<=", s.column("id"), 3}}))).id()
	on := fields{"database": s.Database, "type": "query", "query": fields{"source-table": fmt.Sprintf("card__%d", base)}}
	card := s.admin().post("/api/card", s.newCard(folder, on)).id()
	at := path("/api/mt/gtap/%d", s.admin().post("/api/mt/gtap", s.ofPeople(fmt.Sprintf(`{"group_id":%d,"table_id":$people$,"card_id":%d}`, s.Tenants, card))).id())
	says := fmt.Sprintf("Question %d stands in for a table in a policy: only administrators change, move or delete it.", card)
	wider := s.question(people, fields{"fields": s.named("id", "name")})
	for _, r := range []reply{
		s.member().put(path("/api/card/%d", card), fields{"dataset_query": wider}), s.member().put(path("/api/card/%d", card), fields{"archived": true}),
		s.member().put(path("/api/card/%d", card), fields{"name": "other"}), s.member().delete(path("/api/card/%d", card)),
		s.member().post("/api/card/collections", fields{"card_ids": []int64{card}, "collection_id": folder}),
	} {
		r.text(http.StatusForbidden, says)
	}
	shown := func() (string, int) {
		t.Helper()
		s.admin().post("/api/permissions/membership", fields{"group_id": s.Tenants, "user_id": s.Outsider}).want(200)
		s.admin().patch("*", fields{"group_id": s.Tenants, "database_id": s.Database, "kind": "view-data", "level": "sandboxed", "table_id": people}).want(200)
		s.admin().patch("*", fields{"group_id": s.Tenants, "database_id": s.Database, "kind": "create-queries", "level": "query-builder", "table_id": people}).want(200)
		got, _ := s.peopleOf(s.outsider())
		return got.Status, len(got.Data.Rows)
	}
	if status, n := shown(); status != "completed" || n != 3 {
		t.Fatalf("%s, %d rows", status, n)
	}
	s.member().put(path("/api/card/%d", base), fields{"dataset_query": wider}).want(200)
	if status, _ := shown(); status != "failed" {
		t.Errorf("what the question stands on was changed, and it is %s", status)
	}
	s.admin().put(at, fields{}).want(200)
	if status, n := shown(); status != "completed" || n <= 3 {
		t.Errorf("saved again: %s, %d rows", status, n)
	}
	// That an administrator changes the question does not save what somebody else
	// has changed below it.
	s.member().put(path("/api/card/%d", base), fields{"dataset_query": s.question(people, fields{"fields": s.named("id")})}).want(200)
	on["query"].(fields)["limit"] = 2
	s.admin().put(path("/api/card/%d", card), fields{"dataset_query": on}).want(200)
	if status, _ := shown(); status != "failed" {
		t.Errorf("after both were changed it is %s", status)
	}
	if p := s.store.Graph().PoliciesBy(card); len(p) != 1 || p[0].Group != permission.GroupID(s.Tenants) {
		t.Errorf("the policies by the question are %v", p)
	}
}
