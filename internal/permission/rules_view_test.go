package permission_test

import (
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// The rules of what a group gives and how groups are combined, as methods of
// the reference. Each begins with the sentence that it is.

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
