package permission_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// subjects is a graph in which the tenants 5 have the people 10, 11 (also in
// 6), 12 (deactivated) and 13 (who administers), on a database with one table.
func subjects(t *testing.T, strict bool, more ...permission.Change) *permission.Graph {
	t.Helper()
	cat := (&catalog.Snapshot{}).WithDatabase(catalog.Database{ID: 1, Name: "shop", Engine: "sqlite"}).
		WithDatabase(catalog.Database{ID: 2, Name: "other", Engine: "sqlite"}).
		WithTable(catalog.Table{ID: 7, Database: 1, Name: "orders"}, []catalog.Field{{ID: 70, Name: "org", BaseType: "type/Integer"}})
	changes := []permission.Change{permission.SetStrict{Database: 1, To: strict}}
	for id, name := range map[permission.GroupID]string{1: "All Users", 2: "Administrators", 5: "Tenants", 6: "Analysts"} {
		changes = append(changes, permission.SetGroup{To: &permission.Group{ID: id, Name: name}})
	}
	for u, groups := range map[permission.UserID][]permission.GroupID{10: {1, 5}, 11: {1, 5, 6}, 12: {1, 5, 6}, 13: {1, 2, 5, 6}, 14: {1, 6}} {
		changes = append(changes, permission.SetUser{To: &permission.User{ID: u, Name: "p", Active: u != 12}})
		for _, g := range groups {
			changes = append(changes, permission.SetMembership{User: u, Group: g, To: true})
		}
	}
	g, err := permission.New(cat).Apply(append(changes, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestAGroupsPolicyIsCountedAgainstWhatOthersOpen(t *testing.T) {
	view := func(id permission.GroupID, s permission.Scope, l permission.Level) permission.Change {
		return permission.SetDataAccess{Group: id, Database: 1, Kind: permission.View, Scope: s, To: permission.Cell{Set: true, Level: l, At: 1}}
	}
	all, table := permission.WholeDatabase(), permission.OneTable(7)
	own := permission.SetSandbox{To: &permission.Sandbox{Group: 6, Table: 7, Policy: permission.Policy{AllRows: true}}}
	for _, c := range []struct {
		name   string
		strict bool
		levels []permission.Change
		want   map[permission.GroupID]int
	}{
		{"nobody else has anything", false, []permission.Change{view(5, all, permission.Unrestricted)}, nil},
		{"one other group", false, []permission.Change{view(6, all, permission.Unrestricted)}, map[permission.GroupID]int{6: 1}},
		{"All Users", false, []permission.Change{view(1, table, permission.Unrestricted)}, map[permission.GroupID]int{1: 2}},
		{"a policy of its own", false, []permission.Change{view(6, all, permission.Unrestricted), own}, nil},
		{"sandboxed and blocked", false, []permission.Change{view(6, table, permission.Sandboxed), view(1, table, permission.Blocked)}, nil},
		{"a wide level of a strict database", true, []permission.Change{view(6, all, permission.Unrestricted)}, nil},
		{"the table itself in a strict database", true, []permission.Change{view(6, table, permission.Unrestricted)}, map[permission.GroupID]int{6: 1}},
	} {
		if got := subjects(t, c.strict, c.levels...).OpenedBy(5, 7); !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	g := subjects(t, false)
	var ids []permission.UserID
	for u := range g.Subjects(5) {
		ids = append(ids, u.ID)
	}
	if !slices.Equal(ids, []permission.UserID{10, 11}) || len(g.OpenedBy(5, 99)) != 0 {
		t.Errorf("the subjects are %v", ids)
	}
}

func TestAPolicyIsAnEditOfItsGroupAndDatabase(t *testing.T) {
	g := subjects(t, false)
	edit := permission.Edit{Op: permission.OpPolicy, Group: 5, Database: 1, Scope: permission.OneTable(7), Policy: &permission.Policy{AllRows: true}}
	d, conflicts, err := permission.Merge(g, g, []permission.Edit{edit})
	if err != nil || len(conflicts) > 0 || d.Graph().Sandbox(5, 7) == nil || !d.Graph().Mark(7).Governed {
		t.Fatalf("%v %v", err, conflicts)
	}
	remove := edit
	remove.Policy = nil
	if _, conflicts, _ := permission.Merge(g, d.Graph(), []permission.Edit{remove}); len(conflicts) != 1 || conflicts[0] != (permission.Edge{Group: 5, Database: 1}) {
		t.Errorf("somebody else's policy is overwritten: %v", conflicts)
	}
	if d, _, err := permission.Merge(d.Graph(), d.Graph(), []permission.Edit{remove}); err != nil || d.Graph().Sandbox(5, 7) != nil || !d.Graph().Mark(7).Governed {
		t.Errorf("removed: %v", err)
	}
	for what, wrong := range map[string]func(*permission.Edit){
		"another database": func(e *permission.Edit) { e.Database = 2 },
		"no table":         func(e *permission.Edit) { e.Scope = permission.WholeDatabase() },
		"no group":         func(e *permission.Edit) { e.Group = 9 },
		"administrators":   func(e *permission.Edit) { e.Group = permission.Administrators },
	} {
		e := edit
		wrong(&e)
		if _, _, err := permission.Merge(g, g, []permission.Edit{e}); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
}

// Policies that cannot be combined are counted by people, whichever of the two is
// by a question.
func TestPoliciesThatContradictEachOtherAreCounted(t *testing.T) {
	c := (&catalog.Snapshot{}).WithDatabase(catalog.Database{ID: 1, Engine: "sqlite"}).
		WithTable(catalog.Table{ID: 7, Database: 1, Name: "orders", Since: 1}, []catalog.Field{{ID: 70, Name: "id", BaseType: "type/Integer"}})
	byCard := permission.Policy{Card: 3, Seal: "s", Columns: []permission.ColumnRule{{Field: 70}}}
	rows, nothing := permission.Policy{AllRows: true}, permission.Policy{}
	for _, tt := range []struct {
		own, other permission.Policy
		view       permission.Level // of the other group
		people     int
	}{
		{byCard, rows, permission.Sandboxed, 1}, {rows, byCard, permission.Sandboxed, 1}, {byCard, byCard, permission.Sandboxed, 1},
		{rows, rows, permission.Sandboxed, 0}, {byCard, nothing, permission.Sandboxed, 0}, {nothing, byCard, permission.Sandboxed, 0},
		{byCard, rows, permission.Unrestricted, 0}, {byCard, rows, permission.Blocked, 0},
	} {
		var changes []permission.Change
		for u := permission.UserID(1); u <= 2; u++ {
			changes = append(changes, permission.SetUser{To: &permission.User{ID: u, Name: fmt.Sprint(u), Active: true}})
		}
		for id, p := range map[permission.GroupID]*permission.Policy{5: &tt.own, 6: &tt.other} {
			changes = append(changes, permission.SetGroup{To: &permission.Group{ID: id, Name: fmt.Sprint("group ", id)}})
			level := permission.Sandboxed
			if id == 6 {
				level = tt.view
			}
			changes = append(changes, permission.SetDataAccess{Group: id, Database: 1, Kind: permission.View, Scope: permission.OneTable(7), To: permission.Cell{Set: true, Level: level, At: 2}},
				permission.SetSandbox{To: &permission.Sandbox{Group: id, Table: 7, Policy: *p, At: 2}}, permission.SetMembership{User: 1, Group: id, To: true})
		}
		changes = append(changes, permission.SetMembership{User: 2, Group: 5, To: true})
		g, err := permission.New(c).Apply(changes...)
		if err != nil {
			t.Fatal(err)
		}
		if got := g.Contradicts(5, 7)[6]; got != tt.people {
			t.Errorf("%+v and %+v, %v: %d people, want %d", tt.own, tt.other, tt.view, got, tt.people)
		}
	}
}
