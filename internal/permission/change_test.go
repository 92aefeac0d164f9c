package permission_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/permission/reference"
	"pgregory.net/rapid"
)

// applied is the graph with the changes made.
func applied(t rapid.TB, g *permission.Graph, changes []permission.Change) *permission.Graph {
	t.Helper()
	n, err := g.Apply(changes...)
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	return n
}

// TestInversesInReverseRestoreTheGraph: what was done can be undone, change by
// change, down to the beginning and up again.
func TestInversesInReverseRestoreTheGraph(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		before, done := s.graph, len(s.changes)
		s.mutate(t)
		back := applied(t, s.graph, inverses(s.changes[done:]))
		if got, want := dump(back), dump(before); got != want {
			t.Fatalf("undone, the graph is\n%s\nand it was\n%s", got, want)
		}
		if d := permission.Diff(before, back); len(d) > 0 {
			t.Fatalf("undone, the graph differs by %v", d)
		}
		empty := applied(t, s.graph, inverses(s.changes))
		if got := dump(empty); got != dump(permission.New(s.graph.Catalog())) {
			t.Fatalf("with everything undone, there is\n%s", got)
		}
		if got, want := dump(applied(t, empty, s.changes)), dump(s.graph); got != want {
			t.Fatalf("done again, the graph is\n%s\nand it was\n%s", got, want)
		}
	})
}

func inverses(changes []permission.Change) []permission.Change {
	var back []permission.Change
	for _, c := range slices.Backward(changes) {
		back = append(back, c.Inverse())
	}
	return back
}

// TestApplyRefusesAStaleChange: a change from a state that is not the present
// one is refused, and then nothing of the list is made.
func TestApplyRefusesAStaleChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		before := dump(s.graph)
		c := s.drawChange(t)
		if c == nil || strings.Contains(c.String(), "nothing to nothing") {
			return
		}
		if next, err := s.graph.Apply(c); err != nil || dump(next) == before {
			return // it changes nothing, and may be made twice
		}
		if _, err := s.graph.Apply(c, c); err == nil {
			t.Fatalf("%s is made twice", c)
		}
		if dump(s.graph) != before {
			t.Fatalf("%s, refused, has changed the graph", c)
		}
	})
}

// TestDiffLeadsFromOneGraphToTheOther: between any two graphs of one catalog,
// related or not, and there is no difference from a graph to itself.
func TestDiffLeadsFromOneGraphToTheOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		before := s.graph
		s.mutate(t)
		other := &scene{graph: permission.New(before.Catalog()).WithRevisions(now, 1), ref: reference.New()}
		other.ref.Fill(before.Catalog())
		other.drawPeople(t)
		other.drawLevels(t)
		other.drawPolicies(t)
		other.drawCollections(t)
		for _, pair := range [][2]*permission.Graph{{before, s.graph}, {s.graph, before}, {before, other.graph}, {other.graph, s.graph}} {
			changes := permission.Diff(pair[0], pair[1])
			got := applied(t, pair[0], changes)
			if got, want := dump(got), dump(pair[1]); got != want {
				t.Fatalf("%v\nlead to\n%s\nnot to\n%s", changes, got, want)
			}
			if again := permission.Diff(got, pair[1]); len(again) > 0 {
				t.Fatalf("after the difference is made, there is still %v", again)
			}
		}
		if d := permission.Diff(s.graph, s.graph); len(d) > 0 {
			t.Fatalf("a graph differs from itself by %v", d)
		}
	})
}

// TestEncodedChangesAreTheSame: changes are stored as JSON and read back
// without loss, and so are their inverses.
func TestEncodedChangesAreTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		s.mutate(t)
		for _, list := range [][]permission.Change{s.changes, inverses(s.changes), nil} {
			data, err := permission.EncodeChanges(list)
			if err != nil {
				t.Fatal(err)
			}
			back, err := permission.DecodeChanges(data)
			if err != nil {
				t.Fatalf("%s: %v", data, err)
			}
			again, err := permission.EncodeChanges(back)
			if err != nil || string(again) != string(data) || len(back) != len(list) {
				t.Fatalf("%s\nreads back as\n%s, %v", data, again, err)
			}
			for i := range list {
				if list[i].String() != back[i].String() {
					t.Fatalf("%q reads back as %q", list[i], back[i])
				}
			}
		}
		data, err := permission.EncodeChanges(s.changes)
		if err != nil {
			t.Fatal(err)
		}
		back, err := permission.DecodeChanges(data)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := dump(applied(t, permission.New(s.graph.Catalog()), back)), dump(s.graph); got != want {
			t.Fatalf("the decoded changes make\n%s\nnot\n%s", got, want)
		}
	})
}

// TestApplyRefusesWhatCannotBe: ids that no database hands out, levels where
// they cannot stand, and levels that are said not to be set.
func TestApplyRefusesWhatCannotBe(t *testing.T) {
	g := applied(t, permission.New(&catalog.Snapshot{}), []permission.Change{
		permission.SetGroup{To: &permission.Group{ID: 3, Name: "Sales"}},
		permission.SetUser{To: &permission.User{ID: 1, Active: true}},
	})
	open := permission.Cell{Set: true, Level: permission.Unrestricted, At: 1}
	for name, c := range map[string]permission.Change{
		"nothing about a group":         permission.SetGroup{},
		"nothing about a person":        permission.SetUser{},
		"nothing about a sandbox":       permission.SetSandbox{},
		"nothing about a collection":    permission.SetCollection{},
		"a group of no id":              permission.SetGroup{To: &permission.Group{Name: "x"}},
		"a person of a negative id":     permission.SetUser{To: &permission.User{ID: -1}},
		"a group twice":                 permission.SetGroup{To: &permission.Group{ID: 3, Name: "Sales"}},
		"a member unknown":              permission.SetMembership{User: 9, Group: 3, To: true},
		"a member of nothing":           permission.SetMembership{User: 1, Group: 9, To: true},
		"a level of an unknown group":   permission.SetDataAccess{Group: 9, Database: 1, To: open},
		"a level on no database":        permission.SetDataAccess{Group: 3, To: open},
		"a level on a negative table":   permission.SetDataAccess{Group: 3, Database: 1, Scope: permission.OneTable(-4), To: open},
		"a level at an unknown depth":   permission.SetDataAccess{Group: 3, Database: 1, Scope: permission.Scope{Depth: 3}, To: open},
		"a level of an unknown kind":    permission.SetDataAccess{Group: 3, Database: 1, Kind: 9, To: open},
		"a level that is not one":       permission.SetDataAccess{Group: 3, Database: 1, To: permission.Cell{Set: true, Level: 9}},
		"a level that is not set":       permission.SetDataAccess{Group: 3, Database: 1, To: permission.Cell{Level: permission.Unrestricted}},
		"SQL on a table":                permission.SetDataAccess{Group: 3, Database: 1, Kind: permission.Create, Scope: permission.OneTable(1), To: permission.Cell{Set: true, Level: permission.Native}},
		"a sandbox on a database":       permission.SetDataAccess{Group: 3, Database: 1, To: permission.Cell{Set: true, Level: permission.Sandboxed}},
		"a role on a table":             permission.SetDataAccess{Group: 3, Database: 1, Scope: permission.OneTable(1), To: permission.Cell{Set: true, Level: permission.Impersonated}},
		"an attribute of another view":  permission.SetDataAccess{Group: 3, Database: 1, To: permission.Cell{Set: true, Level: permission.Unrestricted, Attribute: "role"}},
		"an attribute of another kind":  permission.SetDataAccess{Group: 3, Database: 1, Kind: permission.Create, To: permission.Cell{Set: true, Level: permission.Native, Attribute: "role"}},
		"details of a table":            permission.SetDataAccess{Group: 3, Database: 1, Kind: permission.Details, Scope: permission.OneTable(1), To: permission.Cell{Set: true, Level: permission.Yes}},
		"a negative collection":         permission.SetCollectionAccess{Group: 3, Collection: -1, To: permission.Cell{Set: true, Level: permission.Read}},
		"an odd level on a collection":  permission.SetCollectionAccess{Group: 3, Collection: 1, To: permission.Cell{Set: true, Level: 7}},
		"a sandbox of an unknown group": permission.SetSandbox{To: &permission.Sandbox{Group: 9, Table: 1}},
		"a sandbox that wanders":        permission.SetSandbox{From: &permission.Sandbox{Group: 3, Table: 1}, To: &permission.Sandbox{Group: 3, Table: 2}},
		"the root collection":           permission.SetCollection{To: &permission.CollectionNode{ID: permission.Root, Name: "x"}},
		"a collection in nothing":       permission.SetCollection{To: &permission.CollectionNode{ID: 4, Name: "x", Parent: 9}},
		"a mark of no table":            permission.SetTableMark{To: permission.TableMark{Governed: true}},
		"a strictness of no database":   permission.SetStrict{To: true},
		"a level from what is not":      permission.SetDataAccess{Group: 3, Database: 1, From: open},
	} {
		if n, err := g.Apply(c); err == nil || n != nil {
			t.Errorf("%s is applied", name)
		}
	}
}

// TestDamagedChangesAreRefused: what is not a list of changes is an error,
// never a change of nothing.
func TestDamagedChangesAreRefused(t *testing.T) {
	for _, data := range []string{
		``, `null x`, `{}`, `[{}]`, `[{"member":{}}]`, `[{"data":{"kind":"view"}}]`, `[{"membership":{"user":"1"}}]`,
		`[{"group":{},"user":{}}]`, `[{"membership":{"user":1,"group":2,"to":true}}`,
	} {
		if changes, err := permission.DecodeChanges([]byte(data)); err == nil {
			t.Errorf("%s is read as %v", data, changes)
		}
	}
}

// FuzzDecodeChanges: bytes of any kind are read or refused; what is read is
// written back so that it reads the same, and is applied or refused.
func FuzzDecodeChanges(f *testing.F) {
	f.Add([]byte(`[{"membership":{"user":1,"group":3,"to":true}}]`))
	f.Add([]byte(`[{"data":{"group":3,"database":1,"kind":"view-data","scope":{},"from":{},"to":{"set":true,"level":4,"at":2}}}]`))
	f.Add([]byte(`[{"sandbox":{"to":{"group":3,"table":1,"where":[{"field":1,"attribute":"org"}]}}},{"strict":{"database":1,"to":true}}]`))
	f.Add([]byte(`[{"collection":{"to":{"id":4,"name":"x","parent":-1}}},{"user":{"to":{"id":-7}}},{"group":{}}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		changes, err := permission.DecodeChanges(data)
		if err != nil {
			return
		}
		first, err := permission.EncodeChanges(changes)
		if err != nil {
			t.Fatal(err)
		}
		back, err := permission.DecodeChanges(first)
		if err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		if second, err := permission.EncodeChanges(back); err != nil || string(first) != string(second) {
			t.Fatalf("%s reads back as %s, %v", first, second, err)
		}
		if _, err := (&permission.Graph{}).Apply(changes...); err != nil && err.Error() == "" {
			t.Fatal("a refusal says nothing")
		}
	})
}
