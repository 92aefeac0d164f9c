package permission_test

import (
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// The rules, as methods of the reference. Each begins with the sentence that
// it is.

// known: somebody unknown or deactivated may do nothing.
func (w *reference) known(p permission.UserID) bool { return w.people[p].Active }

// almighty: administrators may do everything and are never sandboxed.
func (w *reference) almighty(p permission.UserID) bool {
	return w.known(p) && w.members[membership{p, permission.Administrators}]
}

// groupsOf lists a person's groups; All Users is one of them, like any other.
func (w *reference) groupsOf(p permission.UserID) []permission.GroupID {
	var groups []permission.GroupID
	for m := range w.members {
		if m.person == p {
			groups = append(groups, m.group)
		}
	}
	slices.Sort(groups)
	return groups
}

// there: a table that is absent from its database cannot be used by anybody.
func (w *reference) there(id catalog.TableID) bool {
	t, ok := w.tables[id]
	return ok && t.Until == 0
}

// tablesOf lists the tables of a database that are there.
func (w *reference) tablesOf(d catalog.DatabaseID) []catalog.Table {
	var tables []catalog.Table
	for _, t := range w.tables {
		if t.Database == d && t.Until == 0 {
			tables = append(tables, t)
		}
	}
	return tables
}

// governed: a mark on the table, or a strict database of which the table is
// not marked shared.
func (w *reference) governed(t catalog.Table) bool {
	return w.marks[t.ID].Governed || w.closedToWide(t)
}

// closedToWide: on a strict database every table that is not marked shared.
func (w *reference) closedToWide(t catalog.Table) bool {
	return w.strict[t.Database] && !w.marks[t.ID].Shared
}

// internal: groups that an administrator marks, never All Users.
func (w *reference) internal(g permission.GroupID) bool {
	return w.groups[g].Internal && g != permission.AllUsers
}

// guarded: a new table waits for a decision if the group's entry is granular
// (its view or its right to ask is written for single tables), or has a
// sandbox or a block anywhere in that database, or the database is strict and
// the group not exempt. What is written for absent tables counts.
func (w *reference) guarded(g permission.GroupID, d catalog.DatabaseID) bool {
	if w.strict[d] && !w.internal(g) {
		return true
	}
	for at, cell := range w.levels {
		if at.group != g || at.database != d {
			continue
		}
		if at.scope.Depth == permission.OfTable && (at.kind == permission.View || at.kind == permission.Create) {
			return true
		}
		if at.kind == permission.View && cell.Level == permission.Blocked {
			return true
		}
	}
	for at := range w.policies {
		if at.group == g && w.tables[at.table].Database == d {
			return true
		}
	}
	return false
}

// inheritance: a table's level is the one written for it, else the one of its
// schema, else the one of its database. wide tells that it was written for
// more than this table.
func (w *reference) written(g permission.GroupID, k permission.Kind, t catalog.Table) (cell permission.Cell, wide bool) {
	if c, ok := w.levels[place{g, t.Database, k, permission.OneTable(t.ID)}]; ok {
		return c, c.Wide
	}
	if c, ok := w.levels[place{g, t.Database, k, permission.WholeSchema(t.Schema)}]; ok {
		return c, true
	}
	return w.levels[place{g, t.Database, k, permission.WholeDatabase()}], true
}

// pending: the table is newer than the wide view it would take, and the
// group's entry is guarded. A view written for the table itself is a decision,
// whenever it was written. The other kinds follow: where there is no view
// nothing can be asked.
func (w *reference) pending(g permission.GroupID, t catalog.Table) bool {
	if _, decided := w.levels[place{g, t.Database, permission.View, permission.OneTable(t.ID)}]; decided {
		return false
	}
	cell, _ := w.written(g, permission.View, t)
	return t.Since > cell.At && w.guarded(g, t.Database)
}

// view is what one group gives of a table's rows.
func (w *reference) view(g permission.GroupID, t catalog.Table) permission.Level {
	cell, wide := w.written(g, permission.View, t)
	level := cell.Level
	_, hasPolicy := w.policies[policy{g, t.ID}]

	// A wide block is a restriction: it does not wait for a decision.
	if w.pending(g, t) && level != permission.Blocked {
		level = permission.None
	}
	if wide && (level == permission.Unrestricted || level == permission.Impersonated) {
		// On strict databases wide grants give sandboxed, internal groups excepted.
		if w.closedToWide(t) && !w.internal(g) {
			level = permission.Sandboxed
		}
		// A wide grant opens no table on which the group has a policy.
		if hasPolicy {
			level = permission.Sandboxed
		}
	}
	// On a governed table none means blocked.
	if level == permission.None && w.governed(t) {
		level = permission.Blocked
	}
	return level
}

// conflict is a view that is both sandboxed and impersonated: a refusal.
const conflict permission.Level = 100

// effective combines the views of a person's groups on a table.
func (w *reference) effective(p permission.UserID, t catalog.Table) permission.Level {
	has := map[permission.Level]bool{}
	for _, g := range w.groupsOf(p) {
		has[w.view(g, t)] = true
	}
	switch {
	case has[permission.Unrestricted]:
		return permission.Unrestricted
	case has[permission.Sandboxed] && has[permission.Impersonated]:
		return conflict
	case has[permission.Sandboxed]:
		return permission.Sandboxed
	case has[permission.Impersonated]:
		return permission.Impersonated
	case has[permission.Blocked], w.governed(t):
		return permission.Blocked
	}
	return permission.None
}

// create is which questions one group lets its members ask of a table.
func (w *reference) create(g permission.GroupID, t catalog.Table) permission.Level {
	// Where a group's view is none or blocked, its create-queries is no.
	if v := w.view(g, t); v == permission.None || v == permission.Blocked {
		return permission.None
	}
	return w.level(g, permission.Create, t)
}

// level is what one group gives of any other kind on a table.
func (w *reference) level(g permission.GroupID, k permission.Kind, t catalog.Table) permission.Level {
	cell, _ := w.written(g, k, t)
	return cell.Level
}

// sandboxFilters are the row conditions of a person whose view is sandboxed.
// ok is false for a refusal: nobody contributes, or an attribute is missing.
func (w *reference) sandboxFilters(p permission.UserID, t catalog.Table) (filters [][]permission.Equality, ok bool) {
	for _, g := range w.groupsOf(p) {
		if w.view(g, t) != permission.Sandboxed {
			continue
		}
		// Sandboxed without a policy, or with an empty one, contributes nothing.
		pol, has := w.policies[policy{g, t.ID}]
		if !has || len(pol.Where) == 0 {
			continue
		}
		var filter []permission.Equality
		for _, eq := range pol.Where {
			// A condition on a column that is not there cannot be kept: refuse.
			if f, there := w.fields[eq.Field]; !there || f.Table != t.ID {
				return nil, false
			}
			// A missing or empty attribute is a refusal, also when another
			// sandbox would have been satisfied.
			value := w.people[p].Attributes[eq.Attribute]
			if value == "" {
				return nil, false
			}
			filter = append(filter, permission.Equality{Field: eq.Field, Value: value})
		}
		filters = append(filters, filter)
	}
	return filters, len(filters) > 0
}

// opens: the rows of the table reach the person by a level, be it some rows.
// An impersonated view opens nothing as long as no database has a boundary.
func (w *reference) opens(p permission.UserID, t catalog.Table) bool {
	switch w.effective(p, t) {
	case permission.Unrestricted:
		return true
	case permission.Sandboxed:
		_, ok := w.sandboxFilters(p, t)
		return ok
	}
	return false
}

// best is the most permissive group's level.
func best(levels []permission.Level) permission.Level {
	return slices.Max(append(levels, permission.None))
}

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
