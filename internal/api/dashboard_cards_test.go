package api

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mapped is a dashcard whose card a parameter of the dashboard filters.
func (s settled) mapped(id, card any, field string, more ...fields) fields {
	target := []any{"dimension", []any{"field", s.fieldNamed("products", field), nil}}
	return placeOf(id, card, append(more, fields{"parameter_mappings": []any{fields{"parameter_id": "p", "card_id": card, "target": target}}})...)
}

// The filters of a deep copy filter its own cards.
func TestTheFiltersOfADeepCopyGoToItsCards(t *testing.T) {
	s := settledWorld(t)
	at := path("/api/dashboard/%d", s.Dashboard)
	second := s.member().post("/api/card", s.newCard(s.Collection, s.question(s.tableNamed("products")), fields{"name": "Second"})).id()
	s.member().put(at, fields{"parameters": []any{fields{"id": "p", "name": "P", "slug": "p", "type": "category"}}, "dashcards": []any{
		s.mapped(-1, s.Card, "category", fields{"series": []any{fields{"id": second}}})}}).want(200)
	deep := s.member().post(at+"/copy", fields{"collection_id": s.Collection, "is_deep_copy": true}).want(200)
	copied := deep.dashcards()[0]
	series := copied["series"].([]any)[0].(fields)
	if copied["card_id"] == float64(s.Card) || series["id"] == float64(second) || series["name"] != "Second" {
		t.Fatalf("the copy shows %v", copied)
	}
	if to := copied["parameter_mappings"].([]any)[0].(fields)["card_id"]; to != copied["card_id"] {
		t.Errorf("its filter goes to card %v, its card is %v", to, copied["card_id"])
	}
	query := path("/api/dashboard/%d/dashcard/%v/card/%v/query", deep.id(), copied["id"], copied["card_id"])
	all := s.member().post(query, nil).want(202).ended("completed").object()
	none := s.member().post(query, fields{"parameters": []any{fields{"id": "p", "value": []any{"no such category"}}}}).want(202).ended("completed").object()
	if all["row_count"] == 0.0 || none["row_count"] != 0.0 {
		t.Errorf("%v rows, and %v of no category", all["row_count"], none["row_count"])
	}
	// A copy that is not deep shows the same cards.
	flat := s.member().post(at+"/copy", fields{"collection_id": s.Collection}).dashcards()[0]
	if to := flat["parameter_mappings"].([]any)[0].(fields)["card_id"]; to != float64(s.Card) || flat["card_id"] != float64(s.Card) {
		t.Errorf("the flat copy shows %v and filters %v", flat["card_id"], to)
	}
}

func TestOlderClientsSetWhatStandsOnADashboard(t *testing.T) {
	s := settledWorld(t)
	at := path("/api/dashboard/%d", s.Dashboard)
	locked := s.admin().put(at, fields{"dashcards": []any{placeOf(s.Dashcard, s.Card), placeOf(-1, s.ClosedCard, fields{"row": 3, "visualization_settings": fields{"card.title": "Board only"}})}}).dashcards()[1]
	added := s.member().post(at+"/cards", fields{"cardId": s.Card, "visualization_settings": fields{"card.title": "New"}})
	added.keeps(fields{"card_id": s.Card, "row": 6, "col": 0, "size_x": 4, "size_y": 4, "visualization_settings": fields{"card.title": "New"}}).leaks("Board")
	s.member().post(at+"/cards", fields{"card_id": nil, "row": 1, "col": 2, "size_x": 6, "size_y": 5, "visualization_settings": fields{"text": "Hello"}}).
		keeps(fields{"card_id": nil, "row": 1, "col": 2, "size_x": 6, "size_y": 5})
	if n := len(s.member().get(at).dashcards()); n != 4 {
		t.Errorf("%d dashcards", n)
	}
	for _, dc := range s.admin().get(at).dashcards() {
		if dc["id"] == locked["id"] && cmp.Diff(locked["visualization_settings"], dc["visualization_settings"]) != "" {
			t.Errorf("what was set for the locked card is now %v", dc["visualization_settings"])
		}
	}
	s.member().post(at+"/cards", fields{"cardId": s.ClosedCard}).forbidden()
	s.member().post(at+"/cards", fields{"cardId": 99999}).forbidden()

	var in struct {
		Cards []fields
		Tabs  []fields
	}
	s.member().put(at+"/cards", fields{"tabs": []any{fields{"id": -1, "name": "One"}}, "cards": []any{placeOf(added.id(), s.Card, fields{"dashboard_tab_id": -1})}}).want(200).into(&in)
	if len(in.Cards) != 1 || in.Cards[0]["id"] != float64(added.id()) || len(in.Tabs) != 1 || in.Cards[0]["dashboard_tab_id"] != in.Tabs[0]["id"] {
		t.Errorf("cards %v, tabs %v", in.Cards, in.Tabs)
	}
	s.member().put(at+"/cards", fields{"cards": []any{placeOf(-1, s.ClosedCard)}}).forbidden()
	s.member().put(at+"/cards", fields{}).want(400)
	s.folder(s.Collection, "read")
	s.member().put(at+"/cards", fields{"cards": []any{}}).forbidden()
	s.member().post(at+"/cards", fields{"cardId": s.Card}).forbidden()
}

// What a dashboard's questions read is described as far as one may see it.
func TestTheTablesOfADashboardAreDescribedToThoseWhoSeeThem(t *testing.T) {
	s := settledWorld(t)
	at := path("/api/dashboard/%d", s.Dashboard)
	orders := s.admin().post("/api/card", s.newCard(s.Collection, s.question(s.tableNamed("orders")))).id()
	people := s.admin().post("/api/card", s.newCard(s.Closed, s.question(s.tableNamed("people")))).id()
	s.admin().put(at, fields{"dashcards": []any{placeOf(-1, s.Card, fields{"series": []any{fields{"id": orders}}}), placeOf(-2, people), placeOf(-3, s.Card)}}).want(200)
	tables := func(who caller) []string {
		t.Helper()
		var in struct {
			Tables    []struct{ Name string }
			Databases []struct{ ID int64 }
		}
		who.get(at + "/query_metadata").want(200).into(&in)
		names := []string{}
		for _, table := range in.Tables {
			names = append(names, table.Name)
		}
		slices.Sort(names)
		if (len(in.Databases) == 1) != (len(names) > 0) {
			t.Errorf("databases %v beside tables %v", in.Databases, names)
		}
		return names
	}
	for _, c := range []struct {
		who  string
		want []string
	}{{"administrator", []string{"orders", "people", "products"}}, {"member", []string{"orders", "products"}}, {"without data", []string{}}} {
		who := s.member()
		switch c.who {
		case "administrator":
			who = s.admin()
		case "without data":
			s.data(nothing)
		}
		if diff := cmp.Diff(c.want, tables(who)); diff != "" {
			t.Errorf("%s: %s", c.who, diff)
		}
	}
	s.outsider().get(at + "/query_metadata").forbidden()
}
