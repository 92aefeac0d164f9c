package store

import (
	"context"
	"errors"

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
// user ("user_id"), and an API key's user, whose group is the key's.
func (s *Store) AddMember(ctx context.Context, who Actor, user permission.UserID, group permission.GroupID) error {
	_, err := s.write(ctx, who, func(w *writer) error {
		switch {
		case group == permission.AllUsers:
			return invalid("", inAllUsers)
		case w.graph.Group(group) == nil:
			return invalid("group_id", "There is no group %d.", group)
		case w.graph.User(user) == nil:
			return invalid("user_id", "There is no user %d.", user)
		}
		if err := w.noKey(user); err != nil || w.graph.IsMember(user, group) {
			return err
		}
		return w.apply(permission.SetMembership{User: user, Group: group, To: true})
	})
	return err
}

// RemoveMember ends a membership. ErrNotFound when there is no such
// membership; *InvalidError for All Users, the last active administrator, and
// an API key's user.
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
	if err := w.noKey(user); err != nil {
		return err
	}
	return w.apply(permission.SetMembership{User: user, Group: group, From: true})
}

// noKey refuses the hidden user of an API key: lists of people do not show it,
// and the list of keys says which one group it is in.
func (w *writer) noKey(user permission.UserID) error {
	key, err := one(w.ctx, w.conn, value[int64], `select coalesce(k.id, 0) from users u left join api_keys k on k.user_id = u.id
		where u.id = $1 and u.type = $2`, user, APIKeyed)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err == nil && key == 0:
		err = invalid("user_id", "User %d is that of an API key that was deleted.", user)
	case err == nil:
		err = invalid("user_id", "User %d is that of an API key, whose group is changed at /api/api-key/%d.", user, key)
	}
	return err
}

// ClearGroup ends all memberships of a group; its API keys fall back to All
// Users. ErrNotFound when there is no such group; *InvalidError for All Users
// and Administrators.
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
		if err := w.freeKeys(id); err != nil {
			return err
		}
		return w.apply(changes...)
	})
	return err
}

// freeKeys lets the API keys of a group fall back to All Users.
func (w *writer) freeKeys(group permission.GroupID) error {
	_, err := w.exec(w.ctx, "update api_keys set group_id = $1 where group_id = $2", permission.AllUsers, group)
	return err
}
