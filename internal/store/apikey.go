package store

import (
	"context"
	"fmt"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
)

// APIKey is a key for programs. It acts as a hidden user in All Users and one
// group.
type APIKey struct {
	ID        int64
	Name      string // unique without regard to case
	Group     permission.GroupID
	User      permission.UserID // the hidden user
	Mask      string            // what may be shown of the key
	CreatedAt time.Time
	UpdatedAt time.Time
	UpdatedBy permission.UserID // 0 for the server itself
}

// NewAPIKey is a key to create. Digest is the SHA-256 of the key; the key
// itself is never stored.
type NewAPIKey struct {
	Name   string
	Group  permission.GroupID
	Digest []byte
	Mask   string
}

const keyColumns = "id, name, group_id, user_id, mask, created_at, updated_at, coalesce(updated_by, 0)"

func scanKey(row scanner) (k APIKey, err error) {
	return k, row.Scan(&k.ID, &k.Name, &k.Group, &k.User, &k.Mask, moment{&k.CreatedAt}, moment{&k.UpdatedAt}, &k.UpdatedBy)
}

// CreateAPIKey makes a key and its hidden user. *InvalidError with Field
// "name" when the name is blank or taken, "group_id" when there is no such
// group.
func (s *Store) CreateAPIKey(ctx context.Context, who Actor, n NewAPIKey) (k APIKey, err error) {
	if err := sha256ed(n.Digest); err != nil {
		return APIKey{}, err
	}
	_, err = s.write(ctx, who, func(w *writer) error {
		switch {
		case blank(n.Name):
			return invalid("name", "value must be a non-blank string.")
		case w.graph.Group(n.Group) == nil:
			return invalid("group_id", "There is no group %d.", n.Group)
		}
		// The address is nobody's: the domain is reserved for that.
		email := "api-key-user-" + newEntityID() + "@api-key.invalid"
		email, err := address(email)
		if err != nil {
			return err
		}
		user, err := w.newUser(email, nil, true, []permission.GroupID{n.Group})
		if err != nil {
			return err
		}
		err = w.execOne(ctx, "update users set type = $1, first_name = $2, first_fold = $3 where id = $4", APIKeyed, n.Name, fold(n.Name), user)
		if err != nil {
			return err
		}
		k, err = one(ctx, w.conn, scanKey, `insert into api_keys (name, name_fold, digest, mask, user_id, group_id, created_at, updated_at, updated_by)
			values ($1, $2, $3, $4, $5, $6, $7, $7, $8) returning `+keyColumns,
			n.Name, fold(n.Name), n.Digest, n.Mask, user, n.Group, w.now, null(who.User))
		return keyName(err)
	})
	return k, err
}

func keyName(err error) error {
	if isUnique(err) {
		return invalid("name", "An API key with this name already exists.")
	}
	return err
}

// APIKeys lists the keys by name.
func (s *Store) APIKeys(ctx context.Context) ([]APIKey, error) {
	return list(ctx, s.reader(), scanKey, "select "+keyColumns+" from api_keys order by name_fold")
}

// APIKey returns a key, or ErrNotFound.
func (s *Store) APIKey(ctx context.Context, id int64) (APIKey, error) {
	return readKey(ctx, s.reader(), id)
}

func readKey(ctx context.Context, c conn, id int64) (APIKey, error) {
	return one(ctx, c, scanKey, "select "+keyColumns+" from api_keys where id = $1", id)
}

// APIKeyUser returns the hidden user of the key with the digest, or
// ErrNotFound.
func (s *Store) APIKeyUser(ctx context.Context, digest []byte) (permission.UserID, error) {
	return one(ctx, s.reader(), value[permission.UserID],
		"select u.id from api_keys k join users u on u.id = k.user_id where k.digest = $1 and u.active", digest)
}

// UpdateAPIKey renames a key or moves it to another group; nil leaves as it
// is. Errors as CreateAPIKey, and ErrNotFound.
func (s *Store) UpdateAPIKey(ctx context.Context, who Actor, id int64, name *string, group *permission.GroupID) (k APIKey, err error) {
	_, err = s.write(ctx, who, func(w *writer) error {
		if k, err = readKey(ctx, w.conn, id); err != nil {
			return err
		}
		if name != nil {
			if k.Name = *name; blank(k.Name) {
				return invalid("name", "value must be a non-blank string.")
			}
		}
		if group != nil {
			if w.graph.Group(*group) == nil {
				return invalid("group_id", "There is no group %d.", *group)
			}
			if err := w.moveKey(k, *group); err != nil {
				return err
			}
			k.Group = *group
		}
		err = w.execOne(ctx, "update users set first_name = $1, first_fold = $2, updated_at = $3 where id = $4", k.Name, fold(k.Name), w.now, k.User)
		if err != nil {
			return err
		}
		k, err = one(ctx, w.conn, scanKey, `update api_keys set name = $1, name_fold = $2, group_id = $3, updated_at = $4, updated_by = $5
			where id = $6 returning `+keyColumns, k.Name, fold(k.Name), k.Group, w.now, null(who.User), id)
		return keyName(err)
	})
	return k, err
}

// moveKey makes the group, and All Users, the only ones that the key's user is
// in.
func (w *writer) moveKey(k APIKey, to permission.GroupID) error {
	var changes []permission.Change
	for _, g := range w.graph.GroupsOf(k.User) {
		if g != permission.AllUsers && g != to {
			changes = append(changes, permission.SetMembership{User: k.User, Group: g, From: true})
		}
	}
	if !w.graph.IsMember(k.User, to) {
		changes = append(changes, permission.SetMembership{User: k.User, Group: to, To: true})
	}
	return w.apply(changes...)
}

// RegenerateAPIKey replaces the key's secret; the old one is dead at once.
// ErrNotFound when there is no such key.
func (s *Store) RegenerateAPIKey(ctx context.Context, who Actor, id int64, digest []byte, mask string) (k APIKey, err error) {
	if err := sha256ed(digest); err != nil {
		return APIKey{}, err
	}
	now := s.now()
	err = s.tx(ctx, func(c conn) error {
		k, err = one(ctx, c, scanKey, "update api_keys set digest = $1, mask = $2, updated_at = $3, updated_by = $4 where id = $5 returning "+keyColumns,
			digest, mask, now, null(who.User), id)
		if err != nil {
			return err
		}
		return recordEvent(ctx, c, AuditEvent{At: now, Kind: "api-key", Actor: who, Details: fmt.Appendf(nil, `{"id":%d,"regenerated":true}`, id)})
	})
	return k, err
}

// DeleteAPIKey removes a key and deactivates its hidden user; what the user
// made stays. ErrNotFound when there is no such key.
func (s *Store) DeleteAPIKey(ctx context.Context, who Actor, id int64) error {
	_, err := s.write(ctx, who, func(w *writer) error {
		k, err := one(ctx, w.conn, scanKey, "delete from api_keys where id = $1 returning "+keyColumns, id)
		if err != nil {
			return err
		}
		return w.setActive(k.User, false)
	})
	return err
}
