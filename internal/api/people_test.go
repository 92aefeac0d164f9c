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

func TestSetUpHappensOnceWithTheToken(t *testing.T) {
	w := emptyWorld(t)
	page := string(w.nobody().get("/").want(200).body)
	if !strings.Contains(page, "/api/setup") || !strings.Contains(page, "/api/docs/openapi.json") || !strings.Contains(page, "Version test") {
		t.Errorf("the index page: %s", page)
	}
	p := w.nobody().get("/api/session/properties").want(200).object()
	if p["has-user-setup"] != false || p["setup-token"] != nil {
		t.Errorf("properties before set-up: %v %v", p["has-user-setup"], p["setup-token"])
	}
	first, err := w.api.IssueSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	token, err := w.api.IssueSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	body := func(token, password string) map[string]any {
		return map[string]any{"token": token, "user": map[string]any{"email": "First@Example.org", "password": password},
			"prefs": map[string]any{"site_name": "The shop", "allow_tracking": false}, "database": nil}
	}
	w.nobody().post("/api/setup", body("guess", testPassword)).wrong("token", "Token does not match the setup token.")
	w.nobody().post("/api/setup", body(first, testPassword)).wrong("token", "Token does not match the setup token.")
	w.nobody().post("/api/setup", body(token, "password1")).wrong("password", "The password is too common: choose one that is harder to guess.")
	r := w.nobody().post("/api/setup", body(token, testPassword))
	session := r.want(200).object()["id"].(string)
	me := w.with(session).get("/api/user/current").want(200).object()
	if me["email"] != "first@example.org" || me["is_superuser"] != true || me["common_name"] != "first@example.org" || !slices.Equal(ids(me["group_ids"].([]any), ""), []int64{1, 2}) {
		t.Errorf("the first administrator: %v", me)
	}
	w.nobody().post("/api/setup", body(token, testPassword)).text(403, "The /api/setup route can only be used to create the first user, however a user currently exists.")
	if again, err := w.api.IssueSetupToken(t.Context()); again != "" || err != nil {
		t.Errorf("another token %q, %v", again, err)
	}
	p = w.nobody().get("/api/session/properties").want(200).object()
	if p["has-user-setup"] != true || p["site-name"] != "The shop" {
		t.Errorf("properties after set-up: %v", p)
	}
	if page := string(w.nobody().get("/").want(200).body); strings.Contains(page, "/api/setup") {
		t.Error("the index page still asks for set-up")
	}
}

func TestTheFirstAdministratorCanBeNamedAtTheStart(t *testing.T) {
	w := emptyWorld(t)
	for _, bad := range [][2]string{{"nobody", testPassword}, {"a@example.org", "short"}} {
		if created, err := w.api.SetUpUnattended(t.Context(), bad[0], bad[1]); created || err == nil {
			t.Errorf("%v: created %v, %v", bad, created, err)
		}
	}
	for i, want := range []bool{true, false} {
		if created, err := w.api.SetUpUnattended(t.Context(), "a@example.org", testPassword); created != want || err != nil {
			t.Errorf("time %d: created %v, %v", i, created, err)
		}
	}
	w.nobody().post("/api/session", map[string]any{"username": "a@example.org", "password": testPassword}).want(200)
}

func TestPropertiesHaveWhatClientsRead(t *testing.T) {
	w := settledWorld(t)
	var p struct {
		Version       struct{ Tag, Sluice string } `json:"version"`
		Engines       map[string]map[string]any    `json:"engines"`
		TokenFeatures map[string]bool              `json:"token-features"`
		HasUserSetup  bool                         `json:"has-user-setup"`
		SetupToken    *string                      `json:"setup-token"`
		SiteName      string                       `json:"site-name"`
	}
	r := w.nobody().get("/api/session/properties").want(200)
	r.into(&p)
	if !strings.HasPrefix(p.Version.Tag, "v0.58") || p.Version.Sluice != "test" || p.Engines["sqlite"]["driver-name"] != "SQLite" ||
		p.TokenFeatures == nil || !p.HasUserSetup || p.SetupToken != nil || p.SiteName != "Sluice" {
		t.Errorf("%s", r.body)
	}
	if _, told := r.object()["user-visibility"]; told {
		t.Error("a setting that is not public is told to nobody in particular")
	}
	if w.admin().get("/api/session/properties").object()["user-visibility"] != "group" {
		t.Error("an administrator is not told a setting")
	}
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

func TestGroupsAreManagedAsClientsDo(t *testing.T) { onEachEngine(t, groupsAreManagedAsClientsDo) }

func groupsAreManagedAsClientsDo(t *testing.T, w settled) {
	t.Helper()
	list := w.admin().get("/api/permissions/group").want(200).list()
	var names []string
	for _, g := range list {
		names = append(names, fmt.Sprint(g["id"], " ", g["name"], " ", g["member_count"], " ", g["magic_group_type"]))
	}
	if diff := cmp.Diff([]string{"2 Administrators 1 admin", "1 All Users 3 all-internal-users", fmt.Sprint(w.Group, " Analysts 1 <nil>")}, names); diff != "" {
		t.Errorf("list: %s", diff)
	}
	id := w.admin().post("/api/permissions/group", map[string]any{"name": "Tenant: 1", "color": "#fff"}).id()
	path := fmt.Sprint("/api/permissions/group/", id)
	w.admin().post("/api/permissions/group", map[string]any{"name": "TENANT: 1"}).text(400, "A group with that name already exists.")
	w.admin().post("/api/permissions/group", map[string]any{"name": " "}).wrong("name", "value must be a non-blank string.")
	g := w.admin().put(path, map[string]any{"name": "Tenant: 2", "id": id}).want(200).object()
	if g["name"] != "Tenant: 2" || g["id"] != float64(id) {
		t.Errorf("renamed: %v", g)
	}
	w.admin().put(path, map[string]any{"name": "analysts"}).text(400, "A group with that name already exists.")
	if g = w.admin().put(path, map[string]any{"is_internal": true}).want(200).object(); g["is_internal"] != true {
		t.Errorf("internal: %v", g)
	}
	for _, magic := range []string{"1", "2"} {
		if r := w.admin().put("/api/permissions/group/"+magic, map[string]any{"name": "Everybody"}); r.status != 400 {
			t.Errorf("group %s was renamed: %d", magic, r.status)
		}
		if r := w.admin().delete("/api/permissions/group/" + magic); r.status != 400 {
			t.Errorf("group %s was deleted: %d", magic, r.status)
		}
	}
	w.admin().delete(path).text(204, "")
	w.admin().delete(path).text(204, "")
	w.admin().get(path).text(404, "Not found.")
	w.admin().put(path, map[string]any{"name": "x"}).text(404, "Not found.")
}

func TestMembershipsAreIdempotentAndKnownByID(t *testing.T) {
	onEachEngine(t, membershipsAreIdempotentAndKnownByID)
}

func membershipsAreIdempotentAndKnownByID(t *testing.T, w settled) {
	t.Helper()
	group, outsider := w.Group, w.Outsider
	add := map[string]any{"group_id": fmt.Sprint(group), "user_id": fmt.Sprint(outsider), "membership_id": 0, "is_group_manager": false}
	for range 2 {
		members := w.admin().post("/api/permissions/membership", add).want(200).list()
		if len(members) != 2 {
			t.Fatalf("members: %v", members)
		}
	}
	alias := fmt.Sprintf("/api/permissions/group/%d/membership", group)
	members := w.admin().post(alias, map[string]any{"user_id": outsider}).want(200).list()
	if len(members) != 2 {
		t.Fatalf("members: %v", members)
	}
	for _, key := range []string{"membership_id", "user_id", "group_id", "id", "email", "common_name", "is_superuser", "type"} {
		if members[0][key] == nil {
			t.Errorf("a member has no %s: %v", key, members[0])
		}
	}
	var all map[string][]membershipWire
	w.admin().get("/api/permissions/membership").want(200).into(&all)
	mine := all[fmt.Sprint(outsider)]
	if len(mine) != 2 || mine[0].GroupID != 1 || mine[1].GroupID != group || mine[1].UserID != outsider || len(all) != 3 {
		t.Errorf("memberships: %v", all)
	}
	got := w.admin().get(fmt.Sprint("/api/permissions/group/", group)).object()["members"].([]any)
	if len(got) != 2 {
		t.Errorf("group: %v", got)
	}
	end := fmt.Sprint("/api/permissions/membership/", mine[1].MembershipID)
	w.admin().delete(end).text(204, "")
	w.admin().delete(end).text(404, "Not found.")
	direct := fmt.Sprintf("/api/permissions/group/%d/membership/user/%d", group, outsider)
	w.admin().post(alias, map[string]any{"user_id": outsider}).want(200)
	w.admin().delete(direct).text(204, "")
	w.admin().delete(direct).text(204, "")
	if ids := w.admin().get(fmt.Sprint("/api/user/", outsider)).object()["group_ids"].([]any); len(ids) != 1 {
		t.Errorf("groups after all: %v", ids)
	}
	w.admin().put(fmt.Sprintf("/api/permissions/membership/%d/clear", group), nil).text(204, "")
	if ids := w.admin().get(fmt.Sprint("/api/user/", w.Member)).object()["group_ids"].([]any); len(ids) != 1 {
		t.Errorf("groups after clear: %v", ids)
	}

	w.admin().post(alias, map[string]any{"user_id": outsider, "is_group_manager": true}).want(400)
	w.admin().post("/api/permissions/group/1/membership", map[string]any{"user_id": outsider}).want(400)
	w.admin().post("/api/permissions/group/999/membership", map[string]any{"user_id": outsider}).text(404, "Not found.")
	w.admin().post(alias, map[string]any{"user_id": 999}).want(400)
	w.admin().delete(fmt.Sprint("/api/permissions/membership/", mine[0].MembershipID)).want(400) // All Users
}

func TestAPIKeysActAsTheirGroup(t *testing.T) { onEachEngine(t, aPIKeysActAsTheirGroup) }

func aPIKeysActAsTheirGroup(t *testing.T, w settled) {
	t.Helper()
	var k apiKeyWire
	w.admin().post("/api/api-key", map[string]any{"name": "nightly", "group_id": fmt.Sprint(w.Group)}).want(200).into(&k)
	if k.Group.Name != "Analysts" || k.UpdatedBy == nil || k.UpdatedBy.CommonName != "Ada Min" {
		t.Errorf("key: %+v", k)
	}
	me := w.key(k.UnmaskedKey).get("/api/user/current").want(200).object()
	if !plausibleEmail(me["email"].(string)) || me["is_superuser"] != false || me["personal_collection_id"] != nil || !slices.Equal(ids(me["group_ids"].([]any), ""), []int64{1, w.Group}) {
		t.Errorf("who the key is: %v", me)
	}
	w.key(k.UnmaskedKey).get("/api/user").want(403)
	w.key(w.AdminKey).get("/api/user").want(200)
	w.admin().get(fmt.Sprint("/api/user/", ids([]any{me["id"]}, "")[0])).text(404, "Not found.") // no person
	if total := w.admin().get("/api/user").object()["total"]; total != 3.0 {
		t.Errorf("keys are in the list of people: %v", total)
	}
	w.admin().get("/api/api-key/count").text(200, "3\n")
	if list := w.admin().get("/api/api-key").want(200).list(); len(list) != 3 {
		t.Errorf("list: %v", list)
	}
	r := w.admin().post("/api/api-key", map[string]any{"name": "NIGHTLY", "group_id": 1})
	if r.want(400).object()["errors"].(map[string]any)["name"] == nil {
		t.Errorf("taken name: %s", r.body)
	}
	w.admin().post("/api/api-key", map[string]any{"name": "x", "group_id": 999}).want(400)
	path := fmt.Sprint("/api/api-key/", k.ID)
	w.admin().put(path, map[string]any{"name": "weekly", "group_id": 2}).want(200)
	w.key(k.UnmaskedKey).get("/api/user").want(200)
	w.admin().put("/api/api-key/999", map[string]any{"name": "y"}).text(404, "Not found.")
	w.admin().delete("/api/api-key/999").text(404, "Not found.")
	w.key(k.UnmaskedKey).post("/api/session", map[string]any{"username": me["email"], "password": testPassword}).want(401)

	// A deleted group leaves its keys with All Users only.
	w.admin().delete("/api/permissions/group/" + w.names()["$group"]).want(204)
	me = w.key(w.MemberKey).get("/api/user/current").want(200).object()
	if !slices.Equal(ids(me["group_ids"].([]any), ""), []int64{1}) {
		t.Errorf("groups of the key of a deleted group: %v", me["group_ids"])
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

func TestSettingsAreTypedAndKeepTheirDefaults(t *testing.T) {
	w := settledWorld(t)
	w.nobody().get("/api/setting/site-name").want(401)
	w.member().get("/api/setting/site-name").text(200, `"Sluice"`+"\n")
	w.member().get("/api/setting/user-visibility").want(403)
	w.member().get("/api/setting/nothing").want(403)
	w.admin().get("/api/setting/nothing").text(404, "Not found.")
	w.admin().put("/api/setting/nothing", map[string]any{"value": 1}).text(404, "Not found.")
	w.admin().get("/api/setting/report-timezone").text(204, "")
	for key, values := range map[string][]any{
		"site-name": {5, map[string]any{}, " "}, "report-timezone": {"Mars/Base", "Local", true}, "start-of-week": {"caturday"},
		"site-url": {"javascript:alert(1)", "example.org"}, "enable-embedding-static": {true, "yes", 1}, "admin-email": {"x"},
	} {
		for _, v := range values {
			if r := w.admin().put("/api/setting/"+key, map[string]any{"value": v}); r.status != 400 {
				t.Errorf("%s = %v: status %d", key, v, r.status)
			}
		}
	}
	w.admin().put("/api/setting/report-timezone", map[string]any{"value": "Europe/Berlin"}).text(204, "")
	w.member().get("/api/setting/report-timezone").text(200, `"Europe/Berlin"`+"\n")
	w.admin().put("/api/setting", map[string]any{"site-name": "Shop", "start-of-week": "monday"}).text(204, "")
	w.admin().put("/api/setting", map[string]any{"site-name": "Other", "nothing": 1}).want(400)
	for _, s := range w.admin().get("/api/setting").want(200).list() {
		want := map[any]any{"site-name": "Shop", "start-of-week": "monday", "report-timezone": "Europe/Berlin"}[s["key"]]
		if s["value"] != want || s["is_env_setting"] != false || s["env_name"] == nil {
			t.Errorf("%v", s)
		}
	}
	w.admin().put("/api/setting/site-name", map[string]any{"value": nil}).text(204, "")
	w.member().get("/api/setting/site-name").text(200, `"Sluice"`+"\n")
}

func TestHealthNeedsNobodyAndReadinessNeedsTheStore(t *testing.T) {
	w := emptyWorld(t)
	for _, path := range []string{"/api/health", "/api/health/live", "/api/health/ready"} {
		w.nobody().get(path).text(200, `{"status":"ok"}`+"\n")
	}
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	w.nobody().get("/api/health/live").want(200)
	w.nobody().get("/api/health/ready").want(503)
	w.nobody().get("/api/session/properties").want(500)
}

// together sends the same request many times at once and counts the statuses.
func together(c caller, method, path string, body any) map[int]int {
	const n = 8
	statuses := make(chan int, n)
	for range n {
		go func() { statuses <- c.send(method, path, body).status }()
	}
	count := map[int]int{}
	for range n {
		count[<-statuses]++
	}
	return count
}

func TestWhatCanHappenOnceHappensOnceAlsoAtTheSameTime(t *testing.T) {
	w := emptyWorld(t)
	token, err := w.api.IssueSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	setup := map[string]any{"token": token, "user": map[string]any{"email": "first@example.org", "password": testPassword}}
	if got := together(w.nobody(), "POST", "/api/setup", setup); got[200] != 1 || got[200]+got[403]+got[400] != 8 {
		t.Errorf("set-up: %v", got)
	}
	s := settledWorld(t)
	if got := together(s.admin(), "POST", "/api/user", map[string]any{"email": "twin@example.org"}); got[200] != 1 || got[400] != 7 {
		t.Errorf("one address: %v", got)
	}
	if got := together(s.admin(), "POST", "/api/permissions/group", map[string]any{"name": "Twin"}); got[200] != 1 || got[400] != 7 {
		t.Errorf("one group name: %v", got)
	}
	join := fmt.Sprintf("/api/permissions/group/%d/membership", s.Group)
	if got := together(s.admin(), "POST", join, map[string]any{"user_id": s.Outsider}); got[200] != 8 {
		t.Errorf("one membership: %v", got)
	}
	if members := s.admin().get(fmt.Sprint("/api/permissions/group/", s.Group)).object()["members"].([]any); len(members) != 2 {
		t.Errorf("members: %v", members)
	}
}
