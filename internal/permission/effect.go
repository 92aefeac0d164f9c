package permission

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/intmap"
)

// Effect says whose access a change widens and whose it narrows. A person can
// be in both lists. Administrators before and after are in neither.
type Effect struct {
	Gain, Lose []UserID // sorted
}

// Widens tells whether somebody gains.
func (e Effect) Widens() bool { return len(e.Gain) > 0 }

// Narrows tells whether somebody loses.
func (e Effect) Narrows() bool { return len(e.Lose) > 0 }

// EffectOf compares what every person may do in two graphs. Whether a change
// widens or narrows is computed from this and never from its kind: adding a
// member can narrow. It costs what differs: only objects and people that the
// difference can touch are looked at, and people whom the groups concerned
// treat alike are looked at once.
func EffectOf(before, after *Graph) Effect {
	e := newEffects(before, after)
	for id := range intmap.Changes(before.users, after.users) {
		e.user(id)
	}
	for id := range intmap.Changes(before.groups, after.groups) {
		e.group(id)
	}
	whole := map[catalog.DatabaseID]bool{}
	for id := range intmap.Changes(before.marks, after.marks) {
		if t := cmp.Or(after.Catalog().Table(id), before.Catalog().Table(id)); t != nil && before.Mark(id) != after.Mark(id) && !whole[t.Database] {
			e.everyone(t.Database, []catalog.TableID{id})
		}
	}
	for d := range intmap.Changes(before.strict, after.strict) {
		whole[d] = whole[d] || before.Strict(d) != after.Strict(d)
	}
	for d := range catalog.Changes(before.Catalog(), after.Catalog()) {
		whole[d] = true
	}
	for d, changed := range whole {
		if changed {
			e.everyone(d, nil)
		}
	}
	for id := range intmap.Changes(before.collections, after.collections) {
		a, b := before.Collection(id), after.Collection(id)
		if a == nil || b == nil || a.Owner != b.Owner {
			e.handed(id)
		}
	}
	return e.effect()
}

// effects collects who gains and who loses between two graphs.
type effects struct {
	before, after *Graph
	gain, lose    map[UserID]bool
}

func newEffects(before, after *Graph) *effects {
	return &effects{before: before, after: after, gain: map[UserID]bool{}, lose: map[UserID]bool{}}
}

func (e *effects) effect() Effect {
	return Effect{slices.Sorted(maps.Keys(e.gain)), slices.Sorted(maps.Keys(e.lose))}
}

// outcome is whether somebody may do more and whether less than before.
type outcome struct{ gain, lose bool }

func (o outcome) and(p outcome) outcome { return outcome{o.gain || p.gain, o.lose || p.lose} }

// count notes what comes out for a person. Whoever administers, before for
// gains and after for losses, is left out.
func (e *effects) count(id UserID, o outcome) {
	if a := e.before.AccessOf(id); o.gain && !(a.u != nil && a.admin(nil)) {
		e.gain[id] = true
	}
	if b := e.after.AccessOf(id); o.lose && !(b.u != nil && b.admin(nil)) {
		e.lose[id] = true
	}
}

// both yields what one of two sequences yields, and what both do once; has
// tells whether something is in the first.
func both[T any](a, b iter.Seq[T], has func(T) bool) iter.Seq[T] {
	return func(yield func(T) bool) {
		for v := range a {
			if !yield(v) {
				return
			}
		}
		for v := range b {
			if !has(v) && !yield(v) {
				return
			}
		}
	}
}

func (e *effects) allUsers() iter.Seq[UserID] {
	return both(e.before.users.Keys(), e.after.users.Keys(), e.before.users.Has)
}

func (e *effects) members(id GroupID) iter.Seq[UserID] {
	return both(e.before.Members(id), e.after.Members(id), func(u UserID) bool { return e.before.IsMember(u, id) })
}

// user compares a person whose record or memberships differ.
func (e *effects) user(id UserID) {
	a, b := e.before.AccessOf(id), e.after.AccessOf(id)
	switch was, is := a.u != nil && a.admin(nil), b.u != nil && b.admin(nil); {
	case a.u == nil && b.u == nil, was && is:
		return
	case is: // whatever there was, it is more
		e.count(id, outcome{gain: true})
		return
	case was:
		e.count(id, outcome{lose: true})
		return
	}
	appears := a.u == nil || b.u == nil
	dbs, collections := map[catalog.DatabaseID]bool{}, map[CollectionID]bool{}
	for _, gid := range slices.Concat(e.before.GroupsOf(id), e.after.GroupsOf(id)) {
		for _, g := range []*Graph{e.before, e.after} {
			switch {
			case appears || e.before.IsMember(id, gid) != e.after.IsMember(id, gid):
				for d := range g.Entries(gid) {
					dbs[d] = true
				}
				for c := range g.CollectionLevels(gid) {
					collections[c] = true
				}
			case !maps.Equal(a.u.Attributes, b.u.Attributes):
				for d := range g.Entries(gid) {
					if g.Impersonation(gid, d) != "" {
						dbs[d] = true
					}
				}
				for p := range g.Sandboxes(gid) {
					if t := g.Catalog().Table(p.Table); t != nil {
						dbs[t.Database] = true
					}
				}
			}
		}
	}
	if appears {
		for _, g := range []*Graph{e.before, e.after} {
			for c := range g.PersonalOf(id) {
				collections[c] = true
			}
		}
	}
	var o outcome
	done := func() bool { // no more can come out of it
		return (o.gain || b.u == nil) && (o.lose || a.u == nil)
	}
	if appears {
		// Who may sign in is shown results where nothing is written, too.
		for _, g := range []*Graph{e.before, e.after} {
			for d := range g.Catalog().Databases() {
				if !done() && !dbs[d.ID] {
					o = o.and(e.on(d.ID, nil).compare(a, b))
				}
			}
		}
	}
	for c := range collections {
		if !done() {
			o = o.and(onCollection(c, a, b))
		}
	}
	for d := range dbs {
		if !done() {
			o = o.and(e.on(d, nil).compare(a, b))
		}
	}
	e.count(id, o)
}

// group compares the members of a group on what is written differently.
func (e *effects) group(id GroupID) {
	var empty group
	a, ok := e.before.groups.Get(id)
	if !ok {
		a = &empty
	}
	b, ok := e.after.groups.Get(id)
	if !ok {
		b = &empty
	}
	// Of a database either some tables are concerned, or (nil) all of them.
	concerned := map[catalog.DatabaseID][]catalog.TableID{}
	add := func(d catalog.DatabaseID, tables []catalog.TableID) {
		if was, known := concerned[d]; !known || was != nil {
			if tables != nil {
				tables = append(was, tables...)
			}
			concerned[d] = tables
		}
	}
	for d := range intmap.Changes(a.entries, b.entries) {
		if tables, all, differ := e.written(a, b, d); differ && all {
			add(d, nil)
		} else if differ {
			add(d, tables)
		}
	}
	for t := range intmap.Changes(a.sandboxes, b.sandboxes) {
		was, _ := a.sandboxes.Get(t)
		is, _ := b.sandboxes.Get(t)
		if tb := cmp.Or(e.after.Catalog().Table(t), e.before.Catalog().Table(t)); tb != nil && !equalSandbox(was, is) {
			if (was == nil) != (is == nil) {
				add(tb.Database, nil) // it may guard pending tables
			} else {
				add(tb.Database, []catalog.TableID{t})
			}
		}
	}
	if a.Internal != b.Internal {
		for d := range b.entries.Keys() {
			add(d, nil)
		}
	}
	for d, tables := range concerned {
		e.people(e.members(id), d, tables)
	}
	for c := range intmap.Changes(a.collections, b.collections) {
		was, _ := a.collections.Get(c)
		is, _ := b.collections.Get(c)
		if was.Level != is.Level {
			e.collection(e.members(id), c)
		}
	}
}

// written tells on which tables of a database two states of a group's entry
// differ: on some, or, as one cell can guard the pending tables, on all.
func (e *effects) written(a, b *group, d catalog.DatabaseID) (tables []catalog.TableID, all, differ bool) {
	was, _ := a.entries.Get(d)
	is, _ := b.entries.Get(d)
	if was == nil || is == nil {
		return nil, true, was != is
	}
	for k := range Kind(dataKinds) {
		for s := range changedScopes(was, is, k) {
			switch {
			case was.cell(k, s) == is.cell(k, s):
			case s.Depth != OfTable:
				return nil, true, true
			default:
				tables = append(tables, s.Table)
			}
		}
	}
	guards := func(g *Graph, gr *group, en *entry) bool { return Access{g: g}.guarded(gr, en, d) }
	return tables, guards(e.before, a, was) != guards(e.after, b, is), len(tables) > 0
}

// handed compares those who may have access to a collection that came, went or
// changed hands.
func (e *effects) handed(id CollectionID) {
	for _, g := range []*Graph{e.before, e.after} {
		for gid := range g.GroupsOnCollection(id) {
			e.collection(e.members(gid), id)
		}
	}
	for _, g := range []*Graph{e.before, e.after} {
		if c := g.Collection(id); c != nil && c.Owner != 0 {
			e.count(c.Owner, onCollection(id, e.before.AccessOf(c.Owner), e.after.AccessOf(c.Owner)))
		}
	}
}

// collection compares people on a collection.
func (e *effects) collection(people iter.Seq[UserID], id CollectionID) {
	owned := func(g *Graph) bool { c := g.Collection(id); return c != nil && c.Owner != 0 }
	if owned(e.before) || owned(e.after) { // an owner is like nobody else
		for u := range people {
			e.count(u, onCollection(id, e.before.AccessOf(u), e.after.AccessOf(u)))
		}
		return
	}
	before, _ := e.before.reverse.collections.Get(id)
	after, _ := e.after.reverse.collections.Get(id)
	e.classes(people, before, after, func(GroupID) bool { return false }, func(a, b Access) outcome { return onCollection(id, a, b) })
}

func onCollection(id CollectionID, a, b Access) outcome {
	var was, is Level
	if a.u != nil {
		was = a.collection(id, nil)
	}
	if b.u != nil {
		is = b.collection(id, nil)
	}
	return outcome{is > was, is < was}
}

// people compares people on some tables of a database, or (nil) on all of
// them, and on the database itself.
func (e *effects) people(people iter.Seq[UserID], d catalog.DatabaseID, tables []catalog.TableID) {
	e.alike(people, d, e.on(d, tables).compare)
}

// everyone is people for all who may be concerned.
func (e *effects) everyone(d catalog.DatabaseID, tables []catalog.TableID) {
	others := func(g *Graph) Access { return Access{g: g, u: &user{User: User{Active: true}}} }
	if e.on(d, tables).compare(others(e.before), others(e.after)) != (outcome{}) {
		e.people(e.allUsers(), d, tables)
		return
	}
	for id := range both(e.before.GroupsOn(d), e.after.GroupsOn(d), func(id GroupID) bool {
		set, _ := e.before.reverse.databases.Get(d)
		return set.Has(id)
	}) {
		e.people(e.members(id), d, tables)
	}
}

// alike compares people on a database, once for all whom its groups treat
// alike: who are in the same of them and, where one of those has policies or is
// impersonated, have the same attributes.
func (e *effects) alike(people iter.Seq[UserID], d catalog.DatabaseID, compare func(a, b Access) outcome) {
	before, _ := e.before.reverse.databases.Get(d)
	after, _ := e.after.reverse.databases.Get(d)
	e.classes(people, before, after, func(id GroupID) bool {
		a, _ := e.before.groups.Get(id)
		b, _ := e.after.groups.Get(id)
		return a != nil && a.sandboxes.Len() > 0 || b != nil && b.sandboxes.Len() > 0 ||
			e.before.Impersonation(id, d) != "" || e.after.Impersonation(id, d) != ""
	}, compare)
}

// classes compares one of each class of people, who are in the same groups of
// those concerned.
func (e *effects) classes(people iter.Seq[UserID], before, after groupSet, policies func(GroupID) bool, compare func(a, b Access) outcome) {
	seen := map[string]outcome{}
	var key []byte
	for id := range people {
		a, b := e.before.AccessOf(id), e.after.AccessOf(id)
		if a.u == nil && b.u == nil {
			continue
		}
		key = b.key(append(a.key(key[:0], before, policies), '/'), after, policies)
		o, known := seen[string(key)]
		if !known {
			o = compare(a, b)
			seen[string(key)] = o
		}
		e.count(id, o)
	}
}

type groupSet = intmap.Map[GroupID, struct{}]

// key appends what is the same for people whom the groups concerned treat
// alike.
func (a Access) key(to []byte, concerned groupSet, policies func(GroupID) bool) []byte {
	if a.u == nil {
		return append(to, 'x')
	}
	personal := false
	for _, id := range a.u.groups {
		if id == Administrators || concerned.Has(id) {
			to = binary.AppendUvarint(to, uint64(id))
			personal = personal || policies(id)
		}
	}
	if !personal {
		return to
	}
	for _, k := range slices.Sorted(maps.Keys(a.u.Attributes)) {
		to = fmt.Appendf(to, "%q=%q", k, a.u.Attributes[k])
	}
	return to
}
