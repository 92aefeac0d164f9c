package api

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

type collectionTreeQuery struct {
	ExcludeArchived bool   `query:"exclude-archived"`
	ExcludeOther    bool   `query:"exclude-other-user-collections"`
	Namespace       string `query:"namespace"`
}

// collectionNodeWire is a collection in the tree.
type collectionNodeWire struct {
	collectionWire
	Children []*collectionNodeWire `json:"children"`
	Here     []string              `json:"here,omitempty"`  // the kinds of content directly in it
	Below    []string              `json:"below,omitempty"` // the kinds of content in what lies under it
}

// collectionTree shows the live collections that the person may read, each
// under the nearest one above it that they may read too.
func (a *API) collectionTree(r *request) (any, error) {
	q := queryOf[collectionTreeQuery](r)
	nodes, err := a.visibleTree(r, collectionListQuery{Namespace: q.Namespace, ExcludeOther: q.ExcludeOther})
	if err != nil {
		return nil, err
	}
	return nodes[permission.Root].Children, nil
}

// visibleTree links the collections that the person may read and the list
// wants. The entry of Root holds those that have no readable one above them.
func (a *API) visibleTree(r *request, wanted collectionListQuery) (map[permission.CollectionID]*collectionNodeWire, error) {
	all, err := a.store.Collections(r.ctx(), store.CollectionQuery{})
	if err != nil {
		return nil, err
	}
	contents, err := a.store.CollectionContents(r.ctx())
	if err != nil {
		return nil, err
	}
	nodes := map[permission.CollectionID]*collectionNodeWire{permission.Root: {Children: []*collectionNodeWire{}}}
	var visible []store.Collection
	for _, c := range all {
		if r.access.Can(permission.ReadCollection, permission.ACollection(c.ID)) && wanted.wants(r, c) {
			visible = append(visible, c)
			nodes[c.ID] = &collectionNodeWire{collectionWire: collectionOf(r.access, c), Children: []*collectionNodeWire{}, Here: contents[c.ID]}
		}
	}
	for _, c := range visible {
		parent := nodes[nearestAbove(r.access, c.ID)]
		if parent == nil { // it is there, but the list does not want it
			parent = nodes[permission.Root]
		}
		parent.Children = append(parent.Children, nodes[c.ID])
	}
	nodes[permission.Root].settle()
	return nodes, nil
}

// settle sorts the children, official ones first, then by name, and sums up
// what lies below.
func (n *collectionNodeWire) settle() {
	slices.SortStableFunc(n.Children, func(a, b *collectionNodeWire) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)))
	})
	var below []string
	for _, c := range n.Children {
		c.settle()
		below = append(append(below, c.Here...), c.Below...)
	}
	slices.Sort(below)
	n.Below = slices.Compact(below)
}

func rank(n *collectionNodeWire) int {
	if orZero(n.AuthorityLevel) == "official" {
		return 0
	}
	return 1
}
