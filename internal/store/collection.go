package store

import (
	"context"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
)

// Archived selects by whether something is in the trash. Its zero value leaves
// out what is.
type Archived uint8

// The selections.
const (
	NotArchived Archived = iota
	OnlyArchived
	WithArchived
)

// Collection is a folder of questions, dashboards and other collections.
type Collection struct {
	ID               permission.CollectionID
	Name             string
	Slug             string
	Description      *string
	Parent           permission.CollectionID // permission.Root at the top level
	Location         string                  // the ids above it: "/1/2/"
	Archived         bool
	ArchivedDirectly bool // false for what was archived with a collection above
	Type             *string
	Namespace        *string
	AuthorityLevel   *string
	ParentArchived   bool              // it cannot be restored to where it was
	Owner            permission.UserID // of a personal root collection only
	EntityID         string
	CreatedAt        time.Time
}

// CollectionQuery selects collections.
type CollectionQuery struct {
	Archived Archived
	Parent   *permission.CollectionID  // directly in it; permission.Root for the top level
	IDs      []permission.CollectionID // among these; nil for all
}

// NewCollection is a collection to create.
type NewCollection struct {
	Name           string
	Description    *string
	Parent         permission.CollectionID
	Type           *string
	Namespace      *string
	AuthorityLevel *string
	// InheritRead copies the parent's read rows as well as its write rows.
	InheritRead bool
}

// CollectionUpdate says what to change about a collection; nil leaves as it
// is.
type CollectionUpdate struct {
	Name           *string
	Description    **string
	Parent         *permission.CollectionID // moves it; with Archived false, where to restore it
	Archived       *bool
	AuthorityLevel **string
	Type           **string
	// Seen is what it was decided on that it may be moved, archived or
	// restored; nil where nothing was.
	Seen *CollectionPlace
}

// CollectionPlace is where a collection lies, and everything that goes where it
// goes.
type CollectionPlace struct {
	Parent   permission.CollectionID
	Archived bool
	Below    []permission.CollectionID // as permission.Graph.Below lists it
}

const collectionColumns = `c.id, c.name, c.slug, c.description, coalesce(c.parent_id, 0), c.location, c.archived, c.archived_directly,
	coalesce((select p.archived from collections p where p.id = c.parent_id), false), c.type, c.namespace, c.authority_level, coalesce(case when c.parent_id is null then c.owner_id end, 0), c.entity_id, c.created_at`

func scanCollection(row scanner) (c Collection, err error) {
	return c, row.Scan(&c.ID, &c.Name, &c.Slug, &c.Description, &c.Parent, &c.Location, &c.Archived, &c.ArchivedDirectly, &c.ParentArchived,
		&c.Type, &c.Namespace, &c.AuthorityLevel, &c.Owner, &c.EntityID, moment{&c.CreatedAt})
}

// Collections lists the collections that the query selects, by name without
// regard to case.
func (s *Store) Collections(ctx context.Context, q CollectionQuery) ([]Collection, error) {
	all := []Collection{}
	for _, ids := range chunks(q.IDs) {
		var w where
		w.archived(q.Archived, "c.archived")
		if q.Parent != nil {
			w.place("c.parent_id", int64(*q.Parent))
		}
		if q.IDs != nil {
			in(&w, "c.id", ids)
		}
		some, err := list(ctx, s.reader(), scanCollection, "select "+collectionColumns+" from collections c"+w.String()+" order by c.name_fold, c.id", w.args...)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// Collection returns a collection, or ErrNotFound.
func (s *Store) Collection(ctx context.Context, id permission.CollectionID) (Collection, error) {
	return readCollection(ctx, s.reader(), id)
}

func readCollection(ctx context.Context, c conn, id permission.CollectionID) (Collection, error) {
	return one(ctx, c, scanCollection, "select "+collectionColumns+" from collections c where c.id = $1", id)
}

// CollectionByEntityID returns the collection with the entity id, or
// ErrNotFound.
func (s *Store) CollectionByEntityID(ctx context.Context, id string) (Collection, error) {
	return one(ctx, s.reader(), scanCollection, "select "+collectionColumns+" from collections c where c.entity_id = $1", id)
}

// CollectionContents tells which kinds of live content lie directly in each
// collection that has any: "card", "dashboard", "dataset", "metric", sorted.
func (s *Store) CollectionContents(ctx context.Context) (map[permission.CollectionID][]string, error) {
	kinds := map[permission.CollectionID][]string{}
	_, err := list(ctx, s.reader(), func(row scanner) (struct{}, error) {
		var id permission.CollectionID
		var kind string
		err := row.Scan(&id, &kind)
		kinds[id] = append(kinds[id], kind)
		return struct{}{}, err
	}, `select coalesce(collection_id, 0), case type when 'model' then 'dataset' when 'metric' then 'metric' else 'card' end as kind
		from cards where not archived and dashboard_id is null
		union select coalesce(collection_id, 0), 'dashboard' from dashboards where not archived order by 2`)
	return kinds, err
}

// CreateCollection makes a collection. It takes the parent's write rows, and
// its read rows with InheritRead; inside a personal collection there are none.
// *InvalidError for a blank name, a parent that is missing or archived, or a
// namespace other than the parent's.
func (s *Store) CreateCollection(ctx context.Context, who Actor, n NewCollection) (made Collection, err error) {
	_, err = s.write(ctx, who, func(w *writer) error {
		owner, err := w.target(n.Parent, n.Namespace)
		if err != nil {
			return err
		}
		id, err := w.newIDs("collection", 1)
		if err != nil {
			return err
		}
		to := &permission.CollectionNode{ID: permission.CollectionID(id), Name: n.Name, Parent: n.Parent, Owner: owner}
		least := permission.Write
		if n.InheritRead {
			least = permission.Read
		}
		if err := w.apply(append([]permission.Change{permission.SetCollection{To: to}}, w.inherited(to, least)...)...); err != nil {
			return err
		}
		err = w.execOne(ctx, "update collections set description = $1, type = $2, namespace = $3, authority_level = $4 where id = $5",
			n.Description, n.Type, n.Namespace, n.AuthorityLevel, id)
		if err != nil {
			return err
		}
		made, err = readCollection(ctx, w.conn, to.ID)
		return err
	})
	return made, err
}

// target checks that something can be put into a collection, and returns whose
// personal tree that is.
func (w *writer) target(id permission.CollectionID, namespace *string) (permission.UserID, error) {
	if id == permission.Root {
		return 0, nil
	}
	n := w.graph.Collection(id)
	if n == nil {
		return 0, invalid("parent_id", "There is no collection %d.", id)
	}
	c, err := readCollection(w.ctx, w.conn, id)
	switch {
	case err != nil:
		return 0, err
	case c.Archived:
		return 0, invalid("parent_id", "Collection %d %q is archived.", id, c.Name)
	case text(c.Namespace) != text(namespace):
		return 0, invalid("parent_id", "Collection %d %q is of another namespace.", id, c.Name)
	}
	return n.Owner, nil
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// inherited are the changes that copy the levels of a collection's parent, if
// they are at least so high, to where the collection has none.
func (w *writer) inherited(n *permission.CollectionNode, least permission.Level) []permission.Change {
	if n.Owner != 0 {
		return nil
	}
	var changes []permission.Change
	for g := range w.graph.GroupsOnCollection(n.Parent) {
		from, cell := w.graph.CollectionLevel(g, n.ID), w.graph.CollectionLevel(g, n.Parent)
		if cell.Level < least {
			continue
		}
		cell.At = w.nextCollection()
		changes = append(changes, permission.SetCollectionAccess{Group: g, Collection: n.ID, From: from, To: cell})
	}
	return changes
}
