package api

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/sluice-bi/sluice/internal/store"
)

type setupBody struct {
	Token string    `json:"token" rule:"required,nonblank"`
	User  setupUser `json:"user" rule:"required"`
	Prefs struct {
		SiteName string `json:"site_name"`
	} `json:"prefs"`
}

type setupUser struct {
	Email           string  `json:"email" rule:"required,email"`
	Password        string  `json:"password" rule:"required,nonblank"`
	PasswordConfirm *string `json:"password_confirm"`
	FirstName       string  `json:"first_name" rule:"max=254"`
	LastName        string  `json:"last_name" rule:"max=254"`
	SiteName        string  `json:"site_name"`
}

// settings are the settings that come with the set-up, checked.
func (b *setupBody) settings() (map[string]string, error) {
	name := cmp.Or(b.Prefs.SiteName, b.User.SiteName)
	if name == "" {
		return nil, nil
	}
	if why := shortText(name); why != "" {
		return nil, wrongField("site_name", why)
	}
	return map[string]string{"site-name": name}, nil
}

// setUp creates the first administrator and signs them in.
func (a *API) setUp(r *request) (any, error) {
	in := bodyOf[setupBody](r)
	success, err := a.throttle.attempt("", a.client(r.http))
	if err != nil {
		return nil, err
	}
	exists := plain{http.StatusForbidden, "The /api/setup route can only be used to create the first user, however a user currently exists."}
	if users, err := a.store.HasUsers(r.ctx()); err != nil || users {
		if err == nil {
			err = exists
		}
		return nil, err
	}
	if c := in.User.PasswordConfirm; c != nil && *c != in.User.Password {
		return nil, wrongField("password_confirm", "The two passwords differ.")
	}
	hash, err := a.newPasswordHash(r.ctx(), "password", in.User.Password, in.User.Email)
	if err != nil {
		return nil, err
	}
	settings, err := in.settings()
	if err != nil {
		return nil, err
	}
	user, err := a.store.SetUp(r.ctx(), digest(in.Token), store.NewUser{
		Email: in.User.Email, FirstName: in.User.FirstName, LastName: in.User.LastName, PasswordHash: &hash, Active: true,
	}, settings)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, wrongField("token", "Token does not match the setup token.")
	case errors.Is(err, store.ErrConflict):
		return nil, exists
	case err != nil:
		return nil, err
	}
	success()
	token, err := a.openSession(r, user.ID, false)
	if err != nil {
		return nil, err
	}
	return sessionWire{token}, nil
}
