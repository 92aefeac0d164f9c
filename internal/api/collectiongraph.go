package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// archivedCollections are the collections in the trash: their permissions are
// neither shown nor changed.
func (a *API) archivedCollections(ctx context.Context) (map[permission.CollectionID]bool, error) {
	rows, err := a.store.Collections(ctx, store.CollectionQuery{Archived: store.OnlyArchived})
	set := make(map[permission.CollectionID]bool, len(rows))
	for _, c := range rows {
		set[c.ID] = true
	}
	return set, err
}

// collectionTree emits the collection graph: what is missing is none. Groups
// with nothing are empty objects.
func collectionTree(g *permission.Graph, hidden map[permission.CollectionID]bool) *tree {
	t := newTree()
	for gr := range g.Groups() {
		t.put(groupKey(gr.ID), collectionLevels(g, gr.ID, hidden))
	}
	return t
}

func collectionLevels(g *permission.Graph, id permission.GroupID, hidden map[permission.CollectionID]bool) *tree {
	t := newTree()
	write := leaf(permission.Collection.Word(permission.Write))
	if id == permission.Administrators {
		t.put(permission.Root.String(), write)
		for c := range g.Collections() {
			if c.Owner == 0 && !hidden[c.ID] {
				t.put(c.ID.String(), write)
			}
		}
		return t
	}
	for c, cell := range g.CollectionLevels(id) {
		node := g.Collection(c)
		if cell.Level != permission.None && !hidden[c] && (c == permission.Root || node != nil && node.Owner == 0) {
			t.put(c.String(), leaf(permission.Collection.Word(cell.Level)))
		}
	}
	return t
}

type collectionPutQuery struct {
	Force     bool `query:"force"`
	SkipGraph bool `query:"skip-graph"`
}

type collectionGraphBody struct {
	Revision Opt[ID] `json:"revision"`
	Groups   *tree   `json:"groups" rule:"required"`
	Force    bool    `json:"force"`
}

func (a *API) getCollectionGraph(r *request) (any, error) {
	hidden, err := a.archivedCollections(r.ctx())
	if err != nil {
		return nil, err
	}
	g := a.store.Graph()
	return graphAnswer{Revision: g.CollectionRevision(), Groups: collectionTree(g, hidden)}, nil
}

func (a *API) putCollectionGraph(r *request) (any, error) {
	body, q := bodyOf[collectionGraphBody](r), queryOf[collectionPutQuery](r)
	g := a.store.Graph()
	base, err := r.at(body.Revision, q.Force || body.Force, g.CollectionRevision(), func() *permission.Graph { return g }, func(n int64) (*permission.Graph, error) {
		return a.store.GraphAtCollection(r.ctx(), n)
	})
	if err != nil {
		return nil, err
	}
	hidden, err := a.archivedCollections(r.ctx())
	if err != nil {
		return nil, err
	}
	g, err = a.store.Change(r.ctx(), r.actor(), func(current *permission.Graph) ([]permission.Change, store.Bump, error) {
		from := cmp.Or(base, current)
		edits, err := readCollectionGraph(from, current, body.Groups, hidden)
		if err != nil {
			return nil, store.Bump{}, err
		}
		changes, conflicts, err := permission.MergeCollections(from, current, edits)
		if err != nil {
			return nil, store.Bump{}, message{http.StatusBadRequest, err.Error()}
		}
		if len(conflicts) > 0 {
			e := &staleError{Message: "Somebody else changed the same pairs since.", Revision: current.CollectionRevision()}
			for _, c := range conflicts {
				e.Conflicts = append(e.Conflicts, fmt.Sprintf("groups/%d/%s", c.Group, c.Collection))
			}
			return nil, store.Bump{}, r.stale(e)
		}
		return changes, store.Bump{Collection: len(changes) > 0}, nil
	})
	if err != nil {
		return nil, err
	}
	if q.SkipGraph {
		return graphAnswer{Revision: g.CollectionRevision()}, nil
	}
	return graphAnswer{Revision: g.CollectionRevision(), Groups: collectionTree(g, hidden)}, nil
}

// readCollectionGraph turns the groups of a body into edits: the pairs whose
// word is another than the one emitted at the body's revision. What the body
// leaves out is unchanged; "none" takes away.
func readCollectionGraph(base, current *permission.Graph, groups *tree, hidden map[permission.CollectionID]bool) ([]permission.CollectionEdit, error) {
	var edits []permission.CollectionEdit
	for _, b := range groups.kids {
		path := "groups." + b.key
		n, ok := number(b.key)
		if !ok {
			return nil, graphError(path, "a group's key must be its id, a positive number")
		}
		if !b.tree.isObject() && !b.tree.null {
			return nil, graphError(path, "a group must be an object by collection, not %q", b.tree.word)
		}
		id := permission.GroupID(n)
		emitted := collectionLevels(base, id, nil)
		for _, pair := range b.tree.kids {
			path := path + "." + pair.key
			c := permission.Root
			if pair.key != permission.Root.String() {
				n, ok := number(pair.key)
				if !ok {
					return nil, graphError(path, "a collection's key must be its id or \"root\"")
				}
				c = permission.CollectionID(n)
			}
			if pair.tree.isObject() {
				return nil, graphError(path, "must be \"write\", \"read\" or \"none\"")
			}
			l, err := word(path, permission.Collection, pair.tree)
			if err != nil {
				return nil, err
			}
			was := permission.None
			if w := emitted.at(pair.key); w != nil {
				was, _ = permission.Collection.Parse(w.word)
			}
			if l == was {
				continue
			}
			if hidden[c] {
				return nil, graphError(path, "collection %d is in the trash; restore it to change its permissions", c)
			}
			edits = append(edits, permission.CollectionEdit{Group: id, Collection: c, Level: l})
		}
	}
	return edits, nil
}
