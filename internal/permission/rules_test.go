package permission_test

import (
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// The rules of rights and rows, on top of what the groups give together. Each
// begins with the sentence that it is.

// queryTable: the view is open and a group lets its members ask.
func (w *reference) queryTable(p permission.UserID, id catalog.TableID) bool {
	if !w.known(p) || !w.there(id) {
		return false
	}
	if w.almighty(p) {
		return true
	}
	var levels []permission.Level
	for _, g := range w.groupsOf(p) {
		levels = append(levels, w.create(g, w.tables[id]))
	}
	return w.opens(p, w.tables[id]) && best(levels) >= permission.QueryBuilder
}

// showTable: as open, or the seeds' "no access", under which results saved in
// a readable collection are shown all the same.
func (w *reference) showTable(p permission.UserID, id catalog.TableID) bool {
	if !w.known(p) || !w.there(id) {
		return false
	}
	t := w.tables[id]
	return w.almighty(p) || w.opens(p, t) || w.effective(p, t) == permission.None
}

// describeTable: data-model, of any group.
func (w *reference) describeTable(p permission.UserID, id catalog.TableID) bool {
	if !w.known(p) || !w.there(id) {
		return false
	}
	var levels []permission.Level
	for _, g := range w.groupsOf(p) {
		levels = append(levels, w.level(g, permission.DataModel, w.tables[id]))
	}
	return w.almighty(p) || best(levels) == permission.Yes
}

// seeTable: what can be queried or described is seen; a table of which saved
// results are shown is not, by that alone.
func (w *reference) seeTable(p permission.UserID, id catalog.TableID) bool {
	return w.queryTable(p, id) || w.describeTable(p, id)
}

// viewsSomething: what is written for the whole database shows rows, or what
// the group gives on some table that is there.
func (w *reference) viewsSomething(g permission.GroupID, d catalog.DatabaseID) bool {
	if w.levels[place{g, d, permission.View, permission.WholeDatabase()}].Level > permission.Blocked {
		return true
	}
	for _, t := range w.tablesOf(d) {
		if w.view(g, t) > permission.Blocked {
			return true
		}
	}
	return false
}

// wholeCreate is which questions one group lets its members ask of a whole
// database. Where its view is none or blocked, that is none.
func (w *reference) wholeCreate(g permission.GroupID, d catalog.DatabaseID) permission.Level {
	if !w.viewsSomething(g, d) {
		return permission.None
	}
	return w.levels[place{g, d, permission.Create, permission.WholeDatabase()}].Level
}

// queryNatively: one group has native on the database, and every table that is
// there is plainly unrestricted for the person.
func (w *reference) queryNatively(p permission.UserID, d catalog.DatabaseID) bool {
	if _, ok := w.databases[d]; !ok || !w.known(p) {
		return false
	}
	if w.almighty(p) {
		return true
	}
	for _, t := range w.tablesOf(d) {
		if w.effective(p, t) != permission.Unrestricted {
			return false
		}
	}
	for _, g := range w.groupsOf(p) {
		if w.wholeCreate(g, d) == permission.Native {
			return true
		}
	}
	return false
}

// manageDatabase: details, of any group.
func (w *reference) manageDatabase(p permission.UserID, d catalog.DatabaseID) bool {
	if _, ok := w.databases[d]; !ok || !w.known(p) {
		return false
	}
	var levels []permission.Level
	for _, g := range w.groupsOf(p) {
		levels = append(levels, w.levels[place{g, d, permission.Details, permission.WholeDatabase()}].Level)
	}
	return w.almighty(p) || best(levels) == permission.Yes
}

// seeDatabase: something in it can be seen, or the whole of it managed,
// described or asked, be it empty; never by a view alone.
func (w *reference) seeDatabase(p permission.UserID, d catalog.DatabaseID) bool {
	if _, ok := w.databases[d]; !ok || !w.known(p) {
		return false
	}
	if w.almighty(p) || w.manageDatabase(p, d) {
		return true
	}
	for _, g := range w.groupsOf(p) {
		if w.levels[place{g, d, permission.DataModel, permission.WholeDatabase()}].Level == permission.Yes {
			return true
		}
		if w.wholeCreate(g, d) >= permission.QueryBuilder {
			return true
		}
	}
	for _, t := range w.tablesOf(d) {
		if w.seeTable(p, t.ID) {
			return true
		}
	}
	return false
}

// collection is a person's level on a collection.
func (w *reference) collection(p permission.UserID, c permission.CollectionID) permission.Level {
	node, ok := w.collections[c]
	if !w.known(p) || !ok && c != permission.Root {
		return permission.None
	}
	if w.almighty(p) {
		return permission.Write
	}
	// A personal collection is its owner's, whatever is written for groups.
	if node.Owner != 0 {
		if node.Owner == p {
			return permission.Write
		}
		return permission.None
	}
	var levels []permission.Level
	for _, g := range w.groupsOf(p) {
		levels = append(levels, w.curators[shelf{g, c}].Level)
	}
	return best(levels)
}

// can answers for every right; object is the id of a database, a table or a
// collection as the right says, and 0 for Administer.
func (w *reference) can(p permission.UserID, r permission.Right, object int64) bool {
	switch r {
	case permission.Administer:
		return w.almighty(p)
	case permission.SeeDatabase:
		return w.seeDatabase(p, catalog.DatabaseID(object))
	case permission.QueryNatively:
		return w.queryNatively(p, catalog.DatabaseID(object))
	case permission.ManageDatabase:
		return w.manageDatabase(p, catalog.DatabaseID(object))
	case permission.SeeTable:
		return w.seeTable(p, catalog.TableID(object))
	case permission.QueryTable:
		return w.queryTable(p, catalog.TableID(object))
	case permission.ShowTable:
		return w.showTable(p, catalog.TableID(object))
	case permission.DescribeTable:
		return w.describeTable(p, catalog.TableID(object))
	case permission.ReadCollection:
		return w.collection(p, permission.CollectionID(object)) >= permission.Read
	case permission.CurateCollection:
		return w.collection(p, permission.CollectionID(object)) >= permission.Write
	}
	return false
}

// download is how much of a table's rows a person may export: the most of any
// group, but nothing by a group that blocks the table, and nothing of a table
// of which no rows are shown.
func (w *reference) download(p permission.UserID, id catalog.TableID) permission.Level {
	if !w.showTable(p, id) {
		return permission.None
	}
	if w.almighty(p) {
		return permission.Full
	}
	var levels []permission.Level
	for _, g := range w.groupsOf(p) {
		if w.view(g, w.tables[id]) != permission.Blocked {
			levels = append(levels, w.level(g, permission.Download, w.tables[id]))
		}
	}
	return best(levels)
}

// record is a row of a table: the values of its fields, as text.
type record map[catalog.FieldID]string

// rows says which of the records the person gets; ok is false for a refusal.
func (w *reference) rows(p permission.UserID, r permission.Right, id catalog.TableID, records []record) (kept []int, ok bool) {
	if r != permission.QueryTable && r != permission.ShowTable || !w.can(p, r, int64(id)) {
		return nil, false
	}
	var filters [][]permission.Equality
	if !w.almighty(p) {
		if w.effective(p, w.tables[id]) == permission.Sandboxed {
			filters, _ = w.sandboxFilters(p, w.tables[id])
		}
	}
	for i, rec := range records {
		if filters == nil || slices.ContainsFunc(filters, func(f []permission.Equality) bool { return keeps(f, rec) }) {
			kept = append(kept, i)
		}
	}
	return kept, true
}

// keeps tells whether the record satisfies every equality.
func keeps(filter []permission.Equality, rec record) bool {
	for _, eq := range filter {
		if rec[eq.Field] != eq.Value {
			return false
		}
	}
	return true
}
