package store

import (
	"context"
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

// Users lists the people that the query selects, by name, and counts all that
// it would select without its limit.
func (s *Store) Users(ctx context.Context, q UserQuery) ([]User, int, error) {
	return nil, 0, errPending
}

// User returns a person or an API key's user, active or not, or ErrNotFound.
func (s *Store) User(ctx context.Context, id permission.UserID) (User, error) {
	return User{}, errPending
}

// UsersByID returns the users with these ids that there are, in one statement.
func (s *Store) UsersByID(ctx context.Context, ids []permission.UserID) (map[permission.UserID]User, error) {
	return nil, errPending
}

// UserByEmail returns the person with the e-mail in any case, active or not,
// or ErrNotFound.
func (s *Store) UserByEmail(ctx context.Context, email string) (User, error) {
	return User{}, errPending
}

// HasUsers tells whether somebody has been set up: there is a person.
func (s *Store) HasUsers(ctx context.Context) (bool, error) { return false, errPending }

// CreateUser makes a person: a member of All Users and the groups given, with
// a personal collection. *InvalidError with Field "email" when the address is
// taken, also by somebody deactivated; with another Field for what else cannot
// be.
func (s *Store) CreateUser(ctx context.Context, who Actor, n NewUser) (User, error) {
	return User{}, errPending
}

// UpdateUser changes an active person. ErrNotFound when there is none, or it
// is deactivated or an API key; *InvalidError as CreateUser, and with an empty
// Field when it would take away the last active administrator.
func (s *Store) UpdateUser(ctx context.Context, who Actor, id permission.UserID, u UserUpdate) (User, error) {
	return User{}, errPending
}

// DeactivateUser ends the person's sessions and access; memberships and
// content stay. ErrNotFound when there is no such active person; *InvalidError
// with an empty Field for the last active administrator.
func (s *Store) DeactivateUser(ctx context.Context, who Actor, id permission.UserID) error {
	return errPending
}

// ReactivateUser undoes DeactivateUser, except that the person is no longer an
// administrator. ErrNotFound when there is no such person; *InvalidError when
// the person is active.
func (s *Store) ReactivateUser(ctx context.Context, who Actor, id permission.UserID) (User, error) {
	return User{}, errPending
}

// PasswordHash returns the stored hash of an active person's password;
// ErrNotFound when there is none.
func (s *Store) PasswordHash(ctx context.Context, id permission.UserID) (string, error) {
	return "", errPending
}
