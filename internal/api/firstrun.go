package api

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluice-bi/sluice/internal/store"
)

// IssueSetupToken makes a fresh one-time token for POST /api/setup in place of
// any earlier one, and returns it: only its digest is kept. It is "" once
// somebody has been set up. Whoever starts the server calls it.
func (a *API) IssueSetupToken(ctx context.Context) (string, error) {
	token := newToken()
	err := a.store.SetSetupToken(ctx, digest(token))
	if errors.Is(err, store.ErrConflict) {
		return "", nil
	}
	return token, err
}

// SetUpUnattended creates the first administrator without a token, for a
// server that is told at its start who it is. It does nothing, and is false,
// once somebody has been set up. A weak password or an address that is none
// is an error that says so.
func (a *API) SetUpUnattended(ctx context.Context, email, password string) (created bool, err error) {
	if users, err := a.store.HasUsers(ctx); err != nil || users {
		return false, err
	}
	if !plausibleEmail(email) {
		return false, fmt.Errorf("%q is not an e-mail address", email)
	}
	if why := weakPassword(password, email); why != "" {
		return false, errors.New(why)
	}
	hash, err := a.passwords.hash(ctx, password)
	if err != nil {
		return false, err
	}
	_, err = a.store.SetUpUnattended(ctx, store.NewUser{Email: email, PasswordHash: &hash, Active: true})
	if errors.Is(err, store.ErrConflict) {
		return false, nil // another server of the same database was quicker
	}
	return err == nil, err
}
