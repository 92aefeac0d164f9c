package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// patch sends typed changes with an If-Match.
func (c caller) patch(match string, changes ...map[string]any) reply {
	c.w.t.Helper()
	with := caller{c.w, c.header.Clone()}
	if match != "" {
		with.header.Set("If-Match", match)
	} else {
		with.header.Set("If-Match", " ")
	}
	return with.send("PATCH", "/api/permissions/graph", map[string]any{"changes": changes})
}

func (s settled) revision() int64 {
	s.t.Helper()
	return int64(s.admin().get("/api/permissions/graph").want(200).object()["revision"].(float64))
}

// entry is what the graph says of the group on the sample database.
func (s settled) entry() map[string]any {
	s.t.Helper()
	groups := s.admin().get(fmt.Sprint("/api/permissions/graph/group/", s.Group)).want(200).object()["groups"].(map[string]any)
	e, _ := groups[fmt.Sprint(s.Group)].(map[string]any)[fmt.Sprint(s.Database)].(map[string]any)
	return e
}

func (s settled) change(more map[string]any) map[string]any {
	c := map[string]any{"group_id": s.Group, "database_id": s.Database}
	for k, v := range more {
		c[k] = v
	}
	return c
}

func TestPatchNeedsTheRevisionItWasDecidedOn(t *testing.T) {
	s := settledWorld(t)
	full := s.change(map[string]any{"kind": "create-queries", "level": "query-builder-and-native"})
	s.admin().patch("", full).want(http.StatusPreconditionRequired)
	before := s.revision()
	after := s.admin().patch(fmt.Sprintf("%q", fmt.Sprint(before)), full).want(200).object()
	if got := int64(after["revision"].(float64)); got != before+1 {
		t.Errorf("revision %d after %d", got, before)
	}
	stale := s.admin().patch(fmt.Sprint(before), s.change(map[string]any{"kind": "download", "level": "limited"}))
	stale.text(http.StatusConflict, staleText)
	if got := stale.header.Get("X-Sluice-Revision"); got != fmt.Sprint(before+1) {
		t.Errorf("X-Sluice-Revision is %q", got)
	}
	if got, want := stale.header.Get("X-Sluice-Conflicts"), fmt.Sprintf("groups/%d/%d", s.Group, s.Database); got != want {
		t.Errorf("X-Sluice-Conflicts is %q, want %q", got, want)
	}
	problem := s.admin()
	problem.header.Set("Accept", "application/problem+json")
	if got := problem.patch(fmt.Sprint(before), full); got.status != 409 || got.header.Get("Content-Type") != "application/problem+json" || !strings.Contains(string(got.body), "conflicts") {
		t.Errorf("as a problem: %d %s %s", got.status, got.header.Get("Content-Type"), got.body)
	}
	s.admin().patch(fmt.Sprint(before+100), full).want(http.StatusConflict)
	s.admin().patch("*", full).want(200)
}

func TestPatchMakesEveryKindOfChange(t *testing.T) {
	s := settledWorld(t)
	table := map[string]any{"table_id": s.Table}
	with := func(op string) map[string]any {
		c := s.change(table)
		c["op"] = op
		return c
	}
	s.admin().patch("*", with("sandbox")).want(200)
	schemas := func() any { return s.entry()["schemas"].(map[string]any)[""].(map[string]any)["products"] }
	if got := schemas(); got != "sandboxed" {
		t.Fatalf("after sandbox: %v", s.entry())
	}
	// A grant leaves it; only the level on the table lifts it.
	s.admin().patch("*", s.change(map[string]any{"op": "grant"})).want(200)
	if got := schemas(); got != "sandboxed" {
		t.Fatalf("after grant: %v", s.entry())
	}
	s.member().get(fmt.Sprint("/api/table/", s.Table)).want(http.StatusForbidden)
	// The table is governed now, and stays so until somebody says otherwise.
	s.admin().patch("*", s.change(map[string]any{"op": "revoke", "kind": "view-data"})).want(200)
	opened := s.admin().patch("*", with("governed")).want(200)
	if opened.object()["warnings"] != nil {
		t.Errorf("marking what is marked warns: %s", opened.body)
	}
	off := with("governed")
	off["on"] = false
	answer := s.admin().patch("*", off).want(200).object()
	warnings, _ := answer["warnings"].([]any)
	if len(warnings) != 1 || !strings.Contains(fmt.Sprint(warnings[0]), "people who gain") {
		t.Errorf("taking the mark away says %v", warnings)
	}
	strict := map[string]any{"op": "strict", "database_id": s.Database}
	s.admin().patch("*", strict, s.change(map[string]any{"op": "grant"})).want(200)
	s.member().get(fmt.Sprint("/api/table/", s.Table)).want(http.StatusForbidden)
	share := map[string]any{"op": "shared", "database_id": s.Database, "table_id": s.Table}
	s.admin().patch("*", share).want(200)
	s.member().get(fmt.Sprint("/api/table/", s.Table)).want(200)
	for _, wrong := range []map[string]any{
		{"op": "grant", "database_id": s.Database},
		{"op": "open", "group_id": s.Group, "database_id": s.Database},
		{"op": "sandbox", "group_id": s.Group, "database_id": s.Database},
		{"op": "governed", "database_id": s.Database},
		{"op": "strict", "database_id": 99},
		{"op": "shared", "database_id": s.Database, "table_id": 99},
		s.change(map[string]any{"kind": "view-data", "level": "everything"}),
		s.change(map[string]any{"kind": "collection", "level": "read"}),
		s.change(map[string]any{"kind": "create-queries", "level": "query-builder-and-native", "table_id": s.Table}),
	} {
		before := s.revision()
		s.admin().patch("*", s.change(map[string]any{"kind": "download", "level": "limited"}), wrong).want(http.StatusBadRequest)
		if s.revision() != before {
			t.Errorf("%v: half of it was applied", wrong)
		}
	}
}

func TestSkipGraphLeavesOutTheGraphAlone(t *testing.T) {
	s := settledWorld(t)
	body := map[string]any{"revision": s.revision(), "groups": map[string]any{
		fmt.Sprint(s.Group): map[string]any{fmt.Sprint(s.Database): map[string]any{"view-data": "blocked", "create-queries": "no"}}}}
	answer := s.admin().put("/api/permissions/graph?skip-graph=true", body).want(200).object()
	if answer["groups"] != nil || answer["revision"] == nil {
		t.Errorf("with skip-graph: %v", answer)
	}
	if got := s.entry()["view-data"]; got != "blocked" {
		t.Errorf("the change was not made: %v", s.entry())
	}
}

// ids are the keys of the groups in an answer.
func (r reply) ids() []string {
	r.t.Helper()
	groups, _ := r.want(200).object()["groups"].(map[string]any)
	return slices.Sorted(maps.Keys(groups))
}

func TestTheAnswerOfAPutNamesTheGroupsOfItsBody(t *testing.T) {
	s := settledWorld(t)
	group, collection := fmt.Sprint(s.Group), fmt.Sprint(s.Collection)
	for path, of := range map[string]string{
		"/api/permissions/graph": fmt.Sprintf(`{"1":null,"%s":{"%d":{"download":{"schemas":"limited"}}}}`, group, s.Database),
		"/api/collection/graph":  fmt.Sprintf(`{"1":{"%s":"read"},"%s":{}}`, collection, group),
	} {
		answer := s.admin().put(path, `{"groups":`+of+`,"force":true}`)
		if got := answer.ids(); !slices.Equal(got, []string{"1", group}) {
			t.Errorf("%s names %v", path, got)
		}
		whole := s.admin().get(path).want(200).object()
		for _, id := range []string{"1", group} {
			if got, want := answer.object()["groups"].(map[string]any)[id], whole["groups"].(map[string]any)[id]; !reflect.DeepEqual(got, want) {
				t.Errorf("%s says of group %s %v, and is %v", path, id, got, want)
			}
		}
		if got, want := answer.object()["revision"], whole["revision"]; got != want {
			t.Errorf("%s is at revision %v and says %v", path, want, got)
		}
	}
}

// The page of a database names the groups that have something there, and
// Administrators.
func TestThePageOfADatabaseNamesWhoIsThere(t *testing.T) {
	s := settledWorld(t)
	for _, query := range []string{"", "?dialect=split", "?dialect=seed"} {
		page := s.admin().get(path("/api/permissions/graph/db/%d", s.Database) + query)
		if got, want := page.ids(), []string{"2", fmt.Sprint(s.Group)}; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
		whole := s.admin().get("/api/permissions/graph" + query).want(200).object()["groups"].(map[string]any)
		for id, of := range page.object()["groups"].(map[string]any) {
			if want := whole[id]; !reflect.DeepEqual(of, want) {
				t.Errorf("%s: group %s has %v, want %v", query, id, of, want)
			}
		}
	}
	s.admin().get("/api/permissions/graph/db/99").want(http.StatusNotFound)
}

// What a body says of the trash is compared as all else; it changes nothing
// there.
func TestCollectionsInTheTrashAreLeftAlone(t *testing.T) {
	s := settledWorld(t)
	before := s.admin().get("/api/collection/graph").want(200).object()
	s.admin().put(path("/api/collection/%d", s.Collection), fields{"archived": true}).want(200)
	if groups := s.admin().get("/api/collection/graph").want(200).object()["groups"].(map[string]any); len(groups[fmt.Sprint(s.Group)].(map[string]any)) != 0 {
		t.Errorf("the trash is shown: %v", groups)
	}
	s.admin().put("/api/collection/graph", before).want(200)
	before["groups"].(map[string]any)[fmt.Sprint(s.Group)].(map[string]any)[fmt.Sprint(s.Collection)] = "read"
	r := s.admin().put("/api/collection/graph", before).want(http.StatusBadRequest)
	if want := path("groups.%d.%d: collection %d is in the trash", s.Group, s.Collection, s.Collection); !strings.Contains(string(r.body), want) {
		t.Errorf("%s, want %s", r.body, want)
	}
}

// brokenBody ends in the middle, as when a client goes away.
type brokenBody struct{ io.Reader }

func (brokenBody) Close() error { return nil }

func TestAnInterruptedPutAppliesNothing(t *testing.T) {
	s := settledWorld(t)
	before, entry := s.revision(), fmt.Sprint(s.entry())
	whole := fmt.Appendf(nil, `{"revision":%d,"force":true,"groups":{"%d":{"%d":{"view-data":"blocked"}}}}`, before, s.Group, s.Database)
	for cut := range len(whole) {
		body := io.MultiReader(bytes.NewReader(whole[:cut]), failing{})
		req := httptest.NewRequest("PUT", "http://sluice.test/api/permissions/graph", brokenBody{body})
		req.Header = s.admin().header.Clone()
		req.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		s.api.Handler().ServeHTTP(rec, req)
		if rec.Code == 200 {
			t.Fatalf("cut after %d bytes: 200", cut)
		}
	}
	if s.revision() != before || fmt.Sprint(s.entry()) != entry {
		t.Errorf("something was applied: %v", s.entry())
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the client went away") }

func TestExplainSaysWhy(t *testing.T) {
	s := settledWorld(t)
	ask := func(query string) reply { return s.admin().get("/api/permissions/explain?" + query) }
	var why explainWire
	ask(fmt.Sprintf("user_id=%d&right=query-table&table_id=%d", s.Member, s.Table)).want(200).into(&why)
	carried := false
	for _, r := range why.Reasons {
		carried = carried || r.Counts && r.Group == s.Group && r.Name == "Analysts" && r.Kind == "view-data" && r.Level == "unrestricted" && r.Revision > 0
	}
	if !why.Allowed || !carried {
		t.Errorf("the member's reasons: %+v", why)
	}
	ask(fmt.Sprintf("user_id=%d&right=query-table&table_id=%d", s.Outsider, s.Table)).want(200).into(&why)
	if why.Allowed {
		t.Errorf("the outsider may: %+v", why)
	}
	ask(fmt.Sprintf("user_id=%d&right=curate-collection&collection_id=root", s.Admin)).want(200).into(&why)
	if !why.Allowed {
		t.Errorf("the administrator may not curate the root: %+v", why)
	}
	ask("user_id=999&right=administer").wrong("user_id", "there is no user 999.")
	ask(fmt.Sprintf("user_id=%d&right=fly", s.Member)).want(400)
	ask(fmt.Sprintf("user_id=%d&right=see-table&table_id=1&database_id=1", s.Member)).want(400)
}

func TestHistorySaysWhoChangedWhat(t *testing.T) {
	s := settledWorld(t)
	admin := s.admin()
	admin.header.Set("X-Sluice-Reason", "ticket 7")
	admin.patch("*", s.change(map[string]any{"kind": "create-queries", "level": "query-builder-and-native"})).want(200)
	var h historyWire
	s.admin().get("/api/permissions/history?limit=1").want(200).into(&h)
	if len(h.Data) != 1 || h.Data[0].User == nil || *h.Data[0].User != s.Admin || h.Data[0].Reason != "ticket 7" || !h.Data[0].Widens ||
		len(h.Data[0].Texts) != 1 || !strings.Contains(h.Data[0].Texts[0], "query-builder to query-builder-and-native") {
		t.Errorf("the newest revision: %+v", h.Data)
	}
	var older historyWire
	s.admin().get(fmt.Sprintf("/api/permissions/history?before=%d", h.Data[0].ID)).want(200).into(&older)
	if len(older.Data) == 0 || older.Data[0].ID >= h.Data[0].ID {
		t.Errorf("before %d: %+v", h.Data[0].ID, older.Data)
	}
	s.admin().get("/api/permissions/history?limit=100000").want(400)
	if got := s.admin().get("/api/permissions/pending").want(200).list(); len(got) != 0 {
		t.Errorf("nothing is newer than the grants, and %v is pending", got)
	}
}
