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
	members, err := list(ctx, s.reader(), func(row scanner) (m Member, err error) {
		m.User, err = scanUserAnd(row, &m.Membership)
		return m, err
	}, "select "+userColumns+`, mm.id from memberships mm join users u on u.id = mm.user_id
		where mm.group_id = $1 and u.active and u.type = $2 order by u.first_fold, u.last_fold, u.id`, id, Personal)
	if err == nil && len(members) == 0 {
		_, err = s.Group(ctx, id)
	}
	return members, err
}

// Memberships lists all memberships, by user and group.
func (s *Store) Memberships(ctx context.Context) ([]Membership, error) {
	return list(ctx, s.reader(), scanMembership, "select id, user_id, group_id from memberships order by user_id, group_id")
}

func scanMembership(row scanner) (m Membership, err error) {
	return m, row.Scan(&m.ID, &m.User, &m.Group)
}

// AddMember puts a person into a group; once there, nothing more happens.
// *InvalidError for All Users (empty Field), an unknown group ("group_id") or
// user ("user_id").
func (s *Store) AddMember(ctx context.Context, who Actor, user permission.UserID, group permission.GroupID) error {
	_, err := s.write(ctx, who, func(w *writer) error {
		switch {
		case group == permission.AllUsers:
			return invalid("", inAllUsers)
		case w.graph.Group(group) == nil:
			return invalid("group_id", "There is no group %d.", group)
		case w.graph.User(user) == nil:
			return invalid("user_id", "There is no user %d.", user)
		case w.graph.IsMember(user, group):
			return nil
		}
		return w.apply(permission.SetMembership{User: user, Group: group, To: true})
	})
	return err
}

// RemoveMember ends a membership. ErrNotFound when there is no such
// membership; *InvalidError for All Users and the last active administrator.
func (s *Store) RemoveMember(ctx context.Context, who Actor, membership int64) error {
	_, err := s.write(ctx, who, func(w *writer) error {
		m, err := one(ctx, w.conn, scanMembership, "select id, user_id, group_id from memberships where id = $1", membership)
		if err != nil {
			return err
		}
		return w.leave(m.User, m.Group)
	})
	return err
}

// RemoveMemberOf ends the user's membership in the group if there is one.
// Errors as RemoveMember, but no membership is no error.
func (s *Store) RemoveMemberOf(ctx context.Context, who Actor, user permission.UserID, group permission.GroupID) error {
	_, err := s.write(ctx, who, func(w *writer) error {
		if !w.graph.IsMember(user, group) {
			return nil
		}
		return w.leave(user, group)
	})
	return err
}

func (w *writer) leave(user permission.UserID, group permission.GroupID) error {
	if group == permission.AllUsers {
		return invalid("", inAllUsers)
	}
	return w.apply(permission.SetMembership{User: user, Group: group, From: true})
}

// ClearGroup ends all memberships of a group. ErrNotFound when there is no
// such group; *InvalidError for All Users and Administrators.
func (s *Store) ClearGroup(ctx context.Context, who Actor, id permission.GroupID) error {
	_, err := s.write(ctx, who, func(w *writer) error {
		switch {
		case w.graph.Group(id) == nil:
			return ErrNotFound
		case id == permission.AllUsers:
			return invalid("", inAllUsers)
		case id == permission.Administrators:
			return invalid("", lastAdmin)
		}
		var changes []permission.Change
		for u := range w.graph.Members(id) {
			changes = append(changes, permission.SetMembership{User: u, Group: id, From: true})
		}
		return w.apply(changes...)
	})
	return err
}
