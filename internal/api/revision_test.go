package api

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// revisions are those of a card or dashboard as somebody sees them.
func (c caller) revisions(entity string, id int64) []fields {
	c.w.t.Helper()
	list := c.get(path("/api/revision?entity=%s&id=%d", entity, id)).want(200).list()
	again := c.get(path("/api/revision/%s/%d", entity, id)).want(200).list()
	if diff := cmp.Diff(list, again); diff != "" {
		c.w.t.Errorf("the two addresses differ: %s", diff)
	}
	return list
}

// told is what a list of revisions says, newest first.
func toldOf(list []fields) []string {
	words := []string{}
	for _, r := range list {
		words = append(words, r["title"].(string)+": "+r["description"].(string))
	}
	return words
}

func (c caller) revert(entity string, id int64, revision any) reply {
	c.w.t.Helper()
	return c.post("/api/revision/revert", fields{"entity": entity, "id": id, "revision_id": revision})
}

func TestAQuestionBecomesWhatItWas(t *testing.T) {
	s := settledWorld(t)
	at := path("/api/card/%d", s.Card)
	was := s.admin().get(at).want(200).object()
	s.member().put(at, fields{"name": "Goods", "description": "All of them", "display": "bar", "type": "model", "visualization_settings": fields{"a": 1},
		"dataset_query": s.question(s.tableNamed("orders")), "collection_position": 2,
		"parameters": []any{fields{"id": "p", "name": "P", "slug": "p", "type": "category"}}}).want(200)
	s.member().put(at, fields{"name": "Goods"}).want(200) // which is nothing
	s.member().put(at, fields{"name": "Wares"}).want(200)
	list := s.member().revisions("card", s.Card)
	want := []string{
		`edited this: Renamed this from "Goods" to "Wares".`,
		`edited this: Renamed this from "Products" to "Goods", added a description, changed the question, turned this into a model, changed the display from "table" to "bar", ` +
			`changed the visualization settings and changed the parameters.`,
		`created this: Created this.`,
	}
	if diff := cmp.Diff(want, toldOf(list)); diff != "" {
		t.Fatal(diff)
	}
	hasKinds(t, "revision", list[0], map[string]string{"id": "int", "timestamp": "string", "user": "object", "is_creation": "bool", "is_reversion": "bool",
		"message": "null", "title": "string", "description": "string", "has_multiple_changes": "bool", "diff": "object"})
	if diff := cmp.Diff(fields{"before": fields{"name": "Goods"}, "after": fields{"name": "Wares"}}, list[0]["diff"]); diff != "" {
		t.Error(diff)
	}
	if list[0]["has_multiple_changes"] != false || list[1]["has_multiple_changes"] != true || list[2]["diff"] != nil || list[2]["is_creation"] != true {
		t.Errorf("revisions %v", list)
	}
	if who := list[0]["user"].(fields); who["id"] != float64(s.Member) {
		t.Errorf("changed by %v", who)
	}

	back := s.member().revert("card", s.Card, list[2]["id"])
	back.keeps(fields{"is_reversion": true, "title": "reverted to an earlier version"})
	is := s.admin().get(at).want(200).object()
	if is["collection_position"] != 2.0 {
		t.Errorf("the position is %v", is["collection_position"])
	}
	for _, d := range []fields{was, is} {
		delete(d, "updated_at")
		delete(d, "collection_position")
		delete(d, "result_metadata") // the fixture has none
	}
	if diff := cmp.Diff(was, is); diff != "" {
		t.Errorf("what came back differs from what was: %s", diff)
	}
	if now := s.member().revisions("card", s.Card); len(now) != 4 || now[0]["id"] != back.object()["id"] || now[0]["is_reversion"] != true {
		t.Errorf("after it there are %v", toldOf(now))
	}
	// The same once more is no change.
	s.member().revert("card", s.Card, list[2]["id"]).want(200)
	if now := s.member().revisions("card", s.Card); len(now) != 4 {
		t.Errorf("twice the same leaves %v", toldOf(now))
	}
}

// Restoring is authorised as saving is.
func TestRevertingNeedsWhatAnUpdateNeeds(t *testing.T) {
	s := settledWorld(t)
	at := path("/api/card/%d", s.Card)
	s.admin().put(at, fields{"name": "SQL", "dataset_query": s.sql("select 1 as x")}).want(200)
	s.admin().put(at, fields{"name": "Orders", "dataset_query": s.question(s.tableNamed("orders"))}).want(200)
	s.admin().put(at, fields{"name": "Only the name"}).want(200)
	list := s.member().revisions("card", s.Card)
	orders, sql, first := list[1]["id"], list[2]["id"], list[3]["id"]
	s.member().revert("card", s.Card, sql).unsavable() // a builder may ask no SQL
	s.admin().get(at).keeps(fields{"name": "Only the name"})
	s.data(fields{"view-data": "unrestricted", "create-queries": "no"})
	s.member().revert("card", s.Card, first).unsavable()
	s.member().revert("card", s.Card, orders).keeps(fields{"is_reversion": true}) // which asks the same question
	s.data(fields{"view-data": "unrestricted", "create-queries": "query-builder"})
	s.member().revert("card", s.Card, first).want(200)

	// A filter by a column is one again, also when it comes back.
	filter := fields{"parameters": []any{fields{"id": "a", "slug": "a", "name": "A", "type": "category", "target": []any{"dimension", []any{"field", s.fieldNamed("products", "vendor"), nil}}}}}
	s.admin().put(at, filter).want(200)
	s.admin().put(at, fields{"parameters": []any{}}).want(200)
	filtered := s.admin().revisions("card", s.Card)[1]["id"]
	s.data(fields{"view-data": "unrestricted", "create-queries": "no"})
	s.member().revert("card", s.Card, filtered).forbidden()
	s.data(fields{"view-data": "unrestricted", "create-queries": "query-builder"})
	s.member().revert("card", s.Card, filtered).want(200)

	// A revision of another one, none at all, and things that one may not change.
	other := s.admin().revisions("card", s.ClosedCard)[0]["id"]
	s.member().revert("card", s.Card, other).forbidden()
	s.admin().revert("card", s.Card, other).want(404)
	s.member().revert("card", s.Card, 99999).forbidden()
	s.member().revert("card", s.ClosedCard, other).forbidden()
	s.member().revert("card", 99999, 1).forbidden()
	s.member().revert("dashboard", s.Card+99999, filtered).forbidden()
	s.member().revert("table", 1, 1).wrong("entity", "value must be one of card, dashboard.")
	s.member().get(path("/api/revision/table/1")).wrong("entity", "value must be one of card, dashboard.")
	s.member().get("/api/revision?entity=table&id=1").want(400)
	s.folder(s.Collection, "read")
	s.member().revert("card", s.Card, first).forbidden()
	s.member().revisions("card", s.Card)
	s.folder(s.Collection, "none")
	for _, r := range []reply{s.member().get(path("/api/revision/card/%d", s.Card)), s.member().get(path("/api/revision?entity=card&id=%d", s.Card)),
		s.member().get("/api/revision/card/99999"), s.member().get(path("/api/revision/dashboard/%d", s.Dashboard)), s.member().revert("card", s.Card, first)} {
		r.forbidden()
	}
}

// What was written in a collection that one may not read is not told when the
// thing is moved to where one may, and cannot be brought back to be looked at.
func TestRevisionsFromAHiddenCollectionStayHidden(t *testing.T) {
	s := settledWorld(t)
	at := path("/api/card/%d", s.ClosedCard)
	s.admin().put(at, fields{"name": "Takeover plan", "description": "whisper"}).want(200)
	secret := s.admin().revisions("card", s.ClosedCard)[0]["id"]
	s.admin().put(at, fields{"name": "Plan", "description": nil}).want(200)
	s.admin().put(at, fields{"collection_id": s.Collection}).want(200)
	s.admin().put(at, fields{"name": "Public plan"}).want(200)
	list := s.member().get(path("/api/revision/card/%d", s.ClosedCard)).want(200)
	list.leaks("Takeover", "whisper", "Board")
	if diff := cmp.Diff([]string{`edited this: Renamed this from "Plan" to "Public plan".`, "edited this: Edited this."}, toldOf(list.list())); diff != "" {
		t.Error(diff)
	}
	s.member().revert("card", s.ClosedCard, secret).forbidden()
	if n := len(s.admin().revisions("card", s.ClosedCard)); n != 5 {
		t.Errorf("the administrator sees %d revisions", n)
	}
	// Reverting moves nothing back to where it was, nor out of the trash.
	s.admin().put(at, fields{"archived": true}).want(200)
	s.admin().revert("card", s.ClosedCard, secret).want(200)
	s.admin().get(at).keeps(fields{"name": "Takeover plan", "description": "whisper", "collection_id": s.Collection, "archived": true})
}

func TestADashboardBecomesWhatItWas(t *testing.T) {
	s := settledWorld(t)
	at := path("/api/dashboard/%d", s.Dashboard)
	second := s.admin().post("/api/card", s.newCard(s.Collection, s.question(s.tableNamed("products")), fields{"name": "Second"})).id()
	s.member().put(at, fields{"tabs": []any{fields{"id": -1, "name": "One"}, fields{"id": -2, "name": "Two"}},
		"parameters": []any{fields{"id": "p", "name": "P", "slug": "p", "type": "category"}},
		"dashcards": []any{placeOf(-1, s.Card, fields{"dashboard_tab_id": -2, "row": 3, "visualization_settings": fields{"card.title": "T"}, "series": []any{fields{"id": second}},
			"parameter_mappings": []any{fields{"parameter_id": "p", "card_id": s.Card, "target": []any{"dimension", []any{"field", s.fieldNamed("products", "category"), nil}}}}}),
			placeOf(-2, nil, fields{"dashboard_tab_id": -1, "visualization_settings": fields{"text": "Hello"}})}}).want(200)
	full := s.member().get(at).want(200).object()
	s.member().put(at, fields{"name": "Emptied", "width": "full", "tabs": []any{}, "dashcards": []any{}, "parameters": []any{}, "auto_apply_filters": true}).want(200)
	list := s.member().revisions("dashboard", s.Dashboard)
	want := []string{
		`edited this: Renamed this from "Overview" to "Emptied", changed the filters, changed the width from "fixed" to "full", changed when filters apply, removed 2 tabs and removed 2 cards.`,
		`edited this: Changed the filters, added 2 tabs, added 2 cards and removed 2 cards.`,
		`created this: Created this.`,
	}
	if diff := cmp.Diff(want, toldOf(list)); diff != "" {
		t.Fatal(diff)
	}
	s.member().revert("dashboard", s.Dashboard, list[1]["id"]).keeps(fields{"is_reversion": true})
	is := s.member().get(at).want(200).object()
	// Ids are new where the old ones are gone.
	plain := func(d fields) fields {
		tabs := map[any]string{}
		for _, tab := range d["tabs"].([]any) {
			tab := tab.(fields)
			tabs[tab["id"]] = tab["name"].(string)
			delete(tab, "id")
			delete(tab, "entity_id")
		}
		for _, dc := range d["dashcards"].([]any) {
			dc := dc.(fields)
			dc["dashboard_tab_id"] = tabs[dc["dashboard_tab_id"]]
			for _, key := range []string{"id", "entity_id", "created_at", "updated_at"} {
				delete(dc, key)
			}
		}
		delete(d, "updated_at")
		return d
	}
	if diff := cmp.Diff(plain(full), plain(is)); diff != "" {
		t.Errorf("what came back differs from what was: %s", diff)
	}

	// What is still there keeps its id; cards that are gone or archived by now stay away.
	places := s.member().get(at).dashcards()
	s.member().put(at, fields{"dashcards": []any{placeOf(places[0]["id"], s.Card, fields{"row": 9})}}).want(200)
	before := s.member().revisions("dashboard", s.Dashboard)[1]["id"]
	s.admin().delete(path("/api/card/%d", second)).want(204)
	s.member().revert("dashboard", s.Dashboard, before).want(200)
	again := s.member().get(at).dashcards()
	if len(again) != 2 || again[0]["id"] != places[0]["id"] || again[0]["row"] != 3.0 || len(again[0]["series"].([]any)) != 0 {
		t.Errorf("dashcards %v", again)
	}
	s.admin().put(at, fields{"dashcards": []any{}}).want(200)
	s.admin().put(path("/api/card/%d", s.Card), fields{"archived": true}).want(200)
	s.member().revert("dashboard", s.Dashboard, before).want(200)
	if again = s.member().get(at).dashcards(); len(again) != 1 || again[0]["card_id"] != nil {
		t.Errorf("dashcards %v", again)
	}
}

// Revisions of a dashboard tell nothing of locked cards, and bring back none
// that the person could not add.
func TestRevisionsOfADashboardTellNothingOfLockedCards(t *testing.T) {
	s := settledWorld(t)
	at := path("/api/dashboard/%d", s.Dashboard)
	set := fields{"card.title": "Secret title"}
	both := []any{placeOf(-1, s.Card, fields{"series": []any{fields{"id": s.ClosedCard}}, "visualization_settings": fields{"series": "Board line"}}),
		placeOf(-2, s.ClosedCard, fields{"visualization_settings": set})}
	s.admin().put(at, fields{"dashcards": both}).want(200)
	locked := s.admin().get(at).dashcards()[1]
	s.admin().put(at, fields{"dashcards": []any{placeOf(locked["id"], s.ClosedCard, fields{"row": 5})}}).want(200)
	r := s.member().get(path("/api/revision/dashboard/%d", s.Dashboard)).want(200)
	r.leaks("Secret", "Board", path(`%d,`, s.ClosedCard)+`"`, "card_id", "gauge")
	list := r.list()
	both1 := list[1]["id"]

	// The one that is still there moves, and keeps what is set for it; nothing else of a locked card comes back.
	s.member().revert("dashboard", s.Dashboard, both1).want(200).leaks("Secret", "Board")
	s.member().get(at).leaks("Secret", "Board")
	places := s.admin().get(at).dashcards()
	if len(places) != 2 || places[0]["id"] != locked["id"] || places[0]["row"] != 0.0 || cmp.Diff(any(set), places[0]["visualization_settings"]) != "" ||
		places[1]["card_id"] != float64(s.Card) || len(places[1]["series"].([]any)) != 0 || len(places[1]["visualization_settings"].(fields)) != 0 {
		t.Errorf("dashcards %v", places)
	}
	// Removed by somebody, it is not put back by who could not put it there.
	s.admin().put(at, fields{"dashcards": []any{}}).want(200)
	s.member().revert("dashboard", s.Dashboard, both1).want(200)
	if places = s.admin().get(at).dashcards(); len(places) != 1 || places[0]["card_id"] != float64(s.Card) {
		t.Errorf("dashcards %v", places)
	}
	s.admin().revert("dashboard", s.Dashboard, both1).want(200)
	if places = s.admin().get(at).dashcards(); len(places) != 2 || len(places[0]["series"].([]any)) != 1 {
		t.Errorf("the administrator brought back %v", places)
	}
}

// A filter that a dashboard had comes back only by who could make it.
func TestRevertingADashboardConnectsNoColumnThatOneMayNotAsk(t *testing.T) {
	s := settledWorld(t)
	at := path("/api/dashboard/%d", s.Dashboard)
	s.admin().put(at, fields{"parameters": []any{fields{"id": "p", "name": "P", "slug": "p", "type": "category"}},
		"dashcards": []any{placeOf(s.Dashcard, s.Card, fields{"parameter_mappings": []any{fields{"parameter_id": "p", "card_id": s.Card,
			"target": []any{"dimension", []any{"field", s.fieldNamed("products", "vendor"), nil}}}}})}}).want(200)
	mapped := s.admin().revisions("dashboard", s.Dashboard)[0]["id"]
	s.admin().put(at, fields{"dashcards": []any{placeOf(s.Dashcard, s.Card, fields{"parameter_mappings": []any{}})}}).want(200)
	s.data(fields{"view-data": "unrestricted", "create-queries": "no"})
	s.member().revert("dashboard", s.Dashboard, mapped).forbidden()
	s.data(fields{"view-data": "unrestricted", "create-queries": "query-builder"})
	s.member().revert("dashboard", s.Dashboard, mapped).want(200)
}

func TestAPersonWhoIsHiddenIsNotNamedByRevisions(t *testing.T) {
	s := settledWorld(t)
	s.admin().put("/api/setting/user-visibility", fields{"value": "none"}).want(204)
	s.admin().put(path("/api/card/%d", s.Card), fields{"name": "Other"}).want(200)
	r := s.member().get(path("/api/revision/card/%d", s.Card)).want(200)
	r.leaks("admin@example.org")
	if who := r.list()[0]["user"].(fields); who["id"] != float64(s.Admin) || who["email"] != nil {
		t.Errorf("changed by %v", who)
	}
}

// An update and a revert at once: the second is refused, as two updates are.
func TestARevertUndoesNothingThatWasDoneMeanwhile(t *testing.T) {
	s := settledWorld(t)
	at := path("/api/card/%d", s.Card)
	s.admin().put(at, fields{"name": "Other"}).want(200)
	r := s.member().between("POST", "/api/revision/revert", "/api/revision/revert", fields{"entity": "card", "id": s.Card, "revision_id": s.Revision},
		func() { s.admin().put(at, fields{"collection_id": s.Closed}).want(200) })
	r.want(409)
	s.admin().get(at).keeps(fields{"name": "Other", "collection_id": s.Closed})
}
