package store

import (
	"context"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
)

// CreateSession opens a session for a person and notes the sign-in. digest is
// the SHA-256 of the token; the token itself is never stored. ErrNotFound when
// the person is not there or not active.
func (s *Store) CreateSession(ctx context.Context, user permission.UserID, digest []byte, expires time.Time) error {
	return errPending
}

// SessionUser returns whose session it is, or ErrNotFound when the token is
// unknown, expired, or the person no longer active.
func (s *Store) SessionUser(ctx context.Context, digest []byte) (permission.UserID, error) {
	return 0, errPending
}

// DeleteSession ends a session; ErrNotFound when there is none.
func (s *Store) DeleteSession(ctx context.Context, digest []byte) error { return errPending }
