package reference

import (
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// The rules of what a group gives and how groups are combined, as methods of
// the reference. Each begins with the sentence that it is.

// Known: somebody unknown or deactivated may do nothing.
func (w *World) Known(p permission.UserID) bool { return w.People[p].Active }

// Almighty: administrators may do everything and are never sandboxed.
func (w *World) Almighty(p permission.UserID) bool {
	return w.Known(p) && w.members[membership{p, permission.Administrators}]
}

// GroupsOf lists a person's groups; All Users is one of them, like any other.
func (w *World) GroupsOf(p permission.UserID) []permission.GroupID {
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
func (w *World) there(id catalog.TableID) bool {
	t, ok := w.Tables[id]
	return ok && t.Until == 0
}

// tablesOf lists the tables of a database that are there.
func (w *World) tablesOf(d catalog.DatabaseID) []catalog.Table {
	var tables []catalog.Table
	for _, t := range w.Tables {
		if t.Database == d && t.Until == 0 {
			tables = append(tables, t)
		}
	}
	return tables
}

// governed: a mark on the table, or a strict database of which the table is
// not marked shared.
func (w *World) governed(t catalog.Table) bool {
	return w.Marks[t.ID].Governed || w.ClosedToWide(t)
}

// ClosedToWide: on a strict database every table that is not marked shared.
func (w *World) ClosedToWide(t catalog.Table) bool {
	return w.strict[t.Database] && !w.Marks[t.ID].Shared
}

// Internal: groups that an administrator marks, never All Users.
func (w *World) Internal(g permission.GroupID) bool {
	return w.groups[g].Internal && g != permission.AllUsers
}

// guarded: a new table waits for a decision if the group's entry is granular
// (its view or its right to ask is written for single tables), or has a
// sandbox or a block anywhere in that database, or the database is strict and
// the group not exempt. What is written for absent tables counts.
func (w *World) guarded(g permission.GroupID, d catalog.DatabaseID) bool {
	if w.strict[d] && !w.Internal(g) {
		return true
	}
	for at, cell := range w.Levels {
		if at.Group != g || at.Database != d {
			continue
		}
		if at.Scope.Depth == permission.OfTable && (at.Kind == permission.View || at.Kind == permission.Create) {
			return true
		}
		if at.Kind == permission.View && cell.Level == permission.Blocked {
			return true
		}
	}
	for at := range w.Policies {
		if at.Group == g && w.Tables[at.Table].Database == d {
			return true
		}
	}
	return false
}

// Written, by inheritance: a table's level is the one written for it, else the one of its
// schema, else the one of its database. wide tells that it was written for
// more than this table.
func (w *World) Written(g permission.GroupID, k permission.Kind, t catalog.Table) (cell permission.Cell, wide bool) {
	if c, ok := w.Levels[Place{g, t.Database, k, permission.OneTable(t.ID)}]; ok {
		return c, c.Wide
	}
	if c, ok := w.Levels[Place{g, t.Database, k, permission.WholeSchema(t.Schema)}]; ok {
		return c, true
	}
	return w.Levels[Place{g, t.Database, k, permission.WholeDatabase()}], true
}

// Pending: the table is newer than the wide view it would take, and the
// group's entry is guarded. A view written for the table itself is a decision,
// whenever it was written. The other kinds follow: where there is no view
// nothing can be asked.
func (w *World) Pending(g permission.GroupID, t catalog.Table) bool {
	if _, decided := w.Levels[Place{g, t.Database, permission.View, permission.OneTable(t.ID)}]; decided {
		return false
	}
	cell, _ := w.Written(g, permission.View, t)
	return t.Since > cell.At && w.guarded(g, t.Database)
}

// View is what one group gives of a table's rows.
func (w *World) View(g permission.GroupID, t catalog.Table) permission.Level {
	cell, wide := w.Written(g, permission.View, t)
	level := cell.Level
	_, hasPolicy := w.Policies[Policy{g, t.ID}]

	// A wide block is a restriction: it does not wait for a decision.
	if w.Pending(g, t) && level != permission.Blocked {
		level = permission.None
	}
	if wide && (level == permission.Unrestricted || level == permission.Impersonated) {
		// On strict databases wide grants give sandboxed, internal groups excepted.
		if w.ClosedToWide(t) && !w.Internal(g) {
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

// Conflict is a view that is both sandboxed and impersonated: a refusal.
const Conflict permission.Level = 100

// Effective combines the views of a person's groups on a table.
func (w *World) Effective(p permission.UserID, t catalog.Table) permission.Level {
	has := map[permission.Level]bool{}
	for _, g := range w.GroupsOf(p) {
		has[w.View(g, t)] = true
	}
	switch {
	case has[permission.Unrestricted]:
		return permission.Unrestricted
	case has[permission.Sandboxed] && has[permission.Impersonated]:
		return Conflict
	case has[permission.Sandboxed]:
		return permission.Sandboxed
	case has[permission.Impersonated]:
		return permission.Impersonated
	case has[permission.Blocked], w.governed(t):
		return permission.Blocked
	}
	return permission.None
}

// Create is which questions one group lets its members ask of a table.
func (w *World) Create(g permission.GroupID, t catalog.Table) permission.Level {
	// Where a group's view is none or blocked, its create-queries is no.
	if v := w.View(g, t); v == permission.None || v == permission.Blocked {
		return permission.None
	}
	return w.Level(g, permission.Create, t)
}

// Level is what one group gives of any other kind on a table.
func (w *World) Level(g permission.GroupID, k permission.Kind, t catalog.Table) permission.Level {
	cell, _ := w.Written(g, k, t)
	return cell.Level
}

// SandboxFilters are the row conditions of a person whose view is sandboxed.
// ok is false for a refusal: nobody contributes, or an attribute is missing.
func (w *World) SandboxFilters(p permission.UserID, t catalog.Table) (filters []permission.Filter, ok bool) {
	for _, g := range w.GroupsOf(p) {
		if w.View(g, t) != permission.Sandboxed {
			continue
		}
		// Sandboxed without a policy, or with an empty one, contributes nothing.
		pol, has := w.Policies[Policy{g, t.ID}]
		shows := len(pol.Where) > 0 || pol.AllRows
		if pol.Card != 0 {
			shows = pol.Columns != nil
		}
		if !has || !shows {
			continue
		}
		filter := permission.Filter{All: pol.AllRows, Columns: pol.Columns, Card: pol.Card, Seal: pol.Seal}
		for _, v := range pol.Variables {
			filter.Variables = append(filter.Variables, permission.VariableValue{AttributeVariable: v, Value: w.People[p].Attributes[v.Attribute]})
		}
		for _, eq := range pol.Where {
			// A condition on a column that is not there cannot be kept: refuse.
			if f, there := w.fields[eq.Field]; !there || f.Table != t.ID {
				return nil, false
			}
			// A missing or empty attribute is a refusal, also when another
			// sandbox would have been satisfied.
			value := w.People[p].Attributes[eq.Attribute]
			if lacking(value) {
				return nil, false
			}
			filter.Where = append(filter.Where, permission.Equality{Field: eq.Field, Value: value})
		}
		if slices.ContainsFunc(filter.Variables, func(v permission.VariableValue) bool { return lacking(v.Value) }) {
			return nil, false
		}
		filters = append(filters, filter)
	}
	// A saved question goes together with no other sandbox: refuse.
	if len(filters) > 1 && slices.ContainsFunc(filters, func(f permission.Filter) bool { return f.Card != 0 }) {
		return nil, false
	}
	return filters, len(filters) > 0
}

// Role is the database role that a person whose view is impersonated is seen
// as: the value of the attribute that all their groups with such a view name.
// ok is false for a refusal: an engine without roles, no attribute or several,
// or a value that is missing or is no name of a role.
func (w *World) Role(p permission.UserID, t catalog.Table) (role string, ok bool) {
	engine := w.databases[t.Database].Engine
	if engine != "postgres" && engine != "mysql" {
		return "", false
	}
	attributes := map[string]bool{}
	for _, g := range w.GroupsOf(p) {
		if w.View(g, t) == permission.Impersonated {
			attributes[w.Levels[Place{g, t.Database, permission.View, permission.WholeDatabase()}].Attribute] = true
		}
	}
	if len(attributes) != 1 || attributes[""] {
		return "", false
	}
	for name := range attributes {
		role = w.People[p].Attributes[name]
	}
	return role, roleNames.MatchString(role) && !slices.Contains([]string{"none", "default", "all", "public"}, strings.ToLower(role))
}

var roleNames = regexp.MustCompile(`^[A-Za-z0-9_$-]{1,63}$`)

// lacking: an attribute that is missing or empty, or a list with an empty item.
func lacking(value string) bool {
	return value == "" || value == "\x1f" || strings.HasSuffix(value, "\x1f") || strings.Contains(value, "\x1f\x1f")
}

// opens: the rows of the table reach the person by a level, be it some rows.
func (w *World) opens(p permission.UserID, t catalog.Table) bool {
	switch w.Effective(p, t) {
	case permission.Unrestricted:
		return true
	case permission.Sandboxed:
		_, ok := w.SandboxFilters(p, t)
		return ok
	case permission.Impersonated:
		_, ok := w.Role(p, t)
		return ok
	}
	return false
}

// SeenAs is the role that the rows of an open table are read as, "" for none.
func (w *World) SeenAs(p permission.UserID, t catalog.Table) string {
	if w.Almighty(p) || w.Effective(p, t) != permission.Impersonated {
		return ""
	}
	role, _ := w.Role(p, t)
	return role
}

// best is the most permissive group's level.
func best(levels []permission.Level) permission.Level {
	return slices.Max(append(levels, permission.None))
}
