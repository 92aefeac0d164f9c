package reference

import (
	"slices"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// The rules of rights and rows, on top of what the groups give together. Each
// begins with the sentence that it is.

// queryTable: the view is open and a group lets its members ask.
func (w *World) queryTable(p permission.UserID, id catalog.TableID) bool {
	if !w.Known(p) || !w.there(id) {
		return false
	}
	if w.Almighty(p) {
		return true
	}
	var levels []permission.Level
	for _, g := range w.GroupsOf(p) {
		levels = append(levels, w.Create(g, w.Tables[id]))
	}
	return w.opens(p, w.Tables[id]) && best(levels) >= permission.QueryBuilder
}

// showTable: as open, or the seeds' "no access", under which results saved in
// a readable collection are shown all the same.
func (w *World) showTable(p permission.UserID, id catalog.TableID) bool {
	if !w.Known(p) || !w.there(id) {
		return false
	}
	t := w.Tables[id]
	return w.Almighty(p) || w.opens(p, t) || w.Effective(p, t) == permission.None
}

// describeTable: data-model, of any group.
func (w *World) describeTable(p permission.UserID, id catalog.TableID) bool {
	if !w.Known(p) || !w.there(id) {
		return false
	}
	var levels []permission.Level
	for _, g := range w.GroupsOf(p) {
		levels = append(levels, w.Level(g, permission.DataModel, w.Tables[id]))
	}
	return w.Almighty(p) || best(levels) == permission.Yes
}

// seeTable: what can be queried or described is seen; a table of which saved
// results are shown is not, by that alone.
func (w *World) seeTable(p permission.UserID, id catalog.TableID) bool {
	return w.queryTable(p, id) || w.describeTable(p, id)
}

// viewsSomething: what is written for the whole database shows rows, or what
// the group gives on some table that is there.
func (w *World) viewsSomething(g permission.GroupID, d catalog.DatabaseID) bool {
	if w.Levels[Place{g, d, permission.View, permission.WholeDatabase()}].Level > permission.Blocked {
		return true
	}
	for _, t := range w.tablesOf(d) {
		if w.View(g, t) > permission.Blocked {
			return true
		}
	}
	return false
}

// wholeCreate is which questions one group lets its members ask of a whole
// database. Where its view is none or blocked, that is none.
func (w *World) wholeCreate(g permission.GroupID, d catalog.DatabaseID) permission.Level {
	if !w.viewsSomething(g, d) {
		return permission.None
	}
	return w.Levels[Place{g, d, permission.Create, permission.WholeDatabase()}].Level
}

// wholeImpersonated: what the person's groups say of the whole database is that
// they are seen as a role.
func (w *World) wholeImpersonated(p permission.UserID, d catalog.DatabaseID) bool {
	levels := map[permission.Level]bool{}
	for _, g := range w.GroupsOf(p) {
		levels[w.Levels[Place{g, d, permission.View, permission.WholeDatabase()}].Level] = true
	}
	return levels[permission.Impersonated] && !levels[permission.Unrestricted]
}

// queryNatively: one group has native on the database, and every table that is
// there is plainly unrestricted for the person or, where the engine holds SQL to
// what they may see, the rows of some table reach them. Who is seen as a role
// writes SQL as that role, where all tables that are open to them are under it.
func (w *World) queryNatively(p permission.UserID, d catalog.DatabaseID) bool {
	if _, ok := w.databases[d]; !ok || !w.Known(p) {
		return false
	}
	if w.Almighty(p) {
		return true
	}
	all, some := true, false
	roles := map[string]bool{}
	for _, t := range w.tablesOf(d) {
		all = all && w.Effective(p, t) == permission.Unrestricted
		some = some || w.opens(p, t)
		if w.opens(p, t) {
			roles[w.SeenAs(p, t)] = true
		}
	}
	delete(roles, "")
	switch {
	case len(roles) > 0:
		// SQL runs as one role, which must be the one of every table.
		for _, t := range w.tablesOf(d) {
			if w.opens(p, t) && !roles[w.SeenAs(p, t)] || len(roles) > 1 {
				return false
			}
		}
	case w.wholeImpersonated(p, d) && w.databases[d].Engine != "sqlite":
		// Without a role nothing would hold the SQL.
		return false
	case !all && !(w.databases[d].Governs && some):
		return false
	}
	for _, g := range w.GroupsOf(p) {
		if w.wholeCreate(g, d) == permission.Native {
			return true
		}
	}
	return false
}

// manageDatabase: details, of any group.
func (w *World) manageDatabase(p permission.UserID, d catalog.DatabaseID) bool {
	if _, ok := w.databases[d]; !ok || !w.Known(p) {
		return false
	}
	var levels []permission.Level
	for _, g := range w.GroupsOf(p) {
		levels = append(levels, w.Levels[Place{g, d, permission.Details, permission.WholeDatabase()}].Level)
	}
	return w.Almighty(p) || best(levels) == permission.Yes
}

// seeDatabase: something in it can be seen, or the whole of it managed,
// described or asked, be it empty; never by a view alone.
func (w *World) seeDatabase(p permission.UserID, d catalog.DatabaseID) bool {
	if _, ok := w.databases[d]; !ok || !w.Known(p) {
		return false
	}
	if w.Almighty(p) || w.manageDatabase(p, d) {
		return true
	}
	for _, g := range w.GroupsOf(p) {
		if w.Levels[Place{g, d, permission.DataModel, permission.WholeDatabase()}].Level == permission.Yes {
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
func (w *World) collection(p permission.UserID, c permission.CollectionID) permission.Level {
	node, ok := w.collections[c]
	if !w.Known(p) || !ok && c != permission.Root {
		return permission.None
	}
	if w.Almighty(p) {
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
	for _, g := range w.GroupsOf(p) {
		levels = append(levels, w.curators[shelf{g, c}].Level)
	}
	return best(levels)
}

// Can answers for every right; object is the id of a database, a table or a
// collection as the right says, and 0 for Administer.
func (w *World) Can(p permission.UserID, r permission.Right, object int64) bool {
	switch r {
	case permission.Administer:
		return w.Almighty(p)
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

// Download is how much of a table's rows a person may export: the most of any
// group, but nothing by a group that blocks the table, and nothing of a table
// of which no rows are shown.
func (w *World) Download(p permission.UserID, id catalog.TableID) permission.Level {
	if !w.showTable(p, id) {
		return permission.None
	}
	if w.Almighty(p) {
		return permission.Full
	}
	var levels []permission.Level
	for _, g := range w.GroupsOf(p) {
		if w.View(g, w.Tables[id]) != permission.Blocked {
			levels = append(levels, w.Level(g, permission.Download, w.Tables[id]))
		}
	}
	return best(levels)
}

// Record is a row of a table: the values of its fields, as text.
type Record map[catalog.FieldID]string

// Rows says which of the records the person gets; ok is false for a refusal.
func (w *World) Rows(p permission.UserID, r permission.Right, id catalog.TableID, records []Record) (kept []int, ok bool) {
	cells, ok := w.Cells(p, r, id, records)
	for i := range cells {
		if cells[i] != nil {
			kept = append(kept, i)
		}
	}
	return kept, ok
}

// Shown is how much of a value somebody gets: 0 is nothing, more is more.
type Shown int

// All is the value itself.
const All Shown = 1000

// Cells says how much of each value of the records the person gets; nil in the
// place of a record that they do not get. ok is false for a refusal.
func (w *World) Cells(p permission.UserID, r permission.Right, id catalog.TableID, records []Record) (cells []map[catalog.FieldID]Shown, ok bool) {
	if r != permission.QueryTable && r != permission.ShowTable || !w.Can(p, r, int64(id)) {
		return nil, false
	}
	filters := []permission.Filter{{All: true}}
	if !w.Almighty(p) && w.Effective(p, w.Tables[id]) == permission.Sandboxed {
		filters, _ = w.SandboxFilters(p, w.Tables[id])
	}
	for _, rec := range records {
		var cell map[catalog.FieldID]Shown
		for _, f := range filters {
			if !Keeps(f, rec) {
				continue
			}
			if cell == nil {
				cell = map[catalog.FieldID]Shown{}
			}
			for field := range rec {
				cell[field] = max(cell[field], shows(f, field))
			}
		}
		cells = append(cells, cell)
	}
	return cells, true
}

// shows is how much a policy shows of a column in the rows that it shows.
func shows(f permission.Filter, field catalog.FieldID) Shown {
	if f.Columns == nil {
		return All
	}
	for _, c := range f.Columns {
		if c.Field != field {
			continue
		}
		switch m := c.Mask; m.Kind {
		case permission.Unmasked:
			return All
		case permission.MaskDate:
			return map[string]Shown{"year": 100, "quarter": 101, "month": 102}[m.Unit]
		case permission.MaskPartial:
			return Shown(10 + m.Last)
		case permission.MaskHash:
			return 2
		case permission.MaskNull:
			return 1
		}
	}
	return 0
}

// Keeps tells whether the record satisfies every equality.
func Keeps(filter permission.Filter, rec Record) bool {
	if filter.All {
		return true
	}
	for _, eq := range filter.Where {
		if !slices.Contains(strings.Split(strings.TrimPrefix(eq.Value, "\x1f"), "\x1f"), rec[eq.Field]) { // a list has it before each item
			return false
		}
	}
	return true
}
