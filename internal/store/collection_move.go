package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/sluice-bi/sluice/internal/permission"
)

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
		if seen := u.Seen; seen != nil && (was.Parent != seen.Parent || was.Archived != seen.Archived || !slices.Equal(w.graph.Below(id), seen.Below)) {
			return fmt.Errorf("collection %d: %w", id, ErrChanged)
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
	below := w.graph.Below(was.ID)
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
			changes = append(changes, w.levelsGone(id)...)
		case published:
			changes = append(changes, w.inherited(&permission.CollectionNode{ID: id, Parent: parent}, permission.Read)...)
		}
	}
	return w.apply(changes...)
}

// levelsGone are the changes that take away every group's level on a
// collection.
func (w *writer) levelsGone(id permission.CollectionID) []permission.Change {
	var changes []permission.Change
	for g := range w.graph.GroupsOnCollection(id) {
		changes = append(changes, permission.SetCollectionAccess{Group: g, Collection: id, From: w.graph.CollectionLevel(g, id)})
	}
	return changes
}

// archiveCollection archives a collection with everything in it that is not
// archived yet, or restores what was archived with it.
func (w *writer) archiveCollection(id permission.CollectionID, archive bool) error {
	if err := w.lockPins(w.ctx); err != nil {
		return err
	}
	with, err := one(w.ctx, w.conn, value[*string], "select archived_with from collections where id = $1", id)
	if err != nil {
		return err
	}
	operation := newEntityID()
	for _, part := range chunks(w.graph.Below(id)) {
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
		if err := w.lockPins(ctx); err != nil {
			return err
		}
		below := w.graph.Below(id)
		var changes []permission.Change
		for _, id := range slices.Backward(below) { // children before parents
			changes = append(changes, w.levelsGone(id)...)
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
