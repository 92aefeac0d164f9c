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

// Groups lists all groups by name, without regard to case.
func (s *Store) Groups(ctx context.Context) ([]GroupRow, error) { return nil, errPending }

// Group returns a group, or ErrNotFound.
func (s *Store) Group(ctx context.Context, id permission.GroupID) (GroupRow, error) {
	return GroupRow{}, errPending
}

// CreateGroup makes a group with nobody and nothing in it. It takes a new data
// revision. *InvalidError when the name is blank (Field "name") or taken
// (empty Field).
func (s *Store) CreateGroup(ctx context.Context, who Actor, name string) (GroupRow, error) {
	return GroupRow{}, errPending
}

// RenameGroup renames a group. Errors as CreateGroup, ErrNotFound, and
// *InvalidError with an empty Field for All Users and Administrators.
func (s *Store) RenameGroup(ctx context.Context, who Actor, id permission.GroupID, name string) (GroupRow, error) {
	return GroupRow{}, errPending
}

// SetGroupInternal marks a group as internal, or no longer: exempt from the
// closing of wide grants on strict databases. ErrNotFound, and *InvalidError
// for All Users.
func (s *Store) SetGroupInternal(ctx context.Context, who Actor, id permission.GroupID, internal bool) (GroupRow, error) {
	return GroupRow{}, errPending
}

// DeleteGroup removes a group with its memberships, levels and sandboxes, in
// one revision. Its API keys fall back to All Users. ErrNotFound, and
// *InvalidError for All Users and Administrators.
func (s *Store) DeleteGroup(ctx context.Context, who Actor, id permission.GroupID) error {
	return errPending
}
