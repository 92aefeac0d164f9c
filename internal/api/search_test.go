package api

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// found is what an answer of search has, as "name (model)".
func (r reply) found() string {
	r.t.Helper()
	list := []string{}
	for _, f := range r.want(200).object()["data"].([]any) {
		list = append(list, fmt.Sprintf("%s (%s)", f.(fields)["name"], f.(fields)["model"]))
	}
	return strings.Join(list, ", ")
}

func (r reply) finds(want string) {
	r.t.Helper()
	if got := r.found(); got != want {
		r.t.Errorf("%s: found %q, want %q", r.what, got, want)
	}
}

// docs/api.md, Search: what fits best comes first, then what is pinned,
// bookmarked and lately opened, then by kind and name.
func TestWhatFitsBestIsFoundFirst(t *testing.T) {
	s := settledWorld(t)
	orders := s.question(s.tableNamed("orders"))
	card := func(name string, more ...fields) int64 {
		s.clock.advance(time.Second)
		return s.admin().post("/api/card", s.newCard(s.Collection, orders, append([]fields{{"name": name}}, more...)...)).id()
	}
	card("Profit")
	card("Profit by month")
	card("Monthly profit")
	card("Nonprofit")
	card("Margins", fields{"description": "What is left of PROFIT"})
	s.member().get("/api/search?q=profit").finds("Profit (card), Profit by month (card), Monthly profit (card), Nonprofit (card), Margins (card)")
	s.member().get("/api/search?q=month+profit").finds("Monthly profit (card), Profit by month (card)")
	s.member().get("/api/search?q=left+margins").finds("Margins (card)")
	s.member().get("/api/search?q=left+profit+nothing").finds("")

	a := card("Tie a")
	b := card("Tie b")
	card("Tie c", fields{"type": "model"})
	s.admin().post("/api/dashboard", fields{"name": "Tie z", "collection_id": s.Collection}).want(200)
	s.newCollection("Tie 0", s.Collection)
	s.folder(s.Collection, "write")
	const rest = "Tie z (dashboard), Tie c (dataset), Tie a (card), Tie b (card), Tie 0 (collection)"
	s.admin().get("/api/search?q=tie").finds(rest)
	s.opens(s.admin(), path("/api/card/%d", a), path("/api/card/%d", b))
	s.admin().get("/api/search?q=tie").finds("Tie b (card), Tie a (card), Tie z (dashboard), Tie c (dataset), Tie 0 (collection)")
	s.admin().post(path("/api/bookmark/card/%d", a), nil).want(200)
	s.admin().get("/api/search?q=tie").finds("Tie a (card), Tie b (card), Tie z (dashboard), Tie c (dataset), Tie 0 (collection)")
	s.admin().put(path("/api/card/%d", b), fields{"collection_position": 1}).want(200)
	s.admin().get("/api/search?q=tie").finds("Tie b (card), Tie a (card), Tie z (dashboard), Tie c (dataset), Tie 0 (collection)")
	s.member().get("/api/search?q=tie&limit=2").keeps(fields{"total": 5, "limit": 2, "offset": 0}).finds("Tie b (card), Tie z (dashboard)")
	s.member().get("/api/search?q=tie&limit=2&offset=3").finds("Tie a (card), Tie 0 (collection)")
}

// Names, counts and kinds tell nothing of what one may not see.
func TestASearchTellsNothingOfWhatOneMayNotSee(t *testing.T) {
	s := settledWorld(t)
	s.folder(s.Closed, "none")
	s.admin().put(path("/api/card/%d", s.ClosedCard), fields{"name": "Secret", "collection_position": 1}).want(200)
	s.admin().post("/api/dashboard", fields{"name": "Secret board", "collection_id": s.Closed}).want(200)
	s.newCollection("Secret place", s.Closed)
	s.admin().post("/api/card", s.newCard(s.Closed, s.sql("select 'secret'"), fields{"name": "Hidden SQL"})).want(200)
	s.admin().put(path("/api/table/%d", s.tableNamed("people")), fields{"description": "secret"}).want(200)
	s.data(fields{"view-data": fields{"": fields{path("%d", s.tableNamed("orders")): "unrestricted", path("%d", s.tableNamed("people")): "blocked"}}})
	none := fields{"total": 0, "data": []any{}, "available_models": []any{}}
	s.admin().get("/api/search?q=secret&search_native_query=true").keeps(fields{"total": 5, "available_models": []string{"dashboard", "card", "collection", "table"}})
	for _, more := range []string{"", "&search_native_query=true", "&models=card", "&archived=true", path("&table_db_id=%d", s.Database), path("&created_by=%d", s.Admin), path("&last_edited_by=%d", s.Admin),
		path("&ids=%d&models=card", s.ClosedCard), "&filter_items_in_personal_collection=exclude", "&created_at=~2030-01-01", "&limit=1"} {
		s.member().get("/api/search?q=secret" + more).keeps(none)
		s.outsider().get("/api/search?q=secret" + more).keeps(none)
	}
	s.folder(s.Closed, "read")
	s.member().get("/api/search?q=secret").finds("Secret (card), Secret board (dashboard)")
	s.member().get("/api/search?q=secret&search_native_query=true").finds("Secret (card), Secret board (dashboard), Hidden SQL (card)")
}

func TestASearchIsNarrowed(t *testing.T) {
	s := settledWorld(t)
	own := func(c caller) int64 {
		return int64(c.get("/api/user/current").object()["personal_collection_id"].(float64))
	}
	orders := s.question(s.tableNamed("orders"))
	mine := s.member().post("/api/card", s.newCard(own(s.member()), orders, fields{"name": "Shop mine"})).id()
	s.admin().post("/api/card", s.newCard(own(s.admin()), orders, fields{"name": "Shop admin"})).want(200)
	s.clock.advance(48 * time.Hour) // it was the 4th of March 2026
	later := s.member().post("/api/card", s.newCard(s.Collection, orders, fields{"name": "Shop later"})).id()
	for _, c := range []struct{ more, want string }{
		{"", "Shop (collection), Shop admin (card), Shop later (card), Shop mine (card)"},
		{"&filter_items_in_personal_collection=all", "Shop (collection), Shop admin (card), Shop later (card), Shop mine (card)"},
		{"&filter_items_in_personal_collection=only", "Shop admin (card), Shop mine (card)"},
		{"&filter_items_in_personal_collection=only-mine", "Shop admin (card)"},
		{"&filter_items_in_personal_collection=exclude", "Shop (collection), Shop later (card)"},
		{"&filter_items_in_personal_collection=exclude-others", "Shop (collection), Shop admin (card), Shop later (card)"},
		{path("&created_by=%d", s.Member), "Shop later (card), Shop mine (card)"},
		{path("&created_by=%d&created_by=%d", s.Member, s.Admin), "Shop admin (card), Shop later (card), Shop mine (card)"},
		{path("&ids=%d&ids=%d&models=card", mine, later), "Shop later (card), Shop mine (card)"},
		{path("&ids=%d&models=dashboard", mine), ""},
		{"&created_at=2026-03-04", "Shop (collection), Shop admin (card), Shop mine (card)"},
		{"&created_at=2026-03-05~", "Shop later (card)"},
		{"&created_at=~2026-03-05", "Shop (collection), Shop admin (card), Shop mine (card)"},
		{"&created_at=2026-03-05~2026-03-06", "Shop later (card)"},
		{"&created_at=thisday", "Shop later (card)"},
		{"&created_at=past3days", "Shop (collection), Shop admin (card), Shop mine (card)"},
		{"&created_at=past1months~", "Shop (collection), Shop admin (card), Shop later (card), Shop mine (card)"},
		{"&last_edited_at=2026-03-06", "Shop later (card)"},
		{path("&last_edited_by=%d", s.Member), "Shop later (card), Shop mine (card)"},
		{path("&last_edited_by=%d", s.Outsider), ""},
		{"&verified=true", "Shop (collection), Shop admin (card), Shop later (card), Shop mine (card)"},
	} {
		s.admin().get("/api/search?q=shop" + c.more).finds(c.want)
	}
	s.admin().get("/api/search?ids=1").wrong("ids", "ids are of one kind: give exactly one of models with them.")
	s.admin().get("/api/search?ids=x&models=card").wrong("ids", "value must be an integer greater than zero.")
	s.admin().get("/api/search?created_by=-1").wrong("created_by", "value must be an integer greater than zero.")
	for _, wrong := range []string{"x", "~", "2026-13-01", "2026-01-01~x", "past99999days"} {
		s.admin().get("/api/search?created_at=" + wrong).want(400)
	}
	s.admin().get("/api/search?q="+strings.Repeat("x", 1001)).wrong("q", "value must be at most 1000 characters long.")
	s.admin().get("/api/search?filter_items_in_personal_collection=x").want(400)

	shown := s.member().get(path("/api/search?ids=%d&models=card", later)).object()["data"].([]any)[0].(fields)
	hasKinds(t, "found", shown, map[string]string{"id": "int", "model": "string", "name": "string", "archived": "bool", "collection": "object", "creator_id": "int",
		"created_at": "string", "updated_at": "string", "bookmark": "bool", "can_write": "bool", "database_id": "int", "display": "string", "collection_position": "null"})
}

// A search loads what fits and not all there is.
func TestASearchReadsNoQuestionsItDoesNotShow(t *testing.T) {
	s := settledWorld(t)
	s.admin().get("/api/search?q=board+products").want(200)
	before := s.store.Statements()
	s.admin().get("/api/search?q=board+products").want(200)
	few := s.store.Statements() - before
	for i := range 30 {
		s.newCollection(fmt.Sprint("Board products ", i), s.Collection)
	}
	before = s.store.Statements()
	s.admin().get("/api/search?q=board+products").keeps(fields{"total": 31})
	if many := s.store.Statements() - before; many != few {
		t.Errorf("%d statements to find 31 things, %d to find one", many, few)
	}
}
