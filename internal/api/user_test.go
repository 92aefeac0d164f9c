package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func ids(list []any, key string) []int64 {
	var out []int64
	for _, item := range list {
		if m, ok := item.(map[string]any); ok {
			item = m[key]
		}
		out = append(out, int64(item.(float64)))
	}
	return out
}

func TestPeopleAreCreatedAsClientsDo(t *testing.T) { onEachEngine(t, peopleAreCreatedAsClientsDo) }

func peopleAreCreatedAsClientsDo(t *testing.T, w settled) {
	t.Helper()
	w.admin().post("/api/user", map[string]any{"email": "plain@example.org"}).want(200)
	u := w.admin().post("/api/user", map[string]any{"email": "New.Person@Example.org", "first_name": "New", "last_name": nil, "password": "0f8c2a9e4b7d1356", "source": "admin",
		"login_attributes":       map[string]any{"organization_id": 99, "role": "admin", "vip": true},
		"user_group_memberships": []any{map[string]any{"id": 1}, map[string]any{"id": fmt.Sprint(w.Group), "is_group_manager": false}}}).want(200).object()
	for key, want := range map[string]any{
		"email": "new.person@example.org", "first_name": "New", "last_name": nil, "common_name": "New", "is_active": true, "is_superuser": false, "is_qbnewb": true,
		"login_attributes": map[string]any{"organization_id": "99", "role": "admin", "vip": "true"}, "sso_source": nil, "locale": nil, "last_login": nil, "google_auth": false,
		"group_ids": []any{1.0, float64(w.Group)}, "user_group_memberships": []any{map[string]any{"id": 1.0, "is_group_manager": false}, map[string]any{"id": float64(w.Group), "is_group_manager": false}},
	} {
		if diff := cmp.Diff(want, u[key]); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	if _, ok := u["is_installer"]; ok {
		t.Error("is_installer is shown")
	}
	if u["personal_collection_id"] == nil {
		t.Error("no personal collection")
	}
	path := fmt.Sprint("/api/user/", int64(u["id"].(float64)))
	if got := w.admin().get(path).want(200).object(); got["email"] != u["email"] || got["structured_attributes"] == nil {
		t.Errorf("read back: %v", got)
	}
	for _, email := range []string{"new.person@example.org", "NEW.PERSON@example.org"} {
		w.admin().post("/api/user", map[string]any{"email": email}).wrong("email", "Email address already in use.")
	}
	w.admin().delete(path).want(200)
	w.admin().post("/api/user", map[string]any{"email": "new.person@example.org"}).wrong("email", "Email address already in use.")
	w.admin().post("/api/user", map[string]any{"email": "x"}).wrong("email", "value must be a valid email address.")
	w.admin().post("/api/user", map[string]any{"email": "y@example.org", "password": "12345678"}).wrong("password", "The password is too common: choose one that is harder to guess.")
	w.admin().post("/api/user", map[string]any{"email": "y@example.org", "login_attributes": map[string]any{"@tenant": "x"}}).
		wrong("login_attributes", "value must be a map without keys that start with @, which are the server's own (@tenant).")
	w.admin().post("/api/user", map[string]any{"email": "y@example.org", "group_ids": []int{1, 999}}).want(400)
	if total := w.admin().get("/api/user?query=y@example.org").object()["total"]; total != 0.0 {
		t.Errorf("a refused person was made: %v", total)
	}
}

func TestThePeopleListFindsAndPages(t *testing.T) { onEachEngine(t, thePeopleListFindsAndPages) }

func thePeopleListFindsAndPages(t *testing.T, w settled) {
	t.Helper()
	for i := range 5 {
		w.admin().post("/api/user", map[string]any{"email": fmt.Sprintf("p%d@example.org", i), "first_name": "Pat", "last_name": fmt.Sprintf("Number%d", i)}).want(200)
	}
	w.admin().delete("/api/user/" + w.names()["$outsider"]).want(200)
	for _, c := range []struct {
		query  string
		emails []string
		total  int
	}{
		{"query=PAT", []string{"p0@example.org", "p1@example.org", "p2@example.org", "p3@example.org", "p4@example.org"}, 5},
		{"query=number3", []string{"p3@example.org"}, 1},
		{"query=P3%40EXAMPLE", []string{"p3@example.org"}, 1},
		{"query=%25", nil, 0},
		{"query=Pat&limit=2&offset=1", []string{"p1@example.org", "p2@example.org"}, 5},
		{"status=deactivated", []string{"outsider@example.org"}, 1},
		{"query=outsider", nil, 0},
		{"query=outsider&status=all", []string{"outsider@example.org"}, 1},
		{"query=outsider&include_deactivated=true", []string{"outsider@example.org"}, 1},
		{"group_id=" + w.names()["$group"], []string{"member@example.org"}, 1},
	} {
		r := w.admin().get("/api/user?" + c.query).want(200).object()
		var emails []string
		for _, u := range r["data"].([]any) {
			emails = append(emails, u.(map[string]any)["email"].(string))
		}
		if !slices.Equal(emails, c.emails) || r["total"] != float64(c.total) {
			t.Errorf("%s: %v of %v, want %v of %d", c.query, emails, r["total"], c.emails, c.total)
		}
	}
	r := w.admin().get("/api/user").want(200).object()
	if r["limit"] != nil || r["offset"] != nil || r["total"] != 7.0 {
		t.Errorf("unpaged: limit %v offset %v total %v", r["limit"], r["offset"], r["total"])
	}
	r = w.admin().get("/api/user?offset=1").want(200).object()
	if r["limit"] != 50.0 || r["offset"] != 1.0 || len(r["data"].([]any)) != 6 {
		t.Errorf("offset alone: limit %v offset %v", r["limit"], r["offset"])
	}
	if body := string(w.admin().get("/api/user?limit=0").want(400).body); !strings.HasPrefix(body, "Error parsing paging parameters") {
		t.Errorf("limit=0: %s", body)
	}
}

func TestPeopleAreChangedAsClientsDo(t *testing.T) { onEachEngine(t, peopleAreChangedAsClientsDo) }

func peopleAreChangedAsClientsDo(t *testing.T, w settled) {
	t.Helper()
	path := "/api/user/" + w.names()["$member"]
	all := map[string]any{"first_name": "Mem", "last_name": "Ber", "locale": nil, "email": nil, "is_superuser": nil, "user_group_memberships": nil, "group_ids": nil, "login_attributes": nil}
	u := w.admin().put(path, all).want(200).object()
	if u["common_name"] != "Mem Ber" || u["email"] != "member@example.org" || len(u["group_ids"].([]any)) != 2 {
		t.Errorf("nulls are not given: %v", u)
	}
	w.admin().put(path, map[string]any{"login_attributes": map[string]any{"organization_id": "99", "role": "admin"}}).want(200)
	u = w.admin().put(path, map[string]any{"login_attributes": map[string]any{"teams": []any{"a", 7, true}, "none": []any{}}}).want(200).object()
	if diff := cmp.Diff(map[string]any{"teams": []any{"a", "7", "true"}, "none": []any{}}, u["login_attributes"]); diff != "" {
		t.Errorf("lists are kept as lists: %s", diff)
	}
	for _, bad := range []any{[]any{""}, []any{[]any{"a"}}, []any{nil}, map[string]any{}, "a\x1fb", []any{"a\x1fb"}, make([]int, 1001)} {
		w.admin().put(path, map[string]any{"login_attributes": map[string]any{"teams": bad}}).want(400)
	}
	u = w.admin().put(path, map[string]any{"login_attributes": map[string]any{"organization_id": 7}}).want(200).object()
	if diff := cmp.Diff(map[string]any{"organization_id": "7"}, u["login_attributes"]); diff != "" {
		t.Errorf("attributes are replaced as a whole: %s", diff)
	}
	w.admin().put(path, map[string]any{"email": "ADMIN@example.org"}).wrong("email", "Email address already associated to another user.")
	if u = w.admin().put(path, map[string]any{"email": "Moved@Example.org"}).want(200).object(); u["email"] != "moved@example.org" {
		t.Errorf("e-mail %v", u["email"])
	}
	// Groups, in both forms.
	w.admin().put(path, map[string]any{"group_ids": []any{w.Group}}).text(400, "You cannot add or remove users to/from the 'All Users' group.")
	w.admin().put(path, map[string]any{"is_superuser": true, "group_ids": []any{1}}).want(400)
	w.admin().put(path, map[string]any{"is_superuser": false, "user_group_memberships": []any{map[string]any{"id": 1}, map[string]any{"id": 2}}}).
		wrong("is_superuser", "Value of is_superuser must correspond to presence of Admin group ID in group_ids.")
	u = w.admin().put(path, map[string]any{"user_group_memberships": []any{map[string]any{"id": 2}, map[string]any{"id": 1}}}).want(200).object()
	if u["is_superuser"] != true || !slices.Equal(ids(u["group_ids"].([]any), ""), []int64{1, 2}) {
		t.Errorf("made an administrator through groups: %v", u)
	}
	u = w.admin().put(path, map[string]any{"is_superuser": false}).want(200).object()
	if u["is_superuser"] != false || !slices.Equal(ids(u["group_ids"].([]any), ""), []int64{1}) {
		t.Errorf("and no longer: %v", u)
	}
	w.admin().put(path, map[string]any{"group_ids": []any{1, 999}}).want(400)
	w.admin().put("/api/user/999", map[string]any{"first_name": "x"}).text(404, "Not found.")
	w.admin().delete(path).text(200, `{"success":true}`+"\n")
	w.admin().put(path, map[string]any{"first_name": "x"}).text(404, "Not found.")
	if got := w.admin().get(path).want(200).object(); got["is_active"] != false {
		t.Errorf("a deactivated person is shown as %v", got["is_active"])
	}
}

func TestPeopleChangeThemselvesButNotTheirRights(t *testing.T) {
	w := settledWorld(t)
	path := "/api/user/" + w.names()["$member"]
	before := w.member().get(path).want(200).object()
	w.member().put(path, map[string]any{"first_name": "Me", "last_name": "Myself"}).want(200)
	for _, body := range []map[string]any{
		{"is_superuser": true},
		{"login_attributes": map[string]any{"organization_id": "1"}},
		{"group_ids": []any{1, 2, w.Group}},
		{"group_ids": []any{1}},
		{"user_group_memberships": []any{map[string]any{"id": 1}}},
	} {
		w.member().put(path, body).text(403, "You don't have permissions to do that.")
	}
	after := w.member().get(path).object()
	w.member().put(path, after).want(200) // the whole object sent back
	for _, key := range []string{"is_superuser", "login_attributes", "group_ids"} {
		if diff := cmp.Diff(before[key], after[key]); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	w.outsider().put(path, map[string]any{"first_name": "x"}).want(403)
	w.outsider().get(path).want(403)
	w.member().delete(path).want(403)
	w.member().put(path+"/modal/qbnewb", nil).text(200, `{"success":true}`+"\n")
	w.admin().put(path+"/modal/qbnewb", nil).want(403)
	if w.member().get("/api/user/current").object()["is_qbnewb"] != false {
		t.Error("is_qbnewb stays")
	}
}

func TestTheLastAdministratorStays(t *testing.T) { onEachEngine(t, theLastAdministratorStays) }

func theLastAdministratorStays(t *testing.T, w settled) {
	t.Helper()
	path := "/api/user/" + w.names()["$admin"]
	for what, r := range map[string]reply{
		"delete":    w.admin().delete(path),
		"demote":    w.admin().put(path, map[string]any{"is_superuser": false}),
		"group_ids": w.admin().put(path, map[string]any{"group_ids": []any{1}}),
		"remove":    w.admin().delete("/api/permissions/group/2/membership/user/" + w.names()["$admin"]),
		"clear":     w.admin().put("/api/permissions/membership/2/clear", nil),
	} {
		if r.status != 400 || len(r.body) == 0 || r.header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s: status %d: %s", what, r.status, r.body)
		}
	}
	if w.admin().get("/api/user/current").want(200).object()["is_superuser"] != true {
		t.Error("the last administrator is none any more")
	}
}

func TestReactivationBringsThePersonBackWithoutAdministration(t *testing.T) {
	onEachEngine(t, reactivationBringsThePersonBackWithoutAdministration)
}

func reactivationBringsThePersonBackWithoutAdministration(t *testing.T, w settled) {
	t.Helper()
	path := "/api/user/" + w.names()["$member"]
	w.admin().put(path+"/reactivate", nil).text(400, `{"message":"Not able to reactivate an active user"}`+"\n")
	w.admin().put("/api/user/999/reactivate", nil).text(404, "Not found.")
	w.admin().put(path, map[string]any{"is_superuser": true}).want(200)
	w.admin().delete(path).want(200)
	u := w.admin().put(path+"/reactivate", map[string]any{}).want(200).object()
	if u["is_active"] != true || u["is_superuser"] != false || !slices.Equal(ids(u["group_ids"].([]any), ""), []int64{1, w.Group}) {
		t.Errorf("back again: %v", u)
	}
}

func TestPeopleKnowOfEachOtherAsTheSettingSays(t *testing.T) {
	w := settledWorld(t)
	seen := func(c caller) []string {
		t.Helper()
		var emails []string
		for _, u := range c.get("/api/user/recipients").want(200).object()["data"].([]any) {
			emails = append(emails, u.(map[string]any)["email"].(string))
		}
		return emails
	}
	w.admin().post(fmt.Sprintf("/api/permissions/group/%d/membership", w.Group), map[string]any{"user_id": w.Admin}).want(200)
	for _, c := range []struct {
		setting          any
		member, outsider int
	}{{nil, 2, 1}, {"none", 1, 1}, {"group", 2, 1}, {"all", 3, 3}} {
		w.admin().put("/api/setting/user-visibility", map[string]any{"value": c.setting}).text(204, "")
		if m, o, a := seen(w.member()), seen(w.outsider()), seen(w.admin()); len(m) != c.member || len(o) != c.outsider || len(a) != 3 {
			t.Errorf("%v: the member sees %v, the outsider %v, the administrator %v", c.setting, m, o, a)
		}
	}
}
