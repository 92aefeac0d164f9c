package store

import (
	"context"
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

// CreateAPIKey makes a key and its hidden user. *InvalidError with Field
// "name" when the name is blank or taken, "group_id" when there is no such
// group.
func (s *Store) CreateAPIKey(ctx context.Context, who Actor, n NewAPIKey) (APIKey, error) {
	return APIKey{}, errPending
}

// APIKeys lists the keys by name.
func (s *Store) APIKeys(ctx context.Context) ([]APIKey, error) { return nil, errPending }

// APIKey returns a key, or ErrNotFound.
func (s *Store) APIKey(ctx context.Context, id int64) (APIKey, error) { return APIKey{}, errPending }

// APIKeyUser returns the hidden user of the key with the digest, or
// ErrNotFound.
func (s *Store) APIKeyUser(ctx context.Context, digest []byte) (permission.UserID, error) {
	return 0, errPending
}

// UpdateAPIKey renames a key or moves it to another group; nil leaves as it
// is. Errors as CreateAPIKey, and ErrNotFound.
func (s *Store) UpdateAPIKey(ctx context.Context, who Actor, id int64, name *string, group *permission.GroupID) (APIKey, error) {
	return APIKey{}, errPending
}

// RegenerateAPIKey replaces the key's secret; the old one is dead at once.
// ErrNotFound when there is no such key.
func (s *Store) RegenerateAPIKey(ctx context.Context, who Actor, id int64, digest []byte, mask string) (APIKey, error) {
	return APIKey{}, errPending
}

// DeleteAPIKey removes a key and deactivates its hidden user; what the user
// made stays. ErrNotFound when there is no such key.
func (s *Store) DeleteAPIKey(ctx context.Context, who Actor, id int64) error { return errPending }
