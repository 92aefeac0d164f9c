package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
)

// The types of users.
const (
	Personal = "personal" // a person
	APIKeyed = "api-key"  // the hidden user that an API key acts as
)

// User is a person or the hidden user of an API key.
type User struct {
	ID                 permission.UserID
	Email              string // lower case; unique without regard to case
	FirstName          string
	LastName           string
	Type               string // Personal or APIKeyed
	Active             bool
	Superuser          bool              // derived: a member of Administrators
	LoginAttributes    map[string]string // nil when none were ever set
	Locale             *string
	Qbnewb             bool
	DateJoined         time.Time
	UpdatedAt          time.Time
	LastLogin          *time.Time
	SSOSource          *string
	PersonalCollection permission.CollectionID // 0 for API keys
	Groups             []permission.GroupID    // sorted
}

// UserQuery selects users of type Personal.
type UserQuery struct {
	Status        string             // "active" (also ""), "deactivated" or "all"
	Text          string             // part of a name or the e-mail, without regard to case
	Group         permission.GroupID // members of it; 0 for everybody
	Limit, Offset int                // Limit <= 0: no limit
}

// NewUser is a person to create.
type NewUser struct {
	Email, FirstName, LastName string
	PasswordHash               *string
	LoginAttributes            map[string]string
	Groups                     []permission.GroupID // besides All Users
	Active                     bool
	Locale                     *string
	SSOSource                  *string
}

// UserUpdate says what to change about a person; nil leaves as it is.
type UserUpdate struct {
	Email, FirstName, LastName *string
	Locale                     **string
	LoginAttributes            *map[string]string    // the whole new set
	Groups                     *[]permission.GroupID // the whole new set, All Users in it
	Superuser                  *bool
	PasswordHash               *string // ends all sessions of the person
	Qbnewb                     *bool
}

const userColumns = `u.id, u.email, u.first_name, u.last_name, u.type, u.active, u.login_attributes, u.locale, u.qbnewb,
	u.date_joined, u.updated_at, u.last_login, u.sso_source,
	coalesce((select c.id from collections c where c.owner_id = u.id and c.parent_id is null), 0),
	coalesce((select string_agg(cast(m.group_id as text), ',') from memberships m where m.user_id = u.id), '')`

func scanUser(row scanner) (User, error) { return scanUserAnd(row) }

// scanUserAnd scans the columns of a user, then others.
func scanUserAnd(row scanner, others ...any) (u User, err error) {
	var attributes *string
	var groups string
	into := []any{&u.ID, &u.Email, &u.FirstName, &u.LastName, &u.Type, &u.Active, &attributes, &u.Locale, &u.Qbnewb,
		moment{&u.DateJoined}, moment{&u.UpdatedAt}, moments{&u.LastLogin}, &u.SSOSource, &u.PersonalCollection, &groups}
	if err := row.Scan(append(into, others...)...); err != nil {
		return u, err
	}
	if u.LoginAttributes, err = decodeAttributes(attributes); err != nil {
		return u, err
	}
	if groups != "" {
		for _, g := range strings.Split(groups, ",") {
			id, err := strconv.ParseInt(g, 10, 64)
			if err != nil {
				return u, err
			}
			u.Groups = append(u.Groups, permission.GroupID(id))
		}
	}
	slices.Sort(u.Groups)
	u.Superuser = slices.Contains(u.Groups, permission.Administrators)
	return u, nil
}

// Users lists the people that the query selects, by name, and counts all that
// it would select without its limit.
func (s *Store) Users(ctx context.Context, q UserQuery) ([]User, int, error) {
	var w where
	w.and("u.type = ?", Personal)
	switch q.Status {
	case "", "active":
		w.and("u.active")
	case "deactivated":
		w.and("not u.active")
	case "all":
	default:
		return nil, 0, invalid("status", "%q is not a status; it is one of active, deactivated, all.", q.Status)
	}
	if q.Text != "" {
		part := contains(fold(q.Text))
		w.and(`(u.email_fold like ? escape '\' or u.first_fold like ? escape '\' or u.last_fold like ? escape '\'
			or u.first_fold || ' ' || u.last_fold like ? escape '\')`, part, part, part, part)
	}
	if q.Group != 0 {
		w.and("u.id in (select user_id from memberships where group_id = ?)", q.Group)
	}
	query := "select " + userColumns + " from users u" + w.String() + " order by u.first_fold, u.last_fold, u.id"
	if q.Limit <= 0 {
		all, err := list(ctx, s.reader(), scanUser, query, w.args...)
		total := len(all)
		return all[min(max(q.Offset, 0), total):], total, err
	}
	total, err := one(ctx, s.reader(), value[int], "select count(*) from users u"+w.String(), w.args...)
	if err != nil {
		return nil, 0, err
	}
	page, err := list(ctx, s.reader(), scanUser, query+fmt.Sprintf(" limit %d offset %d", q.Limit, max(q.Offset, 0)), w.args...)
	return page, total, err
}

// User returns a person or an API key's user, active or not, or ErrNotFound.
func (s *Store) User(ctx context.Context, id permission.UserID) (User, error) {
	return readUser(ctx, s.reader(), id)
}

func readUser(ctx context.Context, c conn, id permission.UserID) (User, error) {
	return one(ctx, c, scanUser, "select "+userColumns+" from users u where u.id = $1", id)
}

// UsersByID returns the users with these ids that there are.
func (s *Store) UsersByID(ctx context.Context, ids []permission.UserID) (map[permission.UserID]User, error) {
	users := make(map[permission.UserID]User, len(ids))
	for _, part := range chunks(ids) {
		var w where
		in(&w, "u.id", part)
		some, err := list(ctx, s.reader(), scanUser, "select "+userColumns+" from users u"+w.String(), w.args...)
		if err != nil {
			return nil, err
		}
		for _, u := range some {
			users[u.ID] = u
		}
	}
	return users, nil
}

// UserByEmail returns the person with the e-mail in any case, active or not,
// or ErrNotFound.
func (s *Store) UserByEmail(ctx context.Context, email string) (User, error) {
	return one(ctx, s.reader(), scanUser, "select "+userColumns+" from users u where u.email_fold = $1 and u.type = $2",
		fold(strings.TrimSpace(email)), Personal)
}

// HasUsers tells whether somebody has been set up: there is a person.
func (s *Store) HasUsers(ctx context.Context) (bool, error) { return hasUsers(ctx, s.reader()) }

func hasUsers(ctx context.Context, c conn) (bool, error) {
	_, err := one(ctx, c, value[int64], "select id from users where type = $1 limit 1", Personal)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// PasswordHash returns the stored hash of an active person's password;
// ErrNotFound when there is none.
func (s *Store) PasswordHash(ctx context.Context, id permission.UserID) (string, error) {
	return one(ctx, s.reader(), value[string],
		"select password_hash from users where id = $1 and active and type = $2 and password_hash is not null", id, Personal)
}

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
