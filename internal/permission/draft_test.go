package permission_test

import (
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/permission/reference"
	"pgregory.net/rapid"
)

// follow makes a draft's changes on the scene and returns the graph before.
func (s *scene) follow(t rapid.TB, d *permission.Draft) *permission.Graph {
	before := s.graph
	changes, _ := d.Changes()
	for _, c := range changes {
		s.do(t, c)
	}
	s.graph = s.graph.WithRevisions(s.graph.Revision()+1, s.graph.CollectionRevision())
	return before
}

// drawEdit draws an edit of a kind for a group that may be edited; false when
// there is nothing to edit.
func (s *scene) drawEdit(t *rapid.T, op permission.Op) (permission.Edit, bool) {
	tb := s.drawTable(t)
	if tb == nil {
		return permission.Edit{}, false
	}
	e := permission.Edit{Op: op, Database: tb.Database, Group: permission.AllUsers}
	for g := range s.graph.Groups() {
		if g.ID != permission.Administrators && chance(t, 40, "group") {
			e.Group = g.ID
		}
	}
	e.Kind, e.Scope = s.drawScope(t, tb)
	switch op {
	case permission.OpSet:
		e.Level = oneOf(t, "level", levelsAt(e.Kind, e.Scope.Depth)...)
		if s.tidy && e.Level == permission.Impersonated && e.Kind == permission.View {
			e.Level = permission.Unrestricted
		}
	case permission.OpSandbox:
		e.Scope = permission.OneTable(tb.ID)
	}
	return e, true
}

// edit makes the edit on the scene; false when the edit is refused.
func (s *scene) edit(t *rapid.T, e permission.Edit) (before *permission.Graph, warnings []permission.Warning) {
	d, conflicts, err := permission.Merge(s.graph, s.graph, []permission.Edit{e})
	if err != nil || len(conflicts) > 0 {
		s.fatal(t, "%+v is refused: %v %v", e, err, conflicts)
	}
	_, warnings = d.Changes()
	return s.follow(t, d), warnings
}

// views is what a group gives of every table, by the reference.
func (s *scene) views(g permission.GroupID) map[catalog.TableID]permission.Level {
	views := map[catalog.TableID]permission.Level{}
	for id, tb := range s.ref.Tables {
		views[id] = s.ref.View(g, tb)
	}
	return views
}

// gives is what a group gives of every table besides the view. SQL is a level
// of the whole database and counts as the query builder here.
func (s *scene) gives(g permission.GroupID) map[catalog.TableID][3]permission.Level {
	gives := map[catalog.TableID][3]permission.Level{}
	for id, tb := range s.ref.Tables {
		gives[id] = [3]permission.Level{
			min(s.ref.Create(g, tb), permission.QueryBuilder), s.ref.Level(g, permission.Download, tb), s.ref.Level(g, permission.DataModel, tb),
		}
	}
	return gives
}

// TestRevokeNeverWidens: taking away gives nobody anything, pending tables and
// other groups included.
func TestRevokeNeverWidens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawTidy(t)
		e, ok := s.drawEdit(t, permission.OpRevoke)
		if !ok {
			return
		}
		before, _ := s.edit(t, e)
		if effect := permission.EffectOf(before, s.graph); effect.Widens() {
			s.fatal(t, "%+v gives %v something; the changes were %v", e, effect.Gain, permission.Diff(before, s.graph))
		}
	})
}

// TestGrantLiftsNothing: the seeds' "all" opens no table that was sandboxed or
// blocked for the group or on which it has a policy, decides about no table
// that was pending where the group had access, and takes nobody anything.
func TestGrantLiftsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawTidy(t)
		e, ok := s.drawEdit(t, permission.OpGrant)
		if !ok {
			return
		}
		g := e.Group
		closed := map[catalog.TableID]string{}
		for id, tb := range s.ref.Tables {
			cell, _ := s.ref.Written(g, permission.View, tb)
			_, policy := s.ref.Policies[reference.Policy{Group: g, Table: id}]
			switch {
			case tb.Database != e.Database || tb.Until != 0:
			case cell.Level == permission.Blocked:
				closed[id] = "blocked"
			case s.ref.View(g, tb) == permission.Sandboxed:
				closed[id] = "sandboxed"
			case policy && s.ref.View(g, tb) != permission.Unrestricted:
				closed[id] = "under a policy"
			case s.ref.Pending(g, tb) && cell.Level == permission.Unrestricted && e.Scope.Depth != permission.OfTable:
				closed[id] = "pending"
			}
		}
		before, _ := s.edit(t, e)
		for id, was := range closed {
			if now := s.ref.View(g, s.ref.Tables[id]); now == permission.Unrestricted || now == permission.Impersonated {
				s.fatal(t, "%+v opens table %d, which was %s; the changes were %v", e, id, was, permission.Diff(before, s.graph))
			}
		}
		if effect := permission.EffectOf(before, s.graph); effect.Narrows() {
			s.fatal(t, "%+v takes %v something; the changes were %v", e, effect.Lose, permission.Diff(before, s.graph))
		}
	})
}

// TestTheSameTwiceIsANoOp: who writes again what was written changes nothing.
// Only the date of a wide level is written anew, which decides about tables
// that came since; here none did.
func TestTheSameTwiceIsANoOp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		for _, op := range []permission.Op{permission.OpSet, permission.OpSetCreate, permission.OpGrant, permission.OpSandbox, permission.OpRevoke} {
			e, ok := s.drawEdit(t, op)
			if !ok {
				return
			}
			if op == permission.OpSetCreate {
				e.Kind, e.Level = permission.Create, oneOf(t, "level", levelsAt(permission.Create, e.Scope.Depth)...)
			}
			s.edit(t, e)
			once := undated(s.graph)
			before, _ := s.edit(t, e)
			if twice := undated(s.graph); twice != once {
				s.fatal(t, "%+v, done again, makes %v", e, permission.Diff(before, s.graph))
			}
			if effect := permission.EffectOf(before, s.graph); effect.Widens() || effect.Narrows() {
				s.fatal(t, "%+v, done again, has the effect %+v", e, effect)
			}
			if d := permission.Diff(before, s.graph); len(d) > 0 && op != permission.OpSet {
				s.fatal(t, "%+v, done again, makes %v", e, d)
			}
		}
	})
}

// TestWhatIsWrittenIsThere: after a level was set on a table, the group has
// it there, and what follows from it holds.
func TestWhatIsWrittenIsThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawTidy(t)
		e, ok := s.drawEdit(t, permission.OpSet)
		if !ok {
			return
		}
		blocked := false
		for _, tb := range s.ref.Tables {
			cell, _ := s.ref.Written(e.Group, permission.View, tb)
			blocked = blocked || cell.Level == permission.Blocked
		}
		before, _ := s.edit(t, e)
		for id, tb := range s.ref.Tables {
			switch {
			case tb.Database != e.Database,
				e.Scope.Depth == permission.OfSchema && tb.Schema != e.Scope.Schema,
				e.Scope.Depth == permission.OfTable && id != e.Scope.Table:
				continue
			}
			cell, _ := s.ref.Written(e.Group, e.Kind, tb)
			exact := e.Scope.Depth == permission.OfTable || e.Kind != permission.View && e.Kind != permission.Create
			skipped := e.Kind == permission.Create && e.Level > permission.None && blocked
			if exact && !skipped && cell.Level != e.Level {
				s.fatal(t, "after %+v there is %+v on table %d; the changes were %v", e, cell, id, permission.Diff(before, s.graph))
			}
			if e.Kind == permission.View && e.Level <= permission.Blocked {
				if c := s.ref.Create(e.Group, tb); c > permission.None {
					s.fatal(t, "after %+v table %d may still be asked", e, id)
				}
				if v := s.ref.View(e.Group, tb); v > permission.Blocked {
					s.fatal(t, "after %+v table %d is still open", e, id)
				}
			}
			if e.Kind == permission.View && e.Level == permission.Blocked && s.ref.Level(e.Group, permission.Download, tb) > permission.None {
				s.fatal(t, "after %+v table %d may still be exported", e, id)
			}
		}
	})
}

// TestWideWritesLiftNothing: a view written for a schema or a database opens
// no table that was sandboxed for the group or on which it has a policy, nor
// one that was blocked below it.
func TestWideWritesLiftNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawTidy(t)
		e, ok := s.drawEdit(t, permission.OpSet)
		if !ok || e.Scope.Depth == permission.OfTable {
			return
		}
		was := s.views(e.Group)
		below := map[catalog.TableID]bool{}
		for id, tb := range s.ref.Tables {
			c := s.graph.Cell(e.Group, tb.Database, permission.View, permission.OneTable(id))
			below[id] = c.Level == permission.Blocked
		}
		before, _ := s.edit(t, e)
		for id, is := range s.views(e.Group) {
			if is == permission.Unrestricted && (was[id] == permission.Sandboxed || below[id]) {
				s.fatal(t, "%+v opens table %d, which was %s; the changes were %v", e, id, permission.View.Word(was[id]), permission.Diff(before, s.graph))
			}
		}
	})
}

// TestDraftsLeaveATidyGraph: whatever is edited, what is sandboxed is governed
// and SQL on a database has no open exception below it.
func TestDraftsLeaveATidyGraph(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawTidy(t)
		// Begin with nothing in one database, so that all there is was edited.
		e, ok := s.drawEdit(t, permission.OpSet)
		if !ok {
			return
		}
		db := e.Database
		for g := range s.graph.Groups() {
			for k := permission.View; k <= permission.Details; k++ {
				for scope, c := range s.graph.Cells(g.ID, db, k) {
					s.do(t, permission.SetDataAccess{Group: g.ID, Database: db, Kind: k, Scope: scope, From: c})
				}
			}
		}
		for range 1 + below(t, 6, "edits") {
			op := oneOf(t, "op", permission.OpSet, permission.OpSet, permission.OpGrant, permission.OpSandbox, permission.OpRevoke)
			if next, ok := s.drawEdit(t, op); ok {
				e = next
				s.edit(t, e)
			}
		}
		for g := range s.graph.Groups() {
			native := s.graph.Cell(g.ID, db, permission.Create, permission.WholeDatabase()).Level == permission.Native
			for id, tb := range s.ref.Tables {
				if tb.Database != db {
					continue
				}
				if s.ref.Levels[reference.Place{Group: g.ID, Database: db, Kind: permission.View, Scope: permission.OneTable(id)}].Level == permission.Sandboxed && !s.ref.Marks[id].Governed {
					s.fatal(t, "table %d is sandboxed for group %d and not governed", id, g.ID)
				}
				written, _ := s.ref.Written(g.ID, permission.Create, tb)
				if native && written.Level == permission.None && s.ref.View(g.ID, tb) > permission.Blocked {
					s.fatal(t, "group %d has SQL on database %d and an exception on table %d, which it may view; last was %+v", g.ID, db, id, e)
				}
			}
		}
	})
}

// TestPendingTablesStayPending: an edit that says nothing of them decides
// nothing about tables that wait.
func TestPendingTablesStayPending(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawTidy(t)
		e, ok := s.drawEdit(t, oneOf(t, "op", permission.OpSet, permission.OpSandbox, permission.OpRevoke))
		if !ok {
			return
		}
		waiting := map[catalog.TableID]bool{}
		for id, tb := range s.ref.Tables {
			cell, _ := s.ref.Written(e.Group, permission.View, tb)
			waiting[id] = tb.Until == 0 && cell.Level == permission.Unrestricted && s.ref.Pending(e.Group, tb)
			inside := tb.Database == e.Database && (e.Scope.Depth == permission.OfDatabase || e.Scope.Depth == permission.OfSchema && e.Scope.Schema == tb.Schema || e.Scope.Table == id)
			if inside && (e.Op == permission.OpSet && e.Kind == permission.View || e.Op == permission.OpSandbox) {
				waiting[id] = false // this decides
			}
		}
		before, _ := s.edit(t, e)
		for id, was := range waiting {
			if was && s.ref.View(e.Group, s.ref.Tables[id]) > permission.Blocked {
				s.fatal(t, "%+v opens table %d, which was pending; the changes were %v", e, id, permission.Diff(before, s.graph))
			}
		}
	})
}

// TestSandboxesAreNeverOpenInBetween: a level and a policy, in either order,
// never leave a moment in which the table is open: after the first of the two
// it is sandboxed, or closed.
func TestSandboxesAreNeverOpenInBetween(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawTidy(t)
		e, ok := s.drawEdit(t, permission.OpSandbox)
		if !ok || s.graph.Sandbox(e.Group, e.Scope.Table) != nil {
			return
		}
		tb := s.ref.Tables[e.Scope.Table]
		where := []permission.AttributeEquality{{Field: s.graph.Catalog().Fields(tb.ID)[1].ID, Attribute: "org"}}
		policy := func() {
			d := s.graph.Draft()
			if err := d.SetSandbox(e.Group, tb.ID, &permission.Policy{Where: where}); err != nil {
				s.fatal(t, "the policy is refused: %v", err)
			}
			s.follow(t, d)
		}
		level := func() { s.edit(t, e) }
		first, second := policy, level
		if chance(t, 50, "level first") {
			first, second = level, policy
		}
		for _, do := range []func(){first, second} {
			do()
			if is := s.ref.View(e.Group, tb); is > permission.Sandboxed || is == permission.Impersonated {
				s.fatal(t, "group %d is sandboxed on table %d and sees it %s", e.Group, tb.ID, permission.View.Word(is))
			}
		}
	})
}

// TestEditsStayInTheirScope: an edit of one part of a database changes nothing
// of what the group gives elsewhere in it: tables that took a wide level when
// they came keep it when an exception is made beside them.
func TestEditsStayInTheirScope(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawTidy(t)
		e, ok := s.drawEdit(t, oneOf(t, "op", permission.OpSet, permission.OpGrant, permission.OpSandbox, permission.OpRevoke))
		if !ok || e.Scope.Depth == permission.OfDatabase {
			return
		}
		was, gives := s.views(e.Group), s.gives(e.Group)
		before, _ := s.edit(t, e)
		for id, is := range s.views(e.Group) {
			tb := s.ref.Tables[id]
			inside := tb.Database == e.Database && (e.Scope.Depth == permission.OfSchema && e.Scope.Schema == tb.Schema || e.Scope.Table == id)
			if !inside && tb.Until == 0 && is != was[id] {
				s.fatal(t, "%+v makes table %d %s, which was %s; the changes were %v", e, id, permission.View.Word(is), permission.View.Word(was[id]), permission.Diff(before, s.graph))
			}
			if got := s.gives(e.Group)[id]; !inside && tb.Until == 0 && got != gives[id] {
				s.fatal(t, "%+v makes %v of table %d, which was %v; the changes were %v", e, got, id, gives[id], permission.Diff(before, s.graph))
			}
		}
	})
}

// TestMergeConflictsExactlyWhereBothChanged: edits of an entry that somebody
// else changed meanwhile conflict, also to the same value; all others succeed
// and leave what the other did.
func TestMergeConflictsExactlyWhereBothChanged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawTidy(t)
		base := s.graph
		theirs, ok := s.drawEdit(t, permission.OpSet)
		if !ok {
			return
		}
		s.edit(t, theirs)
		mine, _ := s.drawEdit(t, oneOf(t, "op", permission.OpSet, permission.OpGrant, permission.OpRevoke))
		changed := false
		for _, at := range permission.Edges(base, s.graph) {
			if at != (permission.Edge{Group: theirs.Group, Database: theirs.Database}) {
				s.fatal(t, "%+v changed the entry %+v", theirs, at)
			}
			changed = changed || at == permission.Edge{Group: mine.Group, Database: mine.Database}
		}
		d, conflicts, err := permission.Merge(base, s.graph, []permission.Edit{mine})
		if err != nil {
			s.fatal(t, "%+v after %+v is refused: %v", mine, theirs, err)
		}
		if (len(conflicts) > 0) != changed {
			s.fatal(t, "%+v after %+v: the entry changed is %v, the conflicts are %v", mine, theirs, changed, conflicts)
		}
		if changed {
			return
		}
		before := s.follow(t, d)
		for _, at := range permission.Edges(before, s.graph) {
			if at != (permission.Edge{Group: mine.Group, Database: mine.Database}) {
				s.fatal(t, "%+v changed the entry %+v", mine, at)
			}
		}
	})
}
