package permission

import (
	"cmp"
	"iter"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/intmap"
)

// Diff lists the changes that lead from one graph to another, in an order in
// which Apply takes them. Catalogs and revision numbers are not compared. It
// costs what differs: what the graphs share is skipped.
func Diff(from, to *Graph) []Change {
	var d differences
	d.users(from, to)
	d.groups(from, to)
	for t := range intmap.Changes(from.marks, to.marks) {
		d.add(from.Mark(t) != to.Mark(t), SetTableMark{t, from.Mark(t), to.Mark(t)})
	}
	for db := range intmap.Changes(from.strict, to.strict) {
		d.add(from.Strict(db) != to.Strict(db), SetStrict{db, from.Strict(db), to.Strict(db)})
	}
	return slices.Concat(d.made, d.changed, d.removed)
}

// differences collects changes: what is made comes first, what is removed
// last, so that nothing speaks of what is not there.
type differences struct {
	made, changed, removed []Change
}

func (d *differences) add(differs bool, c Change) {
	if differs {
		d.changed = append(d.changed, c)
	}
}

func (d *differences) users(from, to *Graph) {
	for id := range intmap.Changes(from.users, to.users) {
		switch a, b := from.User(id), to.User(id); {
		case a == nil:
			d.made = append(d.made, SetUser{To: b})
		case b == nil:
			d.removed = append(d.removed, SetUser{From: a})
		default:
			d.add(!equalUser(a, b), SetUser{a, b})
		}
	}
	var made, removed []*CollectionNode
	for id := range intmap.Changes(from.collections, to.collections) {
		switch a, b := from.Collection(id), to.Collection(id); {
		case a == nil:
			made = append(made, b)
		case b == nil:
			removed = append(removed, a)
		default:
			d.add(*a != *b, SetCollection{a, b})
		}
	}
	// A parent is made before its children: nearest to the root first.
	depthIn := func(g *Graph) func(a, b *CollectionNode) int {
		return func(a, b *CollectionNode) int {
			return cmp.Or(cmp.Compare(g.depth(a), g.depth(b)), cmp.Compare(a.ID, b.ID))
		}
	}
	slices.SortFunc(made, depthIn(to))
	slices.SortFunc(removed, depthIn(from))
	for _, c := range made {
		d.made = append(d.made, SetCollection{To: c})
	}
	for _, c := range slices.Backward(removed) {
		d.removed = append(d.removed, SetCollection{From: c})
	}
}

// depth is how many collections lie above c.
func (g *Graph) depth(c *CollectionNode) int {
	n := 0
	for c != nil && c.Parent != Root && n < 1000 {
		c, n = g.Collection(c.Parent), n+1
	}
	return n
}

func (d *differences) groups(from, to *Graph) {
	for id := range intmap.Changes(from.groups, to.groups) {
		a, _ := from.groups.Get(id)
		b, _ := to.groups.Get(id)
		switch {
		case a == nil && b == nil:
			continue
		case a == nil:
			d.made = append(d.made, SetGroup{To: &b.Group})
			a = &group{Group: b.Group}
		case b == nil:
			d.removed = append(d.removed, SetGroup{From: &a.Group})
			b = &group{Group: a.Group}
		default:
			d.add(a.Group != b.Group, SetGroup{&a.Group, &b.Group})
		}
		d.group(a, b)
	}
}

func (d *differences) group(a, b *group) {
	for u := range intmap.Changes(a.members, b.members) {
		was, is := a.members.Has(u), b.members.Has(u)
		d.add(was != is, SetMembership{u, a.ID, was, is})
	}
	for db := range intmap.Changes(a.entries, b.entries) {
		was, _ := a.entries.Get(db)
		is, _ := b.entries.Get(db)
		for k := range Kind(dataKinds) {
			for s := range changedScopes(was, is, k) {
				f, t := was.cell(k, s), is.cell(k, s)
				d.add(f != t, SetDataAccess{a.ID, db, k, s, f, t})
			}
		}
	}
	for c := range intmap.Changes(a.collections, b.collections) {
		was, _ := a.collections.Get(c)
		is, _ := b.collections.Get(c)
		d.add(was != is, SetCollectionAccess{a.ID, c, was, is})
	}
	for t := range intmap.Changes(a.sandboxes, b.sandboxes) {
		was, _ := a.sandboxes.Get(t)
		is, _ := b.sandboxes.Get(t)
		d.add(!equalSandbox(was, is), SetSandbox{was, is})
	}
}

// changedScopes yields the scopes at which two entries may differ.
func changedScopes(a, b *entry, k Kind) iter.Seq[Scope] {
	return func(yield func(Scope) bool) {
		if a == b || !yield(WholeDatabase()) {
			return
		}
		var pa, pb parts
		if a != nil && a.parts != nil {
			pa = a.parts[k]
		}
		if b != nil && b.parts != nil {
			pb = b.parts[k]
		}
		names := make([]string, 0, len(pa.schemas)+len(pb.schemas))
		for _, s := range slices.Concat(pa.schemas, pb.schemas) {
			names = append(names, s.name)
		}
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			if !yield(WholeSchema(name)) {
				return
			}
		}
		for t := range intmap.Changes(pa.tables, pb.tables) {
			if !yield(OneTable(t)) {
				return
			}
		}
	}
}

// Edge is a group's entry for one database: the unit in which changes of the
// data graph conflict.
type Edge struct {
	Group    GroupID
	Database catalog.DatabaseID
}

// Edges lists the entries of the data graph, policies included, in which two
// graphs differ, in order.
func Edges(a, b *Graph) []Edge {
	var edges []Edge
	var empty group
	for id := range intmap.Changes(a.groups, b.groups) {
		ga, ok := a.groups.Get(id)
		if !ok {
			ga = &empty
		}
		gb, ok := b.groups.Get(id)
		if !ok {
			gb = &empty
		}
		for db := range intmap.Changes(ga.entries, gb.entries) {
			was, _ := ga.entries.Get(db)
			is, _ := gb.entries.Get(db)
			if differ(was, is) {
				edges = append(edges, Edge{id, db})
			}
		}
		for t := range intmap.Changes(ga.sandboxes, gb.sandboxes) {
			was, _ := ga.sandboxes.Get(t)
			is, _ := gb.sandboxes.Get(t)
			if tb := cmp.Or(b.Catalog().Table(t), a.Catalog().Table(t)); tb != nil && !equalSandbox(was, is) {
				edges = append(edges, Edge{id, tb.Database})
			}
		}
	}
	slices.SortFunc(edges, Edge.compare)
	return slices.Compact(edges)
}

func (e Edge) compare(o Edge) int {
	return cmp.Or(cmp.Compare(e.Group, o.Group), cmp.Compare(e.Database, o.Database))
}

func differ(a, b *entry) bool {
	for k := range Kind(dataKinds) {
		for s := range changedScopes(a, b, k) {
			if a.cell(k, s) != b.cell(k, s) {
				return true
			}
		}
	}
	return false
}
