package api

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// collectionWire is a collection as one person sees it: in location, parent_id
// and the ancestors there is no collection that the person may not read.
type collectionWire struct {
	ID                 collectionRef            `json:"id"`
	Name               string                   `json:"name"`
	Slug               *string                  `json:"slug,omitempty"`
	Description        *string                  `json:"description"`
	Archived           bool                     `json:"archived"`
	ArchivedDirectly   *bool                    `json:"archived_directly,omitempty"`
	Location           *string                  `json:"location,omitempty"`
	ParentID           *permission.CollectionID `json:"parent_id"`
	Namespace          *string                  `json:"namespace"`
	AuthorityLevel     *string                  `json:"authority_level"`
	Type               *string                  `json:"type"`
	PersonalOwnerID    *permission.UserID       `json:"personal_owner_id"`
	EntityID           *string                  `json:"entity_id"`
	CreatedAt          *time.Time               `json:"created_at,omitempty"`
	IsPersonal         bool                     `json:"is_personal"`
	IsSample           bool                     `json:"is_sample"`
	CanWrite           bool                     `json:"can_write"`
	CanRestore         bool                     `json:"can_restore"`
	CanDelete          bool                     `json:"can_delete"`
	EffectiveLocation  *string                  `json:"effective_location,omitempty"`
	EffectiveAncestors *[]ancestorWire          `json:"effective_ancestors,omitempty"`
}

// ancestorWire is a collection above another.
type ancestorWire struct {
	ID              collectionRef      `json:"id"`
	Name            string             `json:"name"`
	Type            *string            `json:"type"`
	PersonalOwnerID *permission.UserID `json:"personal_owner_id"`
	CanWrite        bool               `json:"can_write"`
}

// orZero is what the pointer points to; the zero value for nil.
func orZero[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func rootWire(access permission.Access) collectionWire {
	return collectionWire{ID: collectionRef(permission.Root), Name: rootName,
		CanWrite: access.Can(permission.CurateCollection, permission.ACollection(permission.Root))}
}

// trashWire is the trash: everybody may look into it, nobody may write there;
// what it holds is decided for each item.
func trashWire() collectionWire {
	return collectionWire{ID: trash, Name: trashName, Slug: new("trash"), Type: new("trash"), Location: new("/")}
}

func collectionOf(access permission.Access, c store.Collection) collectionWire {
	w := collectionWire{
		ID: collectionRef(c.ID), Name: c.Name, Slug: &c.Slug, Description: c.Description,
		Archived: c.Archived, ArchivedDirectly: &c.ArchivedDirectly, Namespace: c.Namespace,
		AuthorityLevel: c.AuthorityLevel, Type: c.Type, EntityID: &c.EntityID, CreatedAt: &c.CreatedAt,
		Location: new(locationOf(access, c.ID)), ParentID: nullRoot(nearestAbove(access, c.ID)),
		CanWrite: access.Can(permission.CurateCollection, permission.ACollection(c.ID)),
	}
	if node := access.Graph().Collection(c.ID); node != nil {
		w.IsPersonal = node.Owner != 0
	}
	if c.Owner != 0 {
		w.PersonalOwnerID = &c.Owner
	}
	w.CanRestore = restorable(w.CanWrite, c.ArchivedDirectly, c.ParentArchived) && curatesBelow(access, c.ID) == nil
	w.CanDelete = c.Archived && access.Can(permission.Administer, permission.Server)
	return w
}

// restorable tells whether something can be taken out of the trash to where it
// lies: by who writes there, and not into a collection that is archived itself.
func restorable(writes, directly, closed bool) bool { return writes && directly && !closed }

// collectionNow is the collection after a write by the person, under the
// rights that the write left.
func (a *API) collectionNow(r *request, c store.Collection) (any, error) {
	if err := a.lookAgain(r); err != nil {
		return nil, err
	}
	return withAncestors(collectionOf(r.access, c), r.access, c.ID), nil
}

// withAncestors adds what only a single collection is answered with.
func withAncestors(w collectionWire, access permission.Access, id permission.CollectionID) collectionWire {
	ancestors := []ancestorWire{}
	if id != permission.Root {
		if access.Can(permission.ReadCollection, permission.ACollection(permission.Root)) {
			root := rootWire(access)
			ancestors = append(ancestors, ancestorWire{ID: root.ID, Name: root.Name, CanWrite: root.CanWrite})
		}
		for _, c := range readableAbove(access, id) {
			above := ancestorWire{ID: collectionRef(c.ID), Name: c.Name, CanWrite: access.Can(permission.CurateCollection, permission.ACollection(c.ID))}
			if c.Owner != 0 && c.Parent == permission.Root {
				above.PersonalOwnerID = &c.Owner
			}
			ancestors = append(ancestors, above)
		}
		w.EffectiveLocation = new(locationOf(access, id))
	}
	w.EffectiveAncestors = &ancestors
	return w
}

// readableAbove lists the collections above one, outermost first, that the
// person may read. Root is not among them.
func readableAbove(access permission.Access, id permission.CollectionID) []*permission.CollectionNode {
	var above []*permission.CollectionNode
	g := access.Graph()
	for c := g.Collection(id); c != nil && c.Parent != permission.Root; {
		c = g.Collection(c.Parent)
		if c != nil && access.Can(permission.ReadCollection, permission.ACollection(c.ID)) {
			above = append(above, c)
		}
	}
	slices.Reverse(above)
	return above
}

// nearestAbove is the collection that the person sees another in: the nearest
// one above it that the person may read, or Root.
func nearestAbove(access permission.Access, id permission.CollectionID) permission.CollectionID {
	if above := readableAbove(access, id); len(above) > 0 {
		return above[len(above)-1].ID
	}
	return permission.Root
}

// locationOf is the path of ids above a collection as the person sees it.
func locationOf(access permission.Access, id permission.CollectionID) string {
	var b strings.Builder
	b.WriteByte('/')
	for _, c := range readableAbove(access, id) {
		b.WriteString(strconv.FormatInt(int64(c.ID), 10))
		b.WriteByte('/')
	}
	return b.String()
}
