package store

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-bi/sluice/internal/permission"
)

// address is an e-mail as it is stored.
func address(email string) (string, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	if name, host, ok := strings.Cut(email, "@"); !ok || name == "" || host == "" || strings.ContainsAny(email, " \t\r\n,;<>") {
		return "", invalid("email", "value must be a valid email address.")
	}
	return email, nil
}

// personalName is the name of a person's own collection.
func personalName(first, last, email string) string {
	name := strings.TrimSpace(first + " " + last)
	if name == "" {
		name = email
	}
	return name + "'s Personal Collection"
}

// CreateUser makes a person: a member of All Users and the groups given, with
// a personal collection. *InvalidError with Field "email" when the address is
// taken, also by somebody deactivated; with another Field for what else cannot
// be.
func (s *Store) CreateUser(ctx context.Context, who Actor, n NewUser) (u User, err error) {
	_, err = s.write(ctx, who, func(w *writer) error {
		u, err = w.createUser(n)
		return err
	})
	return u, err
}

func (w *writer) createUser(n NewUser) (User, error) {
	email, err := address(n.Email)
	if err != nil {
		return User{}, err
	}
	id, err := w.newUser(email, n.LoginAttributes, n.Active, n.Groups)
	if err != nil {
		return User{}, err
	}
	err = w.execOne(w.ctx, `update users set first_name = $1, first_fold = $2, last_name = $3, last_fold = $4, password_hash = $5,
		locale = $6, sso_source = $7 where id = $8`,
		n.FirstName, fold(n.FirstName), n.LastName, fold(n.LastName), n.PasswordHash, n.Locale, n.SSOSource, id)
	if err != nil {
		return User{}, err
	}
	collection, err := w.newIDs("collection", 1)
	if err != nil {
		return User{}, err
	}
	err = w.apply(permission.SetCollection{To: &permission.CollectionNode{
		ID: permission.CollectionID(collection), Name: personalName(n.FirstName, n.LastName, email), Owner: id}})
	if err != nil {
		return User{}, err
	}
	return readUser(w.ctx, w.conn, id)
}

// newUser makes a user in All Users and the groups, as yet without a name.
func (w *writer) newUser(email string, attributes map[string]string, active bool, groups []permission.GroupID) (permission.UserID, error) {
	n, err := w.newIDs("user", 1)
	if err != nil {
		return 0, err
	}
	id := permission.UserID(n)
	changes := []permission.Change{permission.SetUser{To: &permission.User{ID: id, Name: email, Active: active, Attributes: maps.Clone(attributes)}}}
	groups = append([]permission.GroupID{permission.AllUsers}, groups...)
	slices.Sort(groups)
	for _, g := range slices.Compact(groups) {
		if w.graph.Group(g) == nil {
			return 0, noGroup(g)
		}
		changes = append(changes, permission.SetMembership{User: id, Group: g, To: true})
	}
	return id, w.apply(changes...)
}

func noGroup(id permission.GroupID) error {
	return invalid("user_group_memberships", "There is no group %d.", id)
}

// person returns an active person's record, or ErrNotFound.
func (w *writer) person(id permission.UserID) (User, error) {
	u, err := readUser(w.ctx, w.conn, id)
	if err == nil && (u.Type != Personal || !u.Active) {
		err = ErrNotFound
	}
	return u, err
}

// UpdateUser changes an active person. ErrNotFound when there is none, or it
// is deactivated or an API key; *InvalidError as CreateUser, and with an empty
// Field when it would take away the last active administrator.
func (s *Store) UpdateUser(ctx context.Context, who Actor, id permission.UserID, n UserUpdate) (u User, err error) {
	_, err = s.write(ctx, who, func(w *writer) error {
		if u, err = w.person(id); err != nil {
			return err
		}
		if err = w.updateUser(u, n); err != nil {
			return err
		}
		u, err = readUser(ctx, w.conn, id)
		return err
	})
	return u, err
}

func (w *writer) updateUser(u User, n UserUpdate) error {
	old := w.graph.User(u.ID)
	to := *old
	if n.Email != nil {
		email, err := address(*n.Email)
		if err != nil {
			return err
		}
		to.Name = email
	}
	if n.LoginAttributes != nil {
		to.Attributes = maps.Clone(*n.LoginAttributes)
	}
	if to.Name != old.Name || n.LoginAttributes != nil {
		if err := w.apply(permission.SetUser{From: old, To: &to}); err != nil {
			return err
		}
	}
	if err := w.regroup(u.ID, n); err != nil {
		return err
	}
	named := u.FirstName + "\x00" + u.LastName + "\x00" + u.Email
	u.Email = to.Name
	set(&u.FirstName, n.FirstName)
	set(&u.LastName, n.LastName)
	set(&u.Locale, n.Locale)
	set(&u.Qbnewb, n.Qbnewb)
	err := w.execOne(w.ctx, `update users set first_name = $1, first_fold = $2, last_name = $3, last_fold = $4, locale = $5, qbnewb = $6,
		updated_at = $7 where id = $8`, u.FirstName, fold(u.FirstName), u.LastName, fold(u.LastName), u.Locale, u.Qbnewb, w.now, u.ID)
	if err != nil {
		return err
	}
	if n.PasswordHash != nil {
		if err := w.execOne(w.ctx, "update users set password_hash = $1 where id = $2", *n.PasswordHash, u.ID); err != nil {
			return err
		}
		if _, err := w.exec(w.ctx, "delete from sessions where user_id = $1", u.ID); err != nil {
			return err
		}
	}
	if own := w.graph.Collection(u.PersonalCollection); own != nil && named != u.FirstName+"\x00"+u.LastName+"\x00"+u.Email {
		renamed := *own
		renamed.Name = personalName(u.FirstName, u.LastName, u.Email)
		if renamed != *own {
			return w.apply(permission.SetCollection{From: own, To: &renamed})
		}
	}
	return nil
}

// set writes a value that is given.
func set[T any](into *T, v *T) {
	if v != nil {
		*into = *v
	}
}

// regroup makes the user's memberships what an update says.
func (w *writer) regroup(id permission.UserID, n UserUpdate) error {
	has := w.graph.GroupsOf(id)
	want := has
	if n.Groups != nil {
		want = slices.Clone(*n.Groups)
		if !slices.Contains(want, permission.AllUsers) {
			return invalid("", inAllUsers)
		}
		if n.Superuser != nil && *n.Superuser != slices.Contains(want, permission.Administrators) {
			return invalid("is_superuser", "Value of is_superuser must correspond to presence of Admin group ID in group_ids.")
		}
	} else if n.Superuser != nil {
		want = slices.DeleteFunc(slices.Clone(has), func(g permission.GroupID) bool { return g == permission.Administrators })
		if *n.Superuser {
			want = append(want, permission.Administrators)
		}
	}
	slices.Sort(want)
	want = slices.Compact(want)
	var changes []permission.Change
	for _, g := range want {
		if w.graph.Group(g) == nil {
			return noGroup(g)
		}
		if !slices.Contains(has, g) {
			changes = append(changes, permission.SetMembership{User: id, Group: g, To: true})
		}
	}
	for _, g := range has {
		if !slices.Contains(want, g) {
			changes = append(changes, permission.SetMembership{User: id, Group: g, From: true})
		}
	}
	return w.apply(changes...)
}

// DeactivateUser ends the person's sessions and access; memberships and
// content stay. ErrNotFound when there is no such active person; *InvalidError
// with an empty Field for the last active administrator.
func (s *Store) DeactivateUser(ctx context.Context, who Actor, id permission.UserID) error {
	_, err := s.write(ctx, who, func(w *writer) error {
		if _, err := w.person(id); err != nil {
			return err
		}
		return w.setActive(id, false)
	})
	return err
}

func (w *writer) setActive(id permission.UserID, active bool) error {
	old := w.graph.User(id)
	to := *old
	to.Active = active
	return w.apply(permission.SetUser{From: old, To: &to})
}

// ReactivateUser undoes DeactivateUser, except that the person is no longer an
// administrator. ErrNotFound when there is no such person; *InvalidError when
// the person is active.
func (s *Store) ReactivateUser(ctx context.Context, who Actor, id permission.UserID) (u User, err error) {
	_, err = s.write(ctx, who, func(w *writer) error {
		u, err := readUser(ctx, w.conn, id)
		switch {
		case err != nil:
			return err
		case u.Type != Personal:
			return ErrNotFound
		case u.Active:
			return invalid("", "Not able to reactivate an active user")
		}
		if u.Superuser {
			if err := w.apply(permission.SetMembership{User: id, Group: permission.Administrators, From: true}); err != nil {
				return err
			}
		}
		return w.setActive(id, true)
	})
	if err != nil {
		return User{}, err
	}
	return s.User(ctx, id)
}
