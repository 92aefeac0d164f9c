package api

import (
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// graphRoutes are the two permission graphs. Answers are written while they
// are made (graphout.go), and bodies are compared with the graph while they
// come (graphheard.go): neither is ever held whole. PUT is a three-way merge:
// see permission.Merge, and graphread.go for how an entry is compared with
// what was emitted.
func graphRoutes() []Route {
	const huge = 256 << 20
	return []Route{
		{Method: "GET", Path: "/api/permissions/graph", Need: administrator(), Query: graphQuery{}, Answer: graphAnswer{},
			Summary: "The data permissions of all groups, in both dialects or in the one named by ?dialect=split or seed.", handle: (*API).getGraph},
		{Method: "GET", Path: "/api/permissions/graph/group/{id}", Need: administrator(), Query: graphQuery{}, Answer: graphAnswer{},
			Summary: "The data permissions of one group.", handle: (*API).getGroupGraph},
		{Method: "GET", Path: "/api/permissions/graph/db/{id}", Need: administrator(), Query: graphQuery{}, Answer: graphAnswer{},
			Summary: "The data permissions of all groups on one database.", handle: (*API).getDatabaseGraph},
		{Method: "PUT", Path: "/api/permissions/graph", Need: administrator(), Query: graphPutQuery{}, Body: graphBody{}, Answer: graphAnswer{}, Limit: huge, read: (*API).readGraphBody,
			Summary: "Changes data permissions: what differs from the graph at the body's revision is merged into the present one.", handle: (*API).putGraph},
		{Method: "PATCH", Path: "/api/permissions/graph", Need: administrator(), Body: patchBody{}, Answer: graphAnswer{},
			Summary: "Changes single levels of the data permissions. If-Match carries the revision they were decided on, or *.", handle: (*API).patchGraph},
		{Method: "GET", Path: "/api/collection/graph", Need: administrator(), Answer: graphAnswer{},
			Summary: "The collection permissions of all groups; a pair that is missing is none.", handle: (*API).getCollectionGraph},
		{Method: "PUT", Path: "/api/collection/graph", Need: administrator(), Query: collectionPutQuery{}, Body: collectionGraphBody{}, Answer: graphAnswer{}, Limit: huge, read: (*API).readCollectionBody,
			Summary: "Changes collection permissions: what differs from the graph at the body's revision is merged into the present one.", handle: (*API).putCollectionGraph},
	}
}

type graphQuery struct {
	Dialect string `query:"dialect"`
}

type graphPutQuery struct {
	Force     bool   `query:"force"`
	SkipGraph bool   `query:"skip-graph"`
	Mode      string `query:"mode"`
}

type graphBody struct {
	Revision Opt[ID]     `json:"revision"`
	Groups   *tree       `json:"groups" rule:"required"` // empty: heard has what they said
	Force    bool        `json:"force"`
	Complete Opt[string] `json:"complete"`
	// Policies are written in the transaction of the levels.
	Sandboxes      []sandboxBody       `json:"sandboxes"`
	Impersonations []impersonationBody `json:"impersonations"`

	heard *heard
}

type graphAnswer struct {
	Revision int64   `json:"revision"`
	Complete dialect `json:"complete,omitempty"`
	Groups   *tree   `json:"groups,omitempty"`
	Mode     string  `json:"mode,omitempty"`
	// Sandboxes are the policies that the body named.
	Sandboxes []policyWire `json:"sandboxes,omitempty"`
	// Impersonations are those of the groups and databases that are asked for,
	// or that the body named.
	Impersonations []impersonationWire  `json:"impersonations,omitempty"`
	Warnings       []permission.Warning `json:"warnings,omitempty"`
}

func (q *graphQuery) dialect() (dialect, error) {
	switch d := dialect(q.Dialect); d {
	case "":
		return both, nil
	case both, split, seed:
		return d, nil
	}
	return "", wrongField("dialect", fmt.Sprintf("%q is no dialect of the graph; it is both, split or seed.", q.Dialect))
}

func (a *API) getGraph(r *request) (any, error) {
	d, err := queryOf[graphQuery](r).dialect()
	if err != nil {
		return nil, err
	}
	g := a.store.Graph()
	r.w.Header().Set("ETag", etag(int64(g.Revision())))
	return graphAnswer{Revision: int64(g.Revision()), Complete: d, Impersonations: impersonationsOf(g, 0, 0)}.streamed(func(o *graphOut) error { return o.all(g, d, &a.texts) }), nil
}

func etag(revision int64) string { return fmt.Sprintf("%q", strconv.FormatInt(revision, 10)) }

func (a *API) getGroupGraph(r *request) (any, error) {
	d, err := queryOf[graphQuery](r).dialect()
	if err != nil {
		return nil, err
	}
	g, id := a.store.Graph(), permission.GroupID(r.id("id"))
	if g.Group(id) == nil {
		return nil, store.ErrNotFound
	}
	return graphAnswer{Revision: int64(g.Revision()), Impersonations: impersonationsOf(g, id, 0)}.groups(g, d, id), nil
}

// groups streams the answer with the groups that are named.
func (a graphAnswer) groups(g *permission.Graph, d dialect, named ...permission.GroupID) stream {
	return a.streamed(func(o *graphOut) error {
		m := newEmitter(g)
		for _, id := range named {
			if g.Group(id) == nil {
				continue
			}
			if err := o.entries(m, id, d); err != nil {
				return err
			}
		}
		return nil
	})
}

func (a *API) getDatabaseGraph(r *request) (any, error) {
	d, err := queryOf[graphQuery](r).dialect()
	if err != nil {
		return nil, err
	}
	g, db := a.store.Graph(), catalog.DatabaseID(r.id("id"))
	if g.Catalog().Database(db) == nil {
		return nil, store.ErrNotFound
	}
	return graphAnswer{Revision: int64(g.Revision()), Impersonations: impersonationsOf(g, 0, db)}.streamed(func(o *graphOut) error {
		m := newEmitter(g)
		for id := range groupsOn(g, db) {
			m.read(id, db)
			if begin, _ := m.say().pieces(d); len(begin) == 0 {
				continue
			}
			o.buf = append(appendNumber(o.buf, int64(id)), '{')
			o.buf = append(ended(m.member(o.buf, db, d)), ',')
			if err := o.pass(); err != nil {
				return err
			}
		}
		return nil
	}), nil
}

// groupsOn yields the groups that may have an entry on a database, by id:
// Administrators, and those for which something is written.
func groupsOn(g *permission.Graph, db catalog.DatabaseID) iter.Seq[permission.GroupID] {
	return func(yield func(permission.GroupID) bool) {
		administrators := g.Group(permission.Administrators) != nil
		for id := range g.GroupsOn(db) {
			if administrators && id >= permission.Administrators {
				administrators = false
				if id != permission.Administrators && !yield(permission.Administrators) {
					return
				}
			}
			if !yield(id) {
				return
			}
		}
		if administrators {
			yield(permission.Administrators)
		}
	}
}

// staleError is a 409: the graph is not the one that the client decided on.
type staleError struct {
	Message   string   `json:"detail"`
	Revision  int64    `json:"revision"`
	Conflicts []string `json:"conflicts,omitempty"`
}

func (e *staleError) Error() string { return e.Message }

// stale answers a 409 with Metabase's text, or as a problem (RFC 9457) where
// that is asked for.
func (r *request) stale(e *staleError) error {
	header := http.Header{"X-Sluice-Revision": {strconv.FormatInt(e.Revision, 10)}}
	if len(e.Conflicts) > 0 {
		header["X-Sluice-Conflicts"] = []string{strings.Join(e.Conflicts[:min(len(e.Conflicts), 20)], " ")}
	}
	if strings.Contains(r.http.Header.Get("Accept"), "application/problem+json") {
		header.Set("Content-Type", "application/problem+json")
		return failed{http.StatusConflict, header, map[string]any{
			"type": "about:blank", "title": staleText, "status": http.StatusConflict,
			"detail": e.Message, "revision": e.Revision, "conflicts": e.Conflicts,
		}}
	}
	for k, v := range header {
		r.w.Header()[k] = v
	}
	return plain{http.StatusConflict, staleText}
}

// base finds the graph that the client decided on. began is the graph as the
// body began to come, against which it is decided when it is forced; now is
// the newest one, counter one of its two revisions.
func (r *request) base(revision Opt[ID], force bool, began, now *permission.Graph, counter func(*permission.Graph) int64, history func(int64) (*permission.Graph, error)) (*permission.Graph, error) {
	n, given := revision.Get()
	latest := counter(now)
	switch {
	case force, given && int64(n) == counter(began):
		return began, nil
	case !given:
		return nil, r.stale(&staleError{Message: "The body names no revision; read the graph and send its revision back.", Revision: latest})
	case int64(n) > latest || n < 0:
		return nil, r.stale(&staleError{Message: fmt.Sprintf("There is no revision %d yet; the graph is at %d.", n, latest), Revision: latest})
	case int64(n) == latest:
		return now, nil
	}
	g, err := history(int64(n))
	if errors.Is(err, store.ErrStale) {
		return nil, r.stale(&staleError{Message: fmt.Sprintf("Revision %d is older than the history that is kept; read the graph again.", n), Revision: latest})
	}
	return g, err
}

// dataRevision is the counter of the data graph.
func dataRevision(g *permission.Graph) int64 { return int64(g.Revision()) }

func (a *API) dataBase(r *request, revision Opt[ID], force bool, began *permission.Graph) (*permission.Graph, error) {
	return r.base(revision, force, began, a.store.Graph(), dataRevision, func(n int64) (*permission.Graph, error) {
		return a.store.GraphAt(r.ctx(), catalog.Revision(n))
	})
}

// readGraphBody reads the body of a PUT of the data graph as it comes.
func (a *API) readGraphBody(r *request) error {
	body := &graphBody{heard: newHeard(a.store.Graph())}
	r.body = body
	return readMembers(r.http.Body, body, body.heard.read)
}

func (a *API) putGraph(r *request) (any, error) {
	body, q := bodyOf[graphBody](r), queryOf[graphPutQuery](r)
	policies, err := a.sandboxes(r, body.Sandboxes)
	if err != nil {
		return nil, err
	}
	complete, err := completeness(q.Mode, body.Complete)
	if err != nil {
		return nil, err
	}
	force := q.Force || body.Force
	base, err := a.dataBase(r, body.Revision, force, body.heard.than)
	if err != nil {
		return nil, err
	}
	seenAs, err := impersonationEdits(base, body.Impersonations)
	if err != nil {
		return nil, err
	}
	var made []permission.Edit
	body.heard.against(base)
	g, warnings, err := a.changeGraph(r, base, force, func(current *permission.Graph) ([]permission.Edit, error) {
		edits, err := body.heard.edits(r, current, complete)
		if err != nil {
			return nil, err
		}
		made, err = policies.edits(r, current, append(edits, seenAs...))
		return made, err
	})
	if err != nil {
		return nil, err
	}
	echo, more, err := a.policies(r, g, policies.on)
	if err != nil {
		return nil, err
	}
	roles, about := impersonations(g, impersonated(made))
	warnings = slices.Concat(warnings, more, about)
	answer := graphAnswer{Revision: int64(g.Revision()), Mode: "partial", Sandboxes: echo, Impersonations: roles, Warnings: warnings}
	if complete != "" {
		answer.Mode = "complete"
	}
	if q.SkipGraph {
		return answer, nil
	}
	var named []permission.GroupID
	for i := range body.heard.groups {
		named = append(named, body.heard.groups[i].id)
	}
	return answer.groups(g, both, named...), nil
}

// changeGraph merges edits into the data graph that were decided on from base.
// Forced, they meet no conflict.
func (a *API) changeGraph(r *request, base *permission.Graph, force bool, decide func(current *permission.Graph) ([]permission.Edit, error)) (*permission.Graph, []permission.Warning, error) {
	var warnings []permission.Warning
	g, err := a.store.Change(r.ctx(), r.actor(), func(current *permission.Graph) ([]permission.Change, store.Bump, error) {
		edits, err := decide(current)
		if err != nil {
			return nil, store.Bump{}, err
		}
		from := base
		if force {
			from = current
		}
		changes, warned, err := r.merge(from, current, edits)
		warnings = warned
		return changes, store.Bump{Data: true}, err
	})
	return g, warnings, err
}

// merge makes the changes that edits come to, or a 409 or 400.
func (r *request) merge(base, current *permission.Graph, edits []permission.Edit) ([]permission.Change, []permission.Warning, error) {
	d, conflicts, err := permission.Merge(base, current, edits)
	if err != nil {
		return nil, nil, message{http.StatusBadRequest, err.Error()}
	}
	if len(conflicts) > 0 {
		e := &staleError{Message: "Somebody else changed the same entries since.", Revision: int64(current.Revision())}
		for _, c := range conflicts {
			e.Conflicts = append(e.Conflicts, fmt.Sprintf("groups/%d/%d", c.Group, c.Database))
		}
		return nil, nil, r.stale(e)
	}
	changes, warnings := d.Changes()
	return changes, warnings, nil
}

// completeness decides whether leaving out revokes. A body that carries the
// "complete" of a whole graph says so; ?mode overrides it.
func completeness(mode string, sent Opt[string]) (dialect, error) {
	word, given := sent.Get()
	d := dialect(word)
	if given && d != both && d != split && d != seed {
		return "", wrongField("complete", fmt.Sprintf("%q is no dialect of the graph; send what GET gave, or leave it out.", word))
	}
	switch mode {
	case "":
		return d, nil
	case "partial":
		return "", nil
	case "complete":
		if d == "" {
			d = both
		}
		return d, nil
	}
	return "", wrongField("mode", fmt.Sprintf("%q is no mode; it is complete or partial.", mode))
}
