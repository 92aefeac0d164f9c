package api

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-bi/sluice/internal/permission"
)

// A program that knows nothing of columns writes the rows of a policy, as those
// for Metabase do. What somebody has hidden stays hidden.
func TestColumnsThatABodyLeavesOutStayAsTheyAre(t *testing.T) {
	people := func(s settled) int { return int(s.tableNamed("people")) }
	for name, write := range map[string]func(s settled, attribute string){
		"PUT": func(s settled, attribute string) {
			var now struct{ Revision int64 }
			s.admin().get("/api/permissions/graph").want(200).into(&now)
			s.admin().put("/api/permissions/graph", s.ofPeople(fmt.Sprintf(`{"revision":%d,"groups":{},"sandboxes":[{"group_id":%d,"table_id":%d,"card_id":null,
				"attribute_remappings":{%q:["dimension",["field",$organization_id$,null]]}}]}`, now.Revision, s.Group, people(s), attribute))).want(200)
		},
		"PATCH": func(s settled, attribute string) {
			s.admin().patch("*", map[string]any{"op": "policy", "group_id": s.Group, "database_id": s.Database, "table_id": people(s),
				"attribute_remappings": map[string]any{attribute: "organization_id"}}).want(200)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := settledWorld(t)
			s.admin().post("/api/mt/gtap", s.policyBody(`"attribute_remappings":{"org":"organization_id"},"columns":{"id":null,"email":"hash"}`)).want(200)
			was := s.store.Graph().Sandbox(permission.GroupID(s.Group), s.tableNamed("people"))
			write(s, "other")
			is := s.store.Graph().Sandbox(permission.GroupID(s.Group), s.tableNamed("people"))
			if is == nil || len(is.Where) != 1 || is.Where[0].Attribute != "other" {
				t.Fatalf("the policy is %+v", is)
			}
			if diff := cmp.Diff(was.Columns, is.Columns); diff != "" || len(is.Columns) != 2 {
				t.Errorf("the columns: %s", diff)
			}
		})
	}
}
