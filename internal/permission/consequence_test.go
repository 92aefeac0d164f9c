package permission_test

import (
	"slices"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// A small shop: ada is 1, bob 2; Sales is group 10, Support 11. Tables 1 to 4
// have one schema and came before every level; 5 is newer.
const (
	ada, bob       permission.UserID  = 1, 2
	sales, support permission.GroupID = 10, 11
	lateTable      catalog.TableID    = 5
)

func shop() *permission.Graph {
	cat := (&catalog.Snapshot{}).WithDatabase(catalog.Database{ID: 1, Name: "shop"})
	for id := catalog.TableID(1); id <= lateTable; id++ {
		since := catalog.Revision(1)
		if id == lateTable {
			since = 9
		}
		cat = cat.WithTable(catalog.Table{ID: id, Database: 1, Since: since}, []catalog.Field{{ID: catalog.FieldID(id) * 10, Table: id, Name: "organization"}})
	}
	return permission.New(cat).WithRevisions(9, 1).Remembering(1 << 12)
}

func level(group permission.GroupID, k permission.Kind, s permission.Scope, from, to permission.Cell) permission.Change {
	return permission.SetDataAccess{Group: group, Database: 1, Kind: k, Scope: s, From: from, To: to}
}

// open gives a group everything but SQL in a scope; the scope is new.
func open(group permission.GroupID, s permission.Scope) []permission.Change {
	return []permission.Change{
		level(group, permission.View, s, permission.Cell{}, written(permission.Unrestricted)),
		level(group, permission.Create, s, permission.Cell{}, written(permission.QueryBuilder)),
	}
}

func written(l permission.Level) permission.Cell {
	return permission.Cell{Set: true, Level: l, At: 5}
}

func joins(u permission.UserID, group permission.GroupID) permission.Change {
	return permission.SetMembership{User: u, Group: group, To: true}
}

func policy(group permission.GroupID, t catalog.TableID) *permission.Sandbox {
	return &permission.Sandbox{Group: group, Table: t, At: 5, Policy: permission.Policy{Where: []permission.AttributeEquality{{Field: catalog.FieldID(t) * 10, Attribute: "organization"}}}}
}

// TestAChangeTouchesWhomItConcernsAndNobodyElse: what was remembered before
// the change is right after it, before and after side by side, and who gains
// and who loses is named.
func TestAChangeTouchesWhomItConcernsAndNobodyElse(t *testing.T) {
	whole, table := permission.WholeDatabase(), permission.OneTable
	for _, c := range []struct {
		name       string
		before     [][]permission.Change
		change     permission.Change
		gain, lose []permission.UserID
	}{
		{"a level is taken",
			[][]permission.Change{open(sales, whole), {joins(ada, sales)}},
			level(sales, permission.View, whole, written(permission.Unrestricted), written(permission.Blocked)),
			nil, []permission.UserID{ada}},
		{"what another group still gives is not lost",
			[][]permission.Change{open(sales, whole), open(support, whole), {joins(ada, sales), joins(bob, sales), joins(bob, support)}},
			level(sales, permission.View, whole, written(permission.Unrestricted), permission.Cell{}),
			nil, []permission.UserID{ada}},
		{"who leaves a group loses what it gave",
			[][]permission.Change{open(sales, whole), {joins(ada, sales), joins(bob, sales)}},
			permission.SetMembership{User: ada, Group: sales, From: true},
			nil, []permission.UserID{ada}},
		{"a group that has one table more than another",
			[][]permission.Change{open(sales, table(1)), open(support, table(3)), {joins(ada, sales)}},
			joins(ada, support),
			[]permission.UserID{ada}, nil},
		{"of a strict database a group opens what is shared",
			[][]permission.Change{
				{permission.SetStrict{Database: 1, To: true}, permission.SetTableMark{Table: 3, To: permission.TableMark{Shared: true}}},
				open(sales, table(1)), open(support, whole), {joins(ada, sales)},
			},
			joins(ada, support),
			[]permission.UserID{ada}, nil},
		{"a policy shows rows to those who have the attribute",
			[][]permission.Change{open(sales, table(1)), {
				level(sales, permission.View, table(1), written(permission.Unrestricted), written(permission.Sandboxed)),
				joins(ada, sales), joins(bob, sales),
				permission.SetUser{From: &permission.User{ID: ada, Active: true}, To: &permission.User{ID: ada, Active: true, Attributes: map[string]string{"organization": "1"}}},
			}},
			permission.SetSandbox{To: policy(sales, 1)},
			[]permission.UserID{ada}, nil},
		{"a policy goes",
			[][]permission.Change{open(sales, table(1)), {
				level(sales, permission.View, table(1), written(permission.Unrestricted), written(permission.Sandboxed)),
				joins(ada, sales), permission.SetSandbox{To: policy(sales, 1)},
				permission.SetUser{From: &permission.User{ID: ada, Active: true}, To: &permission.User{ID: ada, Active: true, Attributes: map[string]string{"organization": "1"}}},
			}},
			permission.SetSandbox{From: policy(sales, 1)},
			nil, []permission.UserID{ada}},
		// It says of that table what the wide one says, and yet closes the one
		// that came later: from now on somebody decides table by table.
		{"a level on one table lets later tables wait",
			[][]permission.Change{open(sales, whole), {joins(ada, sales)}},
			level(sales, permission.View, table(1), permission.Cell{}, written(permission.Unrestricted)),
			nil, []permission.UserID{ada}},
		{"the last level on a single table goes",
			[][]permission.Change{open(sales, whole), {level(sales, permission.View, table(1), permission.Cell{}, written(permission.Unrestricted)), joins(ada, sales)}},
			level(sales, permission.View, table(1), written(permission.Unrestricted), permission.Cell{}),
			[]permission.UserID{ada}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := apply(t, shop(),
				permission.SetGroup{To: &permission.Group{ID: sales, Name: "Sales"}}, permission.SetGroup{To: &permission.Group{ID: support, Name: "Support"}},
				permission.SetUser{To: &permission.User{ID: ada, Active: true}}, permission.SetUser{To: &permission.User{ID: bob, Active: true}})
			before = apply(t, before, slices.Concat(c.before...)...)
			agree(t, "before", before)
			after := apply(t, before, c.change)
			agree(t, "after", after)
			agree(t, "before, asked again", before)
			if got := permission.EffectOf(before, after); !slices.Equal(got.Gain, c.gain) || !slices.Equal(got.Lose, c.lose) {
				t.Errorf("%s: %v gain and %v lose, want %v and %v", c.change, got.Gain, got.Lose, c.gain, c.lose)
			}
		})
	}
}

// TestWhatIsRememberedOfATableGoesWithIt: a table that is not there any more,
// or whose whole database is not, may be asked by nobody.
func TestWhatIsRememberedOfATableGoesWithIt(t *testing.T) {
	g := apply(t, shop(), permission.SetGroup{To: &permission.Group{ID: permission.Administrators}}, permission.SetUser{To: &permission.User{ID: ada, Active: true}},
		permission.SetUser{To: &permission.User{ID: bob, Active: true}}, joins(ada, permission.Administrators))
	agree(t, "before", g)
	if !g.AccessOf(ada).Can(permission.QueryTable, permission.ATable(1)) {
		t.Fatal("an administrator may not ask a table")
	}
	gone := *g.Catalog().Table(1)
	gone.Until = 10
	for name, c := range map[string]*catalog.Snapshot{
		"the table": g.Catalog().WithTable(gone, nil), "the database": g.Catalog().WithoutDatabase(1),
	} {
		after := g.WithCatalog(c).Settled()
		if after.AccessOf(ada).Can(permission.QueryTable, permission.ATable(1)) {
			t.Errorf("%s is not there any more, and the table may be asked", name)
		}
		agree(t, name, after)
	}
}

func apply(t *testing.T, g *permission.Graph, changes ...permission.Change) *permission.Graph {
	t.Helper()
	g, err := g.Apply(changes...)
	if err != nil {
		t.Fatal(err)
	}
	return g.Settled()
}

// agree compares what the graph remembers with what it explains, which is
// resolved anew each time. It asks everything, so that everything is
// remembered from then on.
func agree(t *testing.T, when string, g *permission.Graph) {
	t.Helper()
	for _, u := range []permission.UserID{ada, bob} {
		a := g.AccessOf(u)
		for r := permission.SeeTable; r <= permission.DescribeTable; r++ {
			for id := catalog.TableID(1); id <= lateTable; id++ {
				if got, want := a.Can(r, permission.ATable(id)), a.Explain(r, permission.ATable(id)); got != want.Allowed {
					t.Errorf("%s: person %d: the memory says %v of %s", when, u, got, want)
				}
			}
		}
	}
}
