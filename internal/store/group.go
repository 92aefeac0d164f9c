package store

import (
	"context"

	"github.com/sluice-bi/sluice/internal/permission"
)

// GroupRow is a group as lists show it.
type GroupRow struct {
	ID          permission.GroupID
	Name        string // as given; unique without regard to case
	Internal    bool
	MemberCount int // active people
	EntityID    string
}

// NewGroup is a group to be made.
type NewGroup struct {
	Name     string
	Internal bool // exempt from the closing of wide grants on strict databases
}

// GroupUpdate changes a group; what is nil stays as it is.
type GroupUpdate struct {
	Name     *string
	Internal *bool
}

const groupColumns = `g.id, g.name, g.internal, g.entity_id,
	(select count(*) from memberships m join users u on u.id = m.user_id where m.group_id = g.id and u.active and u.type = 'personal')`

func scanGroup(row scanner) (g GroupRow, err error) {
	return g, row.Scan(&g.ID, &g.Name, &g.Internal, &g.EntityID, &g.MemberCount)
}

// Groups lists all groups by name, without regard to case.
func (s *Store) Groups(ctx context.Context) ([]GroupRow, error) {
	return list(ctx, s.reader(), scanGroup, "select "+groupColumns+" from groups g order by g.name_fold")
}

// Group returns a group, or ErrNotFound.
func (s *Store) Group(ctx context.Context, id permission.GroupID) (GroupRow, error) {
	return readGroup(ctx, s.reader(), id)
}

func readGroup(ctx context.Context, c conn, id permission.GroupID) (GroupRow, error) {
	return one(ctx, c, scanGroup, "select "+groupColumns+" from groups g where g.id = $1", id)
}

// CreateGroup makes a group with nobody and nothing in it. It takes a new data
// revision. *InvalidError when the name is blank (Field "name") or taken
// (empty Field).
func (s *Store) CreateGroup(ctx context.Context, who Actor, n NewGroup) (g GroupRow, err error) {
	_, err = s.write(ctx, who, func(w *writer) error {
		id, err := w.newIDs("group", 1)
		if err != nil {
			return err
		}
		to := &permission.Group{ID: permission.GroupID(id), Name: n.Name, Internal: n.Internal, Since: w.nextData()}
		if err := w.apply(permission.SetGroup{To: to}); err != nil {
			return err
		}
		g, err = readGroup(ctx, w.conn, to.ID)
		return err
	})
	return g, err
}

// UpdateGroup changes a group, in one revision. Errors as CreateGroup,
// ErrNotFound, and *InvalidError with an empty Field for another name of All
// Users or Administrators and for All Users as internal.
func (s *Store) UpdateGroup(ctx context.Context, who Actor, id permission.GroupID, u GroupUpdate) (g GroupRow, err error) {
	_, err = s.write(ctx, who, func(w *writer) error {
		from := w.graph.Group(id)
		if from == nil {
			return ErrNotFound
		}
		to := *from
		set(&to.Name, u.Name)
		set(&to.Internal, u.Internal)
		if to != *from {
			if err := w.apply(permission.SetGroup{From: from, To: &to}); err != nil {
				return err
			}
		}
		g, err = readGroup(ctx, w.conn, id)
		return err
	})
	return g, err
}

// DeleteGroup removes a group with its memberships, levels and sandboxes, in
// one revision. Its API keys fall back to All Users. ErrNotFound, and
// *InvalidError for All Users and Administrators.
func (s *Store) DeleteGroup(ctx context.Context, who Actor, id permission.GroupID) error {
	_, err := s.write(ctx, who, func(w *writer) error {
		g := w.graph.Group(id)
		switch {
		case g == nil:
			return ErrNotFound
		case id == permission.AllUsers, id == permission.Administrators:
			return invalid("", magicGroup)
		}
		var changes []permission.Change
		for u := range w.graph.Members(id) {
			changes = append(changes, permission.SetMembership{User: u, Group: id, From: true})
		}
		for db := range w.graph.Entries(id) {
			for k := range permission.Collection { // the kinds of the data graph
				for scope, cell := range w.graph.Cells(id, db, k) {
					changes = append(changes, permission.SetDataAccess{Group: id, Database: db, Kind: k, Scope: scope, From: cell})
				}
			}
		}
		for c, cell := range w.graph.CollectionLevels(id) {
			changes = append(changes, permission.SetCollectionAccess{Group: id, Collection: c, From: cell})
		}
		for b := range w.graph.Sandboxes(id) {
			changes = append(changes, permission.SetSandbox{From: b})
		}
		return w.apply(append(changes, permission.SetGroup{From: g})...)
	})
	return err
}
