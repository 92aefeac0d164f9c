package api

import (
	"errors"
	"net/http"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

type signInBody struct {
	Username string `json:"username" rule:"required,nonblank"`
	Password string `json:"password" rule:"required,nonblank"`
	Remember bool   `json:"remember"`
}

type sessionWire struct {
	ID string `json:"id"`
}

// signIn answers a wrong password, an unknown account and a deactivated one
// alike, after the same work.
func (a *API) signIn(r *request) (any, error) {
	in := bodyOf[signInBody](r)
	success, err := a.throttle.attempt(in.Username, a.client(r.http))
	if err != nil {
		a.metrics.signIns.WithLabelValues("throttled").Inc()
		return nil, err
	}
	user, hash, err := a.storedPassword(r, in.Username)
	if err != nil {
		return nil, err
	}
	ok, err := a.passwords.matches(r.ctx(), hash, in.Password)
	if err != nil {
		return nil, err
	}
	if !ok {
		a.metrics.signIns.WithLabelValues("refused").Inc()
		a.log.Info("sign-in refused", "request_id", r.rec.id, "address", a.client(r.http).String())
		return nil, failed{status: http.StatusUnauthorized, body: invalid{Errors: map[string]string{"password": "did not match stored password"}}}
	}
	success()
	token, err := a.openSession(r, user, in.Remember)
	if err != nil {
		return nil, err
	}
	a.metrics.signIns.WithLabelValues("accepted").Inc()
	return sessionWire{token}, nil
}

// storedPassword finds an active person's password hash; "" where there is no
// such person or password, which no password matches.
func (a *API) storedPassword(r *request, email string) (permission.UserID, string, error) {
	user, err := a.store.UserByEmail(r.ctx(), email)
	if errors.Is(err, store.ErrNotFound) || err == nil && !user.Active {
		return 0, "", nil
	}
	if err != nil {
		return 0, "", err
	}
	hash, err := a.store.PasswordHash(r.ctx(), user.ID)
	if errors.Is(err, store.ErrNotFound) {
		return 0, "", nil
	}
	return user.ID, hash, err
}

// openSession signs a person in. Without remember the browser forgets the
// session when it is closed; it ends after the session life in any case.
func (a *API) openSession(r *request, user permission.UserID, remember bool) (string, error) {
	token := newToken()
	until := a.now().Add(a.sessionLife)
	if err := a.store.CreateSession(r.ctx(), user, digest(token), until); err != nil {
		return "", err
	}
	if !remember {
		until = time.Time{}
	}
	a.setSessionCookies(r, token, until)
	return token, nil
}

// signOut ends the session that the request was made with.
func (a *API) signOut(r *request) (any, error) {
	if r.who.session == nil {
		return nil, errNotFound
	}
	if err := a.store.DeleteSession(r.ctx(), r.who.session); err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	a.clearSessionCookies(r)
	return noContent(), nil
}
