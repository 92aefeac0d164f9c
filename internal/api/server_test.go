package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

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
	odd := body(token, testPassword)
	odd["prefs"] = map[string]any{"site_name": "two\nlines"}
	w.nobody().post("/api/setup", odd).wrong("site_name", "value must be one line of at most 200 bytes.")
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
		if s["value"] != want || s["is_env_setting"] != false || s["env_name"] != "" {
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
