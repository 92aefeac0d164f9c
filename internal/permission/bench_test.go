package permission_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// sizes are databases and groups, with ten tables each and forty members.
var sizes = []int{15, 1500}

const (
	tablesEach    = 10
	databasesEach = 15 // in which a group has something written
)

// benchGraph gives every group levels on fifteen databases: on a third of them
// a wide one, on a third one on a schema, on a third on single tables.
func benchGraph(b *testing.B, n int) *permission.Graph {
	b.Helper()
	cat := &catalog.Snapshot{}
	for db := range n {
		cat = cat.WithDatabase(catalog.Database{ID: catalog.DatabaseID(db + 1), Name: fmt.Sprint("db", db)})
		for t := range tablesEach {
			cat = cat.WithTable(catalog.Table{ID: tableOf(db, t), Database: catalog.DatabaseID(db + 1), Schema: fmt.Sprint("s", t/5), Name: fmt.Sprint("t", t)}, nil)
		}
	}
	var changes []permission.Change
	for _, id := range []permission.GroupID{permission.AllUsers, permission.Administrators} {
		changes = append(changes, permission.SetGroup{To: &permission.Group{ID: id}})
	}
	for g := range n {
		changes = append(changes, permission.SetGroup{To: &permission.Group{ID: permission.GroupID(g + 3), Name: fmt.Sprint("group", g)}})
	}
	r := rand.New(rand.NewPCG(1, 2))
	for u := range n * 40 / 3 {
		id := permission.UserID(u + 1)
		changes = append(changes, permission.SetUser{To: &permission.User{ID: id, Name: fmt.Sprint("user", u), Active: true}},
			permission.SetMembership{User: id, Group: permission.AllUsers, To: true})
		in := map[int]bool{u % n: true, r.IntN(n): true, r.IntN(n): true}
		for g := range in {
			changes = append(changes, permission.SetMembership{User: id, Group: permission.GroupID(g + 3), To: true})
		}
	}
	for g := range n {
		for i := range databasesEach {
			db := (g + i*max(n/databasesEach, 1)) % n
			levels := map[permission.Scope]permission.Level{}
			switch i % 3 {
			case 0:
				levels[permission.WholeDatabase()] = permission.Unrestricted
			case 1:
				levels[permission.WholeSchema("s0")] = permission.Unrestricted
			case 2:
				levels[permission.OneTable(tableOf(db, 1))] = permission.Unrestricted
				levels[permission.OneTable(tableOf(db, 7))] = permission.Blocked
			}
			for s, l := range levels {
				set := func(k permission.Kind, l permission.Level) {
					changes = append(changes, permission.SetDataAccess{Group: permission.GroupID(g + 3), Database: catalog.DatabaseID(db + 1), Kind: k, Scope: s, To: permission.Cell{Set: true, Level: l, At: 1}})
				}
				set(permission.View, l)
				if l > permission.Blocked {
					set(permission.Create, permission.QueryBuilder)
					set(permission.Download, permission.Full)
				}
			}
		}
	}
	g, err := permission.New(cat).WithRevisions(1, 1).Remembering(permission.DefaultMemory).Apply(changes...)
	if err != nil {
		b.Fatal(err)
	}
	return g.Settled()
}

func tableOf(db, t int) catalog.TableID { return catalog.TableID(db*tablesEach + t + 1) }

// BenchmarkCan asks about tables for people, half of them such that a group of
// the person speaks of. The baseline looks the answers up in two levels of
// arrays, in the same order.
func BenchmarkCan(b *testing.B) {
	for _, n := range sizes {
		g := benchGraph(b, n)
		r := rand.New(rand.NewPCG(3, 4))
		people, tables := n*40/3, n*tablesEach
		type question struct {
			person, table int32
			yes           bool
		}
		asked := make([]question, min(250_000, people*tables))
		for i := range asked {
			u := r.IntN(people)
			t := r.IntN(tables)
			if groups := g.GroupsOf(permission.UserID(u + 1)); i%2 == 0 {
				of := slices.Collect(g.Entries(groups[1+r.IntN(len(groups)-1)]))
				t = int(of[r.IntN(len(of))]-1)*tablesEach + r.IntN(tablesEach)
			}
			asked[i] = question{int32(u), int32(t), false}
		}
		answers := make([][]bool, people)
		for u := range answers {
			answers[u] = make([]bool, tables)
			for t := range answers[u] {
				answers[u][t] = t%2 == 0 // what is never written has no memory of its own
			}
		}
		can := func(q question) bool {
			return g.AccessOf(permission.UserID(q.person+1)).Can(permission.QueryTable, permission.ATable(catalog.TableID(q.table+1)))
		}
		for range 8 { // until the memory has grown to what it needs
			for i, q := range asked {
				asked[i].yes = can(q)
				answers[q.person][q.table] = asked[i].yes
			}
		}
		b.Run(fmt.Sprintf("engine/%dx%d", n, n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if q := asked[i%len(asked)]; can(q) != q.yes {
					b.Fatal(q)
				}
			}
		})
		b.Run(fmt.Sprintf("baseline/%dx%d", n, n), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if q := asked[i%len(asked)]; answers[q.person][q.table] != q.yes {
					b.Fatal(q)
				}
			}
		})
	}
}

// BenchmarkChanges makes one change each. It is to cost the same whatever the
// size of the graph is.
func BenchmarkChanges(b *testing.B) {
	for _, n := range sizes {
		g := benchGraph(b, n)
		effect := func(b *testing.B, changes ...permission.Change) {
			after, err := g.Apply(changes...)
			if err != nil {
				b.Fatal(err)
			}
			permission.EffectOf(g, after)
		}
		run := func(name string, f func(b *testing.B)) {
			b.Run(fmt.Sprintf("%s/%dx%d", name, n, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					f(b)
				}
			})
		}
		run("cell", func(b *testing.B) {
			d := g.Draft()
			if err := d.Set(3, 1, permission.Download, permission.OneTable(2), permission.Limited); err != nil {
				b.Fatal(err)
			}
			changes, _ := d.Changes()
			effect(b, changes...)
		})
		run("block", func(b *testing.B) {
			d := g.Draft()
			if err := d.Set(3, 1, permission.View, permission.WholeDatabase(), permission.Blocked); err != nil {
				b.Fatal(err)
			}
			changes, _ := d.Changes()
			effect(b, changes...)
		})
		run("member", func(b *testing.B) {
			effect(b, permission.SetMembership{User: permission.UserID(n), Group: 7, To: true, From: g.IsMember(permission.UserID(n), 7)})
		})
		run("user", func(b *testing.B) {
			id := permission.UserID(n * 100)
			effect(b, permission.SetUser{To: &permission.User{ID: id, Active: true}}, permission.SetMembership{User: id, Group: 1, To: true})
		})
		run("group", func(b *testing.B) {
			effect(b, permission.SetGroup{To: &permission.Group{ID: permission.GroupID(n + 100)}})
		})
		run("database", func(b *testing.B) {
			permission.EffectOf(g, g.WithCatalog(g.Catalog().WithDatabase(catalog.Database{ID: catalog.DatabaseID(n + 100)})))
		})
	}
}
