package api

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// graphRoutes are the two permission graphs. PUT is a three-way merge: see
// permission.Merge, and graphread.go for how a body is compared with what was
// emitted.
func graphRoutes() []Route {
	const huge = 256 << 20
	return []Route{
		{Method: "GET", Path: "/api/permissions/graph", Need: administrator(), Query: graphQuery{}, Answer: graphAnswer{},
			Summary: "The data permissions of all groups, in both dialects or in the one named by ?dialect=split or seed.", handle: (*API).getGraph},
		{Method: "GET", Path: "/api/permissions/graph/group/{id}", Need: administrator(), Query: graphQuery{}, Answer: graphAnswer{},
			Summary: "The data permissions of one group.", handle: (*API).getGroupGraph},
		{Method: "GET", Path: "/api/permissions/graph/db/{id}", Need: administrator(), Query: graphQuery{}, Answer: graphAnswer{},
			Summary: "The data permissions of all groups on one database.", handle: (*API).getDatabaseGraph},
		{Method: "PUT", Path: "/api/permissions/graph", Need: administrator(), Query: graphPutQuery{}, Body: graphBody{}, Answer: graphAnswer{}, Limit: huge,
			Summary: "Changes data permissions: what differs from the graph at the body's revision is merged into the present one.", handle: (*API).putGraph},
		{Method: "PATCH", Path: "/api/permissions/graph", Need: administrator(), Body: patchBody{}, Answer: graphAnswer{},
			Summary: "Changes single levels of the data permissions. If-Match carries the revision they were decided on, or *.", handle: (*API).patchGraph},
		{Method: "GET", Path: "/api/collection/graph", Need: administrator(), Answer: graphAnswer{},
			Summary: "The collection permissions of all groups; a pair that is missing is none.", handle: (*API).getCollectionGraph},
		{Method: "PUT", Path: "/api/collection/graph", Need: administrator(), Query: collectionPutQuery{}, Body: collectionGraphBody{}, Answer: graphAnswer{}, Limit: huge,
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
	Groups   *tree       `json:"groups" rule:"required"`
	Force    bool        `json:"force"`
	Complete Opt[string] `json:"complete"`
	// The policies that Metabase takes here have their own addresses.
	Sandboxes      Array `json:"sandboxes"`
	Impersonations Array `json:"impersonations"`
}

type graphAnswer struct {
	Revision int64                `json:"revision"`
	Complete dialect              `json:"complete,omitempty"`
	Groups   *tree                `json:"groups,omitempty"`
	Mode     string               `json:"mode,omitempty"`
	Warnings []permission.Warning `json:"warnings,omitempty"`
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

// getGraph streams the graph, a group at a time.
func (a *API) getGraph(r *request) (any, error) {
	d, err := queryOf[graphQuery](r).dialect()
	if err != nil {
		return nil, err
	}
	g := a.store.Graph()
	return stream(func(w http.ResponseWriter) error {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("ETag", etag(int64(g.Revision())))
		out := bufio.NewWriterSize(w, 64<<10)
		fmt.Fprintf(out, `{"revision":%d,"complete":%q,"groups":{`, g.Revision(), d)
		m, first := emitter{g}, true
		var buf []byte
		for gr := range g.Groups() {
			buf = buf[:0]
			if !first {
				buf = append(buf, ',')
			}
			first = false
			buf = append(append(append(buf, '"'), groupKey(gr.ID)...), '"', ':')
			buf = m.group(gr.ID, d).append(buf)
			if _, err := out.Write(buf); err != nil {
				return err
			}
		}
		_, _ = out.WriteString("}}")
		return out.Flush()
	}), nil
}

func groupKey(id permission.GroupID) string { return strconv.FormatInt(int64(id), 10) }

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
	groups := newTree(branch{groupKey(id), emitter{g}.group(id, d)})
	return graphAnswer{Revision: int64(g.Revision()), Groups: groups}, nil
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
	groups := newTree()
	for gr := range g.Groups() {
		if e := (emitter{g}).entry(gr.ID, db, d); e != nil {
			groups.put(groupKey(gr.ID), newTree(branch{strconv.FormatInt(int64(db), 10), e}))
		}
	}
	return graphAnswer{Revision: int64(g.Revision()), Groups: groups}, nil
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

// at finds the graph that the client decided on. latest is its revision now.
func (r *request) at(revision Opt[ID], force bool, latest int64, current func() *permission.Graph, history func(int64) (*permission.Graph, error)) (*permission.Graph, error) {
	n, given := revision.Get()
	switch {
	case force:
		return nil, nil
	case !given:
		return nil, r.stale(&staleError{Message: "The body names no revision; read the graph and send its revision back.", Revision: latest})
	case int64(n) > latest || n < 0:
		return nil, r.stale(&staleError{Message: fmt.Sprintf("There is no revision %d yet; the graph is at %d.", n, latest), Revision: latest})
	case int64(n) == latest:
		return current(), nil
	}
	g, err := history(int64(n))
	if errors.Is(err, store.ErrStale) {
		return nil, r.stale(&staleError{Message: fmt.Sprintf("Revision %d is older than the history that is kept; read the graph again.", n), Revision: latest})
	}
	return g, err
}

func (a *API) baseGraph(r *request, revision Opt[ID], force bool) (*permission.Graph, error) {
	g := a.store.Graph()
	return r.at(revision, force, int64(g.Revision()), func() *permission.Graph { return g }, func(n int64) (*permission.Graph, error) {
		return a.store.GraphAt(r.ctx(), catalog.Revision(n))
	})
}

func (a *API) putGraph(r *request) (any, error) {
	body, q := bodyOf[graphBody](r), queryOf[graphPutQuery](r)
	if hasItems(body.Sandboxes) || hasItems(body.Impersonations) {
		return nil, message{http.StatusBadRequest, "sandboxes and impersonations are not taken with the graph by this version; view-data \"sandboxed\" is, and stays closed until there is a policy."}
	}
	complete, err := completeness(q.Mode, body.Complete)
	if err != nil {
		return nil, err
	}
	base, err := a.baseGraph(r, body.Revision, q.Force || body.Force)
	if err != nil {
		return nil, err
	}
	g, warnings, err := a.changeGraph(r, base, func(from, current *permission.Graph) ([]permission.Edit, error) {
		return readGraph(r, from, current, body.Groups, complete)
	})
	if err != nil {
		return nil, err
	}
	answer := graphAnswer{Revision: int64(g.Revision()), Mode: "partial", Warnings: warnings}
	if complete != "" {
		answer.Mode = "complete"
	}
	if q.SkipGraph {
		return answer, nil
	}
	answer.Groups = newTree()
	for _, b := range body.Groups.kids {
		if id, err := strconv.ParseInt(b.key, 10, 64); err == nil && g.Group(permission.GroupID(id)) != nil {
			answer.Groups.put(b.key, emitter{g}.group(permission.GroupID(id), both))
		}
	}
	return answer, nil
}

// changeGraph merges edits into the data graph. They are decided on from base,
// or, where that is nil, from whatever the graph is now.
func (a *API) changeGraph(r *request, base *permission.Graph, decide func(base, current *permission.Graph) ([]permission.Edit, error)) (*permission.Graph, []permission.Warning, error) {
	var warnings []permission.Warning
	g, err := a.store.Change(r.ctx(), r.actor(), func(current *permission.Graph) ([]permission.Change, store.Bump, error) {
		from := cmp.Or(base, current)
		edits, err := decide(from, current)
		if err != nil {
			return nil, store.Bump{}, err
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

func hasItems(a Array) bool {
	var items []json.RawMessage
	return json.Unmarshal(a, &items) == nil && len(items) > 0
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

// readGraph turns the groups of a body into edits.
func readGraph(r *request, base, current *permission.Graph, groups *tree, complete dialect) ([]permission.Edit, error) {
	if complete != "" {
		if missing := unnamed(base, current, groups); len(missing) > 0 {
			return nil, r.stale(&staleError{Revision: int64(current.Revision()),
				Message: fmt.Sprintf("The body says that it is complete, and does not name the groups %s.", strings.Join(missing, ", "))})
		}
	}
	var edits []permission.Edit
	for _, b := range groups.kids {
		path := "groups." + b.key
		n, ok := number(b.key)
		if !ok {
			return nil, graphError(path, "a group's key must be its id, a positive number")
		}
		if !b.tree.isObject() && !b.tree.null {
			return nil, graphError(path, "a group must be an object by database, not %q", b.tree.word)
		}
		of, err := readGroup(path, base, current, permission.GroupID(n), b.tree, complete)
		if err != nil {
			return nil, err
		}
		edits = append(edits, of...)
	}
	return edits, nil
}

// unnamed lists the groups that a complete body has to name and does not:
// those that were there at its revision and still are.
func unnamed(base, current *permission.Graph, groups *tree) []string {
	var missing []string
	named := map[string]bool{}
	for _, b := range groups.kids {
		named[b.key] = true
	}
	for gr := range current.Groups() {
		if base.Group(gr.ID) != nil && !named[groupKey(gr.ID)] {
			missing = append(missing, fmt.Sprintf("%d %q", gr.ID, gr.Name))
		}
	}
	return missing
}

func readGroup(path string, base, current *permission.Graph, id permission.GroupID, body *tree, complete dialect) ([]permission.Edit, error) {
	var edits []permission.Edit
	emitted := emitter{base}.group(id, both)
	named := map[catalog.DatabaseID]bool{}
	read := func(key string, entry *tree) error {
		path := path + "." + key
		n, ok := number(key)
		if !ok {
			return graphError(path, "a database's key must be its id, a positive number")
		}
		db := catalog.DatabaseID(n)
		named[db] = true
		r := entryReader{base: base, current: current, complete: complete, group: id, db: db}
		if current.Group(id) == nil || current.Catalog().Database(db) == nil {
			// It went since, and took its levels with it. What the body says of
			// it is no change if it is what was emitted.
			if entry == nil || len(entry.kids) == 0 || r.unchanged(entry) || r.dropped() {
				return nil
			}
			if current.Group(id) == nil {
				return graphError(path, "there is no group %d", id)
			}
			return graphError(path, "there is no database %d", db)
		}
		of, err := r.read(path, entry)
		if err != nil {
			return err
		}
		if id == permission.Administrators {
			if entry == nil || len(entry.kids) == 0 || len(of) == 0 {
				return nil
			}
			return graphError(path, "group %d, Administrators, always has full access; its permissions cannot be changed", id)
		}
		edits = append(edits, of...)
		return nil
	}
	for _, b := range body.kids {
		if err := read(b.key, b.tree); err != nil {
			return nil, err
		}
	}
	if complete != "" {
		for _, b := range emitted.kids {
			if db, _ := strconv.ParseInt(b.key, 10, 64); !named[catalog.DatabaseID(db)] {
				if err := read(b.key, nil); err != nil {
					return nil, err
				}
			}
		}
	}
	return edits, nil
}
