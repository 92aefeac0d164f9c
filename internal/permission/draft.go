package permission

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// Draft turns what somebody wants into changes of the data graph, with what
// follows from it: a block takes away the right to ask, asking needs a view,
// a first sandbox makes a table governed. It never lifts a sandbox or a block
// that was not named (permissions.md, "The data graph on the wire").
//
// Edits are made one after another on a working graph; Changes is the
// difference to the graph that the draft was made from. The rows a Draft
// writes carry the next revision.
type Draft struct {
	base, g  *Graph
	rev      catalog.Revision
	touched  map[Edge]bool
	narrowed map[Edge]bool // somebody asked for less here
	opened   map[Edge][]catalog.TableID
	warnings []Warning
}

// Warning tells an administrator about a consequence that was not asked for,
// or that what was asked for has none.
type Warning struct {
	Group    GroupID            `json:"group_id"`
	Database catalog.DatabaseID `json:"database_id"`
	Table    catalog.TableID    `json:"table_id,omitempty"`
	People   int                `json:"people,omitempty"` // how many are concerned, where it counts them
	Message  string             `json:"message"`
}

// Draft begins changes to the graph.
func (g *Graph) Draft() *Draft {
	return &Draft{base: g, g: g, rev: g.revision + 1, touched: map[Edge]bool{}, narrowed: map[Edge]bool{}, opened: map[Edge][]catalog.TableID{}}
}

// Graph is the graph with the edits made so far.
func (d *Draft) Graph() *Graph { return d.g }

// edit is one group's entry under the pen.
type edit struct {
	*Draft
	Edge
	group *Group
	db    *catalog.Database
}

// on checks that there is such a group, database and part of it to write for.
func (d *Draft) on(id GroupID, db catalog.DatabaseID, s Scope) (*edit, error) {
	e := &edit{Draft: d, Edge: Edge{id, db}, group: d.g.Group(id), db: d.g.Catalog().Database(db)}
	switch {
	case id == Administrators:
		return nil, fmt.Errorf("group %d, Administrators, always has full access; its permissions cannot be changed", id)
	case e.group == nil:
		return nil, fmt.Errorf("there is no group %d", id)
	case e.db == nil:
		return nil, fmt.Errorf("group %d: there is no database %d", id, db)
	case s.Depth == OfTable:
		if t := d.g.Catalog().Table(s.Table); t == nil || t.Database != db {
			return nil, fmt.Errorf("group %d: database %d %q has no table %d", id, db, e.db.Name, s.Table)
		}
	case s.Depth == OfSchema && !d.hasSchema(db, s.Schema):
		return nil, fmt.Errorf("group %d: database %d %q has no schema %q", id, db, e.db.Name, s.Schema)
	}
	d.touched[e.Edge] = true
	return e, nil
}

func (d *Draft) hasSchema(db catalog.DatabaseID, name string) bool {
	for t := range d.g.Catalog().Tables(db) {
		if t.Schema == name {
			return true
		}
	}
	return false
}

// Set writes a level of a kind at a scope, and what the level forces:
//   - View Blocked or None takes Create away there, Blocked Download too;
//     native queries on the whole database become the query builder;
//   - Create lifts a View of None there to Unrestricted;
//   - View at a whole database or schema replaces what is written below it,
//     except that it lifts no sandbox and no block;
//   - View Unrestricted on one table lifts both, and removes the policy.
//
// None removes what is written, or stands as written where a wider level
// would reach down. The error names group, database, scope and level.
func (d *Draft) Set(id GroupID, db catalog.DatabaseID, k Kind, s Scope, l Level) error {
	e, err := d.on(id, db, s)
	if err != nil {
		return err
	}
	if int(k) >= dataKinds || !k.fits(l, s.Depth) {
		return fmt.Errorf("group %d, database %d %q%s: %s cannot be %q there", id, db, e.db.Name, s, k, k.Word(l))
	}
	switch {
	case k == View:
		e.setView(s, l)
	case k == Create:
		e.lift(s, l) // first: what is open then needs no exception
		e.setCreate(s, l)
	default:
		e.narrows(l < e.level(k, s))
		e.clearBelow(k, s, func(Scope, Cell) bool { return false })
		e.put(k, s, Cell{Level: l, At: e.rev})
	}
	return nil
}

// SetCreate is Set of Create for one who spoke of View in the same breath: it
// lifts nothing.
func (d *Draft) SetCreate(id GroupID, db catalog.DatabaseID, s Scope, l Level) error {
	e, err := d.on(id, db, s)
	if err != nil {
		return err
	}
	if !Create.fits(l, s.Depth) {
		return fmt.Errorf("group %d, database %d %q%s: %s cannot be %q there", id, db, e.db.Name, s, Create, Create.Word(l))
	}
	e.setCreate(s, l)
	return nil
}

// Write writes one wide level and nothing else, where narrower ones stand
// beside it and stay.
func (d *Draft) Write(id GroupID, db catalog.DatabaseID, k Kind, s Scope, l Level) error {
	e, err := d.on(id, db, s)
	if err != nil {
		return err
	}
	if int(k) >= dataKinds || !k.fits(l, s.Depth) {
		return fmt.Errorf("group %d, database %d %q%s: %s cannot be %q there", id, db, e.db.Name, s, k, k.Word(l))
	}
	if k == View && s.Depth == OfTable {
		return d.Set(id, db, k, s, l) // nothing follows from it that could be left out
	}
	e.narrows(k.less(l, e.level(k, s)))
	e.put(k, s, Cell{Level: l, At: e.rev})
	if k == View && l > Blocked {
		e.keepPolicies(s)
	}
	return nil
}

// Grant gives what the seeds' "all" gives: View Unrestricted, the query
// builder and, where nothing is set, full Download. Sandboxes and blocks
// stay, and where the group had access already, pending tables stay pending;
// so a program that runs it every night opens nothing.
func (d *Draft) Grant(id GroupID, db catalog.DatabaseID, s Scope) error {
	e, err := d.on(id, db, s)
	if err != nil {
		return err
	}
	e.grant(s)
	return nil
}

// Sandbox gives what the seeds' "sandboxed" gives: View Sandboxed on the
// table and the query builder. Without a policy nobody sees a row by it.
func (d *Draft) Sandbox(id GroupID, db catalog.DatabaseID, t catalog.TableID) error {
	s := OneTable(t)
	e, err := d.on(id, db, s)
	if err != nil {
		return err
	}
	if e.level(View, s) == Blocked {
		e.warn(t, "stays blocked; only view-data written on the table itself lifts a block")
		return nil
	}
	e.setView(s, Sandboxed)
	if e.level(Create, s) < QueryBuilder {
		e.put(Create, s, Cell{Level: QueryBuilder, At: e.rev})
	}
	return nil
}

// Revoke takes all of the kinds away in a scope, as leaving out what a
// complete body had does. A block stays: leaving out never widens.
func (d *Draft) Revoke(id GroupID, db catalog.DatabaseID, s Scope, kinds ...Kind) error {
	e, err := d.on(id, db, s)
	if err != nil {
		return err
	}
	for _, k := range kinds {
		switch {
		case k == View && e.level(View, s) == Blocked:
			e.warn(s.Table, "stays blocked: leaving it out never widens; send view-data null to lift it")
		case k == View:
			e.setView(s, None)
		case k == Create:
			e.setCreate(s, None)
		default:
			e.narrows(true)
			e.clearBelow(k, s, func(Scope, Cell) bool { return false })
			e.put(k, s, Cell{At: e.rev})
		}
	}
	return nil
}

// SetSandbox makes, alters or (Where nil, remove true) removes a policy. The
// first one makes the table governed.
func (d *Draft) SetSandbox(id GroupID, t catalog.TableID, where []AttributeEquality, remove bool) error {
	tb := d.g.Catalog().Table(t)
	if tb == nil {
		return fmt.Errorf("group %d: there is no table %d", id, t)
	}
	e, err := d.on(id, tb.Database, OneTable(t))
	if err != nil {
		return err
	}
	old := d.g.Sandbox(id, t)
	if remove {
		if old != nil {
			e.apply(SetSandbox{From: old})
		}
		return nil
	}
	if old == nil || !slices.Equal(old.Where, where) {
		e.apply(SetSandbox{old, &Sandbox{Group: id, Table: t, Where: where, At: e.rev}})
	}
	e.govern(t)
	return nil
}

// level is what is in force for the scope itself by what is written.
func (e *edit) level(k Kind, s Scope) Level { return e.reaching(k, s).Level }

// reaching is the cell that is in force at a scope: its own or a wider one's.
func (e *edit) reaching(k Kind, s Scope) Cell {
	if c := e.cell(k, s); c.Set {
		return c
	}
	return e.wider(k, s)
}

// wider is the cell in force above the scope.
func (e *edit) wider(k Kind, s Scope) Cell {
	if c := e.around(k, s); c.Set {
		return c
	}
	if s.Depth != OfDatabase {
		return e.cell(k, WholeDatabase())
	}
	return Cell{}
}

// around is the cell of the schema that a table lies in.
func (e *edit) around(k Kind, s Scope) Cell {
	if t := e.g.Catalog().Table(s.Table); t != nil && s.Depth == OfTable {
		return e.cell(k, WholeSchema(t.Schema))
	}
	return Cell{}
}

func (e *edit) cell(k Kind, s Scope) Cell { return e.g.Cell(e.Group, e.Database, k, s) }

// put writes a cell. A None that nothing wider reaches is not written.
func (e *edit) put(k Kind, s Scope, c Cell) {
	c.Set = c.Level != None || e.wider(k, s).Set
	if !c.Set {
		c = Cell{}
	}
	old := e.cell(k, s)
	dated := k == View && s.Depth != OfTable && c.Level > Blocked
	if old.Set == c.Set && old.Level == c.Level && old.Wide == c.Wide && !dated {
		return // the same again; only of an open wide View the date counts
	}
	if old != c {
		e.apply(SetDataAccess{e.Group, e.Database, k, s, old, c})
	}
}

// apply makes a change that was derived from the working graph, so that it
// cannot fail.
func (e *edit) apply(c Change) {
	g, err := e.g.Apply(c)
	if err != nil {
		panic(fmt.Sprintf("permission: a draft made a change that does not fit: %v", err))
	}
	e.g = g
}

// below calls f for what is written of a kind inside the scope, itself not
// included.
func (e *edit) below(k Kind, s Scope, f func(Scope, Cell)) {
	if s.Depth == OfTable {
		return
	}
	type written struct {
		Scope
		Cell
	}
	var list []written
	for at, c := range e.g.Cells(e.Group, e.Database, k) {
		inside := at.Depth > s.Depth
		if inside && s.Depth == OfSchema {
			t := e.g.Catalog().Table(at.Table)
			inside = t != nil && t.Schema == s.Schema
		}
		if inside {
			list = append(list, written{at, c})
		}
	}
	for _, w := range list {
		f(w.Scope, w.Cell)
	}
}

// clearBelow removes what is written inside the scope, except what keep keeps.
func (e *edit) clearBelow(k Kind, s Scope, keep func(Scope, Cell) bool) {
	e.below(k, s, func(at Scope, c Cell) {
		if !keep(at, c) {
			e.apply(SetDataAccess{e.Group, e.Database, k, at, c, Cell{}})
		}
	})
}

func (e *edit) setView(s Scope, l Level) {
	e.narrows(View.less(l, e.level(View, s)))
	switch {
	case s.Depth != OfTable && l > Blocked:
		e.openWide(s, l, e.rev)
	case s.Depth != OfTable:
		e.clearBelow(View, s, func(at Scope, c Cell) bool {
			stays := l == None && c.Level == Blocked
			if stays {
				e.warn(at.Table, "stays blocked; only a level written there lifts a block")
			}
			return stays
		})
		e.put(View, s, Cell{Level: l, At: e.rev})
	default:
		e.put(View, s, Cell{Level: l, At: e.rev})
		if l == Unrestricted {
			e.open(s.Table)
		}
		if l == Sandboxed {
			e.govern(s.Table)
		}
	}
	if l <= Blocked {
		e.setCreate(s, None)
	}
	if l == Blocked {
		e.clearBelow(Download, s, func(Scope, Cell) bool { return false })
		e.put(Download, s, Cell{At: e.rev})
	}
}

// openWide writes an open View for a database or schema, dated at. What is
// sandboxed or blocked below stays, and what has a policy is sandboxed.
func (e *edit) openWide(s Scope, l Level, at catalog.Revision) {
	e.clearBelow(View, s, func(in Scope, c Cell) bool {
		if c.Level == Unrestricted {
			return in.Depth == OfTable && e.g.Strict(e.Database) // there it says more than the wide level
		}
		return e.stays(in, c, at)
	})
	e.put(View, s, Cell{Level: l, At: at})
	e.keepPolicies(s)
}

// stays tells whether a cell stays under a wide level that opens, dated at,
// and warns where it keeps something closed. So does a None on a table that
// came after the level: it was closed on purpose, or waited.
func (e *edit) stays(in Scope, c Cell, at catalog.Revision) bool {
	switch c.Level {
	case Blocked:
		e.warn(in.Table, "stays blocked; only view-data written there lifts a block")
	case Sandboxed:
		e.warn(in.Table, "stays sandboxed; only view-data unrestricted written on the table itself lifts a sandbox")
	}
	t := e.g.Catalog().Table(in.Table)
	return c.Level > None || in.Depth == OfTable && t != nil && t.Since > at
}

// keepPolicies writes Sandboxed on the tables of the scope on which the group
// has a policy and nothing is written.
func (e *edit) keepPolicies(s Scope) {
	for p := range e.g.Sandboxes(e.Group) {
		t := e.g.Catalog().Table(p.Table)
		if t == nil || t.Database != e.Database || s.Depth == OfSchema && t.Schema != s.Schema || s.Depth == OfTable && t.ID != s.Table {
			continue
		}
		if at := OneTable(t.ID); e.level(View, at) != Blocked && e.level(View, at) != Sandboxed {
			e.warn(t.ID, "stays sandboxed: the group has a policy on it")
			e.put(View, at, Cell{Level: Sandboxed, At: e.rev})
		}
	}
}

// open removes the policy of a table that was plainly opened.
func (e *edit) open(t catalog.TableID) {
	e.opened[e.Edge] = append(e.opened[e.Edge], t)
	if p := e.g.Sandbox(e.Group, t); p != nil {
		e.apply(SetSandbox{From: p})
		e.warn(t, "its sandbox was lifted and the policy removed")
	}
}

// govern marks a table as governed.
func (e *edit) govern(t catalog.TableID) {
	if m := e.g.Mark(t); !m.Governed {
		to := m
		to.Governed = true
		e.apply(SetTableMark{t, m, to})
	}
}

func (e *edit) setCreate(s Scope, l Level) {
	had := e.level(Create, s)
	e.narrows(l < had)
	if l > None && e.level(View, s) == Blocked {
		e.warn(s.Table, "create-queries has no effect while view-data is blocked, and was not written")
		return
	}
	if s.Depth != OfDatabase && l != had {
		// Native is a level of whole databases: beside exceptions it is the
		// query builder (reference 1.2).
		if c := e.cell(Create, WholeDatabase()); c.Level == Native {
			e.warn(s.Table, "native queries on the database became the query builder, since create-queries differs within it")
			e.put(Create, WholeDatabase(), Cell{Level: QueryBuilder, At: e.rev})
		}
	}
	e.clearBelow(Create, s, func(at Scope, c Cell) bool {
		if c.Level == None {
			return e.closed(at)
		}
		// In a schema that stayed closed, just now, it is what opens the table.
		return l > None && s.Depth == OfDatabase && at.Depth == OfTable && e.around(Create, at).Set
	})
	e.put(Create, s, Cell{Level: l, At: e.rev})
}

// lift opens a View of None for those who may ask there from now on.
func (e *edit) lift(s Scope, l Level) {
	if l > None && e.level(View, s) == None {
		e.grantView(s)
	}
}

// closed tells whether View is None or Blocked at a scope by what is written.
func (e *edit) closed(s Scope) bool { return e.level(View, s) <= Blocked }

// grantView opens View in a scope without lifting anything that was closed on
// purpose.
func (e *edit) grantView(s Scope) {
	if s.Depth == OfTable {
		if e.g.Sandbox(e.Group, s.Table) != nil {
			e.keepPolicies(s)
		} else {
			e.put(View, s, Cell{Level: Unrestricted, Wide: true, At: e.rev})
		}
		return
	}
	at := e.rev
	if since, had := e.openSince(); had {
		at = since
	}
	// Schemas that are open already keep the date of their own level.
	if s.Depth == OfDatabase {
		e.clearBelow(View, s, func(in Scope, c Cell) bool { return e.stays(in, c, at) })
		e.put(View, s, Cell{Level: Unrestricted, At: at})
		e.keepPolicies(s)
		return
	}
	e.openWide(s, Unrestricted, at)
}

// openSince is the revision of the newest open View of the entry, and whether
// there is one.
func (e *edit) openSince() (catalog.Revision, bool) {
	if c := e.cell(View, WholeDatabase()); c.Level > Blocked {
		return c.At, true
	}
	var since catalog.Revision
	had := false
	for _, c := range e.g.Cells(e.Group, e.Database, View) {
		if c.Level > Blocked {
			since, had = max(since, c.At), true
		}
	}
	return since, had
}

func (e *edit) grant(s Scope) {
	switch e.level(View, s) {
	case Blocked:
		e.warn(s.Table, "stays blocked; only view-data written there lifts a block")
		return
	case Sandboxed:
		e.warn(s.Table, "stays sandboxed; only view-data unrestricted written on the table itself lifts a sandbox")
	case Unrestricted, Impersonated:
		e.openBelow(s)
	default:
		e.grantView(s)
	}
	if e.level(Create, s) < QueryBuilder {
		e.put(Create, s, Cell{Level: QueryBuilder, At: e.rev})
	}
	e.clearBelow(Create, s, func(at Scope, c Cell) bool { return c.Level > None || e.closed(at) })
	if !e.sets(Download) {
		e.put(Download, s, Cell{Level: Full, At: e.rev})
	}
}

// openBelow removes the written Nones inside a scope that is open itself.
func (e *edit) openBelow(s Scope) {
	e.clearBelow(View, s, func(in Scope, c Cell) bool { return e.stays(in, c, e.wider(View, in).At) })
	e.keepPolicies(s)
}

// sets tells whether anything of the kind is written in the entry.
func (e *edit) sets(k Kind) bool {
	for range e.g.Cells(e.Group, e.Database, k) {
		return true
	}
	return false
}

func (e *edit) narrows(yes bool) {
	if yes {
		e.narrowed[e.Edge] = true
	}
}

func (e *edit) warn(t catalog.TableID, message string) {
	what := fmt.Sprintf("database %d %q", e.Database, e.db.Name)
	if tb := e.g.Catalog().Table(t); tb != nil {
		what = fmt.Sprintf("table %d %q of %s", t, tb.Name, what)
	}
	w := Warning{Group: e.Group, Database: e.Database, Table: t, Message: fmt.Sprintf("group %d %q, %s: %s", e.Group, e.group.Name, what, message)}
	if !slices.Contains(e.warnings, w) {
		e.warnings = append(e.warnings, w)
	}
}

// Changes ends the draft: the changes from the graph it began with, and the
// warnings. Tables that were pending and that no edit decided about stay
// closed.
func (d *Draft) Changes() ([]Change, []Warning) {
	edges := slices.SortedFunc(maps.Keys(d.touched), Edge.compare)
	for _, at := range edges {
		e := &edit{Draft: d, Edge: at, group: d.g.Group(at.Group), db: d.g.Catalog().Database(at.Database)}
		e.keepTaken()
		e.keepPending()
		e.warnOpened()
	}
	changes := Diff(d.base, d.g)
	d.warnIdle(edges)
	return changes, d.warnings
}

// keepTaken dates the wide levels anew under which tables would wait from now
// on that took them when they came: an exception made beside them guards the
// entry, and decides about no other table.
func (e *edit) keepTaken() {
	for t := range e.g.Catalog().Tables(e.Database) {
		if !t.Active() || e.base.pending(e.Group, t) || !e.g.pending(e.Group, t) {
			continue
		}
		was, wasAt := e.base.entry(e.Group, e.Database).find(View, t.Schema, t.ID)
		is, at := e.g.entry(e.Group, e.Database).find(View, t.Schema, t.ID)
		if is == was && at == wasAt {
			e.put(View, scopeAt(at, t), Cell{Level: is.Level, At: e.rev})
		}
	}
}

// pending tells whether a table is newer than what a group has on its
// database, so that somebody has yet to decide about it.
func (g *Graph) pending(id GroupID, t *catalog.Table) bool {
	gr, ok := g.groups.Get(id)
	if !ok {
		return false
	}
	en, ok := gr.entries.Get(t.Database)
	if !ok {
		return false
	}
	a := Access{g: g}
	if view, c, depth, _ := a.given(gr, en, t); c.Set {
		return view == None && c.Level > Blocked && depth != OfTable
	}
	e := &edit{Draft: &Draft{g: g}, Edge: Edge{id, t.Database}}
	since, had := e.openSince()
	return had && t.Since > since
}

// Pending lists the active tables of a database that are newer than what the
// group has there and that nobody has decided about, in the order of the ids.
func (g *Graph) Pending(id GroupID, db catalog.DatabaseID) []catalog.TableID {
	var ids []catalog.TableID
	for t := range g.Catalog().Tables(db) {
		if t.Active() && g.pending(id, t) {
			ids = append(ids, t.ID)
		}
	}
	return ids
}

// keepPending closes the tables that were pending and would be open now by a
// level older than this draft: taking away the last exception of an entry
// must not open what waits.
func (e *edit) keepPending() {
	gr, ok := e.g.groups.Get(e.Group)
	if !ok {
		return
	}
	en, ok := gr.entries.Get(e.Database)
	if !ok {
		return
	}
	for t := range e.g.Catalog().Tables(e.Database) {
		if !t.Active() || !e.base.pending(e.Group, t) {
			continue
		}
		if view, c, depth, _ := (Access{g: e.g}).given(gr, en, t); view > Blocked && depth != OfTable && c.At < e.rev {
			e.put(View, OneTable(t.ID), Cell{At: e.rev})
		}
	}
}

// warnOpened counts the people who gain a governed table or one that was
// plainly opened.
func (e *edit) warnOpened() {
	tables := slices.Clone(e.opened[e.Edge])
	for id, m := range e.g.Marks() {
		if t := e.g.Catalog().Table(id); m.Governed && t != nil && t.Database == e.Database && t.Active() {
			tables = append(tables, id)
		}
	}
	slices.Sort(tables)
	for _, id := range slices.Compact(tables) {
		people := 0
		for u := range e.g.Members(e.Group) {
			if e.g.AccessOf(u).profile(ATable(id)).exceeds(e.base.AccessOf(u).profile(ATable(id))) {
				people++
			}
		}
		switch {
		case people == 0:
		case e.g.Governed(id):
			e.warn(id, fmt.Sprintf("the table is governed, and this opens it; people who gain: %d", people))
			e.warnings[len(e.warnings)-1].People = people
		default:
			e.warn(id, fmt.Sprintf("people who gain: %d", people))
			e.warnings[len(e.warnings)-1].People = people
		}
	}
}

// warnIdle names the entries in which somebody asked for less and no member
// of the group has less, because another group gives it.
func (d *Draft) warnIdle(edges []Edge) {
	if len(d.narrowed) == 0 {
		return
	}
	lose := EffectOf(d.base, d.g).Lose
	for _, at := range edges {
		if !d.narrowed[at] {
			continue
		}
		members, losing := 0, false
		for u := range d.g.Members(at.Group) {
			if a := d.g.AccessOf(u); a.u != nil && !a.admin(nil) {
				members++
				_, l := slices.BinarySearch(lose, u)
				losing = losing || l
			}
		}
		if members > 0 && !losing {
			e := &edit{Draft: d, Edge: at, group: d.g.Group(at.Group), db: d.g.Catalog().Database(at.Database)}
			e.warn(0, fmt.Sprintf("no effect for its %d members: another of their groups, such as All Users, gives the same", members))
		}
	}
}
