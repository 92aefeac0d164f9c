package store

import (
	"context"

	"github.com/sluice-bi/sluice/internal/permission"
)

// Membership is one person's or API key's place in one group.
type Membership struct {
	ID    int64
	User  permission.UserID
	Group permission.GroupID
}

// Member is a person in a group.
type Member struct {
	Membership int64
	User       User
}

// GroupMembers lists the active people in a group by name. ErrNotFound when
// there is no such group.
func (s *Store) GroupMembers(ctx context.Context, id permission.GroupID) ([]Member, error) {
	return nil, errPending
}

// Memberships lists all memberships, by user and group.
func (s *Store) Memberships(ctx context.Context) ([]Membership, error) { return nil, errPending }

// AddMember puts a person into a group; once there, nothing more happens.
// *InvalidError for All Users (empty Field), an unknown group ("group_id") or
// user ("user_id").
func (s *Store) AddMember(ctx context.Context, who Actor, user permission.UserID, group permission.GroupID) error {
	return errPending
}

// RemoveMember ends a membership. ErrNotFound when there is no such
// membership; *InvalidError for All Users and the last active administrator.
func (s *Store) RemoveMember(ctx context.Context, who Actor, membership int64) error {
	return errPending
}

// RemoveMemberOf ends the user's membership in the group if there is one.
// Errors as RemoveMember, but no membership is no error.
func (s *Store) RemoveMemberOf(ctx context.Context, who Actor, user permission.UserID, group permission.GroupID) error {
	return errPending
}

// ClearGroup ends all memberships of a group. ErrNotFound when there is no
// such group; *InvalidError for All Users and Administrators.
func (s *Store) ClearGroup(ctx context.Context, who Actor, id permission.GroupID) error {
	return errPending
}
