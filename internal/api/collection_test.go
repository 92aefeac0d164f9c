package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Reference 7.66, as permissions.md has it: a new collection takes the write
// levels of its parent, and the read levels only when asked.
func TestANewCollectionTakesTheWriteLevelsOfItsParent(t *testing.T) {
	s := settledWorld(t)
	s.member().post("/api/collection", fields{"name": "Mine"}).forbidden()
	s.folder(0, "write")
	top := s.member().post("/api/collection", fields{"name": "Mine", "description": nil, "parent_id": nil, "authority_level": nil, "namespace": nil, "archived": false}).id()
	s.member().put(path("/api/collection/%d", top), fields{"name": "Mine too"}).want(200)
	s.outsider().get(path("/api/collection/%d", top)).forbidden()

	s.folder(0, "read")
	s.folder(s.Closed, "read")
	tenant := s.newCollection("Next tenant", s.Closed)
	s.member().get(path("/api/collection/%d", tenant)).forbidden()
	shared := s.admin().post("/api/collection", fields{"name": "For all", "parent_id": s.Closed, "inherit_read": true}).id()
	s.member().get(path("/api/collection/%d", shared)).want(200)
	s.member().put(path("/api/collection/%d", shared), fields{"name": "x"}).forbidden()
	s.member().post("/api/collection", fields{"name": "In a readable one", "parent_id": s.Closed}).forbidden()
}

func TestACollectionHasWhatClientsRead(t *testing.T) {
	s := settledWorld(t)
	made := s.admin().post("/api/collection", fields{"name": "Some Team", "description": "ours", "parent_id": path("%d", s.Collection), "color": "#fff"})
	made.keeps(fields{"name": "Some Team", "description": "ours", "archived": false, "parent_id": s.Collection, "location": path("/%d/", s.Collection)})
	c := made.object()
	hasKinds(t, "collection", c, map[string]string{"id": "int", "slug": "string", "entity_id": "string", "location": "string", "archived": "bool",
		"personal_owner_id": "null", "can_write": "bool", "is_personal": "bool", "effective_location": "string", "effective_ancestors": "array",
		"authority_level": "null", "namespace": "null", "type": "null", "can_restore": "bool", "can_delete": "bool"})
	if len(c["entity_id"].(string)) != 21 {
		t.Errorf("entity_id %q has not 21 characters", c["entity_id"])
	}
	for _, by := range []any{c["id"], c["entity_id"]} {
		got := s.admin().get(path("/api/collection/%v", by)).want(200).object()
		if diff := cmp.Diff(c, got); diff != "" {
			t.Errorf("by %v (-created +got):\n%s", by, diff)
		}
	}
	s.admin().get("/api/collection/root").keeps(fields{"id": "root", "name": "Our analytics", "can_write": true, "parent_id": nil})
	s.admin().get("/api/collection/trash").keeps(fields{"id": "trash", "type": "trash", "can_write": false})
	s.admin().get("/api/collection/99999").text(http.StatusNotFound, "Not found.")
	s.member().get("/api/collection/99999").forbidden()
	s.admin().get("/api/collection/"+strings.Repeat("x", 21)).text(http.StatusNotFound, "Not found.")
	s.member().get("/api/collection/" + strings.Repeat("x", 21)).forbidden()
	for _, odd := range []string{"-1", "+1", "0x1", "nonsense", "1e3"} {
		s.admin().get("/api/collection/"+odd).text(http.StatusNotFound, "API endpoint does not exist.")
	}
}

func TestCollectionListsShowOnlyWhatMayBeRead(t *testing.T) {
	s := settledWorld(t)
	list := s.admin().get("/api/collection/").want(200).list()
	if list[0]["id"] != "root" || list[0]["name"] != "Our analytics" {
		t.Errorf("the first collection is %v, want the root", list[0])
	}
	s.admin().get("/api/collection").lists(true, "Shop", "Board", "Ada Min's Personal Collection")
	s.admin().get("/api/collection?exclude-other-user-collections=true").lists(false, "member@example.org's Personal Collection")
	s.admin().get("/api/collection?personal-only=true").lists(false, "Shop", "Our analytics")
	s.admin().get("/api/collection?namespace=snippets").listsExactly()

	s.member().get("/api/collection").listsExactly("member@example.org's Personal Collection", "Shop")
	s.outsider().get("/api/collection").listsExactly("outsider@example.org's Personal Collection")
	s.folder(0, "read")
	if first := s.member().get("/api/collection").want(200).list()[0]; first["id"] != "root" || first["can_write"] != false {
		t.Errorf("the first collection is %v, want the root, not writable", first)
	}
	s.member().get("/api/collection").leaks("Board", "outsider@example.org")
	s.member().get("/api/collection/tree").leaks("Board", "outsider@example.org")
}

// Reference 2.6 and 7.72.
func TestWhatLiesUnderAHiddenCollectionIsShownInTheNearestReadableOne(t *testing.T) {
	s := settledWorld(t)
	hidden := s.newCollection("Hidden middle", s.Collection)
	s.folder(hidden, "none")
	deep := s.newCollection("Deep", hidden)
	s.folder(deep, "read")

	s.member().get(path("/api/collection/%d/items", s.Collection)).lists(true, "Deep")
	s.member().get(path("/api/collection/%d/items", s.Collection)).lists(false, "Hidden middle")
	s.member().get(path("/api/collection/%d", deep)).keeps(fields{"parent_id": s.Collection, "location": path("/%d/", s.Collection), "effective_location": path("/%d/", s.Collection)})
	ancestors := s.member().get(path("/api/collection/%d", deep)).object()["effective_ancestors"].([]any)
	if len(ancestors) != 1 || ancestors[0].(map[string]any)["name"] != "Shop" {
		t.Errorf("effective ancestors %v, want Shop alone", ancestors)
	}
	for _, address := range []string{"/api/collection", "/api/collection/tree", path("/api/collection/%d", deep), "/api/search?q=", "/api/collection/root/items",
		path("/api/collection/%d/items", s.Collection)} {
		s.member().get(address).leaks("Hidden middle")
	}

	s.folder(s.Collection, "none")
	s.member().get("/api/collection/root/items").lists(true, "Deep")
	s.member().get("/api/collection/root").forbidden()
	s.member().get("/api/collection/root/items?models=card").listsExactly()
	var tree []struct {
		Name     string
		Children []any
		Location string
	}
	s.member().get("/api/collection/tree").want(200).into(&tree)
	if len(tree) != 2 || tree[0].Name != "Deep" || tree[0].Location != "/" {
		t.Errorf("tree %+v, want Deep at the top", tree)
	}
	// Sent back whole, the collection stays where it is.
	s.folder(deep, "write")
	whole := s.member().get(path("/api/collection/%d", deep)).object()
	whole["name"] = "Deeper"
	s.member().put(path("/api/collection/%d", deep), whole).want(200)
	s.admin().get(path("/api/collection/%d", deep)).keeps(fields{"name": "Deeper", "parent_id": hidden})
}

func TestTheTreeTellsWhatIsHereAndBelow(t *testing.T) {
	s := settledWorld(t)
	below := s.newCollection("Below", s.Collection)
	s.admin().post("/api/card", s.newCard(below, s.question(s.tableNamed("products")), fields{"type": "model"})).want(200)
	var tree []struct {
		ID          any
		Name        string
		Here, Below []string
		Children    []struct {
			Name        string
			Here, Below []string
		}
	}
	s.member().get("/api/collection/tree?exclude-archived=true").want(200).into(&tree)
	for _, n := range tree {
		if n.Name != "Shop" {
			continue
		}
		if diff := cmp.Diff([]string{"card", "dashboard"}, n.Here); diff != "" {
			t.Error("here:", diff)
		}
		if diff := cmp.Diff([]string{"dataset"}, n.Below); diff != "" {
			t.Error("below:", diff)
		}
		if len(n.Children) != 1 || n.Children[0].Name != "Below" {
			t.Errorf("children %+v", n.Children)
		}
		return
	}
	t.Errorf("no Shop in %+v", tree)
}

// Reference 2.3, 7.70 and 7.71.
func TestMovingAndArchivingACollectionNeedsEverythingInIt(t *testing.T) {
	s := settledWorld(t)
	a := s.newCollection("A", 0)
	b := s.newCollection("B", a)
	c := s.newCollection("C", b)
	target := s.newCollection("Target", 0)
	s.folder(b, "write")
	s.folder(c, "read")
	s.folder(target, "write")
	move := func() reply {
		return s.member().put(path("/api/collection/%d", b), fields{"parent_id": path("%d", target)})
	}
	archive := func() reply {
		return s.member().put(path("/api/collection/%d", b), fields{"archived": true})
	}
	move().forbidden()
	archive().forbidden()
	s.folder(c, "write")
	s.folder(target, "read")
	move().forbidden()
	s.folder(target, "write")
	move().keeps(fields{"parent_id": target, "location": path("/%d/", target)})
	s.admin().get(path("/api/collection/%d", c)).keeps(fields{"location": path("/%d/%d/", target, b)})
	archive().keeps(fields{"archived": true})
	s.member().get(path("/api/collection/%d", c)).keeps(fields{"archived": true, "archived_directly": false})
	s.member().get("/api/collection").lists(false, "B", "C")
	s.member().get("/api/collection?archived=true").lists(true, "Trash", "B", "C")
	s.member().get("/api/collection/trash/items").listsExactly("B")
	s.outsider().get("/api/collection/trash/items").listsExactly()
	s.member().get(path("/api/collection/%d/items", b)).listsExactly("C")

	s.member().put(path("/api/collection/%d", c), fields{"archived": false}).want(400)
	s.member().put(path("/api/collection/%d", b), fields{"archived": false}).keeps(fields{"archived": false, "parent_id": target})
	s.member().get(path("/api/collection/%d", c)).keeps(fields{"archived": false})
	s.admin().put(path("/api/collection/%d", target), fields{"parent_id": b}).want(400)
	s.admin().put("/api/collection/root", fields{"name": "Mine"}).want(400)
}

func TestOnlyAnArchivedCollectionIsDeleted(t *testing.T) {
	s := settledWorld(t)
	s.admin().delete(path("/api/collection/%d", s.Collection)).want(400)
	s.admin().put(path("/api/collection/%d", s.Collection), fields{"archived": true}).want(200)
	s.member().delete(path("/api/collection/%d", s.Collection)).forbidden()
	s.admin().delete(path("/api/collection/%d", s.Collection)).want(204)
	s.admin().get(path("/api/collection/%d", s.Collection)).want(404)
	s.admin().get(path("/api/card/%d", s.Card)).want(404)
	s.admin().delete("/api/collection/root").want(400)
}

// Reference 2.4 and 7.73.
func TestAPersonalCollectionIsForItsOwnerAndAdministrators(t *testing.T) {
	s := settledWorld(t)
	own := int64(s.outsider().get("/api/user/current").object()["personal_collection_id"].(float64))
	address := path("/api/collection/%d", own)
	s.outsider().get(address).keeps(fields{"is_personal": true, "personal_owner_id": s.Outsider, "can_write": true})
	s.admin().get(address).want(200)
	s.member().get(address).forbidden()
	s.member().get(address + "/items").forbidden()
	s.member().post("/api/collection", fields{"name": "x", "parent_id": own}).forbidden()
	for _, change := range []fields{{"archived": true}, {"parent_id": s.Collection}} {
		s.admin().put(address, change).want(400)
		s.outsider().get(address).keeps(fields{"archived": false, "location": "/"})
	}
	inside := s.outsider().post("/api/collection", fields{"name": "Drafts", "parent_id": own}).id()
	s.outsider().get(path("/api/collection/%d", inside)).keeps(fields{"is_personal": true, "personal_owner_id": nil})
	s.member().get(path("/api/collection/%d", inside)).forbidden()
	s.admin().get("/api/collection/root/items").lists(false, "outsider@example.org's Personal Collection")
}

// Reference 2.4 and 7.74.
func TestLeavingAPersonalCollectionGivesTheLevelsOfTheNewPlace(t *testing.T) {
	s := settledWorld(t)
	own := int64(s.admin().get("/api/user/current").object()["personal_collection_id"].(float64))
	drafts := s.newCollection("Drafts", own)
	address := path("/api/collection/%d", drafts)
	s.member().get(address).forbidden()
	s.admin().put(address, fields{"parent_id": s.Collection}).want(200)
	s.member().put(address, fields{"description": "ours now"}).keeps(fields{"description": "ours now", "is_personal": false})
	s.admin().put(address, fields{"parent_id": own}).want(200)
	s.member().get(address).forbidden()
	s.admin().put(address, fields{"parent_id": nil}).want(200)
	s.member().get(address).forbidden()
}

func TestItemsAreFilteredSortedAndCut(t *testing.T) {
	s := settledWorld(t)
	products := s.question(s.tableNamed("products"))
	s.admin().post("/api/card", s.newCard(s.Collection, products, fields{"name": "banana", "collection_position": 1})).want(200)
	s.admin().post("/api/card", s.newCard(s.Collection, products, fields{"name": "Apple", "type": "model"})).want(200)
	s.newCollection("cherry", s.Collection)
	items := path("/api/collection/%d/items", s.Collection)
	s.member().get(items).listsExactly("Apple", "banana", "cherry", "Overview", "Products")
	s.member().get(items+"?sort_column=name&sort_direction=desc&limit=2&offset=1").keeps(fields{"total": 5, "limit": 2, "offset": 1}).listsExactly("Overview", "cherry")
	s.member().get(items + "?limit=2").keeps(fields{"limit": 2, "offset": 0})
	s.member().get(items).keeps(fields{"limit": nil, "offset": nil, "models": []string{"card", "collection", "dashboard", "dataset", "metric"}})
	s.member().get(items + "?models=card&models=dataset").keeps(fields{"models": []string{"card", "dataset"}, "total": 3})
	s.member().get(items + "?pinned_state=is_pinned").listsExactly("banana")
	s.member().get(items + "?models=no_models").listsExactly()
	s.member().get(items + "?models=nonsense").want(400)
	s.member().get(items + "?limit=-1").want(400)
	data := s.member().get(items + "?models=card").object()["data"].([]any)
	hasKinds(t, "item", data[0].(map[string]any), map[string]string{"id": "int", "model": "string", "name": "string", "description": "null|string",
		"entity_id": "string", "archived": "bool", "collection_id": "int", "display": "string", "database_id": "int", "can_write": "bool"})
}
