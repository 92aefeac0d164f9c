package store

import (
	"context"
	"slices"
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
}

const collectionColumns = `c.id, c.name, c.slug, c.description, coalesce(c.parent_id, 0), c.location, c.archived, c.archived_directly,
	c.type, c.namespace, c.authority_level, coalesce(case when c.parent_id is null then c.owner_id end, 0), c.entity_id, c.created_at`

func scanCollection(row scanner) (c Collection, err error) {
	return c, row.Scan(&c.ID, &c.Name, &c.Slug, &c.Description, &c.Parent, &c.Location, &c.Archived, &c.ArchivedDirectly,
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
	for g := range w.graph.Groups() {
		from, cell := w.graph.CollectionLevel(g.ID, n.ID), w.graph.CollectionLevel(g.ID, n.Parent)
		if !cell.Set || cell.Level < least {
			continue
		}
		cell.At = w.nextCollection()
		changes = append(changes, permission.SetCollectionAccess{Group: g.ID, Collection: n.ID, From: from, To: cell})
	}
	return changes
}

// UpdateCollection renames, describes, moves, archives or restores a
// collection. Archiving takes everything in it along; restoring brings back
// what went with it. A move between an ordinary and a personal tree changes
// the owner of everything below; into a personal one the rows are deleted, out
// of it the new parent's rows are copied. ErrNotFound, and *InvalidError for a
// move into itself, a missing or archived target, a name that is blank, and
// for moving or archiving a personal root.
func (s *Store) UpdateCollection(ctx context.Context, who Actor, id permission.CollectionID, u CollectionUpdate) (is Collection, err error) {
	_, err = s.write(ctx, who, func(w *writer) error {
		was, err := readCollection(ctx, w.conn, id)
		if err != nil {
			return err
		}
		if err := w.mayAlter(was, u); err != nil {
			return err
		}
		if u.Name != nil && *u.Name != was.Name {
			from := w.graph.Collection(id)
			to := *from
			to.Name = *u.Name
			if err := w.apply(permission.SetCollection{From: from, To: &to}); err != nil {
				return err
			}
		}
		restored := u.Archived != nil && !*u.Archived && was.Archived
		if u.Parent != nil && *u.Parent != was.Parent {
			err = w.moveCollection(was, *u.Parent)
		} else if restored && was.Parent != permission.Root {
			_, err = w.target(was.Parent, was.Namespace)
		}
		if err != nil {
			return err
		}
		if u.Archived != nil && *u.Archived != was.Archived {
			if err := w.archiveCollection(id, *u.Archived); err != nil {
				return err
			}
		}
		is = was
		set(&is.Description, u.Description)
		set(&is.AuthorityLevel, u.AuthorityLevel)
		set(&is.Type, u.Type)
		err = w.execOne(ctx, "update collections set description = $1, authority_level = $2, type = $3 where id = $4", is.Description, is.AuthorityLevel, is.Type, id)
		if err != nil {
			return err
		}
		is, err = readCollection(ctx, w.conn, id)
		return err
	})
	return is, err
}

// mayAlter refuses updates that contradict what the collection is.
func (w *writer) mayAlter(was Collection, u CollectionUpdate) error {
	moved := u.Parent != nil && *u.Parent != was.Parent
	toArchive := u.Archived != nil && *u.Archived && !was.Archived
	restored := u.Archived != nil && !*u.Archived && was.Archived
	switch {
	case was.Owner != 0 && moved:
		return invalid("parent_id", "A personal collection cannot be moved.")
	case was.Owner != 0 && toArchive:
		return invalid("archived", "A personal collection cannot be archived.")
	case was.Owner != 0 && u.AuthorityLevel != nil && *u.AuthorityLevel != nil:
		return invalid("authority_level", "A personal collection has no authority level.")
	case moved && toArchive:
		return invalid("parent_id", "A collection cannot be moved and archived at once.")
	case moved && was.Archived && !restored:
		return invalid("parent_id", "Collection %d %q is archived; restore it to move it.", was.ID, was.Name)
	case restored && !was.ArchivedDirectly && !moved:
		return invalid("archived", "Collection %d %q was archived with a collection above it; restore that one, or say by parent_id where to put this one.", was.ID, was.Name)
	}
	return nil
}

// moveCollection puts a collection and what lies in it elsewhere.
func (w *writer) moveCollection(was Collection, parent permission.CollectionID) error {
	owner, err := w.target(parent, was.Namespace)
	if err != nil {
		return err
	}
	below := w.subtree(was.ID)
	if slices.Contains(below, parent) {
		return invalid("parent_id", "Collection %d %q cannot be moved into itself.", was.ID, was.Name)
	}
	top := w.graph.Collection(was.ID)
	published := top.Owner != 0 && owner == 0
	var changes []permission.Change
	for _, id := range below {
		from := w.graph.Collection(id)
		to := *from
		to.Owner = owner
		if id == was.ID {
			to.Parent = parent
		}
		if to != *from {
			changes = append(changes, permission.SetCollection{From: from, To: &to})
		}
		switch {
		case owner != 0:
			for g := range w.graph.Groups() {
				if cell := w.graph.CollectionLevel(g.ID, id); cell.Set {
					changes = append(changes, permission.SetCollectionAccess{Group: g.ID, Collection: id, From: cell})
				}
			}
		case published:
			changes = append(changes, w.inherited(&permission.CollectionNode{ID: id, Parent: parent}, permission.Read)...)
		}
	}
	return w.apply(changes...)
}

// subtree lists a collection and all below it, parents before children.
func (w *writer) subtree(id permission.CollectionID) []permission.CollectionID {
	children := map[permission.CollectionID][]permission.CollectionID{}
	for c := range w.graph.Collections() {
		children[c.Parent] = append(children[c.Parent], c.ID)
	}
	all := []permission.CollectionID{id}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// archiveCollection archives a collection with everything in it that is not
// archived yet, or restores what was archived with it.
func (w *writer) archiveCollection(id permission.CollectionID, archive bool) error {
	with, err := one(w.ctx, w.conn, value[*string], "select archived_with from collections where id = $1", id)
	if err != nil {
		return err
	}
	operation := newEntityID()
	for _, part := range chunks(w.subtree(id)) {
		for _, table := range []string{"collections", "cards", "dashboards"} {
			var q where
			query := "update " + table
			if archive {
				q.and("not archived")
				q.args = append(q.args, operation)
				query += " set archived = true, archived_directly = false, archived_with = $1"
			} else {
				q.and("archived_with = ?", with)
				query += " set archived = false, archived_directly = false, archived_with = null"
			}
			column := "collection_id"
			if table == "collections" {
				column = "id"
			}
			in(&q, column, part)
			if _, err := w.exec(w.ctx, query+q.String(), q.args...); err != nil {
				return err
			}
		}
	}
	if archive {
		return w.execOne(w.ctx, "update collections set archived_directly = true where id = $1", id)
	}
	return nil
}

// DeleteCollection removes an archived collection for good, with everything in
// it and every level on it, in one revision. ErrNotFound; *InvalidError when
// it is not archived, or is a personal root.
func (s *Store) DeleteCollection(ctx context.Context, who Actor, id permission.CollectionID) error {
	_, err := s.write(ctx, who, func(w *writer) error {
		c, err := readCollection(ctx, w.conn, id)
		switch {
		case err != nil:
			return err
		case c.Owner != 0 || !c.Archived:
			return invalid("", "Only an archived collection can be deleted. Archive it first.")
		}
		below := w.subtree(id)
		var changes []permission.Change
		for _, id := range slices.Backward(below) { // children before parents
			for g := range w.graph.Groups() {
				if cell := w.graph.CollectionLevel(g.ID, id); cell.Set {
					changes = append(changes, permission.SetCollectionAccess{Group: g.ID, Collection: id, From: cell})
				}
			}
			changes = append(changes, permission.SetCollection{From: w.graph.Collection(id)})
		}
		for _, part := range chunks(below) {
			for _, table := range []string{"cards", "dashboards"} {
				var q where
				in(&q, "collection_id", part)
				if _, err := w.exec(ctx, "delete from "+table+q.String(), q.args...); err != nil {
					return err
				}
			}
		}
		return w.apply(changes...)
	})
	return err
}
