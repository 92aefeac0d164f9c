package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

type collectionPutQuery struct {
	Force     bool `query:"force"`
	SkipGraph bool `query:"skip-graph"`
}

type collectionGraphBody struct {
	Revision Opt[ID] `json:"revision"`
	Groups   *tree   `json:"groups" rule:"required"` // empty: heard has what they said
	Force    bool    `json:"force"`

	heard *heardPairs
}

// archivedCollections are the collections in the trash, all or among some:
// their permissions are neither shown nor changed.
func (a *API) archivedCollections(ctx context.Context, among []permission.CollectionID) (map[permission.CollectionID]bool, error) {
	rows, err := a.store.Collections(ctx, store.CollectionQuery{Archived: store.OnlyArchived, IDs: among})
	set := make(map[permission.CollectionID]bool, len(rows))
	for _, c := range rows {
		set[c.ID] = true
	}
	return set, err
}

// collectionLevel is the level of a pair that is emitted: personal collections
// have none, and Administrators curate all others.
func collectionLevel(g *permission.Graph, id permission.GroupID, c permission.CollectionID) permission.Level {
	if c != permission.Root {
		if n := g.Collection(c); n == nil || n.Owner != 0 {
			return permission.None
		}
	}
	if id == permission.Administrators {
		return permission.Write
	}
	return g.CollectionLevel(id, c).Level
}

// allPairs writes all groups with their pairs.
func (o *graphOut) allPairs(g *permission.Graph, hidden map[permission.CollectionID]bool) error {
	for gr := range g.Groups() {
		if err := o.pairs(g, gr.ID, hidden); err != nil {
			return err
		}
	}
	return nil
}

// pairs writes what a group has in the collections that are not hidden: what
// is missing is none.
func (o *graphOut) pairs(g *permission.Graph, id permission.GroupID, hidden map[permission.CollectionID]bool) error {
	o.buf = append(appendNumber(o.buf, int64(id)), '{')
	pair := func(c permission.CollectionID, l permission.Level) error {
		if l == permission.None || hidden[c] {
			return nil
		}
		if c == permission.Root {
			o.buf = appendKey(o.buf, c.String())
		} else {
			o.buf = appendNumber(o.buf, int64(c))
		}
		o.buf = append(o.buf, collectionWords[l]...)
		return o.pass()
	}
	if id == permission.Administrators {
		if err := pair(permission.Root, permission.Write); err != nil {
			return err
		}
		for c := range g.Collections() {
			if err := pair(c.ID, collectionLevel(g, id, c.ID)); err != nil {
				return err
			}
		}
	} else {
		for c := range g.CollectionLevels(id) {
			if err := pair(c, collectionLevel(g, id, c)); err != nil {
				return err
			}
		}
	}
	o.buf = append(ended(o.buf), ',')
	return nil
}

// collectionWords are the words of the levels, as they stand in the text.
var collectionWords = [...]string{
	permission.Read:  `"` + permission.Collection.Word(permission.Read) + `",`,
	permission.Write: `"` + permission.Collection.Word(permission.Write) + `",`,
}

func (a *API) getCollectionGraph(r *request) (any, error) {
	hidden, err := a.archivedCollections(r.ctx(), nil)
	if err != nil {
		return nil, err
	}
	g := a.store.Graph()
	return graphAnswer{Revision: g.CollectionRevision()}.streamed(func(o *graphOut) error { return o.allPairs(g, hidden) }), nil
}

// readCollectionBody reads the body of a PUT of the collection graph while it
// comes.
func (a *API) readCollectionBody(r *request) error {
	body := &collectionGraphBody{heard: &heardPairs{than: a.store.Graph()}}
	r.body = body
	return readMembers(r.http.Body, body, body.heard.read)
}

func (a *API) putCollectionGraph(r *request) (any, error) {
	body, q := bodyOf[collectionGraphBody](r), queryOf[collectionPutQuery](r)
	force := q.Force || body.Force
	base, err := r.base(body.Revision, force, body.heard.than, a.store.Graph(), (*permission.Graph).CollectionRevision, func(n int64) (*permission.Graph, error) {
		return a.store.GraphAtCollection(r.ctx(), n)
	})
	if err != nil {
		return nil, err
	}
	body.heard.against(base)
	edits, err := body.heard.edits()
	if err != nil {
		return nil, err
	}
	if err := a.notInTrash(r.ctx(), edits); err != nil {
		return nil, err
	}
	g, err := a.store.Change(r.ctx(), r.actor(), func(current *permission.Graph) ([]permission.Change, store.Bump, error) {
		from := base
		if force {
			from = current
		}
		changes, err := r.mergeCollections(from, current, edits)
		return changes, store.Bump{Collection: len(changes) > 0}, err
	})
	if err != nil {
		return nil, err
	}
	answer := graphAnswer{Revision: g.CollectionRevision()}
	if q.SkipGraph {
		return answer, nil
	}
	hidden, err := a.archivedCollections(r.ctx(), nil)
	if err != nil {
		return nil, err
	}
	return answer.streamed(func(o *graphOut) error {
		for _, gr := range body.heard.groups {
			if g.Group(gr.id) == nil {
				continue
			}
			if err := o.pairs(g, gr.id, hidden); err != nil {
				return err
			}
		}
		return nil
	}), nil
}

// notInTrash refuses edits of collections in the trash.
func (a *API) notInTrash(ctx context.Context, edits []permission.CollectionEdit) error {
	if len(edits) == 0 {
		return nil
	}
	ids := make([]permission.CollectionID, len(edits))
	for i, e := range edits {
		ids[i] = e.Collection
	}
	hidden, err := a.archivedCollections(ctx, ids)
	if err != nil {
		return err
	}
	for _, e := range edits {
		if hidden[e.Collection] {
			return graphError(fmt.Sprintf("groups.%d.%d", e.Group, e.Collection), "collection %d is in the trash; restore it to change its permissions", e.Collection)
		}
	}
	return nil
}

// mergeCollections makes the changes that edits come to, or a 409 or 400.
func (r *request) mergeCollections(base, current *permission.Graph, edits []permission.CollectionEdit) ([]permission.Change, error) {
	changes, conflicts, err := permission.MergeCollections(base, current, edits)
	if err != nil {
		return nil, message{http.StatusBadRequest, err.Error()}
	}
	if len(conflicts) > 0 {
		e := &staleError{Message: "Somebody else changed the same pairs since.", Revision: current.CollectionRevision()}
		for _, c := range conflicts {
			e.Conflicts = append(e.Conflicts, fmt.Sprintf("groups/%d/%s", c.Group, c.Collection))
		}
		return nil, r.stale(e)
	}
	return changes, nil
}
