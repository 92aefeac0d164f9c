package permission

import "github.com/sluice-bi/sluice/internal/catalog"

// keepTaken dates the wide levels anew under which tables would wait from now
// on that took them when they came: an exception made beside them guards the
// entry, and decides about no other table.
func (e *edit) keepTaken() {
	if !e.g.mayPend(e.Group, e.Database) {
		return
	}
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

// mayPend is false where no table of the database is newer than what a group
// has there, so that none is pending.
func (g *Graph) mayPend(id GroupID, d catalog.DatabaseID) bool {
	newest := g.Catalog().Newest(d)
	for _, c := range g.Cells(id, d, View) {
		if c.Level > Blocked && c.At < newest {
			return true
		}
	}
	return false
}

// Pending lists the active tables of a database that are newer than what the
// group has there and that nobody has decided about, in the order of the ids.
func (g *Graph) Pending(id GroupID, db catalog.DatabaseID) []catalog.TableID {
	var ids []catalog.TableID
	if !g.mayPend(id, db) {
		return nil
	}
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
	if !ok || !e.base.mayPend(e.Group, e.Database) {
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
