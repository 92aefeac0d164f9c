package store

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
)

// SetSetupToken stores the digest of a new one-time set-up token in place of
// any earlier one. ErrConflict once somebody has been set up.
func (s *Store) SetSetupToken(ctx context.Context, digest []byte) error {
	if err := sha256ed(digest); err != nil {
		return err
	}
	return s.tx(ctx, func(c conn) error {
		if err := notSetUp(ctx, c); err != nil {
			return err
		}
		return c.execOne(ctx, "update installation set setup_digest = $1", digest)
	})
}

func notSetUp(ctx context.Context, c conn) error {
	is, err := hasUsers(ctx, c)
	if err == nil && is {
		err = fmt.Errorf("%w: the server has been set up", ErrConflict)
	}
	return err
}

// SetUp consumes the set-up token, creates the first administrator and stores
// the settings, in one transaction. ErrNotFound when the token is not the
// current one; ErrConflict once somebody has been set up.
func (s *Store) SetUp(ctx context.Context, tokenDigest []byte, n NewUser, settings map[string]string) (User, error) {
	return s.setUp(ctx, n, settings, func(w *writer) error {
		stored, err := one(ctx, w.conn, value[[]byte], "select setup_digest from installation where setup_digest is not null")
		if err == nil && subtle.ConstantTimeCompare(stored, tokenDigest) != 1 {
			err = ErrNotFound
		}
		return err
	})
}

// SetUpUnattended creates the first administrator without a token, for a
// server that is told who it is at its start. ErrConflict once somebody has
// been set up.
func (s *Store) SetUpUnattended(ctx context.Context, n NewUser) (User, error) {
	return s.setUp(ctx, n, nil, func(*writer) error { return nil })
}

func (s *Store) setUp(ctx context.Context, n NewUser, settings map[string]string, may func(*writer) error) (u User, err error) {
	n.Active = true
	n.Groups = append([]permission.GroupID{permission.Administrators}, n.Groups...)
	_, err = s.write(ctx, Actor{Reason: "set-up"}, func(w *writer) error {
		if err := notSetUp(ctx, w.conn); err != nil {
			return err
		}
		if err := may(w); err != nil {
			return err
		}
		if err := w.execOne(ctx, "update installation set setup_digest = null"); err != nil {
			return err
		}
		if u, err = w.createUser(n); err != nil {
			return err
		}
		return w.setSettings(ctx, Actor{User: u.ID, Reason: "set-up"}, w.now, settings)
	})
	return u, err
}

// Setting returns a stored setting, or ErrNotFound.
func (s *Store) Setting(ctx context.Context, key string) (string, error) {
	return one(ctx, s.reader(), value[string], "select value from settings where name = $1", key)
}

// Settings returns all stored settings.
func (s *Store) Settings(ctx context.Context) (map[string]string, error) {
	all := map[string]string{}
	_, err := list(ctx, s.reader(), func(row scanner) (struct{}, error) {
		var name, v string
		err := row.Scan(&name, &v)
		all[name] = v
		return struct{}{}, err
	}, "select name, value from settings")
	return all, err
}

// SetSettings stores settings, all or none. Each is audited by its name,
// without the value.
func (s *Store) SetSettings(ctx context.Context, who Actor, values map[string]string) error {
	return s.tx(ctx, func(c conn) error { return c.setSettings(ctx, who, s.now(), values) })
}

func (c conn) setSettings(ctx context.Context, who Actor, now time.Time, values map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		err := c.execOne(ctx, `insert into settings (name, value, updated_at) values ($1, $2, $3)
			on conflict (name) do update set value = excluded.value, updated_at = excluded.updated_at`, name, values[name], now)
		if err != nil {
			return err
		}
		details, err := json.Marshal(map[string]string{"name": name})
		if err != nil {
			return err
		}
		if err := recordEvent(ctx, c, AuditEvent{At: now, Kind: "setting", Actor: who, Details: details}); err != nil {
			return err
		}
	}
	return nil
}
