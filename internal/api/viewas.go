package api

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/sluice-bi/sluice/internal/permission"
)

// viewAsHeader has an administrator see what a person sees, as "user:42": the
// request is answered with that person's rights and nothing of the
// administrator's, by the same code. It can change nothing, and every question
// is recorded with both.
const viewAsHeader = "X-Sluice-View-As"

// viewAs makes the request the named person's, if who asks may do that.
func (a *API) viewAs(r *request) error {
	given := r.http.Header.Values(viewAsHeader)
	if len(given) == 0 {
		return nil
	}
	wrong := func(status int, text string) error { return message{status, viewAsHeader + ": " + text} }
	if !r.administers() {
		return wrong(http.StatusForbidden, "only administrators may view as somebody else.")
	}
	number, is := strings.CutPrefix(given[0], "user:")
	id, err := strconv.ParseInt(number, 10, 64)
	if !is || err != nil || id <= 0 || len(given) > 1 {
		return wrong(http.StatusBadRequest, `name one person, as in "user:42".`)
	}
	if !r.route.reads() {
		return wrong(http.StatusForbidden, "nothing can be changed while viewing as somebody else. Leave the header out.")
	}
	as := a.store.Graph().AccessOf(permission.UserID(id))
	if as.User() == 0 {
		return wrong(http.StatusBadRequest, "there is no active person "+number+".")
	}
	r.viewer, r.access = r.access.User(), as
	r.rec.viewed = as.User()
	r.rec.Header().Set(viewAsHeader, given[0])
	return nil
}

// reads tells whether the route changes nothing.
func (rt *Route) reads() bool { return rt.Method == http.MethodGet || rt.Reads }
