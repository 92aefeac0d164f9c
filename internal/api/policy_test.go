package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// ofPeople puts the ids of the columns of the sample's people in place of $names.
func (s settled) ofPeople(text string) string {
	s.t.Helper()
	for _, f := range s.store.Graph().Catalog().Fields(s.tableNamed("people")) {
		text = strings.ReplaceAll(text, "$"+f.Name+"$", fmt.Sprint(f.ID))
	}
	text = strings.ReplaceAll(text, "$reviews_rating$", fmt.Sprint(s.fieldNamed("reviews", "rating")))
	text = strings.ReplaceAll(text, "$people$", fmt.Sprint(s.tableNamed("people")))
	return strings.ReplaceAll(text, "$reviews$", fmt.Sprint(s.Reviews))
}

// policyBody is a policy of the group of analysts on people.
func (s settled) policyBody(parts string) string {
	s.t.Helper()
	if parts != "" {
		parts = "," + s.ofPeople(parts)
	}
	return fmt.Sprintf(`{"group_id":%d,"table_id":%d%s}`, s.Group, s.tableNamed("people"), parts)
}

func TestPoliciesAreReadInManyFormsAndEmittedInOne(t *testing.T) {
	s := settledWorld(t)
	const whole = `{"org":["dimension",["field",$organization_id$,null]]}`
	for _, c := range []struct{ sent, remappings, columns string }{
		{`"attribute_remappings":{"org":["dimension",["field",$organization_id$,null]]}`, whole, `null`},
		{`"attribute_remappings":{"org":["dimension",["field",$organization_id$,{"base-type":"type/Integer"}],{"stage-number":0}]}`, whole, `null`},
		{`"attribute_remappings":{"org":["dimension",["field","organization_id"]]}`, whole, `null`},
		{`"attribute_remappings":{"org":["dimension",["field-id",$organization_id$]]}`, whole, `null`},
		{`"attribute_remappings":{"org":$organization_id$}`, whole, `null`},
		{`"attribute_remappings":{"org":"$organization_id$"}`, whole, `null`},
		{`"attribute_remappings":{"org":"organization_id"},"card_id":null,"all_rows":null`, whole, `null`},
		{`"attribute_remappings":{"b":"name","a":"organization_id"}`, `{"a":["dimension",["field",$organization_id$,null]],"b":["dimension",["field",$name$,null]]}`, `null`},
		{`"attribute_remappings":{"org":"organization_id"},"columns":{}`, whole, `{}`},
		{`"attribute_remappings":{"org":"organization_id"},"columns":{"id":"hidden","name":null,"$email$":"hash","city":"null","country":{"mask":"partial","last":2},
			"birth_date":{"mask":"date-trunc","unit":"year"},"source":{"mask":"null"}}`, whole,
			`{"$name$":null,"$email$":"hash","$city$":"null","$country$":{"mask":"partial","last":2},"$birth_date$":{"mask":"date-trunc","unit":"year"},"$source$":"null"}`},
		{`"attribute_remappings":null`, `{}`, `null`},
		{``, `{}`, `null`},
	} {
		made := s.admin().post("/api/mt/gtap", s.policyBody(c.sent))
		id := made.id()
		var want any
		if err := json.Unmarshal([]byte(s.ofPeople(fmt.Sprintf(`{"id":%d,"group_id":%d,"table_id":$people$,"card_id":null,"permission_id":null,"attribute_remappings":%s,"all_rows":false,"columns":%s}`,
			id, s.Group, c.remappings, c.columns))), &want); err != nil {
			t.Fatal(err)
		}
		got := made.object()
		delete(got, "warnings")
		if diff := cmp.Diff(want, any(got)); diff != "" {
			t.Errorf("%s: %s", c.sent, diff)
		}
		at := path("/api/mt/gtap/%d", id)
		read := s.admin().get(at).want(200).object()
		if diff := cmp.Diff(want, any(read)); diff != "" {
			t.Errorf("%s, read: %s", c.sent, diff)
		}
		again := s.admin().put(at, read).want(200).object()
		delete(again, "warnings")
		if diff := cmp.Diff(want, any(again)); diff != "" {
			t.Errorf("%s, written back: %s", c.sent, diff)
		}
		s.admin().delete(at).want(204)
	}
	made := s.admin().post("/api/mt/gtap", s.policyBody(`"all_rows":true,"columns":{"id":null}`)).want(200).object()
	if made["all_rows"] != true {
		t.Errorf("all rows: %v", made)
	}
}

// wrongPolicies are what is wrong with a policy: where, and a part of the words.
var wrongPolicies = []struct{ parts, field, text string }{
	{`"card_id":9999,"attribute_remappings":{"org":"organization_id"}`, "card_id", "question 9999 cannot stand in for a table: there is no question 9999"},
	{`"attribute_remappings":{"org":["variable",["template-tag","org"]]}`, "attribute_remappings.org", "variables are those of a saved question"},
	{`"attribute_remappings":{"":"organization_id"}`, `attribute_remappings[""]`, "needs a name"},
	{`"attribute_remappings":{" ":"organization_id"}`, `attribute_remappings[" "]`, "needs a name"},
	{`"attribute_remappings":{"@tenant.slug":"organization_id"}`, `attribute_remappings["@tenant.slug"]`, "reserved"},
	{`"attribute_remappings":{"@org":"organization_id"}`, "attribute_remappings.@org", "belong to the server"},
	{`"attribute_remappings":{"a\u0000":"organization_id"}`, "attribute_remappings.a\x00", "no NUL"},
	{`"attribute_remappings":{"org":"organization_id","org":"id"}`, "attribute_remappings.org", "stands twice"},
	{`"attribute_remappings":{"org":"organization_id","ORG":"id"}`, "attribute_remappings.ORG", "only in case"},
	{`"attribute_remappings":{"org":"total"}`, "attribute_remappings.org", `has no field "total"`},
	{`"attribute_remappings":{"org":9999}`, "attribute_remappings.org", "has no field"},
	{`"attribute_remappings":{"org":0}`, "attribute_remappings.org", "has no field"},
	{`"attribute_remappings":{"org":1.5}`, "attribute_remappings.org", "no id"},
	{`"attribute_remappings":{"org":null}`, "attribute_remappings.org", "must name a column"},
	{`"attribute_remappings":{"org":{}}`, "attribute_remappings.org", "must name a column"},
	{`"attribute_remappings":{"org":$reviews_rating$}`, "attribute_remappings.org", "is one of table $reviews$, not of table $people$"},
	{`"attribute_remappings":{"org":["dimension",["field",$organization_id$,{"source-field":3}]]}`, "attribute_remappings.org", "source-field"},
	{`"attribute_remappings":{"org":["dimension",["field",$organization_id$,{"temporal-unit":"month"}]]}`, "attribute_remappings.org", "temporal-unit"},
	{`"attribute_remappings":{"org":["dimension",["field",$organization_id$,null],{"stage-number":1}]}`, "attribute_remappings.org", "must be"},
	{`"attribute_remappings":{"org":["dimension",["fk->",1,2]]}`, "attribute_remappings.org", "the dimension must be"},
	{`"attribute_remappings":{"org":["dimension"]}`, "attribute_remappings.org", "must be"},
	{`"attribute_remappings":{"org":[]}`, "attribute_remappings.org", "must be"},
	{`"attribute_remappings":{"org":"created_at"}`, "attribute_remappings.org", "cannot be compared"},
	{`"all_rows":true,"attribute_remappings":{"org":"organization_id"}`, "all_rows", "all rows, or those"},
	{`"columns":{"shoe_size":null}`, "columns.shoe_size", "has no field"},
	{`"columns":{"$reviews_rating$":null}`, "columns.$reviews_rating$", "is one of table"},
	{`"columns":{"id":null,"$id$":"hash"}`, "columns.$id$", "named twice"},
	{`"columns":{"id":null,"id":"hash"}`, "columns.id", "stands twice"},
	{`"columns":{"id":"shown"}`, "columns.id", "must be null"},
	{`"columns":{"id":""}`, "columns.id", "must be null"},
	{`"columns":{"id":true}`, "columns.id", "must be null"},
	{`"columns":{"id":"partial"}`, "columns.id", "must be null"},
	{`"columns":{"id":{}}`, "columns.id", "must be null"},
	{`"columns":{"id":{"mask":"rot13"}}`, "columns.id", "is no mask"},
	{`"columns":{"id":{"mask":"hash","salt":"x"}}`, "columns.id.salt", "is not known"},
	{`"columns":{"name":{"mask":"partial"}}`, "columns.name", "1 to 32"},
	{`"columns":{"name":{"mask":"partial","last":33}}`, "columns.name", "1 to 32"},
	{`"columns":{"name":{"mask":"partial","last":"4"}}`, "columns.name.last", "a whole number"},
	{`"columns":{"name":{"mask":"hash","last":4}}`, "columns.name", "no such option"},
	{`"columns":{"birth_date":{"mask":"date-trunc","unit":"minute"}}`, "columns.birth_date", "year, quarter or month"},
	{`"columns":{"name":{"mask":"date-trunc","unit":"month"}}`, "columns.name", "is no date"},
	{`"columns":{"name":{"mask":"date-trunc","unit":7}}`, "columns.name.unit", "text"},
}

// What is wrong is named wherever a policy can be sent, and changes nothing.
func TestAWrongPolicyIsNamedAndWritesNothing(t *testing.T) {
	s := settledWorld(t)
	before, entry := s.revision(), fmt.Sprint(s.entry())
	policy := path("/api/mt/gtap/%d", s.admin().post("/api/mt/gtap", s.ofPeople(fmt.Sprintf(`{"group_id":%d,"table_id":$people$}`, s.Tenants))).id())
	before++
	for _, c := range wrongPolicies {
		field, text := s.ofPeople(c.field), s.ofPeople(c.text)
		for _, r := range []reply{
			s.admin().post("/api/mt/gtap", s.policyBody(c.parts)),
			s.admin().post("/api/mt/gtap/validate", s.policyBody(c.parts)),
			s.admin().post("/api/mt/gtap/validate", s.ofPeople(`{"table_id":$people$,`+c.parts+`}`)),
			s.admin().put(policy, s.ofPeople(`{`+c.parts+`}`)),
		} {
			var got invalid
			r.want(http.StatusBadRequest).into(&got)
			if len(got.Errors) != 1 || !strings.Contains(got.Errors[field], text) {
				t.Errorf("%s %s: %v, want %s: %s", r.what, c.parts, got.Errors, field, text)
			}
		}
		levels := fmt.Sprintf(`"%d":{"%d":{"download":{"schemas":"none"}}}`, s.Group, s.Database)
		for prefix, r := range map[string]reply{
			"sandboxes[0]": s.admin().put("/api/permissions/graph", fmt.Sprintf(`{"force":true,"groups":{%s},"sandboxes":[%s]}`, levels, s.policyBody(c.parts))),
			"changes[1]": s.admin().send("PATCH", "/api/permissions/graph", fmt.Sprintf(`{"changes":[{"group_id":%d,"database_id":%d,"kind":"download","level":"none"},%s]}`,
				s.Group, s.Database, strings.Replace(s.policyBody(c.parts), "{", fmt.Sprintf(`{"op":"policy","database_id":%d,`, s.Database), 1))),
		} {
			if got, _ := r.want(http.StatusBadRequest).object()["message"].(string); !strings.HasPrefix(got, prefix+"."+field+": ") || !strings.Contains(got, text) {
				t.Errorf("%s %s: %s", r.what, c.parts, got)
			}
		}
	}
	if s.revision() != before || fmt.Sprint(s.entry()) != entry {
		t.Errorf("revision %d after %d, with %v", s.revision(), before, s.entry())
	}
	if got := s.admin().get(path("/api/mt/gtap?group_id=%d", s.Group)).want(200).list(); len(got) != 0 {
		t.Errorf("there are policies: %v", got)
	}
}

func TestPoliciesAreOfGroupsAndTablesThatAreThere(t *testing.T) {
	s := settledWorld(t)
	post := func(group, table any) reply {
		return s.admin().post("/api/mt/gtap", fields{"group_id": group, "table_id": table})
	}
	post(permission.Administrators, s.Table).wrong("group_id", "group 2, Administrators, is never sandboxed.")
	post(99, s.Table).wrong("group_id", "there is no group 99.")
	post(s.Group, 999).wrong("table_id", "there is no table 999.")
	post(nil, s.Table).wrong("group_id", "value must be an integer greater than zero.")
	post(s.Group, 0).wrong("table_id", "value must be an integer greater than zero.")
	post(s.Group, "x").wrong("table_id", "value must be an integer or a string of decimal digits.")
	id := post(s.Group, fmt.Sprint(s.Table)).id()
	post(s.Group, s.Table).wrong("table_id", fmt.Sprintf("Group %d has a policy on table %d already: it is policy %d, which PUT /api/mt/gtap/%d changes.", s.Group, s.Table, id, id))
	at := path("/api/mt/gtap/%d", id)
	s.admin().put(at, fields{"group_id": s.Tenants}).wrong("group_id", fmt.Sprintf("policy %d is of group %d, which cannot change.", id, s.Group))
	s.admin().put(at, fields{"table_id": s.Reviews}).wrong("table_id", fmt.Sprintf("policy %d is on table %d, which cannot change.", id, s.Table))
	for _, r := range []reply{s.admin().get("/api/mt/gtap/99"), s.admin().put("/api/mt/gtap/99", fields{}), s.admin().delete("/api/mt/gtap/99")} {
		r.text(http.StatusNotFound, "Not found.")
	}
	ids := func(query string) (ids []any) {
		for _, p := range s.admin().get("/api/mt/gtap" + query).want(200).list() {
			ids = append(ids, int64(p["id"].(float64)))
		}
		return ids
	}
	for query, want := range map[string][]any{"": {s.Policy, id}, path("?group_id=%d", s.Group): {id}, path("?table_id=%d", s.Reviews): {s.Policy}, "?group_id=99": nil} {
		if got := ids(query); !reflect.DeepEqual(got, want) {
			t.Errorf("%q lists %v, want %v", query, got, want)
		}
	}
	if got := s.admin().get(path("/api/mt/gtap?group_id=%d&table_id=%d", s.Group, s.Table)).id(); got != id {
		t.Errorf("the policy of the pair is %d", got)
	}
	s.admin().get(path("/api/mt/gtap?group_id=%d&table_id=%d", s.Group, s.Reviews)).text(http.StatusNoContent, "")
}

// peopleOf is what the member gets of the people of the sample: the names of
// the columns and the first rows, or the error.
func (s settled) peopleOf(c caller) (resultOf, []string) {
	s.t.Helper()
	r := c.post("/api/dataset", s.question(s.tableNamed("people"), fields{"limit": 5000})).result()
	var names []string
	for _, col := range r.Data.Cols {
		names = append(names, col.Name)
	}
	return r, names
}

func TestAPolicyFiltersHidesAndMasks(t *testing.T) {
	s := settledWorld(t)
	s.admin().put(path("/api/user/%d", s.Member), fields{"login_attributes": fields{"org": "2"}}).want(200)
	all, _ := s.peopleOf(s.admin())
	if open, _ := s.peopleOf(s.member()); len(open.Data.Rows) != len(all.Data.Rows) {
		t.Fatalf("the member sees %d rows of %d at first", len(open.Data.Rows), len(all.Data.Rows))
	}
	id := s.admin().post("/api/mt/gtap", s.policyBody(`"attribute_remappings":{"org":"organization_id"},
		"columns":{"name":null,"email":{"mask":"partial","last":4},"city":"hash","country":"null","birth_date":{"mask":"date-trunc","unit":"year"}}`)).id()
	at := path("/api/mt/gtap/%d", id)
	of := s.fieldNamed("people", "organization_id")
	want := s.admin().post("/api/dataset", s.question(s.tableNamed("people"), fields{"filter": []any{"=", []any{"field", of, nil}, 2}})).result().Data.Rows
	got, names := s.peopleOf(s.member())
	if !reflect.DeepEqual(names, []string{"name", "email", "city", "country", "birth_date"}) || !got.Data.Sandboxed || len(got.Data.Rows) != len(want) || len(want) == len(all.Data.Rows) {
		t.Fatalf("%v, sandboxed %v, %d rows of %d, want %d", names, got.Data.Sandboxed, len(got.Data.Rows), len(all.Data.Rows), len(want))
	}
	for i, row := range got.Data.Rows {
		plain := want[i]
		email, masked := plain[3].(string), row[1].(string)
		if !strings.HasPrefix(masked, "*") || strings.Contains(masked, "@") || masked[len(masked)-4:] != email[len(email)-4:] || row[0] != plain[2] || row[2] == plain[4] || row[3] != nil {
			t.Errorf("%v is shown as %v", plain, row)
		}
		if day, is := row[4].(string); is && !strings.Contains(day, "-01-01") {
			t.Errorf("the birthday %v is shown as %v", plain[7], row[4])
		}
	}
	// What is left out stays; null shows all columns.
	s.admin().put(at, s.ofPeople(`{"columns":{"id":null}}`)).want(200)
	if got, names := s.peopleOf(s.member()); !reflect.DeepEqual(names, []string{"id"}) || len(got.Data.Rows) != len(want) {
		t.Errorf("with one column: %v, %d rows", names, len(got.Data.Rows))
	}
	s.admin().put(at, s.ofPeople(`{"columns":null}`)).want(200)
	if got, names := s.peopleOf(s.member()); len(names) < 8 || len(got.Data.Rows) != len(want) {
		t.Errorf("with all columns: %v, %d rows", names, len(got.Data.Rows))
	}
	s.admin().put(at, s.ofPeople(`{"columns":{}}`)).want(200)
	if got, names := s.peopleOf(s.member()); got.Status != "failed" || len(names) != 0 {
		t.Errorf("with no columns: %v %v", got, names)
	}
	s.admin().put(at, s.ofPeople(`{"columns":null,"all_rows":true,"attribute_remappings":{}}`)).want(200)
	if got, _ := s.peopleOf(s.member()); len(got.Data.Rows) != len(all.Data.Rows) {
		t.Errorf("with all rows: %d of %d", len(got.Data.Rows), len(all.Data.Rows))
	}
	s.admin().delete(at).want(204)
	if got, _ := s.peopleOf(s.member()); got.Status != "failed" || got.Error != "Not found or no access." {
		t.Errorf("without a policy: %+v", got)
	}
	tables, _ := s.entry()["view-data"].(map[string]any)[""].(map[string]any)
	if tables[fmt.Sprint(s.tableNamed("people"))] != "sandboxed" {
		t.Errorf("the entry is %v", s.entry())
	}
	s.admin().delete(at).want(404)
	if next := s.admin().post("/api/mt/gtap", s.policyBody("")).id(); next <= id {
		t.Errorf("policy %d was followed by %d", id, next)
	}
}

// A policy is a change of permissions as any other.
func TestAPolicyIsARevision(t *testing.T) {
	s := settledWorld(t)
	before := s.revision()
	admin := s.admin()
	admin.header.Set("X-Sluice-Reason", "ticket 8")
	id := admin.post("/api/mt/gtap", s.policyBody(`"attribute_remappings":{"org":"organization_id"},"columns":{"name":"hash"}`)).id()
	var h historyWire
	s.admin().get("/api/permissions/history?limit=1").want(200).into(&h)
	texts := strings.Join(h.Data[0].Texts, "\n")
	for _, want := range []string{"sandbox table", "view-data nothing to sandboxed", "governed true"} {
		if !strings.Contains(texts, want) {
			t.Errorf("the revision says\n%s\nand not %s", texts, want)
		}
	}
	if h.Data[0].Revision != before+1 || h.Data[0].Reason != "ticket 8" || h.Data[0].Widens || *h.Data[0].User != s.Admin {
		t.Errorf("the revision is %+v", h.Data[0])
	}
	s.admin().delete(path("/api/mt/gtap/%d", id)).want(204)
	then, err := s.store.GraphAt(t.Context(), catalog.Revision(before+1))
	if err != nil {
		t.Fatal(err)
	}
	b := then.Sandbox(permission.GroupID(s.Group), s.tableNamed("people"))
	if b == nil || len(b.Columns) != 1 || b.Columns[0].Mask.Kind != permission.MaskHash || len(b.Where) != 1 {
		t.Errorf("at the revision the policy was %+v", b)
	}
	if again := s.revision(); again != before+2 {
		t.Errorf("revision %d after %d and two writes", again, before)
	}
}

func TestTheAnswerWarnsOfWhatWillNotWorkOut(t *testing.T) {
	s := settledWorld(t)
	group, people := fmt.Sprintf(`group %d "Analysts"`, s.Group), s.tableNamed("people")
	const org = `"attribute_remappings":{"org":"organization_id"}`
	warnings := func(r reply) string {
		t.Helper()
		text := ""
		list, _ := r.want(200).object()["warnings"].([]any)
		for _, w := range list {
			text += w.(map[string]any)["message"].(string) + "\n"
		}
		return text
	}
	demand := func(got string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("it says\n%s\nand not: %s", got, w)
			}
		}
		if strings.Count(got, "\n") != len(want) {
			t.Errorf("it says\n%s\nwant %d warnings", got, len(want))
		}
	}
	attributes := func(org any) {
		s.admin().put(path("/api/user/%d", s.Member), fields{"login_attributes": fields{"org": org}}).want(200)
	}
	// The group has two members, one of them an API key.
	demand(warnings(s.admin().post("/api/mt/gtap/validate", s.policyBody(org))), fmt.Sprintf("2 people in %s lack the attribute org", group))
	attributes("seven")
	demand(warnings(s.admin().post("/api/mt/gtap/validate", s.policyBody(org))), fmt.Sprintf("1 person in %s lacks the attribute org", group),
		"1 person has a value of org that the column organization_id does not take, and cannot ask: it is not a whole number")
	attributes("7")
	s.admin().delete(path("/api/api-key/%d", s.APIKey)).want(204)
	s.admin().post("/api/mt/gtap/validate", s.policyBody(org)).text(http.StatusNoContent, "")
	demand(warnings(s.admin().post("/api/mt/gtap/validate", s.policyBody(`"columns":{}`))), "the policy shows no rows", "the policy shows no columns")

	// All Users opens it for everybody.
	s.admin().patch("*", fields{"group_id": permission.AllUsers, "database_id": s.Database, "kind": "view-data", "level": "unrestricted"}).want(200)
	open := `group 1 "All Users" gives 1 person of this group all rows`
	demand(warnings(s.admin().post("/api/mt/gtap/validate", s.policyBody(org))), open)
	made := s.admin().post("/api/mt/gtap", s.policyBody(org))
	demand(warnings(made), open)
	demand(warnings(s.admin().put(path("/api/mt/gtap/%d", made.id()), fields{"columns": nil})), open)
	if got, _ := s.peopleOf(s.member()); got.Data.Sandboxed {
		t.Error("All Users does not open it")
	}
	s.admin().patch("*", fields{"group_id": permission.AllUsers, "database_id": s.Database, "kind": "view-data", "level": "blocked"}).want(200)
	s.admin().put(path("/api/mt/gtap/%d", made.id()), fields{}).want(200)
	if got := s.admin().put(path("/api/mt/gtap/%d", made.id()), fields{}).object()["warnings"]; got != nil {
		t.Errorf("blocked for All Users, it warns of %v", got)
	}
	// A policy opens nothing.
	closed := fmt.Sprintf(`{"group_id":%d,"table_id":%d,"all_rows":true}`, s.Tenants, people)
	demand(warnings(s.admin().post("/api/mt/gtap", closed)), "view-data is not set for the group")
}

func TestTheNamesOfAttributesAreListed(t *testing.T) {
	s := settledWorld(t)
	s.admin().get("/api/mt/user/attributes").text(200, "[]\n")
	s.admin().put(path("/api/user/%d", s.Member), fields{"login_attributes": fields{"team": "a", "org": 1}}).want(200)
	s.admin().put(path("/api/user/%d", s.Outsider), fields{"login_attributes": fields{"org": 2, "Zone": "b"}}).want(200)
	s.admin().get("/api/mt/user/attributes").text(200, `["Zone","org","team"]`+"\n")
}
