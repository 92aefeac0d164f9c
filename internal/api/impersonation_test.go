package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/permission"
)

func (s settled) withImpersonations(revision int64, entry string, list ...string) string {
	groups := "{}"
	if entry != "" {
		groups = fmt.Sprintf(`{"%d":{"%d":%s}}`, s.Group, s.Database, entry)
	}
	return fmt.Sprintf(`{"revision":%d,"groups":%s,"impersonations":[%s]}`, revision, groups, strings.Join(list, ","))
}

// by is an impersonation of the group on the sample.
func (s settled) by(attribute string) string {
	return fmt.Sprintf(`{"group_id":%d,"db_id":%d,"attribute":%q}`, s.Group, s.Database, attribute)
}

// cell is what is written for the group's view of the sample.
func (s settled) cell() permission.Cell {
	return s.store.Graph().Cell(permission.GroupID(s.Group), 1, permission.View, permission.WholeDatabase())
}

func TestImpersonationsComeWithTheirLevel(t *testing.T) {
	s := settledWorld(t)
	put := func(body string, want int) reply {
		t.Helper()
		return s.admin().put("/api/permissions/graph", body).want(want)
	}
	now := s.revision()
	for body, says := range map[string]string{
		s.withImpersonations(now, "", s.by("role")):                                                                                         "only \\\"impersonated\\\" has an attribute",
		s.withImpersonations(now, `{"view-data":"blocked"}`, s.by("role")):                                                                  "only \\\"impersonated\\\" has an attribute",
		s.withImpersonations(now, `{"view-data":"impersonated"}`, s.by(" ")):                                                                "impersonations[0].attribute",
		s.withImpersonations(now, `{"view-data":"impersonated"}`, s.by("@tenant.slug")):                                                     "impersonations[0].attribute",
		s.withImpersonations(now, `{"view-data":"impersonated"}`, s.by("role"), s.by("post")):                                               "impersonations[1]",
		s.withImpersonations(now, "", fmt.Sprintf(`{"db_id":%d,"attribute":"role"}`, s.Database)):                                           "impersonations[0].group_id",
		s.withImpersonations(now, "", fmt.Sprintf(`{"group_id":%d,"attribute":"role"}`, s.Group)):                                           "impersonations[0].db_id",
		s.withImpersonations(now, "", fmt.Sprintf(`{"group_id":2,"db_id":%d,"attribute":"role"}`, s.Database)):                              "Administrators",
		s.withImpersonations(now, "", fmt.Sprintf(`{"group_id":%d,"db_id":99,"attribute":"role"}`, s.Group)):                                "no database 99",
		s.withImpersonations(now, `{"view-data":"impersonated"}`, fmt.Sprintf(`{"group_id":99,"db_id":%d,"attribute":"role"}`, s.Database)): "no group 99",
	} {
		if r := put(body, http.StatusBadRequest); !strings.Contains(string(r.body), says) && !strings.Contains(string(r.body), strings.ReplaceAll(says, `\`, "")) {
			t.Errorf("%s\nis answered %s", body, r.body)
		}
		if s.revision() != now {
			t.Fatalf("%s wrote something", body)
		}
	}

	// A level without an attribute is closed, and the answer says so.
	r := put(s.withImpersonations(now, `{"view-data":"impersonated","create-queries":"query-builder-and-native"}`), 200)
	if !strings.Contains(string(r.body), "shows nothing") || s.cell().Attribute != "" {
		t.Errorf("the answer is %s", r.body)
	}
	r = put(s.withImpersonations(now+1, "", s.by("role")), 200)
	for _, says := range []string{"no roles that people could be seen as", "no name of a database role in the attribute role", `"impersonations":[{"group_id"`} {
		if !strings.Contains(string(r.body), says) {
			t.Errorf("%q is not in %s", says, r.body)
		}
	}
	at := s.cell().At
	// Said again it stays, and another attribute is no new decision about tables.
	put(s.withImpersonations(now+2, `{"view-data":"impersonated"}`), 200)
	if s.cell().Attribute != "role" {
		t.Errorf("what was said again is %+v", s.cell())
	}
	s.admin().patch("*", fields{"op": "impersonation", "group_id": s.Group, "database_id": s.Database, "attribute": "post"}).want(200)
	if c := s.cell(); c.Attribute != "post" || c.At != at {
		t.Errorf("another attribute makes %+v, written at %d", c, at)
	}
	revisions, err := s.store.Revisions(t.Context(), 0, 1)
	if err != nil || len(revisions[0].Changes) != 1 || !strings.Contains(revisions[0].Changes[0].String(), `impersonated by the attribute "role" to impersonated by the attribute "post"`) {
		t.Errorf("the history says %v, %v", revisions[0].Changes, err)
	}

	// Who decided on the graph before that meets a conflict.
	put(s.withImpersonations(now+2, "", s.by("third")), http.StatusConflict)
	for _, c := range []fields{
		{"op": "impersonation", "group_id": s.Group, "database_id": s.Database},
		{"op": "impersonation", "group_id": s.Group, "database_id": s.Database, "table_id": s.Table, "attribute": "role"},
		{"op": "impersonation", "database_id": s.Database, "attribute": "role"},
		{"op": "impersonation", "group_id": s.Tenants, "database_id": s.Database, "attribute": "role"},
	} {
		s.admin().patch("*", c).want(http.StatusBadRequest)
	}
	// The level and its attribute in one PATCH; any other level ends both.
	s.admin().patch("*", fields{"group_id": s.Tenants, "database_id": s.Database, "kind": "view-data", "level": "impersonated"},
		fields{"op": "impersonation", "group_id": s.Tenants, "database_id": s.Database, "attribute": "role"}).want(200)
	if list := s.admin().get("/api/ee/advanced-permissions/impersonation").want(200).list(); len(list) != 2 {
		t.Errorf("there are %v", list)
	}
	s.admin().patch("*", s.change(fields{"kind": "view-data", "level": "unrestricted"})).want(200)
	s.admin().patch("*", s.change(fields{"kind": "view-data", "level": "impersonated"})).want(200)
	if s.cell().Attribute != "" || s.cell().Level != permission.Impersonated {
		t.Errorf("after another level the view is %+v", s.cell())
	}
	s.member().get("/api/ee/advanced-permissions/impersonation").want(http.StatusForbidden)
}
