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
	remarked []Object // tables and databases of which marks were changed
	warnings []Warning
}

// Warning tells an administrator about a consequence that was not asked for,
// or that what was asked for has none.
type Warning struct {
	Group    GroupID            `json:"group_id,omitempty"`
	Database catalog.DatabaseID `json:"database_id"`
	Table    catalog.TableID    `json:"table_id,omitempty"`
	People   int                `json:"people,omitempty"` // how many are concerned, where it counts them
	// Gain and Lose are the people concerned, where a change lists them.
	Gain    []UserID `json:"gain,omitempty"`
	Lose    []UserID `json:"lose,omitempty"`
	Message string   `json:"message"`
}

// Draft begins changes to the graph.
func (g *Graph) Draft() *Draft {
	return &Draft{base: g, g: g, rev: g.revision + 1, touched: map[Edge]bool{}, narrowed: map[Edge]bool{}, opened: map[Edge][]catalog.TableID{}}
}

// Graph is the graph with the edits made so far.
func (d *Draft) Graph() *Graph { return d.g }

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

// SetSandbox makes, alters or (nil) removes a policy. The first one makes the
// table governed. Where the group's view is open it becomes sandboxed, as the
// graph is to show (reference 3.5).
func (d *Draft) SetSandbox(id GroupID, t catalog.TableID, p *Policy) error {
	tb := d.g.Catalog().Table(t)
	if tb == nil {
		return fmt.Errorf("group %d: there is no table %d", id, t)
	}
	e, err := d.on(id, tb.Database, OneTable(t))
	if err != nil {
		return err
	}
	old := d.g.Sandbox(id, t)
	if p == nil && old == nil {
		return nil
	}
	// The level is written before the policy goes, too: without it a wide
	// level would open the table then.
	if l := d.g.Level(id, tb.Database, View, OneTable(t)); l > Blocked && l != Sandboxed && !(p == nil && e.spoken(t)) {
		e.put(View, OneTable(t), Cell{Level: Sandboxed, At: e.rev})
	}
	switch {
	case p == nil:
		e.must(SetSandbox{From: old})
		return nil
	case old == nil || !old.Policy.Equal(*p):
		e.must(SetSandbox{old, &Sandbox{Group: id, Table: t, Policy: *p, At: e.rev}})
	}
	e.govern(t)
	return nil
}

// MakeStrict makes every table of the database governed that is not shared, or
// no longer.
func (d *Draft) MakeStrict(db catalog.DatabaseID, on bool) error {
	if d.g.Catalog().Database(db) == nil {
		return fmt.Errorf("there is no database %d", db)
	}
	if d.g.Strict(db) != on {
		d.must(SetStrict{db, !on, on})
		d.remarked = append(d.remarked, ADatabase(db))
	}
	return nil
}

// mark governs or shares a table, or takes the mark away. The warnings list
// who gains and who loses: it is the only way in which a table that was ever
// sandboxed is governed no more.
func (d *Draft) mark(e Edit) error {
	db, t := d.g.Catalog().Database(e.Database), d.g.Catalog().Table(e.Scope.Table)
	if db == nil || t == nil || t.Database != e.Database {
		return fmt.Errorf("database %d has no table %d", e.Database, e.Scope.Table)
	}
	was := d.g.Mark(t.ID)
	is := was
	if e.Op == OpGovern {
		is.Governed = e.On
	} else {
		is.Shared = e.On
	}
	if is != was {
		d.must(SetTableMark{t.ID, was, is})
		d.remarked = append(d.remarked, ATable(t.ID))
	}
	return nil
}

// must makes a change that was derived from the working graph, so that it
// cannot fail.
func (d *Draft) must(c Change) {
	g, err := d.g.Apply(c)
	if err != nil {
		panic(fmt.Sprintf("permission: a draft made a change that does not fit: %v", err))
	}
	d.g = g
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
	d.warnRemarked()
	return changes, d.warnings
}

// warnOpened counts the people who gain a governed table or one that was
// plainly opened.
func (e *edit) warnOpened() {
	tables := slices.Clone(e.opened[e.Edge])
	if e.base.entry(e.Group, e.Database) != e.g.entry(e.Group, e.Database) {
		tables = slices.AppendSeq(tables, e.g.governedTables(e.Database))
	}
	slices.Sort(tables)
	for _, id := range slices.Compact(tables) {
		by := newEffects(e.base, e.g)
		by.alike(by.members(e.Group), e.Database, func(a, b Access) outcome {
			was, is := e.base.Catalog().Table(id), e.g.Catalog().Table(id)
			return outcome{gain: b.profile(is).exceeds(a.profile(was))}
		})
		people := len(by.gain)
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

// warnRemarked lists who gains and who loses by marks.
func (d *Draft) warnRemarked() {
	for _, on := range d.remarked {
		e := newEffects(d.base, d.g)
		w := Warning{Database: catalog.DatabaseID(on.id)}
		var tables []catalog.TableID
		if on.kind == aTable {
			t := d.g.Catalog().Table(catalog.TableID(on.id))
			w.Database, w.Table, tables = t.Database, t.ID, []catalog.TableID{t.ID}
		}
		e.everyone(w.Database, tables)
		by := e.effect()
		w.Gain, w.Lose = by.Gain, by.Lose
		w.People = len(w.Gain)
		w.Message = fmt.Sprintf("%s: people who gain: %d, who lose: %d", on, len(w.Gain), len(w.Lose))
		d.warnings = append(d.warnings, w)
	}
}

// warnIdle names the entries in which somebody asked for less and no member
// of the group has less, because another group gives it.
func (d *Draft) warnIdle(edges []Edge) {
	if len(d.narrowed) == 0 {
		return
	}
	for _, at := range edges {
		if !d.narrowed[at] {
			continue
		}
		e := newEffects(d.base, d.g)
		e.people(e.members(at.Group), at.Database, nil)
		members := 0
		for u := range d.g.Members(at.Group) {
			if a := d.g.AccessOf(u); a.u != nil && !a.admin(nil) {
				members++
			}
		}
		if members > 0 && len(e.lose) == 0 {
			e := &edit{Draft: d, Edge: at, group: d.g.Group(at.Group), db: d.g.Catalog().Database(at.Database)}
			e.warn(0, fmt.Sprintf("no effect for its %d members: another of their groups, such as All Users, gives the same", members))
		}
	}
}
