package store

import (
	"context"
	"fmt"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
)

// sha256ed refuses what cannot be a SHA-256: a token given in its place must
// not be stored.
func sha256ed(digest []byte) error {
	if len(digest) != 32 {
		return fmt.Errorf("store: a digest of %d bytes is no SHA-256", len(digest))
	}
	return nil
}

// CreateSession opens a session for a person and notes the sign-in. digest is
// the SHA-256 of the token; the token itself is never stored. ErrNotFound when
// the person is not there or not active.
func (s *Store) CreateSession(ctx context.Context, user permission.UserID, digest []byte, expires time.Time) error {
	if err := sha256ed(digest); err != nil {
		return err
	}
	now := s.now()
	return s.tx(ctx, func(c conn) error {
		n, err := c.exec(ctx, "update users set last_login = $1 where id = $2 and active and type = $3", now, user, Personal)
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		if err != nil {
			return err
		}
		if _, err := c.exec(ctx, "delete from sessions where expires_at <= $1", now); err != nil {
			return err
		}
		return c.execOne(ctx, "insert into sessions (digest, user_id, created_at, expires_at) values ($1, $2, $3, $4)", digest, user, now, expires)
	})
}

// SessionUser returns whose session it is, or ErrNotFound when the token is
// unknown, expired, or the person no longer active.
func (s *Store) SessionUser(ctx context.Context, digest []byte) (permission.UserID, error) {
	return one(ctx, s.reader(), value[permission.UserID],
		"select u.id from sessions s join users u on u.id = s.user_id where s.digest = $1 and s.expires_at > $2 and u.active", digest, s.now())
}

// DeleteSession ends a session; ErrNotFound when there is none.
func (s *Store) DeleteSession(ctx context.Context, digest []byte) error {
	n, err := conn{s, s.writes}.exec(ctx, "delete from sessions where digest = $1", digest)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}
