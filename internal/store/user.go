package store

import (
	"context"
	"errors"
	"fmt"
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
