package permission

import (
	"iter"
	"maps"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/intmap"
)

// reverse finds who is concerned by an object without asking everybody. It
// follows from the rest of the graph and is kept up by Apply.
type reverse struct {
	databases   index[catalog.DatabaseID, GroupID] // groups in which something is written on it
	collections index[CollectionID, GroupID]       // groups in which something is written on it
	owners      index[UserID, CollectionID]        // the person's own collections
	children    index[CollectionID, CollectionID]  // collections that lie directly in it
}

// index is a set for every key that has a member.
type index[K, V intmap.Key] = intmap.Map[K, intmap.Map[V, struct{}]]

// note puts a member into the set of a key, or takes it out.
func note[K, V intmap.Key](x index[K, V], key K, member V, in bool) index[K, V] {
	set, _ := x.Get(key)
	if in {
		set = set.Set(member, struct{}{})
	} else {
		set = set.Delete(member)
	}
	if set.Len() == 0 {
		return x.Delete(key)
	}
	return x.Set(key, set)
}

// members yields the members of a key's set in ascending order.
func members[K, V intmap.Key](x index[K, V], key K) iter.Seq[V] {
	set, _ := x.Get(key)
	return set.Keys()
}

// GroupsOn yields the groups in which something is written on the database, in
// the order of their ids.
func (g *Graph) GroupsOn(d catalog.DatabaseID) iter.Seq[GroupID] {
	return members(g.reverse.databases, d)
}

// GroupsOnCollection yields the groups in which something is written on the
// collection, in the order of their ids.
func (g *Graph) GroupsOnCollection(c CollectionID) iter.Seq[GroupID] {
	return members(g.reverse.collections, c)
}

// Children yields the collections that lie directly in one, or in Root, in the
// order of their ids.
func (g *Graph) Children(c CollectionID) iter.Seq[CollectionID] {
	return members(g.reverse.children, c)
}

// Below lists a collection and all that lie in it at any depth, parents before
// children.
func (g *Graph) Below(c CollectionID) []CollectionID {
	all := []CollectionID{c}
	for i := 0; i < len(all); i++ {
		all = slices.AppendSeq(all, g.Children(all[i]))
	}
	return all
}

// PersonalOf yields the collections that are the person's own, in the order of
// their ids.
func (g *Graph) PersonalOf(u UserID) iter.Seq[CollectionID] { return members(g.reverse.owners, u) }

// Who lists the active people who have the right, sorted by id. Everybody who
// has it is in it, for whatever reason. It asks the members of the groups in
// which something is written about the object, and everybody only where people
// have the right of whom nothing is written.
func (g *Graph) Who(r Right, on Object) []UserID {
	who := map[UserID]bool{}
	ask := func(people iter.Seq[UserID]) {
		for id := range people {
			if !who[id] && g.AccessOf(id).Can(r, on) {
				who[id] = true
			}
		}
	}
	if (Access{g: g, u: &user{User: User{Active: true}}}).decide(r, on, nil) {
		ask(g.users.Keys())
		return slices.Sorted(maps.Keys(who))
	}
	ask(g.Members(Administrators))
	groups := g.GroupsOnCollection(CollectionID(on.id))
	switch on.kind {
	case aCollection:
		if c := g.Collection(CollectionID(on.id)); c != nil && c.Owner != 0 {
			ask(slices.Values([]UserID{c.Owner}))
			groups = slices.Values([]GroupID{})
		}
	case aTable:
		groups = slices.Values([]GroupID{})
		if t := g.Catalog().Table(catalog.TableID(on.id)); t != nil {
			groups = g.GroupsOn(t.Database)
		}
	case aDatabase:
		groups = g.GroupsOn(catalog.DatabaseID(on.id))
	case aServer:
		groups = slices.Values([]GroupID{})
	}
	for id := range groups {
		ask(g.Members(id))
	}
	return slices.Sorted(maps.Keys(who))
}

// governedTables yields the active tables of a database that bear the mark of
// a governed one.
func (g *Graph) governedTables(d catalog.DatabaseID) iter.Seq[catalog.TableID] {
	return func(yield func(catalog.TableID) bool) {
		if g.marks.Len() < g.Catalog().TablesOf(d) {
			for id, m := range g.marks.All() {
				if t := g.Catalog().Table(id); m.Governed && t != nil && t.Database == d && t.Active() && !yield(id) {
					return
				}
			}
			return
		}
		for t := range g.Catalog().Tables(d) {
			if g.Mark(t.ID).Governed && t.Active() && !yield(t.ID) {
				return
			}
		}
	}
}
