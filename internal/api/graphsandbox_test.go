package api

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// withSandboxes is a body of PUT /api/permissions/graph; entry is what it says
// of the group on the sample, "" for nothing.
func (s settled) withSandboxes(revision int64, entry string, sandboxes ...string) string {
	groups := "{}"
	if entry != "" {
		groups = fmt.Sprintf(`{"%d":{"%d":%s}}`, s.Group, s.Database, s.ofPeople(entry))
	}
	return fmt.Sprintf(`{"revision":%d,"groups":%s,"sandboxes":[%s]}`, revision, groups, strings.Join(sandboxes, ","))
}

const byOrganization = `"attribute_remappings":{"org":"organization_id"}`

func TestLevelsAndPoliciesAreOneRevision(t *testing.T) {
	s := settledWorld(t)
	s.admin().put(path("/api/user/%d", s.Member), fields{"login_attributes": fields{"org": "2"}}).want(200)
	s.admin().patch("*", s.change(fields{"kind": "view-data", "level": nil})).want(200)
	before := s.revision()
	r := s.admin().put("/api/permissions/graph", s.withSandboxes(before, `{"view-data":"unrestricted","create-queries":"query-builder"}`, s.policyBody(byOrganization))).want(200)
	var answer graphAnswer
	r.into(&answer)
	people := int64(s.tableNamed("people"))
	if answer.Revision != before+1 || len(answer.Sandboxes) != 1 || answer.Sandboxes[0].ID == 0 || answer.Sandboxes[0].Table != people || answer.Sandboxes[0].Group != s.Group {
		t.Fatalf("the answer is %s", r.body)
	}
	// The revision in which the level came has the policy; none before has the level.
	revisions, err := s.store.Revisions(t.Context(), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	levels, policies := 0, 0
	for _, c := range revisions[0].Changes {
		if _, is := c.(permission.SetDataAccess); is {
			levels++
		}
		if _, is := c.(permission.SetSandbox); is {
			policies++
		}
	}
	if levels < 2 || policies != 1 || int64(revisions[0].Data) != before+1 {
		t.Errorf("revision %d has %d levels and %d policies", revisions[0].Data, levels, policies)
	}
	if got, _ := s.peopleOf(s.member()); !got.Data.Sandboxed || got.Status != "completed" || len(got.Data.Rows) == 0 || len(got.Data.Rows) >= 2000 {
		t.Errorf("the member's answer is %q with %d rows", got.Status, len(got.Data.Rows))
	}
	tables := s.entry()["view-data"].(map[string]any)[""].(map[string]any)
	if tables[fmt.Sprint(people)] != "sandboxed" || tables[fmt.Sprint(s.Table)] != "unrestricted" {
		t.Errorf("the entry is %v", s.entry())
	}

	// Without an id it stands in place of the one that is there, which keeps its
	// id; with one it changes that, and what is left out stays.
	id := answer.Sandboxes[0].ID
	answer = graphAnswer{}
	s.admin().put("/api/permissions/graph?skip-graph=true", s.withSandboxes(before+1, "", s.policyBody(`"all_rows":true,"columns":{"name":"hash"}`))).want(200).into(&answer)
	if p := answer.Sandboxes[0]; p.ID != id || !p.AllRows || len(p.Remappings) != 0 || len(p.Columns) != 1 {
		t.Errorf("replaced, it is %+v", p)
	}
	answer = graphAnswer{}
	s.admin().put("/api/permissions/graph", s.withSandboxes(before+2, "", fmt.Sprintf(`{"id":%d,"all_rows":false,%s}`, id, byOrganization))).want(200).into(&answer)
	if p := answer.Sandboxes[0]; p.ID != id || p.AllRows || len(p.Remappings) != 1 || len(p.Columns) != 1 {
		t.Errorf("changed, it is %+v", p)
	}
	// The graph that GET gives says nothing of policies, and writing it back
	// leaves them.
	whole := s.admin().get("/api/permissions/graph").want(200)
	s.admin().put("/api/permissions/graph", string(whole.body)).want(200)
	if got := s.admin().get(path("/api/mt/gtap/%d", id)).want(200).object(); len(got["columns"].(map[string]any)) != 1 {
		t.Errorf("the policy is %v", got)
	}
	// With a policy comes a warning, too.
	answer = graphAnswer{}
	s.admin().put("/api/permissions/graph", s.withSandboxes(s.revision(), "", s.policyBody(`"attribute_remappings":{}`))).want(200).into(&answer)
	if len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0].Message, "the policy shows no rows") {
		t.Errorf("the warnings are %+v", answer.Warnings)
	}
}

// One policy that is wrong, and nothing of the request holds.
func TestAFailingPolicyLeavesNothingOfTheGraph(t *testing.T) {
	s := settledWorld(t)
	s.admin().patch("*", s.change(fields{"kind": "view-data", "level": nil})).want(200)
	before, entry := s.revision(), fmt.Sprint(s.entry())
	newest := func() store.Revision {
		all, err := s.store.Revisions(t.Context(), 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		return all[0]
	}
	was := newest().ID
	const open = `{"view-data":"unrestricted","create-queries":"query-builder"}`
	good := fmt.Sprintf(`{"group_id":%d,"table_id":%d,"all_rows":true}`, s.Group, s.Table)
	for _, c := range []struct{ entry, sandbox, want string }{
		{open, fmt.Sprintf(`{"group_id":99,"table_id":%d}`, s.Table), "sandboxes[1].group_id: there is no group 99"},
		{open, fmt.Sprintf(`{"group_id":2,"table_id":%d}`, s.Table), "sandboxes[1].group_id: group 2, Administrators"},
		{open, fmt.Sprintf(`{"group_id":%d,"table_id":999}`, s.Group), "sandboxes[1].table_id: there is no table 999"},
		{open, fmt.Sprintf(`{"table_id":%d}`, s.Table), "sandboxes[1].group_id: name the group"},
		{open, fmt.Sprintf(`{"group_id":%d}`, s.Group), "sandboxes[1].table_id: name the table"},
		{open, `{"id":99}`, "sandboxes[1].id: there is no policy 99"},
		{open, fmt.Sprintf(`{"id":%d,"group_id":%d}`, s.Policy, s.Group), "sandboxes[1].group_id: policy"},
		{open, fmt.Sprintf(`{"id":%d,"table_id":%d}`, s.Policy, s.Table), "sandboxes[1].table_id: policy"},
		{open, good, "sandboxes[1]: is the policy of group"},
		{open, s.policyBody(`"attribute_remappings":{"org":"total"}`), "sandboxes[1].attribute_remappings.org: "},
		{s.ofPeople(`{"view-data":{"":{"$people$":"unrestricted"}}}`), s.policyBody(byOrganization), "exclude each other"},
		{`{"view-data":"everything"}`, s.policyBody(byOrganization), "everything"},
	} {
		r := s.admin().put("/api/permissions/graph", s.withSandboxes(before, c.entry, good, c.sandbox)).want(http.StatusBadRequest)
		if got, _ := r.object()["message"].(string); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", c.sandbox, got, c.want)
		}
	}
	s.admin().put("/api/permissions/graph", s.withSandboxes(before, open, `null`)).wrong("sandboxes[0]", "value must be given.")
	s.admin().put("/api/permissions/graph", s.withSandboxes(before, open, `{"group_id":"x"}`)).wrong("sandboxes[0].group_id", "value must be an integer or a string of decimal digits.")
	s.admin().put("/api/permissions/graph", fmt.Sprintf(`{"revision":%d,"groups":{},"impersonations":[{}]}`, before)).want(http.StatusBadRequest)
	if got := s.entry(); s.revision() != before || fmt.Sprint(got) != entry || newest().ID != was {
		t.Errorf("revision %d after %d, with %v", s.revision(), before, got)
	}
	if got := s.admin().get("/api/mt/gtap").want(200).list(); len(got) != 1 {
		t.Errorf("the policies are %v", got)
	}
	if got, _ := s.peopleOf(s.member()); got.Status != "failed" {
		t.Errorf("the member's answer: %q with %d rows", got.Status, len(got.Data.Rows))
	}
}

// A policy conflicts with what somebody else wrote for the same group and
// database since, as a level does.
func TestPoliciesConflictAsLevelsDo(t *testing.T) {
	s := settledWorld(t)
	base := s.revision()
	other := s.admin().post("/api/mt/gtap", fields{"group_id": s.Tenants, "table_id": s.Table, "all_rows": true}).id()
	unrelated := s.withSandboxes(base, "", s.policyBody(byOrganization))
	s.admin().put("/api/permissions/graph", unrelated).want(200)
	again := s.admin().put("/api/permissions/graph", unrelated)
	again.text(http.StatusConflict, staleText)
	if got, want := again.header.Get("X-Sluice-Conflicts"), fmt.Sprintf("groups/%d/%d", s.Group, s.Database); got != want {
		t.Errorf("the conflicts are %q, want %q", got, want)
	}
	// A level of the same entry, and a policy by its id.
	s.admin().put("/api/permissions/graph", s.withSandboxes(base, `{"download":{"schemas":"none"}}`)).want(http.StatusConflict)
	s.admin().put("/api/permissions/graph", s.withSandboxes(base, "", fmt.Sprintf(`{"id":%d,"columns":{}}`, other))).want(http.StatusConflict)
	s.admin().put("/api/permissions/graph?force=true", unrelated).want(200)
}

// What an id was looked up for is compared in the write.
func TestAPolicyThatCameInPlaceOfAnotherIsNotIt(t *testing.T) {
	s := settledWorld(t)
	row, err := s.store.Sandbox(t.Context(), s.Policy)
	if err != nil {
		t.Fatal(err)
	}
	if err := sameSandbox(s.store.Graph(), row); err != nil {
		t.Errorf("the policy is not itself: %v", err)
	}
	s.admin().delete(path("/api/mt/gtap/%d", s.Policy)).want(204)
	gone := s.store.Graph()
	s.admin().post("/api/mt/gtap", fields{"group_id": s.Tenants, "table_id": s.Reviews, "attribute_remappings": fields{"organization_id": s.ReviewsField}}).want(200)
	for what, g := range map[string]*permission.Graph{"gone": gone, "made again": s.store.Graph()} {
		if err := sameSandbox(g, row); err == nil {
			t.Errorf("%s, it is taken for the same", what)
		}
	}
}

func TestPatchWritesPolicies(t *testing.T) {
	s := settledWorld(t)
	people := s.tableNamed("people")
	before := s.revision()
	policy := func(more fields) fields {
		c := s.change(fields{"op": "policy", "table_id": people})
		for k, v := range more {
			c[k] = v
		}
		return c
	}
	remappings := fields{"org": s.fieldNamed("people", "organization_id")}
	var answer graphAnswer
	s.admin().patch(fmt.Sprint(before), s.change(fields{"op": "sandbox", "table_id": people}), policy(fields{"attribute_remappings": remappings})).want(200).into(&answer)
	if answer.Revision != before+1 || len(answer.Sandboxes) != 1 || len(answer.Sandboxes[0].Remappings) != 1 {
		t.Fatalf("%+v", answer)
	}
	id := answer.Sandboxes[0].ID
	answer = graphAnswer{}
	s.admin().patch("*", policy(fields{"all_rows": true, "columns": fields{"name": nil}}), policy(fields{"all_rows": true})).want(200).into(&answer)
	if p := answer.Sandboxes; len(p) != 1 || p[0].ID != id || !p[0].AllRows || len(p[0].Columns) != 1 {
		t.Errorf("what is left out does not stay: %+v", p)
	}
	answer = graphAnswer{}
	s.admin().patch("*", policy(fields{"columns": nil})).want(200).into(&answer)
	if p := answer.Sandboxes; len(p) != 1 || p[0].ID != id || !p[0].AllRows || p[0].Columns != nil {
		t.Errorf("the last policy is %+v", p)
	}
	s.admin().patch(fmt.Sprint(before), policy(nil)).want(http.StatusConflict)
	// Opening the table plainly removes it.
	s.admin().patch("*", s.change(fields{"table_id": people, "kind": "view-data", "level": "unrestricted"})).want(200)
	s.admin().get(path("/api/mt/gtap/%d", id)).want(http.StatusNotFound)
	at, entry := s.revision(), s.entry()
	for what, wrong := range map[string]fields{
		"changes[1]: table_id: a policy is for one table": s.change(fields{"op": "policy"}),
		"changes[1]: group_id":                            {"op": "policy", "database_id": s.Database, "table_id": people},
		"changes[1].table_id: there is no table 999":      policy(fields{"table_id": 999}),
		"changes[1].group_id: there is no group 99":       policy(fields{"group_id": 99}),
		"changes[1].card_id":                              policy(fields{"card_id": 3}),
		"there is no database 99":                         policy(fields{"database_id": 99}),
	} {
		r := s.admin().patch("*", policy(fields{"all_rows": true}), wrong).want(http.StatusBadRequest)
		if got, _ := r.object()["message"].(string); !strings.Contains(got, what) {
			t.Errorf("%v: %s, want %s", wrong, got, what)
		}
	}
	if s.revision() != at || !reflect.DeepEqual(s.entry(), entry) {
		t.Errorf("revision %d after %d, with %v", s.revision(), at, s.entry())
	}
}
