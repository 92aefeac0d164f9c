package api

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What the setting user-visibility hides is not told beside a question either.
func TestWhoMadeSomethingIsToldAsTheSettingSays(t *testing.T) {
	s := settledWorld(t)
	nameless := s.admin().post("/api/card", s.newCard(s.Collection, s.question(s.tableNamed("products")))).id()
	creators := func(c caller) (all []any) {
		t.Helper()
		for _, at := range []string{path("/api/card/%d", s.Card), path("/api/dashboard/%d", s.Dashboard)} {
			r := c.get(at).want(200)
			all = append(all, r.object()["creator"])
		}
		return all
	}
	hidden := map[string]any{"id": float64(s.Admin), "first_name": nil, "last_name": nil, "common_name": "Ada Min"}
	if diff := cmp.Diff([]any{hidden, hidden}, creators(s.member())); diff != "" {
		t.Error("somebody else:", diff)
	}
	s.member().get("/api/card").want(200).leaks("admin@example.org")
	s.admin().put(path("/api/user/%d", s.Admin), fields{"first_name": "", "last_name": ""}).want(200)
	s.member().get(path("/api/card/%d", nameless)).keeps(fields{"creator": fields{"id": s.Admin, "first_name": nil, "last_name": nil, "common_name": path("User %d", s.Admin)}})
	s.admin().put("/api/setting/user-visibility", fields{"value": "all"}).text(204, "")
	for _, c := range creators(s.member()) {
		if c.(map[string]any)["email"] != "admin@example.org" {
			t.Errorf("with everybody visible: %v", c)
		}
	}
}

// The address is the name to sign in with, and an answer to a change of it
// would tell whether others have an account.
func TestOnlyAdministratorsChangeAddresses(t *testing.T) {
	s := settledWorld(t)
	at := path("/api/user/%d", s.Member)
	for _, address := range []string{"admin@example.org", "nobody-has-this@example.org"} {
		s.member().put(at, fields{"email": address}).forbidden()
	}
	s.member().put(at, fields{"email": " Member@Example.org ", "first_name": "Mem"}).want(400)
	s.member().put(at, fields{"email": "Member@Example.org", "first_name": "Mem"}).keeps(fields{"email": "member@example.org"})
}

// Who is deactivated while a request runs is nobody at its end.
func TestWhoIsDeactivatedMeanwhileIsUnauthenticated(t *testing.T) {
	for _, c := range []struct {
		method, pattern string
		body            func(s settled) any
	}{
		{"POST", "/api/collection", func(s settled) any { return fields{"name": "Late", "parent_id": s.Collection} }},
		{"POST", "/api/card", func(s settled) any { return s.newCard(s.Collection, s.question(s.tableNamed("products"))) }},
		{"POST", "/api/card", func(s settled) any { return s.newCard(s.Collection, s.sql("select 1")) }},
		{"PUT", "/api/card/{id}", func(s settled) any { return fields{"dataset_query": s.question(s.tableNamed("orders"))} }},
		{"PUT", "/api/collection/{id:text}", func(s settled) any { return fields{"description": "late"} }},
	} {
		s := settledWorld(t)
		at := map[string]string{"/api/card/{id}": path("/api/card/%d", s.Card), "/api/collection/{id:text}": path("/api/collection/%d", s.Collection)}[c.pattern]
		if at == "" {
			at = c.pattern
		}
		r := s.member().between(c.method, c.pattern, at, c.body(s), func() { s.admin().delete(path("/api/user/%d", s.Member)).want(200) })
		if r.status != http.StatusUnauthorized {
			t.Errorf("%s: status %d: %.200s", r.what, r.status, r.body)
		}
	}
}
