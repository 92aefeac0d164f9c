package permission

import (
	"fmt"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
)

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
	case s.Depth == OfSchema && !d.g.Catalog().HasSchema(db, s.Schema):
		return nil, fmt.Errorf("group %d: database %d %q has no schema %q", id, db, e.db.Name, s.Schema)
	}
	d.touched[e.Edge] = true
	return e, nil
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
	if k == View && c.Level == Impersonated && c.Attribute == "" { // said again, it is by the same attribute
		c.Attribute = old.Attribute
	}
	dated := k == View && s.Depth != OfTable && c.Level > Blocked
	if old.Set == c.Set && old.Level == c.Level && old.Wide == c.Wide && !dated {
		return // the same again; only of an open wide View the date counts
	}
	if old != c {
		e.must(SetDataAccess{e.Group, e.Database, k, s, old, c})
	}
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
			e.must(SetDataAccess{e.Group, e.Database, k, at, c, Cell{}})
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
	e.put(View, s, Cell{Level: l, At: at})
	e.clearBelow(View, s, func(in Scope, c Cell) bool {
		if c.Level == Unrestricted {
			return in.Depth == OfTable && e.g.Strict(e.Database) // there it says more than the wide level
		}
		return e.stays(in, c, at)
	})
	e.keepPolicies(s)
}

// stays tells whether a cell stays under a wide level that opens, dated at,
// and warns where it keeps something closed. So does a None on a table that
// came after the level: it was closed on purpose, or waited; and one in a
// blocked schema, which would reach the table.
func (e *edit) stays(in Scope, c Cell, at catalog.Revision) bool {
	switch c.Level {
	case Blocked:
		e.warn(in.Table, "stays blocked; only view-data written there lifts a block")
	case Sandboxed:
		e.warn(in.Table, "stays sandboxed; only view-data unrestricted written on the table itself lifts a sandbox")
	}
	t := e.g.Catalog().Table(in.Table)
	return c.Level > None || in.Depth == OfTable && t != nil && (t.Since > at || e.around(View, in).Level == Blocked)
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
		e.must(SetSandbox{From: p})
		e.warn(t, "its sandbox was lifted and the policy removed")
	}
}

// govern marks a table as governed.
func (e *edit) govern(t catalog.TableID) {
	if m := e.g.Mark(t); !m.Governed {
		to := m
		to.Governed = true
		e.must(SetTableMark{t, m, to})
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

// spoken tells whether Unrestricted was written for the table itself.
func (e *edit) spoken(t catalog.TableID) bool {
	c := e.cell(View, OneTable(t))
	return c.Level == Unrestricted && !c.Wide
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
	if !slices.ContainsFunc(e.warnings, func(o Warning) bool { return o.Message == w.Message }) {
		e.warnings = append(e.warnings, w)
	}
}
