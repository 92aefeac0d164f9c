package api

import (
	"regexp"
	"strconv"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// collectionRoutes are about collections: the folders of questions, dashboards
// and other collections (reference 2 and 4.7).
func collectionRoutes() []Route {
	read, curate := collectionNeed(permission.ReadCollection), collectionNeed(permission.CurateCollection)
	root := rootNeed(permission.ReadCollection)
	return []Route{
		{Method: "GET", Path: "/api/collection", Need: person(), Query: collectionListQuery{}, Answer: []collectionWire{},
			Summary: "List the collections that one may read", handle: (*API).listCollections},
		{Method: "POST", Path: "/api/collection", Need: person(), Body: newCollectionWire{}, Answer: collectionWire{},
			Summary: "Create a collection in one that one curates", handle: (*API).createCollection},
		{Method: "GET", Path: "/api/collection/tree", Need: person(), Query: collectionTreeQuery{}, Answer: []*collectionNodeWire{},
			Summary: "Show the collections that one may read as a tree", handle: (*API).collectionTree},
		{Method: "GET", Path: "/api/collection/root", Need: root, Answer: collectionWire{},
			Summary: "Get the root collection", handle: (*API).getCollection},
		{Method: "GET", Path: "/api/collection/root/items", Need: person(), Query: itemsQuery{}, Answer: itemsWire{},
			Summary: "List what lies at the top level", handle: (*API).rootItems},
		{Method: "GET", Path: "/api/collection/trash", Need: person(), Answer: collectionWire{},
			Summary: "Get the trash", handle: (*API).getTrash},
		{Method: "GET", Path: "/api/collection/trash/items", Need: person(), Query: itemsQuery{}, Answer: itemsWire{},
			Summary: "List what was archived", handle: (*API).trashItems},
		{Method: "GET", Path: "/api/collection/{id:text}", Need: read, Answer: collectionWire{},
			Summary: "Get a collection by its id or entity id", handle: (*API).getCollection},
		{Method: "GET", Path: "/api/collection/{id:text}/items", Need: read, Query: itemsQuery{}, Answer: itemsWire{},
			Summary: "List what lies in a collection", handle: (*API).collectionItems},
		{Method: "PUT", Path: "/api/collection/{id:text}", Need: curate, Body: collectionUpdateWire{}, Answer: collectionWire{},
			Summary: "Rename, describe, move, archive or restore a collection", handle: (*API).updateCollection},
		{Method: "DELETE", Path: "/api/collection/{id:text}", Need: administrator(),
			Summary: "Delete an archived collection for good", handle: (*API).deleteCollection},
	}
}

// The names of the two collections that are not stored.
const (
	rootName  = "Our analytics"
	trashName = "Trash"
)

// collectionRef is a collection's id where the root is the word "root"; trash
// stands for the trash. Where the root is null, the wire types have a
// *permission.CollectionID.
type collectionRef permission.CollectionID

const trash collectionRef = -1

// MarshalJSON writes a number, or the word.
func (c collectionRef) MarshalJSON() ([]byte, error) {
	switch c {
	case collectionRef(permission.Root):
		return []byte(`"root"`), nil
	case trash:
		return []byte(`"trash"`), nil
	}
	return strconv.AppendInt(nil, int64(c), 10), nil
}

func (*collectionRef) fromWire([]byte) string { return "an integer or one of root, trash" }

func (*collectionRef) wireSchema() schema {
	return schema{"oneOf": []schema{typed("integer"), {"type": "string", "enum": []string{"root", "trash"}}}}
}

// nullRoot is the id as cards and dashboards have it: null for the root.
func nullRoot(id permission.CollectionID) *permission.CollectionID {
	if id == permission.Root {
		return nil
	}
	return &id
}

var entityID = regexp.MustCompile(`^[A-Za-z0-9_-]{21}$`)

// collectionNeed is the right on the collection that {id:text} names by its
// number, its entity id, or "root". The collection is left in r.object.
func collectionNeed(right permission.Right) Need {
	return object(right.String(), func(a *API, r *request) error {
		c, err := a.namedCollection(r, right)
		r.object = c
		return err
	})
}

// rootNeed is the right on the root collection.
func rootNeed(right permission.Right) Need {
	return object(right.String(), func(_ *API, r *request) error {
		r.object = store.Collection{Name: rootName}
		return r.access.Check(right, permission.ACollection(permission.Root))
	})
}

// namedCollection loads the collection in the path if the person has the
// right on it.
func (a *API) namedCollection(r *request, right permission.Right) (store.Collection, error) {
	text := r.text("id")
	if text == "root" {
		return store.Collection{Name: rootName}, r.access.Check(right, permission.ACollection(permission.Root))
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err == nil && id > 0 && text[0] != '+' {
		if err := r.access.Check(right, permission.ACollection(permission.CollectionID(id))); err != nil {
			return store.Collection{}, err
		}
		return a.store.Collection(r.ctx(), permission.CollectionID(id))
	}
	if !entityID.MatchString(text) {
		return store.Collection{}, errNoRoute
	}
	c, err := a.store.CollectionByEntityID(r.ctx(), text)
	if err != nil {
		return store.Collection{}, err
	}
	return c, r.access.Check(right, permission.ACollection(c.ID))
}

type collectionListQuery struct {
	Archived     bool   `query:"archived"`
	Namespace    string `query:"namespace"`
	ExcludeOther bool   `query:"exclude-other-user-collections"`
	PersonalOnly bool   `query:"personal-only"`
}

// wants tells whether the list has the collection, which the person may read.
func (q *collectionListQuery) wants(r *request, c store.Collection) bool {
	node := r.access.Graph().Collection(c.ID)
	switch {
	case node == nil:
		return false
	case orZero(c.Namespace) != q.Namespace:
		return false
	case q.ExcludeOther && node.Owner != 0 && node.Owner != r.access.User():
		return false
	case q.PersonalOnly && c.Owner == 0:
		return false
	}
	return true
}

func (a *API) listCollections(r *request) (any, error) {
	q := queryOf[collectionListQuery](r)
	which, right := store.NotArchived, permission.ReadCollection
	if q.Archived { // reference 2.5: what is in the trash is shown to those who can restore it
		which, right = store.OnlyArchived, permission.CurateCollection
	}
	all, err := a.store.Collections(r.ctx(), store.CollectionQuery{Archived: which})
	if err != nil {
		return nil, err
	}
	list := []collectionWire{}
	switch {
	case q.Archived:
		list = append(list, trashWire())
	case !q.PersonalOnly && q.Namespace == "" && r.access.Can(permission.ReadCollection, permission.ACollection(permission.Root)):
		list = append(list, rootWire(r.access))
	}
	for _, c := range all {
		if r.access.Can(right, permission.ACollection(c.ID)) && q.wants(r, c) {
			list = append(list, collectionOf(r.access, c))
		}
	}
	return list, nil
}

func (a *API) getCollection(r *request) (any, error) {
	c := r.object.(store.Collection)
	if c.ID == permission.Root {
		return withAncestors(rootWire(r.access), r.access, c.ID), nil
	}
	a.opened(r, store.OfCollection, int64(c.ID))
	return withAncestors(collectionOf(r.access, c), r.access, c.ID), nil
}

func (a *API) getTrash(*request) (any, error) {
	w := trashWire()
	w.EffectiveLocation, w.EffectiveAncestors = new("/"), &[]ancestorWire{}
	return w, nil
}
