package api

import (
	"fmt"
	"net/http"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

type newCollectionWire struct {
	Name           string  `json:"name" rule:"required,nonblank,max=254"`
	Description    *string `json:"description" rule:"max=65536"`
	ParentID       *ID     `json:"parent_id" rule:"positive"`
	Namespace      *string `json:"namespace"`
	AuthorityLevel *string `json:"authority_level"`
	// InheritRead copies the parent's read levels, not only its write levels.
	InheritRead bool `json:"inherit_read"`
}

func (a *API) createCollection(r *request) (any, error) {
	b := bodyOf[newCollectionWire](r)
	n := store.NewCollection{Name: b.Name, Description: b.Description, Namespace: b.Namespace, AuthorityLevel: b.AuthorityLevel, InheritRead: b.InheritRead}
	if b.ParentID != nil {
		n.Parent = permission.CollectionID(*b.ParentID)
	}
	if err := a.mayPutInto(r, "parent_id", n.Parent); err != nil {
		return nil, err
	}
	if err := mayMarkOfficial(r, n.AuthorityLevel); err != nil {
		return nil, err
	}
	c, err := a.store.CreateCollection(r.ctx(), r.actor(), n)
	if err != nil {
		return nil, err
	}
	return a.collectionNow(r, c)
}

// mayPutInto tells whether the person may put something into the collection
// that a body names in this field: it needs the right to curate it, and that
// it is not in the trash. One that does not exist is refused as one that the
// person may not see.
func (a *API) mayPutInto(r *request, field string, id permission.CollectionID) error {
	if id != permission.Root && r.access.Graph().Collection(id) == nil {
		return r.missing(field, "collection", int64(id))
	}
	if err := r.access.Check(permission.CurateCollection, permission.ACollection(id)); err != nil || id == permission.Root {
		return err
	}
	c, err := a.store.Collection(r.ctx(), id)
	if err == nil && c.Archived {
		err = wrongField(field, "The collection is archived.")
	}
	return err
}

// missing is the error for an id in a body that names nothing. Administrators
// are told so; others what they are told of things that they may not see.
func (r *request) missing(field, noun string, id int64) error {
	if !r.administers() {
		return errForbidden
	}
	return failed{status: http.StatusNotFound, body: invalid{Errors: map[string]string{field: fmt.Sprintf("There is no %s %d.", noun, id)}}}
}

// mayMarkOfficial tells whether the person may give or take this authority
// level: it speaks for the house, so that is for administrators.
func mayMarkOfficial(r *request, level *string) error {
	if level == nil {
		return nil
	}
	if *level != "official" {
		return wrongField("authority_level", "value must be official or null.")
	}
	return r.access.Check(permission.Administer, permission.Server)
}

type collectionUpdateWire struct {
	Name           Opt[string] `json:"name" rule:"nonblank,max=254"`
	Description    Opt[string] `json:"description" rule:"max=65536"`
	Archived       Opt[bool]   `json:"archived"`
	ParentID       Opt[ID]     `json:"parent_id" rule:"positive"`
	AuthorityLevel Opt[string] `json:"authority_level"`
	Namespace      Opt[string] `json:"namespace"`
}

func (a *API) updateCollection(r *request) (any, error) {
	c, b := r.object.(store.Collection), bodyOf[collectionUpdateWire](r)
	if c.ID == permission.Root {
		return nil, plain{http.StatusBadRequest, "The root collection cannot be changed."}
	}
	if ns, given := b.Namespace.Get(); given && ns != orZero(c.Namespace) {
		return nil, wrongField("namespace", "The namespace of a collection cannot be changed.")
	}
	u := store.CollectionUpdate{Name: b.Name.Ptr()}
	if b.Description.Set {
		u.Description = new(b.Description.Ptr())
	}
	if level := b.AuthorityLevel.Ptr(); b.AuthorityLevel.Set && orZero(level) != orZero(c.AuthorityLevel) {
		u.AuthorityLevel = &level
		if level == nil {
			level = c.AuthorityLevel
		}
		if err := mayMarkOfficial(r, level); err != nil {
			return nil, err
		}
	}
	if err := a.relocate(r, c, b, &u); err != nil {
		return nil, err
	}
	c, err := a.store.UpdateCollection(r.ctx(), r.actor(), c.ID, u)
	if err != nil {
		return nil, err
	}
	return a.collectionNow(r, c)
}

// relocate reads out of the body whether the collection is archived, restored
// or moved, and whether the person may do that (reference 2.3). A parent_id
// that says where the collection already is, as the person sees it, is no
// move: clients send back whole objects.
func (a *API) relocate(r *request, c store.Collection, b *collectionUpdateWire, u *store.CollectionUpdate) error {
	if archived, given := b.Archived.Get(); given && archived != c.Archived {
		u.Archived = &archived
	}
	restored := u.Archived != nil && !*u.Archived
	target := permission.CollectionID(b.ParentID.Value) // null is the root
	if b.ParentID.Set && target != nearestAbove(r.access, c.ID) {
		if u.Archived != nil && *u.Archived {
			return wrongField("parent_id", "A collection cannot be moved and archived at once.")
		}
		u.Parent = &target
	}
	if u.Archived == nil && u.Parent == nil {
		return nil
	}
	if err := curatesBelow(r.access, c.ID); err != nil {
		return err
	}
	u.Seen = &store.CollectionPlace{Parent: c.Parent, Archived: c.Archived, Below: r.access.Graph().Below(c.ID)}
	switch {
	case u.Parent != nil:
		return a.mayPutInto(r, "parent_id", target)
	case restored && !c.ArchivedDirectly:
		return wrongField("archived", "It was archived with the collection above it; restore that one, or say by parent_id where to restore this one.")
	case restored:
		return a.mayPutInto(r, "parent_id", c.Parent)
	}
	return nil
}

// curatesBelow asks for the right to curate everything under the collection,
// which goes where the collection goes.
func curatesBelow(access permission.Access, id permission.CollectionID) error {
	g := access.Graph()
	for _, c := range g.Below(id)[1:] {
		if err := access.Check(permission.CurateCollection, permission.ACollection(c)); err != nil {
			return err
		}
	}
	return nil
}

func (a *API) deleteCollection(r *request) (any, error) {
	c, err := a.namedCollection(r, permission.CurateCollection)
	switch {
	case err != nil:
		return nil, err
	case c.ID == permission.Root || c.Owner != 0:
		return nil, plain{http.StatusBadRequest, "This collection cannot be deleted."}
	case !c.Archived:
		return nil, plain{http.StatusBadRequest, "Only an archived collection can be deleted. Archive it first."}
	}
	return noContent(), a.store.DeleteCollection(r.ctx(), r.actor(), c.ID)
}
