package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// Names that clients know.
const (
	sessionCookie = "metabase.SESSION"
	timeoutCookie = "metabase.TIMEOUT"
	sessionHeader = "X-Metabase-Session"
	keyHeader     = "X-Api-Key"
)

// crossSite says what to do as well: a proxy that changes the Host header
// makes every page look like another site's.
const crossSite = "Cross-site request refused: the page's origin is not this server's. A proxy in between must pass the Host header on."

// credential is what a request showed to say who it is. Its zero value is
// none.
type credential struct {
	user permission.UserID
	// session is the digest of the session's token; nil for API keys.
	session []byte
	// automatic tells that browsers send it by themselves, also when another
	// site made the request.
	automatic bool
}

// authenticate finds out who asks: the session of the cookie, else the one of
// the header, else the API key; the first that is alive counts. A request that
// another site made a browser send is refused, unless it showed something
// that browsers do not send by themselves.
func (a *API) authenticate(r *request) error {
	who, err := a.credential(r.http)
	if err != nil {
		return err
	}
	if who.user == 0 || who.automatic {
		if err := a.origin.Check(r.http); err != nil {
			return plain{http.StatusForbidden, crossSite}
		}
	}
	r.access = a.store.Graph().AccessOf(who.user)
	if r.access.User() != 0 {
		r.who = who
		r.rec.user = who.user
	}
	return nil
}

func (a *API) credential(r *http.Request) (credential, error) {
	if c, err := r.Cookie(sessionCookie); err == nil {
		if who, err := a.session(r.Context(), c.Value); err != nil || who.user != 0 {
			who.automatic = true
			return who, err
		}
	}
	if token := r.Header.Get(sessionHeader); token != "" {
		if who, err := a.session(r.Context(), token); err != nil || who.user != 0 {
			return who, err
		}
	}
	if key := r.Header.Get(keyHeader); plausibleToken(key) {
		user, err := a.store.APIKeyUser(r.Context(), digest(key))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return credential{}, err
		}
		return credential{user: user}, nil
	}
	return credential{}, nil
}

func (a *API) session(ctx context.Context, token string) (credential, error) {
	if !plausibleToken(token) {
		return credential{}, nil
	}
	d := digest(token)
	user, err := a.store.SessionUser(ctx, d)
	if errors.Is(err, store.ErrNotFound) {
		return credential{}, nil
	}
	return credential{user: user, session: d}, err
}

// newToken makes a secret of 256 random bits.
func newToken() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// digest is what is stored of a token. Tokens are random, so that a plain
// hash cannot be undone by guessing; looking a digest up tells nothing about
// how much of a wrong token was right.
func digest(token string) []byte {
	d := sha256.Sum256([]byte(token))
	return d[:]
}

// plausibleToken keeps what cannot be a token from costing a look-up.
func plausibleToken(s string) bool { return len(s) >= 16 && len(s) <= 256 }

// setSessionCookies signs a browser in until the given time, or until it is
// closed when the time is zero.
func (a *API) setSessionCookies(r *request, token string, until time.Time) {
	session := &http.Cookie{Name: sessionCookie, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: a.secure(r.http)}
	// The pages read this one to know that somebody is signed in.
	timeout := &http.Cookie{Name: timeoutCookie, Value: "alive", Path: "/", SameSite: http.SameSiteLaxMode, Secure: session.Secure}
	for _, c := range []*http.Cookie{session, timeout} {
		if !until.IsZero() {
			c.Expires = until
			c.MaxAge = int(until.Sub(a.now()).Seconds())
		}
		http.SetCookie(r.w, c)
	}
}

func (a *API) clearSessionCookies(r *request) {
	for _, name := range []string{sessionCookie, timeoutCookie} {
		http.SetCookie(r.w, &http.Cookie{Name: name, Path: "/", MaxAge: -1, HttpOnly: name == sessionCookie,
			SameSite: http.SameSiteLaxMode, Secure: a.secure(r.http)})
	}
}
