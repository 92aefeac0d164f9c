package permission

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/intmap"
)

// Who lists the active people who have the right, sorted by id. Everybody who
// has it is in it, for whatever reason.
func (g *Graph) Who(r Right, on Object) []UserID {
	var who []UserID
	for id := range g.candidates(r, on) {
		if g.AccessOf(id).Can(r, on) {
			who = append(who, id)
		}
	}
	slices.Sort(who)
	return who
}

// candidates are the people who may have the right: members of the groups in
// which something is written about the object, owners and administrators.
func (g *Graph) candidates(r Right, on Object) map[UserID]bool {
	set := map[UserID]bool{}
	add := func(id GroupID) {
		for u := range g.Members(id) {
			set[u] = true
		}
	}
	add(Administrators)
	if r == ShowTable { // results may show where nothing is written
		for id := range g.users.Keys() {
			set[id] = true
		}
		return set
	}
	db := catalog.DatabaseID(on.id)
	if on.kind == aTable {
		if t := g.Catalog().Table(catalog.TableID(on.id)); t != nil {
			db = t.Database
		}
	}
	if c := g.Collection(CollectionID(on.id)); on.kind == aCollection && c != nil && c.Owner != 0 {
		set[c.Owner] = true
		return set
	}
	for id, gr := range g.groups.All() {
		switch on.kind {
		case aDatabase, aTable:
			if gr.entries.Has(db) {
				add(id)
			}
		case aCollection:
			if gr.collections.Has(CollectionID(on.id)) {
				add(id)
			}
		}
	}
	return set
}

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
// member can narrow. Only the objects and people that the difference can
// touch are looked at.
func EffectOf(before, after *Graph) Effect {
	e := &effects{before: before, after: after, gain: map[UserID]bool{}, lose: map[UserID]bool{}}
	for id := range intmap.Changes(before.users, after.users) {
		e.user(id)
	}
	for id := range intmap.Changes(before.groups, after.groups) {
		e.group(id)
	}
	for t := range intmap.Changes(before.marks, after.marks) {
		if before.Mark(t) != after.Mark(t) {
			e.everyone(e.tables([]catalog.TableID{t}))
		}
	}
	for db := range intmap.Changes(before.strict, after.strict) {
		if before.Strict(db) != after.Strict(db) {
			e.everyone(e.database(db))
		}
	}
	for id := range intmap.Changes(before.collections, after.collections) {
		a, b := before.Collection(id), after.Collection(id)
		if a != nil && b != nil && a.Owner == b.Owner {
			continue
		}
		e.collection(ACollection(id))
	}
	if before.catalog != after.catalog {
		e.catalog()
	}
	return Effect{slices.Sorted(maps.Keys(e.gain)), slices.Sorted(maps.Keys(e.lose))}
}

type effects struct {
	before, after *Graph
	gain, lose    map[UserID]bool
}

func (e *effects) everyone(objects []Object) {
	e.compare(func(yield func(UserID) bool) {
		for id := range e.before.users.Keys() {
			if !yield(id) {
				return
			}
		}
		for id := range e.after.users.Keys() {
			if !e.before.users.Has(id) && !yield(id) {
				return
			}
		}
	}, objects)
}

func (e *effects) members(id GroupID, objects []Object) {
	e.compare(func(yield func(UserID) bool) {
		for u := range e.before.Members(id) {
			if !yield(u) {
				return
			}
		}
		for u := range e.after.Members(id) {
			if !e.before.IsMember(u, id) && !yield(u) {
				return
			}
		}
	}, objects)
}

// tables are the tables and their databases as objects.
func (e *effects) tables(ids []catalog.TableID) []Object {
	var objects []Object
	seen := map[catalog.DatabaseID]bool{}
	for _, id := range ids {
		objects = append(objects, ATable(id))
		for _, g := range []*Graph{e.before, e.after} {
			if t := g.Catalog().Table(id); t != nil && !seen[t.Database] {
				seen[t.Database] = true
				objects = append(objects, ADatabase(t.Database))
			}
		}
	}
	return objects
}

// collection compares those who may have access to a collection that came,
// went or changed hands.
func (e *effects) collection(on Object) {
	people := e.before.candidates(ReadCollection, on)
	maps.Copy(people, e.after.candidates(ReadCollection, on))
	e.compare(maps.Keys(people), []Object{on})
}

// database is the database and all its tables as objects.
func (e *effects) database(db catalog.DatabaseID) []Object {
	objects := []Object{ADatabase(db)}
	seen := map[catalog.TableID]bool{}
	for _, g := range []*Graph{e.before, e.after} {
		for t := range g.Catalog().Tables(db) {
			if !seen[t.ID] {
				seen[t.ID] = true
				objects = append(objects, ATable(t.ID))
			}
		}
	}
	return objects
}

// user compares a person whose record or memberships differ on everything
// that the groups they are or were in speak of.
func (e *effects) user(id UserID) {
	objects := []Object{Server}
	seen := map[GroupID]bool{}
	dbs, collections := map[catalog.DatabaseID]bool{}, map[CollectionID]bool{}
	for _, g := range []*Graph{e.before, e.after} {
		for _, gid := range g.GroupsOf(id) {
			if seen[gid] {
				continue
			}
			seen[gid] = true
			for _, of := range []*Graph{e.before, e.after} {
				for db := range of.Entries(gid) {
					dbs[db] = true
				}
				for c := range of.CollectionLevels(gid) {
					collections[c] = true
				}
			}
		}
		for _, c := range g.collections.All() {
			if c.Owner == id {
				collections[c.ID] = true
			}
		}
	}
	if e.active(e.before, id) != e.active(e.after, id) {
		// Who may sign in is shown results where nothing is written.
		for _, g := range []*Graph{e.before, e.after} {
			for db := range g.Catalog().Databases() {
				dbs[db.ID] = true
			}
		}
	}
	for _, db := range slices.Sorted(maps.Keys(dbs)) {
		objects = append(objects, e.database(db)...)
	}
	for _, c := range slices.Sorted(maps.Keys(collections)) {
		objects = append(objects, ACollection(c))
	}
	e.compare(func(yield func(UserID) bool) { yield(id) }, objects)
}

func (e *effects) active(g *Graph, id UserID) bool { return g.AccessOf(id).u != nil }

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
	var objects []Object
	internal := a.Internal != b.Internal
	for db := range intmap.Changes(a.entries, b.entries) {
		was, _ := a.entries.Get(db)
		is, _ := b.entries.Get(db)
		if differ(was, is) {
			// One cell can decide about every table: it may guard pending ones.
			objects = append(objects, e.database(db)...)
		}
	}
	if internal {
		for db := range b.entries.Keys() {
			objects = append(objects, e.database(db)...)
		}
	}
	for t := range intmap.Changes(a.sandboxes, b.sandboxes) {
		was, _ := a.sandboxes.Get(t)
		is, _ := b.sandboxes.Get(t)
		if !equalSandbox(was, is) {
			if tb := cmp.Or(e.after.Catalog().Table(t), e.before.Catalog().Table(t)); tb != nil {
				objects = append(objects, e.database(tb.Database)...)
			}
		}
	}
	for c := range intmap.Changes(a.collections, b.collections) {
		objects = append(objects, ACollection(c))
	}
	if len(objects) > 0 {
		e.members(id, objects)
	}
}

// catalog compares everybody on tables and databases that came, went or
// changed their state.
func (e *effects) catalog() {
	for db := range mergedDatabases(e.before.Catalog(), e.after.Catalog()) {
		if e.before.Catalog().Same(e.after.Catalog(), db) {
			continue
		}
		e.everyone(e.database(db))
	}
}

func mergedDatabases(a, b *catalog.Snapshot) map[catalog.DatabaseID]bool {
	set := map[catalog.DatabaseID]bool{}
	for d := range a.Databases() {
		set[d.ID] = true
	}
	for d := range b.Databases() {
		set[d.ID] = true
	}
	return set
}

// compare looks at each person on each object in both graphs. People with the
// same groups and attributes are looked at once.
func (e *effects) compare(people func(func(UserID) bool), objects []Object) {
	type outcome struct{ gain, lose bool }
	seen := map[string]outcome{}
	personal := slices.ContainsFunc(objects, func(o Object) bool {
		c := cmp.Or(e.before.Collection(CollectionID(o.id)), e.after.Collection(CollectionID(o.id)))
		return o.kind == aCollection && c != nil && c.Owner != 0
	})
	people(func(id UserID) bool {
		a, b := e.before.AccessOf(id), e.after.AccessOf(id)
		if a.u == nil && b.u == nil {
			return true
		}
		key := a.key() + "/" + b.key()
		o, known := seen[key]
		if !known || personal {
			o = outcome{}
			for _, on := range objects {
				was, is := a.profile(on), b.profile(on)
				o.gain = o.gain || is.exceeds(was)
				o.lose = o.lose || was.exceeds(is)
				if o.gain && o.lose {
					break
				}
			}
			seen[key] = o
		}
		if o.gain && !(a.u != nil && a.admin(nil)) {
			e.gain[id] = true
		}
		if o.lose && !(b.u != nil && b.admin(nil)) {
			e.lose[id] = true
		}
		return true
	})
}

// key is the same for people whom the groups treat alike.
func (a Access) key() string {
	if a.u == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprint(&b, a.u.groups)
	for _, k := range slices.Sorted(maps.Keys(a.u.Attributes)) {
		fmt.Fprintf(&b, "%q=%q", k, a.u.Attributes[k])
	}
	return b.String()
}

// profile is all that a person may do with one object.
type profile struct {
	rights uint32 // a bit a Right
	level  Level  // of download
	rows   Rows   // as a question of one's own sees them
	shown  Rows   // as a saved question shows them
}

func (a Access) profile(on Object) profile {
	var p profile
	for r := Administer; r <= CurateCollection; r++ {
		if a.Can(r, on) {
			p.rights |= 1 << r
		}
	}
	if on.kind == aTable && p.rights != 0 {
		id := catalog.TableID(on.id)
		p.level = a.Download(id)
		p.rows, _ = a.Rows(QueryTable, id)
		p.shown, _ = a.Rows(ShowTable, id)
	}
	return p
}

// exceeds tells whether p allows something that q does not.
func (p profile) exceeds(q profile) bool {
	return p.rights&^q.rights != 0 || p.level > q.level || p.rows.exceed(q.rows) || p.shown.exceed(q.shown)
}

// exceed tells whether r may hold a row that is not in q.
func (r Rows) exceed(q Rows) bool {
	if q.all {
		return false
	}
	if r.all {
		return true
	}
	for _, f := range r.filters {
		if !slices.ContainsFunc(q.filters, func(g Filter) bool { return slices.Equal(f, g) }) {
			return true
		}
	}
	return false
}
