package api

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// between sends a request, and does something after the route has asked for
// the right and before its handler begins.
func (c caller) between(method, pattern, path string, body any, do func()) reply {
	c.w.t.Helper()
	return c.around(method, pattern, path, body, func(handle func(*API, *request) (any, error), a *API, r *request) (any, error) {
		do()
		return handle(a, r)
	})
}

// around sends a request to a route with another handler, which gets the own
// one.
func (c caller) around(method, pattern, path string, body any, with func(func(*API, *request) (any, error), *API, *request) (any, error)) reply {
	c.w.t.Helper()
	all := routes()
	rt := all[slices.IndexFunc(all, func(rt Route) bool { return rt.Method == method && rt.Path == pattern })]
	handle := rt.handle
	rt.handle = func(a *API, r *request) (any, error) { return with(handle, a, r) }
	req := httptest.NewRequest(method, "http://sluice.test"+path, strings.NewReader(unescaped(c.w.t, body)))
	for k, v := range c.header {
		req.Header[k] = v
	}
	for _, p := range rt.parameters() {
		req.SetPathValue(p.name, path[strings.LastIndexByte(path, '/')+1:])
	}
	rec := httptest.NewRecorder()
	c.w.api.observe(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.w.api.serve(&rt, w, r) })).ServeHTTP(rec, req)
	return reply{c.w.t, method + " " + path, rec.Code, rec.Header(), rec.Body.Bytes()}
}

// An update can take as long as a question does. What an administrator does
// meanwhile is not undone by it.
func TestAnUpdateUndoesNothingThatWasDoneMeanwhile(t *testing.T) {
	for _, noun := range []string{"card", "dashboard"} {
		for _, c := range []struct {
			name string
			do   func(s settled, at string)
			is   fields
		}{
			{"moved", func(s settled, at string) { s.admin().put(at, fields{"collection_id": s.Closed}).want(200) }, fields{"archived": false}},
			{"archived", func(s settled, at string) { s.admin().put(at, fields{"archived": true}).want(200) }, fields{"archived": true}},
		} {
			t.Run(noun+" "+c.name, func(t *testing.T) {
				s := settledWorld(t)
				at := path("/api/%s/%d", noun, map[string]int64{"card": s.Card, "dashboard": s.Dashboard}[noun])
				r := s.member().between("PUT", "/api/"+noun+"/{id}", at, fields{"name": "Mine", "description": "d"}, func() { c.do(s, at) })
				r.want(http.StatusConflict)
				if got := r.object()["message"]; got != changedText {
					t.Errorf("message %q", got)
				}
				c.is["name"] = map[string]string{"card": "Products", "dashboard": "Overview"}[noun]
				if c.name == "moved" {
					c.is["collection_id"] = s.Closed
				}
				s.admin().get(at).keeps(c.is)
			})
		}
	}
}

// Two who change different things at the same time both succeed.
func TestAnUpdateWritesOnlyWhatItNames(t *testing.T) {
	s := settledWorld(t)
	for at, pattern := range map[string]string{
		path("/api/card/%d", s.Card):           "/api/card/{id}",
		path("/api/dashboard/%d", s.Dashboard): "/api/dashboard/{id}",
		path("/api/database/%d", s.Database):   "/api/database/{id}",
	} {
		s.admin().between("PUT", pattern, at, fields{"name": "Mine"}, func() {
			s.admin().put(at, fields{"description": "theirs"}).want(200)
		}).want(200)
		s.admin().get(at).keeps(fields{"name": "Mine", "description": "theirs"})
	}
}

// What one may do is looked up again when the question of an update has been
// tried.
func TestWhoLosesTheCollectionWhileAQuestionIsTriedDoesNotSaveIt(t *testing.T) {
	s := settledWorld(t)
	take := func() { s.folder(s.Collection, "none") }
	at := path("/api/card/%d", s.Card)
	s.member().between("PUT", "/api/card/{id}", at, fields{"dataset_query": s.question(s.tableNamed("orders"))}, take).forbidden()
	s.admin().get(at).keeps(fields{"dataset_query": s.question(s.tableNamed("products"), fields{"limit": 3})})

	s.folder(s.Collection, "write")
	s.member().between("POST", "/api/card", "/api/card", s.newCard(s.Collection, s.question(s.tableNamed("orders"))), take).forbidden()
	s.folder(s.Collection, "write")
	s.member().between("POST", "/api/card/{id}/copy", at, nil, take).forbidden()
	s.folder(s.Collection, "write")
	s.member().between("POST", "/api/dashboard/{id}/copy", path("/api/dashboard/%d", s.Dashboard), fields{"collection_id": s.Collection, "is_deep_copy": true}, take).forbidden()
}
