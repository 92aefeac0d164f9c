package store

import "context"

// SetSetupToken stores the digest of a new one-time set-up token in place of
// any earlier one. ErrConflict once somebody has been set up.
func (s *Store) SetSetupToken(ctx context.Context, digest []byte) error { return errPending }

// SetUp consumes the set-up token and creates the first administrator, in one
// transaction. ErrNotFound when the token is not the current one; ErrConflict
// once somebody has been set up.
func (s *Store) SetUp(ctx context.Context, tokenDigest []byte, n NewUser) (User, error) {
	return User{}, errPending
}

// SetUpUnattended creates the first administrator without a token, for a
// server that is told who it is at its start. ErrConflict once somebody has
// been set up.
func (s *Store) SetUpUnattended(ctx context.Context, n NewUser) (User, error) {
	return User{}, errPending
}

// Setting returns a stored setting, or ErrNotFound.
func (s *Store) Setting(ctx context.Context, key string) (string, error) { return "", errPending }

// Settings returns all stored settings.
func (s *Store) Settings(ctx context.Context) (map[string]string, error) { return nil, errPending }

// SetSetting stores a setting.
func (s *Store) SetSetting(ctx context.Context, who Actor, key, value string) error {
	return errPending
}
