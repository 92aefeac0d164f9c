package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/sluice-bi/sluice/internal/dataset"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// Route is one thing that can be asked of the server.
type Route struct {
	Method string
	// Path is the address. {id} stands for a positive number, {key:text} for
	// any text; an address in which a number is something else does not exist.
	Path string
	// Need is the right without which nothing is done. There is no default.
	Need Need
	// Query and Body are zero values of the structs that query values (see
	// decodeQuery) and the body (see decodeBody) are read into; nil for none.
	Query, Body any
	// Answer is a zero value of what a success carries; nil for none (204).
	Answer any
	// Status is the status of a success with an Answer; 0 is 200. It is for
	// the documentation: the handler returns what it says.
	Status  int
	Summary string
	// Limit is the most that a body may have; 0 is defaultLimit.
	Limit int64
	// Form tells that the body may come as a form (see formItems).
	Form bool
	// Unleased tells that a server without a lease answers it too: it says
	// nothing of what is stored.
	Unleased bool
	// Reads tells that a POST changes nothing.
	Reads bool
	// Raw leaves the body in request.raw as it came; Body is for the
	// documentation only then.
	Raw bool

	// read, where it is set, reads the body while it comes and leaves in
	// request.body what it made of it; Body is for the documentation only then.
	read   func(*API, *request) error
	handle func(*API, *request) (any, error)
}

// defaultLimit is the most bytes a body may have if its route does not say
// otherwise.
const defaultLimit = 1 << 20

// Need is a named right that a route asks for. Its zero value is no need, and
// a route with that does not start.
type Need struct {
	name string
	// public routes are open to everybody; others need a credential first.
	public bool
	// check refuses with an error; nil when the credential is enough. It may
	// load the object that the path names and leave it in the request.
	check func(*API, *request) error
}

func (n Need) String() string { return n.name }

// anybody is the need of the few routes that work without signing in.
func anybody() Need { return Need{name: "anybody", public: true} }

// person is the need of routes that anybody who signed in may use; what they
// see there is decided per object.
func person() Need { return Need{name: "person"} }

// administrator is the need of routes for administrators.
func administrator() Need {
	return Need{name: "administrator", check: func(_ *API, r *request) error {
		if !r.administers() {
			return errForbidden
		}
		return nil
	}}
}

// object is a need that depends on what the path names. The check loads it,
// asks r.access, and may leave it in r.object for the handler.
func object(name string, check func(*API, *request) error) Need {
	return Need{name: name, check: check}
}

// request is what a handler gets: everything of it is decoded and typed, and
// the person is known and has what the route needs.
type request struct {
	http  *http.Request
	w     http.ResponseWriter // for cookies; answers are returned
	rec   *recorder
	route *Route
	body  any    // *T for a Body of T; read it with bodyOf
	raw   []byte // the body of a Raw route
	query any    // *T for a Query of T; read it with queryOf
	who   credential
	// viewer is the administrator who sees what the person of access sees; 0
	// for nobody.
	viewer permission.UserID
	// access is what the person may do, at the revision that was current when
	// the whole request had come; nothing for nobody.
	access permission.Access
	// object is what the route's need has loaded.
	object  any
	numbers map[string]int64
}

// bodyOf is the decoded body. T is the type of the route's Body.
func bodyOf[T any](r *request) *T { return r.body.(*T) }

// queryOf is the decoded query values. T is the type of the route's Query.
func queryOf[T any](r *request) *T { return r.query.(*T) }

func (r *request) ctx() context.Context { return r.http.Context() }

// id is the number that stands for {name} in the path.
func (r *request) id(name string) int64 {
	n, ok := r.numbers[name]
	if !ok {
		panic("api: " + r.route.Path + " has no number " + name)
	}
	return n
}

// text is what stands for {name:text} in the path.
func (r *request) text(name string) string { return r.http.PathValue(name) }

// administers asks whether the person may do everything.
func (r *request) administers() bool {
	return r.access.Can(permission.Administer, permission.Server)
}

// actor is who writes, for revisions and the audit log. The reason comes from
// the X-Sluice-Reason header, if there is one.
func (r *request) actor() store.Actor {
	reason := r.http.Header.Get("X-Sluice-Reason")
	if reason == "" {
		reason = r.route.Method + " " + r.route.Path
	}
	return store.Actor{User: r.access.User(), Reason: cut(reason, 500), Request: r.rec.id}
}

// cut shortens a text to at most n bytes of valid UTF-8.
func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "")
}

// answer is a success other than 200 with JSON.
type answer struct {
	status int
	body   any // JSON; nil for none
}

// noContent is a 204.
func noContent() answer { return answer{status: http.StatusNoContent} }

// stream writes its answer itself. An error before the first byte is answered
// as any other; after it the connection is cut, so that nobody takes half an
// answer for a whole one.
type stream func(w http.ResponseWriter) error

// document is an answer that is not JSON.
type document struct {
	kind string
	data []byte
}

var pathParameter = regexp.MustCompile(`\{([a-z_]+)(:text)?\}`)

// parameter is one {name} of a path.
type parameter struct {
	name   string
	number bool
}

func (rt *Route) parameters() []parameter {
	var ps []parameter
	for _, m := range pathParameter.FindAllStringSubmatch(rt.Path, -1) {
		ps = append(ps, parameter{m[1], m[2] == ""})
	}
	return ps
}

// pattern is the path as http.ServeMux and OpenAPI write it.
func (rt *Route) pattern() string { return pathParameter.ReplaceAllString(rt.Path, "{$1}") }

// valid tells what is missing in a route.
func (rt *Route) valid() error {
	switch {
	case rt.Need.name == "":
		return fmt.Errorf("api: %s %s does not say what it needs", rt.Method, rt.Path)
	case rt.handle == nil:
		return fmt.Errorf("api: %s %s has no handler", rt.Method, rt.Path)
	case !strings.HasPrefix(rt.Path, "/api/") || strings.HasSuffix(rt.Path, "/"):
		return fmt.Errorf("api: the path %s does not begin with /api/ or ends with a slash", rt.Path)
	case rt.Summary == "":
		return fmt.Errorf("api: %s %s has no summary", rt.Method, rt.Path)
	}
	return nil
}

// serve answers a request for the route: the path's numbers, then who it is,
// then what was sent, then whether they may, then the handler.
func (a *API) serve(rt *Route, w http.ResponseWriter, hr *http.Request) {
	r := &request{http: hr, w: w, rec: recorderOf(w), route: rt, numbers: map[string]int64{}}
	r.rec.route = rt.pattern()
	if !rt.Unleased {
		leave, err := a.admit(r)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		defer leave()
	}
	if rt.Method != http.MethodGet {
		r.rec.before = func() { a.tellWritten(r.rec) }
	}
	for _, p := range rt.parameters() {
		text := hr.PathValue(p.name)
		if !p.number {
			if strings.ContainsRune(text, 0) {
				a.fail(w, r, errNoRoute)
				return
			}
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 || text[0] == '+' {
			a.fail(w, r, errNoRoute)
			return
		}
		r.numbers[p.name] = n
	}
	result, err := a.run(rt, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.reply(w, r, result)
}

// lookAgain makes r.access what the person may do now, after something that
// took its time. Somebody who is nobody any more is refused as one who did not
// sign in; so the access of a route that needs a credential has a graph.
func (a *API) lookAgain(r *request) error {
	g := a.store.Graph()
	if r.viewer != 0 && !g.AccessOf(r.viewer).Can(permission.Administer, permission.Server) {
		return errUnauthenticated
	}
	r.access = g.AccessOf(r.access.User())
	if r.access.User() == 0 && !r.route.Need.public {
		return errUnauthenticated
	}
	return nil
}

func (a *API) run(rt *Route, r *request) (any, error) {
	if err := a.atLeast(r); err != nil {
		return nil, err
	}
	if err := a.authenticate(r); err != nil {
		return nil, err
	}
	if r.access.User() == 0 && !rt.Need.public {
		return nil, errUnauthenticated
	}
	if err := a.viewAs(r); err != nil {
		return nil, err
	}
	r.http = r.http.WithContext(dataset.WithOrigin(r.ctx(), dataset.Origin{RequestID: r.rec.id, Viewer: r.viewer}))
	var err error
	if rt.Query != nil {
		if r.query, err = decodeQuery(r.http.URL.Query(), rt.Query); err != nil {
			return nil, err
		}
	}
	may := func() error {
		if rt.Need.check == nil {
			return nil
		}
		return rt.Need.check(a, r)
	}
	limit := rt.Limit
	if limit == 0 {
		limit = defaultLimit
	}
	// A body that may be larger than most is read only for those who may send
	// it: it could take all memory.
	if limit > defaultLimit {
		if err := may(); err != nil {
			return nil, err
		}
	}
	if rt.Body != nil {
		r.http.Body = http.MaxBytesReader(r.rec.ResponseWriter, r.http.Body, limit)
		switch {
		case rt.read != nil:
			err = rt.read(a, r)
		case rt.Raw:
			r.raw, err = io.ReadAll(r.http.Body)
		default:
			r.body, err = decodeBody(r.http, rt.Body, rt.Form)
		}
		if err != nil {
			return nil, err
		}
		// A body can be long in coming: what counts is what they may do now.
		if err := a.lookAgain(r); err != nil {
			return nil, err
		}
	}
	if err := may(); err != nil {
		return nil, err
	}
	return rt.handle(a, r)
}
