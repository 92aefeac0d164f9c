package api

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGroupsAreManagedAsClientsDo(t *testing.T) { onEachEngine(t, groupsAreManagedAsClientsDo) }

func groupsAreManagedAsClientsDo(t *testing.T, w settled) {
	t.Helper()
	list := w.admin().get("/api/permissions/group").want(200).list()
	var names []string
	for _, g := range list {
		names = append(names, fmt.Sprint(g["id"], " ", g["name"], " ", g["member_count"], " ", g["magic_group_type"]))
	}
	if diff := cmp.Diff([]string{"2 Administrators 1 admin", "1 All Users 3 all-internal-users", fmt.Sprint(w.Group, " Analysts 1 <nil>"), fmt.Sprint(w.Tenants, " Tenants 0 <nil>")}, names); diff != "" {
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
	// What is sent in one request is done in one.
	revisions := func() int {
		all, err := w.store.Revisions(w.t.Context(), 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	before := revisions()
	g = w.admin().post("/api/permissions/group", map[string]any{"name": "Inside", "is_internal": true}).want(200).object()
	if n := revisions() - before; n != 1 || g["is_internal"] != true {
		t.Errorf("an internal group was made in %d revisions: %v", n, g)
	}
	g = w.admin().put(fmt.Sprint("/api/permissions/group/", g["id"]), map[string]any{"name": "Outside", "is_internal": false}).want(200).object()
	if n := revisions() - before; n != 2 || g["is_internal"] != false || g["name"] != "Outside" {
		t.Errorf("a group was made and altered in %d revisions: %v", n, g)
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

func TestAPIKeysActAsTheirGroup(t *testing.T) { onEachEngine(t, apiKeysActAsTheirGroup) }

func apiKeysActAsTheirGroup(t *testing.T, w settled) {
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
