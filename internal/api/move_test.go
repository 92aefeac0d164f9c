package api

import (
	"net/http"
	"testing"
)

// Reference 2.3: the collection that a card leaves and the one that it goes to
// must be curated, for each card.
func TestABulkMoveNeedsBothEnds(t *testing.T) {
	for _, c := range []struct {
		name   string
		levels func(s settled, target int64)
		ids    func(s settled) []any
		status int
	}{
		{"both ends curated", func(s settled, _ int64) { s.folder(s.Closed, "write") }, func(s settled) []any { return []any{s.Card, path("%d", s.ClosedCard)} }, 200},
		{"an old place is only read", func(s settled, _ int64) { s.folder(s.Closed, "read") }, func(s settled) []any { return []any{s.Card, s.ClosedCard} }, 403},
		{"an old place is hidden", func(settled, int64) {}, func(s settled) []any { return []any{s.Card, s.ClosedCard} }, 403},
		{"one does not exist", func(settled, int64) {}, func(s settled) []any { return []any{s.Card, 99999} }, 403},
		{"the new place is only read", func(s settled, target int64) { s.folder(target, "read") }, func(s settled) []any { return []any{s.Card} }, 403},
		{"the new place is hidden", func(s settled, target int64) { s.folder(target, "none") }, func(s settled) []any { return []any{s.Card} }, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := settledWorld(t)
			target := s.newCollection("Target", 0)
			s.folder(target, "write")
			c.levels(s, target)
			r := s.member().post("/api/card/collections", fields{"card_ids": c.ids(s), "collection_id": target}).want(c.status)
			want := fields{"collection_id": s.Collection}
			if c.status == 200 {
				r.keeps(fields{"status": "ok"})
				want["collection_id"] = target
			} else {
				r.forbidden()
				s.admin().get(path("/api/card/%d", s.ClosedCard)).keeps(fields{"collection_id": s.Closed})
			}
			s.admin().get(path("/api/card/%d", s.Card)).keeps(want)
		})
	}
}

func TestABulkMoveSaysWhatIsWrong(t *testing.T) {
	s := settledWorld(t)
	s.admin().post("/api/card/collections", fields{"card_ids": []any{s.Card, 99999}, "collection_id": nil}).missing("card_ids", "There is no card 99999.")
	s.admin().post("/api/card/collections", fields{"card_ids": []any{s.Card}, "collection_id": 99999}).missing("collection_id", "There is no collection 99999.")
	s.admin().post("/api/card/collections", fields{"collection_id": nil}).wrong("card_ids", "value must be an array.")
	s.admin().put(path("/api/collection/%d", s.Closed), fields{"archived": true}).want(200)
	s.admin().post("/api/card/collections", fields{"card_ids": []any{s.Card}, "collection_id": s.Closed}).wrong("collection_id", "The collection is archived.")
	s.admin().get(path("/api/card/%d", s.Card)).keeps(fields{"collection_id": s.Collection})
	s.admin().post("/api/card/collections", fields{"card_ids": []any{s.Card}}).want(200) // no collection is the root
	s.admin().get(path("/api/card/%d", s.Card)).keeps(fields{"collection_id": nil})
}

// Reference 2.3 and 2.5: what is archived comes back to where it was, unless
// that is in the trash; then the place has to be said.
func TestWhatIsRestoredGoesToALivePlace(t *testing.T) {
	s := settledWorld(t)
	sub := s.newCollection("Sub", s.Collection)
	things := map[string]string{
		path("/api/card/%d", s.Card):           "collection_id",
		path("/api/dashboard/%d", s.Dashboard): "collection_id",
		path("/api/collection/%d", sub):        "parent_id",
	}
	for at := range things {
		s.member().put(at, fields{"archived": true}).keeps(fields{"archived": true, "archived_directly": true, "can_restore": true})
		s.member().put(at, fields{"archived": false}).keeps(fields{"archived": false, "archived_directly": false, "can_restore": false})
		s.member().put(at, fields{"archived": true}).want(200)
	}
	s.member().get("/api/collection/trash/items").listsExactly("Overview", "Products", "Sub")
	s.admin().put(path("/api/collection/%d", s.Collection), fields{"archived": true}).want(200)
	target := s.newCollection("Target", 0)
	s.folder(target, "read")
	for _, item := range s.member().get("/api/collection/trash/items").object()["data"].([]any) {
		if item := item.(fields); item["can_restore"] != (item["name"] == "Shop") {
			t.Errorf("%v: can_restore %v", item["name"], item["can_restore"])
		}
	}
	for at, place := range things {
		s.member().get(at).keeps(fields{"archived_directly": true, "can_restore": false})
		s.member().put(at, fields{"archived": false}).wrong(place, "The collection is archived.")
		s.member().put(at, fields{"archived": false, place: target}).forbidden()
		s.member().get(at).keeps(fields{"archived": true})
	}
	s.folder(target, "write")
	for at, place := range things {
		s.member().put(at, fields{"archived": false, place: path("%d", target)}).keeps(fields{"archived": false, place: target})
	}
	s.member().get("/api/collection/trash/items").listsExactly("Shop")
	s.member().get(path("/api/collection/%d/items", target)).listsExactly("Overview", "Products", "Sub")
}

// What lies in the trash is shown, and counted, to those who may restore it.
func TestTheTrashIsForThoseWhoCurate(t *testing.T) {
	s := settledWorld(t)
	sub := s.newCollection("Sub", s.Collection)
	s.folder(sub, "write")
	for _, at := range []string{path("/api/card/%d", s.Card), path("/api/dashboard/%d", s.Dashboard), path("/api/collection/%d", sub), path("/api/card/%d", s.ClosedCard)} {
		s.admin().put(at, fields{"archived": true}).want(200)
	}
	lists := []string{"/api/collection/trash/items", "/api/collection?archived=true", "/api/card?f=archived", "/api/dashboard?f=archived", "/api/search?archived=true",
		path("/api/collection/%d/items?archived=true", s.Collection)}
	for _, level := range []string{"write", "read", "none"} {
		s.folder(s.Collection, level)
		total := 1 // Sub has its own level
		if level == "write" {
			total = 3
		}
		s.member().get("/api/collection/trash/items").keeps(fields{"total": total})
		s.member().get("/api/search?archived=true").keeps(fields{"total": total})
		for _, list := range lists {
			r := s.member().get(list)
			r.leaks("Board products")
			if level != "write" {
				r.leaks("Overview", "Products")
			}
		}
	}
	s.admin().get("/api/collection/trash/items").listsExactly("Board products", "Overview", "Products", "Sub")
	s.outsider().get("/api/collection/trash/items").keeps(fields{"total": 0})
	s.folder(s.Collection, "read")
	for _, at := range []string{path("/api/card/%d", s.Card), path("/api/dashboard/%d", s.Dashboard)} {
		s.member().get(at).keeps(fields{"can_write": false, "can_restore": false, "can_delete": false})
		s.member().put(at, fields{"archived": false}).forbidden()
		s.member().delete(at).forbidden()
	}
	s.folder(s.Collection, "write")
	for _, at := range []string{path("/api/card/%d", s.Card), path("/api/dashboard/%d", s.Dashboard)} {
		s.member().get(at).keeps(fields{"can_write": true, "can_restore": true, "can_delete": true})
		s.member().delete(at).want(204)
		s.admin().get(at).want(404)
	}
}

func TestPinnedItemsKeepTheirOrder(t *testing.T) {
	s := settledWorld(t)
	items := path("/api/collection/%d/items", s.Collection)
	s.member().put(path("/api/card/%d", s.Card), fields{"collection_position": 1}).want(200)
	s.member().put(path("/api/dashboard/%d", s.Dashboard), fields{"collection_position": 1}).want(200)
	s.member().post("/api/card", s.newCard(s.Collection, s.question(s.tableNamed("orders")), fields{"name": "A loose one"})).want(200)
	s.member().get(items+"?pinned_state=is_pinned").listsExactly("Overview", "Products")
	s.member().get(items + "?pinned_state=is_not_pinned").listsExactly("A loose one")
	s.member().get(items+"?pinned_state=all&sort_column=model&sort_direction=desc").listsExactly("Overview", "Products", "A loose one")
	s.member().put(path("/api/card/%d", s.Card), fields{"collection_position": 1}).keeps(fields{"collection_position": 1})
	s.member().get(items+"?pinned_state=is_pinned").listsExactly("Products", "Overview")
	s.member().put(path("/api/card/%d", s.Card), fields{"collection_position": nil}).keeps(fields{"collection_position": nil})
	s.member().get(path("/api/dashboard/%d", s.Dashboard)).keeps(fields{"collection_position": 1})
	s.folder(s.Collection, "read")
	s.member().put(path("/api/card/%d", s.Card), fields{"collection_position": 1}).forbidden()
}

// A collection takes along what lies in it: what was put there after the right
// to it was asked is not touched.
func TestWhatWasPutIntoACollectionMeanwhileIsNotTakenAlong(t *testing.T) {
	for _, c := range []struct {
		name string
		body func(target int64) fields
	}{
		{"moved", func(target int64) fields { return fields{"parent_id": target} }},
		{"archived", func(int64) fields { return fields{"archived": true} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := settledWorld(t)
			target := s.newCollection("Target", 0)
			s.folder(target, "write")
			at := path("/api/collection/%d", s.Collection)
			r := s.member().between("PUT", "/api/collection/{id:text}", at, c.body(target), func() {
				s.admin().put(path("/api/collection/%d", s.Closed), fields{"parent_id": s.Collection}).want(200)
			})
			r.want(http.StatusConflict)
			s.admin().get(at).keeps(fields{"archived": false, "parent_id": nil})
			s.admin().get(path("/api/collection/%d", s.Closed)).keeps(fields{"archived": false, "parent_id": s.Collection})
		})
	}
}

// Who edited something last is told, and sorted by, as far as one may know of
// them.
func TestItemsAreSortedByWhoEditedThemLast(t *testing.T) {
	s := settledWorld(t)
	orders := s.question(s.tableNamed("orders"))
	items := path("/api/collection/%d/items?sort_column=last_edited_by", s.Collection)
	at := path("/api/card/%d", s.member().post("/api/card", s.newCard(s.Collection, orders, fields{"name": "By member"})).id())
	s.admin().post("/api/card", s.newCard(s.Collection, orders, fields{"name": "By admin"})).want(200)
	s.newCollection("A folder", s.Collection)
	s.admin().get(items).listsExactly("By admin", "Overview", "Products", "By member", "A folder")
	s.admin().get(items+"&sort_direction=desc").listsExactly("By member", "Products", "Overview", "By admin", "A folder")
	edit := func(c caller) fields {
		return c.get(items + "&sort_direction=desc&models=card&limit=1").object()["data"].([]any)[0].(fields)["last-edit-info"].(fields)
	}
	if got := edit(s.admin()); got["email"] != "member@example.org" || int64(got["id"].(float64)) != s.Member || got["timestamp"] == nil {
		t.Errorf("last edited by %v", got)
	}
	s.admin().put(at, fields{"description": "x"}).want(200)
	// The member shares no group with the administrator.
	s.member().get(items).leaks("admin@example.org")
	if got := edit(s.member()); int64(got["id"].(float64)) != s.Admin || got["email"] != nil || got["first_name"] != nil {
		t.Errorf("the member reads of a stranger: %v", got)
	}
	s.admin().get(path("/api/collection/%d/items?sort_column=last_edited_at&sort_direction=desc&limit=1", s.Collection)).want(200)
	all := s.admin().get(path("/api/collection/%d/items?sort_column=last_edited_at", s.Collection)).names()
	if all[len(all)-1] != "A folder" {
		t.Errorf("sorted by the last edit: %v, want what has none at the end", all)
	}
}
