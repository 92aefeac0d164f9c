package permission

import (
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// Access is what one person may do, at one revision. Its zero value may do
// nothing, and so may the access of somebody unknown or deactivated.
type Access struct {
	g     *Graph
	u     *user
	stamp uint64 // of the person's record; 0 is not remembered
}

// AccessOf resolves what the user may do.
func (g *Graph) AccessOf(id UserID) Access {
	if s := g.active.Get(id); s.user != nil {
		return Access{g, s.user, s.stamp}
	}
	return Access{}
}

// User is whose access it is; 0 for nobody.
func (a Access) User() UserID {
	if a.u == nil {
		return 0
	}
	return a.u.ID
}

// Graph is the state that the access was resolved from; nil for nobody.
func (a Access) Graph() *Graph { return a.g }

// Can tells whether the person has the right. It does not allocate.
func (a Access) Can(r Right, on Object) bool {
	if a.stamp == 0 || on.kind != aTable || r-SeeTable > DescribeTable-SeeTable || a.g.memo == nil {
		return a.other(r, on)
	}
	// From here on it is written out, so that most checks end after one line of
	// the memo was read.
	id := catalog.TableID(on.id)
	key := a.stamp | a.g.stamps.shelves.Get(shelfOf(id))
	b := a.g.memo.lines.Load()
	// No loop that ends where the key is: the processor need not guess.
	s := &b.sets[hash(key)&b.mask]
	i := one(s[1].key.Load() == key) + 2*one(s[2].key.Load() == key) + 3*one(s[3].key.Load() == key)
	if l := &s[i%setSize]; l.key.Load() == key {
		if bits := l.value.Load() >> byteOf(id); bits&known != 0 {
			return bits>>(r-SeeTable)&1 != 0
		}
	}
	return a.ask(r, id)
}

// other answers what is not about a table, and people who are not remembered.
func (a Access) other(r Right, on Object) bool {
	if a.stamp != 0 && a.g.memo != nil && on.kind == aDatabase && SeeDatabase <= r && r <= ManageDatabase {
		return a.rememberedDatabase(r, catalog.DatabaseID(on.id))
	}
	return a.decide(r, on, nil)
}

// Check is nil when the person has the right, else a *DeniedError with all
// reasons.
func (a Access) Check(r Right, on Object) error {
	if a.Can(r, on) {
		return nil
	}
	return &DeniedError{a.Explain(r, on)}
}

// decide is the one resolver. With a trace it also writes down why.
func (a Access) decide(r Right, on Object, tr *trace) bool {
	if a.u == nil {
		return tr.because("there is no such active person")
	}
	switch r {
	case Administer:
		return on.kind == aServer && (a.admin(tr) || tr.because("not a member of Administrators"))
	case SeeDatabase, QueryNatively, ManageDatabase:
		d := a.g.Catalog().Database(catalog.DatabaseID(on.id))
		if on.kind != aDatabase || d == nil {
			return tr.because("there is no such database")
		}
		return a.admin(tr) || a.decideDatabase(r, d, tr)
	case SeeTable, QueryTable, ShowTable, DescribeTable:
		t := a.g.Catalog().Table(catalog.TableID(on.id))
		if on.kind != aTable || t == nil || !t.Active() {
			return tr.because("there is no such table")
		}
		return a.admin(tr) || a.decideTable(r, t, tr)
	case ReadCollection, CurateCollection:
		if on.kind != aCollection {
			return tr.because("there is no such collection")
		}
		want := Read
		if r == CurateCollection {
			want = Write
		}
		return a.collection(CollectionID(on.id), tr) >= want
	}
	return tr.because("there is no such right")
}

func (a Access) admin(tr *trace) bool {
	if _, is := slices.BinarySearch(a.u.groups, Administrators); !is {
		return false
	}
	tr.add(Reason{Group: Administrators, Counts: true, Note: "Administrators may do everything"})
	return true
}

// collection is the person's level on a collection.
func (a Access) collection(id CollectionID, tr *trace) Level {
	var c *CollectionNode
	if id != Root {
		if c = a.g.Collection(id); c == nil {
			tr.because("there is no such collection")
			return None
		}
	}
	if a.admin(tr) {
		return Write
	}
	if c != nil && c.Owner != 0 {
		if c.Owner == a.u.ID {
			tr.add(Reason{Kind: Collection, Level: Write, Counts: true, Note: "it is the person's own"})
			return Write
		}
		tr.because("it is somebody else's personal collection")
		return None
	}
	best := None
	for _, gid := range a.u.groups {
		gr, ok := a.g.groups.Get(gid)
		if !ok {
			continue
		}
		cell, ok := gr.collections.Get(id)
		if ok {
			tr.add(Reason{Group: gid, Kind: Collection, Level: cell.Level, At: cell.At})
		}
		best = max(best, cell.Level)
	}
	tr.settle(Collection, best)
	return best
}

// table is what all groups of a person together give on a table.
type table struct {
	view, create, download, model Level
	sandboxed, impersonated       bool   // some group gives that view
	attribute                     string // of the impersonated views
	torn                          bool   // those name several
}

// given is the view that one group gives on a table.
func (a Access) given(gr *group, e *entry, t *catalog.Table) (Level, Cell, Depth, string) {
	c, depth := e.find(View, t.Schema, t.ID)
	if c.Level != Unrestricted && c.Level != Impersonated {
		return c.Level, c, depth, ""
	}
	strict := a.g.Strict(t.Database) && (!gr.Internal || gr.ID == AllUsers)
	if depth != OfTable && t.Since > c.At && (strict || a.guarded(gr, e, t.Database)) {
		return None, c, depth, "pending: the table is newer than this level and nobody has decided about it"
	}
	if depth == OfTable && !c.Wide {
		return c.Level, c, depth, ""
	}
	if strict && !a.g.Mark(t.ID).Shared {
		return Sandboxed, c, depth, "the database is strict: a wide level opens no table"
	}
	if gr.sandboxes.Has(t.ID) {
		return Sandboxed, c, depth, "the group has a policy on the table: a wide level does not open it"
	}
	return c.Level, c, depth, ""
}

// guarded tells whether new tables of the database stay closed under a wide
// level of the group: the entry is granular, or has a block or a policy.
func (a Access) guarded(gr *group, e *entry, d catalog.DatabaseID) bool {
	if e.parts != nil {
		if e.parts[View].tables.Len()+e.parts[Create].tables.Len() > 0 {
			return true
		}
		for _, s := range e.parts[View].schemas {
			if s.cell.Level == Blocked {
				return true
			}
		}
	}
	for id := range gr.sandboxes.Keys() {
		if t := a.g.Catalog().Table(id); t != nil && t.Database == d {
			return true
		}
	}
	return e.whole[View].Level == Blocked
}

// resolve combines the groups of the person on a table.
func (a Access) resolve(t *catalog.Table, tr *trace) table {
	var r table
	governed := a.g.Governed(t.ID)
	for _, gid := range a.u.groups {
		gr, ok := a.g.groups.Get(gid)
		if !ok {
			continue
		}
		if e, ok := gr.entries.Get(t.Database); ok {
			a.weigh(&r, gr, e, t, governed, tr)
		}
	}
	if r.view == None && governed {
		tr.add(Reason{Kind: View, Level: Blocked, Note: "the table is governed: nothing written means blocked"})
		r.view = Blocked
	}
	return r
}

// weigh adds what one group gives on a table.
func (a Access) weigh(r *table, gr *group, e *entry, t *catalog.Table, governed bool, tr *trace) {
	view, cell, depth, note := a.given(gr, e, t)
	create, _ := e.find(Create, t.Schema, t.ID)
	download, _ := e.find(Download, t.Schema, t.ID)
	model, _ := e.find(DataModel, t.Schema, t.ID)
	if view == None || view == Blocked {
		create.Level = None
	}
	if view == Blocked || view == None && governed {
		download.Level = None
	}
	r.view = max(r.view, view)
	r.sandboxed = r.sandboxed || view == Sandboxed
	if view == Impersonated {
		r.torn = r.torn || r.impersonated && r.attribute != cell.Attribute
		r.attribute = cell.Attribute
	}
	r.impersonated = r.impersonated || view == Impersonated
	r.create = max(r.create, min(create.Level, Native))
	r.download = max(r.download, download.Level)
	r.model = max(r.model, model.Level)
	if tr != nil {
		if cell.Set {
			tr.add(Reason{Group: gr.ID, Kind: View, Level: view, Scope: scopeAt(depth, t), At: cell.At, Note: note})
		}
		tr.add(Reason{Group: gr.ID, Kind: Create, Level: create.Level, At: create.At})
		tr.add(Reason{Group: gr.ID, Kind: DataModel, Level: model.Level, At: model.At})
	}
}

func scopeAt(d Depth, t *catalog.Table) Scope {
	switch d {
	case OfSchema:
		return WholeSchema(t.Schema)
	case OfTable:
		return OneTable(t.ID)
	}
	return WholeDatabase()
}

// open tells whether rows of the table may reach the person by a level of its
// own (not by a collection).
func (a Access) open(r table, t *catalog.Table, tr *trace) bool {
	switch {
	case r.view == Unrestricted:
		return true
	case r.sandboxed && r.impersonated:
		return tr.because("one group is sandboxed and another impersonated on this table; that cannot be combined")
	case r.view == Impersonated:
		_, ok := a.role(r, t, tr)
		return ok
	case r.view == Sandboxed:
		found, _ := a.filters(t, nil, tr)
		return found
	}
	return false
}

func (a Access) decideTable(right Right, t *catalog.Table, tr *trace) bool {
	return a.grants(right, a.resolve(t, tr), t, tr)
}

// tableRights is the rights on a table that is there, a bit each from SeeTable
// on.
func (a Access) tableRights(t *catalog.Table) (bits uint8) {
	if a.admin(nil) {
		return 1<<(DescribeTable-SeeTable+1) - 1
	}
	return a.granted(a.resolve(t, nil), t)
}

func (a Access) granted(r table, t *catalog.Table) (bits uint8) {
	for right := SeeTable; right <= DescribeTable; right++ {
		if a.grants(right, r, t, nil) {
			bits |= 1 << (right - SeeTable)
		}
	}
	return bits
}

// grants tells whether the groups together give the right on a table.
func (a Access) grants(right Right, r table, t *catalog.Table, tr *trace) bool {
	switch right {
	case DescribeTable:
		tr.settle(DataModel, r.model)
		return r.model == Yes
	case SeeTable:
		if r.model == Yes {
			tr.settle(DataModel, r.model)
			return true
		}
	case ShowTable:
		tr.settle(View, r.view)
		return r.view == None || a.open(r, t, tr)
	}
	tr.settle(View, r.view)
	tr.settle(Create, r.create)
	return r.create >= QueryBuilder && a.open(r, t, tr)
}

func (a Access) decideDatabase(right Right, d *catalog.Database, tr *trace) bool {
	switch right {
	case ManageDatabase:
		return a.whole(Details, d.ID, tr) == Yes
	case QueryNatively:
		if a.whole(Create, d.ID, tr) != Native {
			return tr.because("no group of the person has native queries on the database")
		}
		return a.natively(d, tr)
	}
	if a.whole(Details, d.ID, tr) == Yes || a.whole(DataModel, d.ID, tr) == Yes || a.whole(Create, d.ID, tr) >= QueryBuilder {
		return true
	}
	for t := range a.g.Catalog().Tables(d.ID) {
		if t.Active() && a.decideTable(SeeTable, t, nil) {
			return true
		}
	}
	return tr.because("no table of the database may be seen")
}

// whole is the best level of a kind that a group gives on the whole database.
// Create counts only where the group's view is open on something.
func (a Access) whole(k Kind, d catalog.DatabaseID, tr *trace) Level {
	best := None
	for _, gid := range a.u.groups {
		gr, ok := a.g.groups.Get(gid)
		if !ok {
			continue
		}
		e, ok := gr.entries.Get(d)
		if !ok || !e.whole[k].Set {
			continue
		}
		l := e.whole[k].Level
		if k == Create && !a.viewsSomething(gr, e, d) {
			l = None
		}
		tr.add(Reason{Group: gid, Kind: k, Level: l, At: e.whole[k].At})
		best = max(best, l)
	}
	tr.settle(k, best)
	return best
}

// viewsSomething tells whether the group's View is above Blocked on the whole
// database or on some table that is there.
func (a Access) viewsSomething(gr *group, e *entry, d catalog.DatabaseID) bool {
	if e.whole[View].Level > Blocked {
		return true
	}
	if e.parts == nil {
		return false
	}
	for t := range a.g.Catalog().Tables(d) {
		if view, _, _, _ := a.given(gr, e, t); view > Blocked && t.Active() {
			return true
		}
	}
	return false
}

// Confined tells whether some view of the person is sandboxed, impersonated or
// only as wide as a strict database lets it be. Such a person may be one of
// several tenants, and is to know of nobody else.
func (a Access) Confined() bool {
	if a.u == nil || a.admin(nil) {
		return a.u == nil
	}
	for _, gid := range a.u.groups {
		gr, ok := a.g.groups.Get(gid)
		if !ok {
			continue
		}
		if gr.sandboxes.Len() > 0 {
			return true
		}
		for db, e := range gr.entries.All() {
			confined := false
			e.each(View, func(_ Scope, c Cell) bool {
				confined = c.Level == Sandboxed || c.Level == Impersonated || c.Level == Unrestricted && !gr.Internal && a.g.Strict(db)
				return !confined
			})
			if confined {
				return true
			}
		}
	}
	return false
}
