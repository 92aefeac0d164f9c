package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// placeOf is a dashcard as clients send it.
func placeOf(id, card any, more ...fields) fields {
	dc := fields{"id": id, "card_id": card, "row": 0, "col": 0, "size_x": 4, "size_y": 3}
	for _, m := range more {
		for k, v := range m {
			dc[k] = v
		}
	}
	return dc
}

// dashcardsOf are the dashcards in an answer.
func (r reply) dashcards() []fields {
	r.t.Helper()
	var in struct{ Dashcards []fields }
	r.want(200).into(&in)
	return in.Dashcards
}

func TestADashboardHasWhatClientsRead(t *testing.T) {
	s := settledWorld(t)
	d := s.member().get(path("/api/dashboard/%d", s.Dashboard)).want(200).object()
	hasKinds(t, "dashboard", d, map[string]string{"id": "int", "name": "string", "description": "null", "archived": "bool", "collection_id": "int",
		"creator_id": "int", "entity_id": "string", "width": "string", "auto_apply_filters": "bool", "enable_embedding": "bool", "public_uuid": "null",
		"cache_ttl": "null", "collection_position": "null", "parameters": "array", "dashcards": "array", "tabs": "array", "can_write": "bool",
		"collection": "object", "creator": "object", "param_fields": "object"})
	dashcard := d["dashcards"].([]any)[0].(map[string]any)
	hasKinds(t, "dashcard", dashcard, map[string]string{"id": "int", "dashboard_id": "int", "card_id": "int", "dashboard_tab_id": "null", "row": "int",
		"col": "int", "size_x": "int", "size_y": "int", "entity_id": "string", "visualization_settings": "object", "parameter_mappings": "array",
		"inline_parameters": "array", "series": "array", "card": "object"})
	list := s.member().get("/api/dashboard/").want(200).list()
	if len(list) != 1 || list[0]["name"] != "Overview" || list[0]["dashcards"] != nil {
		t.Errorf("list %v", list)
	}
	s.outsider().get("/api/dashboard").listsExactly()
}

// The lists of dashcards and tabs are complete; ids that are not positive make
// new ones (clients 5).
func TestDashcardsAndTabsAreCompleteLists(t *testing.T) {
	s := settledWorld(t)
	sent := fields{"name": "Numbers", "description": "d", "collection_id": s.Collection, "cache_ttl": nil, "collection_position": 1,
		"parameters": []any{fields{"id": "p", "name": "P", "slug": "p", "type": "number/="}}, "dashcards": []any{placeOf(1, s.Card)}}
	made := s.member().post("/api/dashboard", sent)
	if n := len(made.dashcards()); n != 0 {
		t.Errorf("POST took %d dashcards; clients expect it to ignore them", n)
	}
	delete(sent, "dashcards")
	made.keeps(sent)
	address := path("/api/dashboard/%d", made.id())

	settings := json.RawMessage(`{"card.title":"Mine","table.columns":[{"name":"a","enabled":true}]}`)
	put := s.member().put(address, fields{
		"tabs": []any{fields{"id": -1, "name": "First"}, fields{"id": -2, "name": "Second"}},
		"dashcards": []any{placeOf(0, s.Card, fields{"dashboard_tab_id": -2, "row": 2, "visualization_settings": settings, "series": []any{}, "parameter_mappings": []any{}}),
			placeOf(-1, nil, fields{"dashboard_tab_id": "-1", "visualization_settings": fields{"text": "Hello"}})}})
	cards := put.dashcards()
	var tabs struct {
		Tabs []struct{ ID, Position, DashboardID int }
	}
	put.into(&tabs)
	if len(cards) != 2 || len(tabs.Tabs) != 2 || tabs.Tabs[0].ID <= 0 || tabs.Tabs[1].Position != 1 {
		t.Fatalf("dashcards %v, tabs %+v", cards, tabs.Tabs)
	}
	var first, text fields
	for _, dc := range cards {
		if dc["card_id"] == nil {
			text = dc
		} else {
			first = dc
		}
	}
	if first["dashboard_tab_id"] != float64(tabs.Tabs[1].ID) || text["dashboard_tab_id"] != float64(tabs.Tabs[0].ID) {
		t.Errorf("tabs of the dashcards: %v, %v", first["dashboard_tab_id"], text["dashboard_tab_id"])
	}
	if diff := cmp.Diff(plainJSON(t, settings), first["visualization_settings"]); diff != "" {
		t.Error("settings (-sent +got):", diff)
	}
	if text["card"] != nil {
		t.Errorf("a text has the card %v", text["card"])
	}

	// Without the lists nothing of them changes; ids keep dashcards; what is left out goes.
	s.member().put(address, fields{"name": "Numbers again", "width": "full"}).keeps(fields{"width": "full"})
	again := s.member().put(address, fields{"dashcards": []any{placeOf(first["id"], s.Card, fields{"dashboard_tab_id": tabs.Tabs[1].ID})}}).dashcards()
	if len(again) != 1 || again[0]["id"] != first["id"] || again[0]["entity_id"] != first["entity_id"] {
		t.Errorf("dashcards %v, want only %v", again, first["id"])
	}
	if diff := cmp.Diff(plainJSON(t, settings), again[0]["visualization_settings"]); diff != "" {
		t.Error("settings that were not sent (-before +after):", diff)
	}
	s.member().put(address, fields{"dashcards": []any{placeOf(s.Dashcard, s.Card)}}).want(400)
	s.member().put(address, fields{"dashcards": []any{fields{"id": -1}}}).wrong("dashcards[0].row", "value must be an integer.")
	s.member().put(address, fields{"width": "wide"}).wrong("width", "value must be one of fixed, full.")
	if gone := s.member().put(address, fields{"dashcards": []any{}, "tabs": []any{}}).dashcards(); len(gone) != 0 {
		t.Errorf("dashcards %v, want none", gone)
	}
	s.member().delete(address).want(204)
	s.admin().get(address).want(404)
}

// The seeds' forum, reference 2.7 and 7.78: a dashboard opens, and a card from
// a collection that one may not read is a placeholder that leaks nothing.
func TestALockedCardLeaksNothing(t *testing.T) {
	s := settledWorld(t)
	s.admin().post("/api/user", fields{"email": "chief@example.org", "password": testPassword, "first_name": "Chiefly", "group_ids": []int64{1, 2}}).want(200)
	var chief sessionWire
	s.nobody().post("/api/session", fields{"username": "chief@example.org", "password": testPassword}).want(200).into(&chief)
	secret := s.with(chief.ID).post("/api/card", s.newCard(s.Closed, s.sql("select 'classified' as hush"), fields{"name": "Takeover plan", "description": "whisper",
		"display": "gauge", "type": "model"})).id()
	second := s.admin().post("/api/card", s.newCard(s.Closed, s.question(s.tableNamed("products")), fields{"name": "Second plan"})).id()
	address := path("/api/dashboard/%d", s.Dashboard)
	s.admin().put(address, fields{"dashcards": []any{
		placeOf(-1, secret, fields{"visualization_settings": fields{"card.title": "Secret title", "column_settings": fields{"hush": 1}},
			"inline_parameters": []any{"inline"}, "parameter_mappings": []any{fields{"parameter_id": "mapped", "card_id": secret, "target": []any{"variable", []any{"template-tag", "classified"}}}}}),
		placeOf(-2, s.Card, fields{"series": []any{fields{"id": second}}, "visualization_settings": fields{"series_settings": fields{"Second plan": fields{}}}}),
	}}).want(200)
	words := []string{"Takeover", "classified", "hush", "whisper", "gauge", "Secret title", "mapped", "inline\"", "Second plan", "native", "chief@example.org", "Chiefly"}
	r := s.member().get(address).want(200)
	r.leaks(words...)
	places := r.dashcards()
	if len(places) != 2 {
		t.Fatalf("dashcards %v", places)
	}
	for _, dc := range places {
		if dc["card_id"] != float64(secret) {
			if card := dc["card"].(map[string]any); card["name"] != "Products" {
				t.Errorf("the readable card is %v", card)
			}
			if diff := cmp.Diff([]any{fields{"id": float64(second)}}, dc["series"]); diff != "" {
				t.Error("series:", diff)
			}
			continue
		}
		if diff := cmp.Diff(fields{"id": float64(secret)}, dc["card"]); diff != "" {
			t.Error("the locked card:", diff)
		}
		s.member().post(path("%s/dashcard/%v/card/%d/query", address, dc["id"], secret), nil).forbidden()
		s.member().post(path("%s/dashcard/%v/card/%d/query/json", address, dc["id"], secret), nil).forbidden()
		s.member().post(path("%s/dashcard/%v/card/%d/query", address, dc["id"], s.Card), nil).forbidden()
	}
	// What is listed elsewhere leaks no more.
	for _, other := range []string{"/api/dashboard", "/api/card", "/api/search?q=plan", "/api/search", path("/api/collection/%d/items", s.Collection), path("/api/card/%d", s.Card)} {
		s.member().get(other).leaks("Takeover", "classified", "hush", "whisper", "Secret title", "Second plan", "chief@example.org", "Chiefly")
	}
	// The administrator sees all of it.
	if all := string(s.admin().get(address).body); !strings.Contains(all, "Takeover") || !strings.Contains(all, "Secret title") {
		t.Error("the administrator does not see the card")
	}
}

func TestWhoMovesALockedCardDoesNotLoseWhatWasSetForIt(t *testing.T) {
	s := settledWorld(t)
	address := path("/api/dashboard/%d", s.Dashboard)
	set := fields{"card.title": "Board only"}
	var locked fields
	for _, dc := range s.admin().put(address, fields{"dashcards": []any{placeOf(-1, s.ClosedCard, fields{"visualization_settings": set})}}).dashcards() {
		locked = dc
	}
	// What the member got is sent back with another place.
	seen := s.member().get(address).dashcards()[0]
	seen["row"] = 7
	s.member().put(address, fields{"dashcards": []any{seen}}).want(200).leaks("Board")
	after := s.admin().get(address).dashcards()[0]
	if diff := cmp.Diff(any(set), after["visualization_settings"]); diff != "" || after["row"] != 7.0 {
		t.Errorf("row %v, settings (-set +got): %s", after["row"], diff)
	}
	// A card that one may read in its place does not show what was set for the other.
	replaced := s.member().put(address, fields{"dashcards": []any{placeOf(locked["id"], s.Card)}})
	replaced.want(200).leaks("Board")
	// Nor can the locked card be put anywhere else.
	s.admin().put(address, fields{"dashcards": []any{placeOf(-1, s.ClosedCard)}}).want(200)
	at := s.member().get(address).dashcards()[0]
	s.member().put(address, fields{"dashcards": []any{at, placeOf(-1, s.ClosedCard)}}).forbidden()
	s.member().put(address, fields{"dashcards": []any{at, placeOf(-1, s.Card, fields{"series": []any{fields{"id": s.ClosedCard}}})}}).forbidden()
	s.member().put(address, fields{"dashcards": []any{}}).want(200)
}

func TestAddingACardNeedsTheDashboardAndTheCard(t *testing.T) {
	s := settledWorld(t)
	address := path("/api/dashboard/%d", s.Dashboard)
	add := func(card int64) reply { return s.member().put(address, fields{"dashcards": []any{placeOf(-1, card)}}) }
	add(s.ClosedCard).forbidden()
	add(99999).forbidden()
	s.admin().put(address, fields{"dashcards": []any{placeOf(-1, 99999)}}).missing("dashcards[0].card_id", "There is no card 99999.")
	s.folder(s.Closed, "read")
	add(s.ClosedCard).want(200)
	archived := s.admin().post("/api/card", s.newCard(s.Closed, s.question(s.tableNamed("products")))).id()
	s.admin().put(path("/api/card/%d", archived), fields{"archived": true}).want(200)
	add(archived).wrong("dashcards[0].card_id", "The card is archived.")
	s.folder(s.Collection, "read")
	add(s.Card).forbidden()
	s.member().post("/api/dashboard", fields{"name": "x", "collection_id": s.Collection}).forbidden()
	s.member().delete(address).forbidden()
	s.member().get(address).keeps(fields{"can_write": false})
	s.folder(s.Collection, "none")
	s.member().get(address).forbidden()
	s.member().get("/api/dashboard/99999").forbidden()
	s.admin().get("/api/dashboard/99999").text(http.StatusNotFound, "Not found.")
}

// See TestAParameterOnAColumnNeedsTheRightToAsk.
func TestConnectingAParameterToAColumnNeedsTheRightToAsk(t *testing.T) {
	s := settledWorld(t)
	address := path("/api/dashboard/%d", s.Dashboard)
	connect := func(who caller, field string) reply {
		return who.put(address, fields{"parameters": []any{fields{"id": "p", "name": "P", "slug": "p", "type": "category"}},
			"dashcards": []any{placeOf(s.Dashcard, s.Card, fields{"parameter_mappings": []any{fields{"parameter_id": "p", "card_id": s.Card,
				"target": []any{"dimension", []any{"field", s.fieldNamed("products", field), nil}}}}})}})
	}
	connect(s.member(), "category").want(200)
	s.data(fields{"view-data": "unrestricted", "create-queries": "no"})
	connect(s.member(), "vendor").forbidden()
	connect(s.member(), "category").want(200)
	query := path("%s/dashcard/%d/card/%d/query", address, s.Dashcard, s.Card)
	all := s.member().post(query, nil).want(202).ended("completed").object()
	some := s.member().post(query, fields{"parameters": []any{fields{"id": "p", "value": []any{"no such category"}}}}).want(202).ended("completed").object()
	if all["row_count"] == 0.0 || some["row_count"] != 0.0 {
		t.Errorf("%v rows, and %v of no category", all["row_count"], some["row_count"])
	}
}

func TestACopyOfADashboardLeavesOutWhatOneMayNotRead(t *testing.T) {
	s := settledWorld(t)
	source := path("/api/dashboard/%d/copy", s.Dashboard)
	copied := s.member().post(source, fields{"name": "Ours", "collection_id": s.Collection, "is_deep_copy": false})
	copied.keeps(fields{"name": "Ours", "uncopied": []any{fields{"id": s.ClosedCard}}}).leaks("Board")
	if places := copied.dashcards(); len(places) != 1 || places[0]["card_id"] != float64(s.Card) {
		t.Errorf("dashcards %v", places)
	}
	s.member().post(source, fields{"collection_id": s.Closed}).forbidden()
	s.member().post(source, nil).forbidden() // into the root

	deep := s.member().post(source, fields{"collection_id": s.Collection, "is_deep_copy": true}).dashcards()
	if len(deep) != 1 || deep[0]["card_id"] == float64(s.Card) || deep[0]["card"].(map[string]any)["name"] != "Products" {
		t.Errorf("dashcards of the deep copy %v", deep)
	}
	s.data(fields{"view-data": "unrestricted", "create-queries": "no"})
	none := s.member().post(source, fields{"collection_id": s.Collection, "is_deep_copy": true})
	if places := none.dashcards(); len(places) != 0 {
		t.Errorf("cards were saved anew by somebody who may not ask them: %v", places)
	}
}

func TestAnArchivedDashboardComesBack(t *testing.T) {
	s := settledWorld(t)
	address := path("/api/dashboard/%d", s.Dashboard)
	s.member().put(address, fields{"archived": true}).keeps(fields{"archived": true})
	s.member().get("/api/dashboard").listsExactly()
	s.member().get("/api/dashboard?f=archived").listsExactly("Overview")
	s.member().get(address).keeps(fields{"archived": true})
	s.member().put(address, fields{"archived": false}).keeps(fields{"archived": false})
	s.member().put(address, fields{"collection_id": s.Closed}).forbidden()
}
