package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// recentNames are the names in an answer about what was opened.
func (r reply) recentNames(key string) string {
	r.t.Helper()
	names := []string{}
	for _, item := range r.want(200).object()[key].([]any) {
		names = append(names, item.(fields)["name"].(string))
	}
	return strings.Join(names, ", ")
}

func (s settled) opens(c caller, addresses ...string) {
	s.t.Helper()
	for _, at := range addresses {
		s.clock.advance(2 * time.Minute)
		c.get(at).want(200)
	}
}

func (r reply) recentIs(key, want string) {
	r.t.Helper()
	if got := r.recentNames(key); got != want {
		r.t.Errorf("%s: %q, want %q", r.what, got, want)
	}
}

// What somebody opened is listed as long as they may see it, and to nobody else.
func TestRecentThingsAreThoseThatOneMaySeeStill(t *testing.T) {
	s := settledWorld(t)
	orders := s.tableNamed("orders")
	sub := s.newCollection("Sub", s.Collection)
	s.folder(sub, "write")
	model := s.admin().post("/api/card", s.newCard(sub, s.question(orders), fields{"name": "A model", "type": "model"})).id()
	s.opens(s.member(), path("/api/card/%d", s.Card), path("/api/dashboard/%d", s.Dashboard), path("/api/collection/%d", s.Collection),
		path("/api/table/%d/query_metadata", orders), path("/api/table/%d", s.tableNamed("people")), path("/api/card/%d", model), path("/api/collection/%d", sub), "/api/collection/trash")
	s.member().get(path("/api/card/%d", s.ClosedCard)).forbidden()
	s.key(s.MemberKey).get(path("/api/card/%d", s.Card)).want(200)
	all := "Sub, A model, people, orders, Shop, Overview, Products"
	recents := func() reply { return s.member().get("/api/activity/recents?context=views") }
	recents().recentIs("recents", all)
	s.member().get("/api/activity/recent_views").recentIs("recent_views", all)
	s.outsider().get("/api/activity/recents?context=views&context=selections").recentIs("recents", "")
	s.admin().get("/api/activity/recent_views").recentIs("recent_views", "")
	s.member().get("/api/activity/recents").wrong("context", "value must be one of views, selections.")

	items := recents().object()["recents"].([]any)
	for i, want := range []fields{
		{"id": sub, "model": "collection", "can_write": true, "effective_location": path("/%d/", s.Collection), "parent_collection": fields{"id": s.Collection, "name": "Shop", "authority_level": nil}},
		{"id": model, "model": "dataset", "display": "table", "database_id": s.Database, "can_write": true, "parent_collection": fields{"id": sub, "name": "Sub", "authority_level": nil}},
		{"model": "table", "display_name": "People", "database": fields{"id": s.Database, "name": s.databaseName(), "initial_sync_status": "complete"}, "can_write": false},
	} {
		got := items[i].(fields)
		for key, v := range want {
			if diff := cmp.Diff(plainJSON(t, v), got[key]); diff != "" {
				t.Errorf("%v: %s (-want +got):\n%s", got["name"], key, diff)
			}
		}
	}

	s.folder(s.Collection, "none")
	recents().recentIs("recents", "Sub, A model, people, orders")
	recents().leaks("Shop")
	s.data(nothing)
	recents().recentIs("recents", "Sub, A model")
	s.admin().put(path("/api/card/%d", model), fields{"archived": true}).want(200)
	recents().recentIs("recents", "Sub")
	s.admin().put(path("/api/collection/%d", sub), fields{"archived": true}).want(200)
	recents().recentIs("recents", "")
}

func (s settled) databaseName() string {
	s.t.Helper()
	return s.admin().get(path("/api/database/%d", s.Database)).object()["name"].(string)
}

func TestWhatOnePickedMustBeSeen(t *testing.T) {
	s := settledWorld(t)
	pick := func(model string, id any) reply {
		return s.member().post("/api/activity/recents", fields{"model": model, "model_id": id, "context": "selection"})
	}
	pick("card", s.Card).want(204)
	pick("collection", path("%d", s.Collection)).want(204)
	pick("table", s.Table).want(204)
	for model, id := range map[string]int64{"card": s.ClosedCard, "collection": s.Closed, "dashboard": 99999, "table": 99999} {
		pick(model, id).forbidden()
	}
	s.admin().post("/api/activity/recents", fields{"model": "card", "model_id": 99999, "context": "selection"}).text(404, "Not found.")
	pick("database", 1).wrong("model", "value must be one of card, dataset, metric, dashboard, collection, table.")
	s.member().post("/api/activity/recents", fields{"model": "card", "model_id": s.Card, "context": "view"}).wrong("context", "value must be selection.")
	s.data(nothing)
	pick("table", s.Table).forbidden()
	got := strings.Split(s.member().get("/api/activity/recents?context=selections").recentNames("recents"), ", ")
	if len(got) != 2 {
		t.Errorf("picked %v, want the card and the collection", got)
	}
	s.member().get("/api/activity/recents?context=views").recentIs("recents", "")
}

// Popular is what people opened whom one may know of; among it is nothing that
// one may not see.
func TestPopularThingsAreSeenAndOfThoseOneKnows(t *testing.T) {
	s := settledWorld(t)
	s.opens(s.admin(), path("/api/card/%d", s.ClosedCard), path("/api/dashboard/%d", s.Dashboard), path("/api/card/%d", s.Card))
	s.opens(s.member(), path("/api/card/%d", s.Card))
	popular := func(c caller) reply { return c.get("/api/activity/popular_items") }
	popular(s.admin()).recentIs("popular_items", "Products, Overview, Board products")
	// The member shares no group with the administrator.
	popular(s.member()).recentIs("popular_items", "Products")
	s.admin().put("/api/setting/user-visibility", fields{"value": "all"}).want(204)
	popular(s.member()).recentIs("popular_items", "Products, Overview")
	popular(s.outsider()).recentIs("popular_items", "")
	for i := range 60 { // more than are loaded at once
		id := s.admin().post("/api/card", s.newCard(s.Closed, s.question(s.tableNamed("orders")), fields{"name": fmt.Sprint("Board ", i)})).id()
		if i >= 40 {
			s.opens(s.admin(), path("/api/card/%d", id))
		}
	}
	popular(s.member()).recentIs("popular_items", "Products, Overview")
	s.folder(s.Collection, "none")
	popular(s.member()).recentIs("popular_items", "")
}

func TestBookmarksAreOnesOwnAndSeen(t *testing.T) {
	s := settledWorld(t)
	mark := func(c caller, what string, id int64) reply { return c.post(path("/api/bookmark/%s/%d", what, id), nil) }
	mark(s.member(), "card", s.Card).keeps(fields{"id": path("card-%d", s.Card), "type": "card", "item_id": s.Card, "name": "Products", "display": "table", "card_type": "question"})
	s.clock.advance(time.Second)
	mark(s.member(), "dashboard", s.Dashboard).want(200)
	s.clock.advance(time.Second)
	mark(s.member(), "collection", s.Collection).keeps(fields{"type": "collection", "name": "Shop"})
	mark(s.member(), "card", s.Card).text(400, "Bookmark already exists")
	for what, id := range map[string]int64{"card": s.ClosedCard, "collection": s.Closed, "dashboard": 99999} {
		mark(s.member(), what, id).forbidden()
		s.member().delete(path("/api/bookmark/%s/%d", what, id)).want(204)
	}
	mark(s.admin(), "card", 99999).text(404, "Not found.")
	mark(s.member(), "table", s.Table).wrong("model", "value must be one of card, dashboard, collection.")

	s.member().get("/api/bookmark").listsExactly("Shop", "Overview", "Products")
	s.admin().get("/api/bookmark").listsExactly()
	s.member().put("/api/bookmark/ordering", fields{"orderings": []any{fields{"type": "card", "item_id": s.Card}, fields{"type": "collection", "item_id": path("%d", s.Collection)}}}).want(204)
	s.member().get("/api/bookmark").listsExactly("Products", "Shop", "Overview")
	s.member().put("/api/bookmark/ordering", fields{"orderings": []any{fields{"type": "users", "item_id": 1}}}).wrong("orderings[0].type", "value must be one of card, dashboard, collection.")

	s.member().get("/api/card?f=bookmarked").listsExactly("Products")
	s.admin().get("/api/card?f=bookmarked").listsExactly()
	marked := func(c caller) string {
		text := ""
		for _, item := range c.get(path("/api/collection/%d/items", s.Collection)).object()["data"].([]any) {
			text += fmt.Sprint(item.(fields)["name"], " ", item.(fields)["bookmarked"], " ")
		}
		return text
	}
	if got := marked(s.member()) + "/ " + marked(s.admin()); got != "Overview true Products true / Overview false Products false " {
		t.Errorf("bookmarked: %s", got)
	}
	s.member().delete(path("/api/bookmark/dashboard/%d", s.Dashboard)).want(204)
	s.member().get("/api/bookmark").listsExactly("Products", "Shop")

	s.admin().put(path("/api/card/%d", s.Card), fields{"archived": true}).want(200)
	s.member().get("/api/bookmark").listsExactly("Shop")
	s.member().get("/api/card?f=bookmarked").listsExactly()
	s.admin().put(path("/api/card/%d", s.Card), fields{"archived": false}).want(200)
	s.folder(s.Collection, "none")
	s.member().get("/api/bookmark").listsExactly()
	s.member().get("/api/card?f=bookmarked").listsExactly()
	s.folder(s.Collection, "read")
	s.member().get("/api/bookmark").listsExactly("Products", "Shop")
}
