package permission_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// sizes are databases and groups, each with ten tables and ten members.
var sizes = []int{15, 150}

// benchGraph has a wide level of every group on a third of the databases, and
// a level of its own on one table of each of those.
func benchGraph(b *testing.B, n int) *permission.Graph {
	b.Helper()
	cat := &catalog.Snapshot{}
	for db := range n {
		cat = cat.WithDatabase(catalog.Database{ID: catalog.DatabaseID(db + 1), Name: fmt.Sprint("db", db)})
		for t := range 10 {
			cat = cat.WithTable(catalog.Table{ID: catalog.TableID(db*10 + t + 1), Database: catalog.DatabaseID(db + 1), Schema: "public", Name: fmt.Sprint("t", t)}, nil)
		}
	}
	var changes []permission.Change
	for g := range n {
		changes = append(changes, permission.SetGroup{To: &permission.Group{ID: permission.GroupID(g + 3), Name: fmt.Sprint("group", g)}})
	}
	r := rand.New(rand.NewPCG(1, 2))
	for u := range n * 10 {
		id := permission.UserID(u + 1)
		changes = append(changes, permission.SetUser{To: &permission.User{ID: id, Name: fmt.Sprint("user", u), Active: true}})
		in := map[int]bool{u % n: true, r.IntN(n): true, r.IntN(n): true}
		for g := range in {
			changes = append(changes, permission.SetMembership{User: id, Group: permission.GroupID(g + 3), To: true})
		}
	}
	g, err := permission.New(cat).Apply(changes...)
	if err != nil {
		b.Fatal(err)
	}
	d := g.Draft()
	for gr := range n {
		for db := gr % 3; db < n; db += 3 {
			id, on := permission.GroupID(gr+3), catalog.DatabaseID(db+1)
			if err := d.Grant(id, on, permission.WholeDatabase()); err != nil {
				b.Fatal(err)
			}
			if err := d.Set(id, on, permission.View, permission.OneTable(catalog.TableID(db*10+1)), permission.Blocked); err != nil {
				b.Fatal(err)
			}
		}
	}
	return d.Graph()
}

// BenchmarkCan asks about random tables for random people. The baseline looks
// the answers up in two levels of arrays, in the same order.
func BenchmarkCan(b *testing.B) {
	for _, n := range sizes {
		g := benchGraph(b, n)
		r := rand.New(rand.NewPCG(3, 4))
		asked := make([][2]int, 4096)
		answers := make([][]bool, n*10)
		for i := range asked {
			asked[i] = [2]int{r.IntN(n * 10), r.IntN(n * 10)}
		}
		for u := range answers {
			answers[u] = make([]bool, n*10)
			for t := range answers[u] {
				answers[u][t] = g.AccessOf(permission.UserID(u+1)).Can(permission.QueryTable, permission.ATable(catalog.TableID(t+1)))
			}
		}
		b.Run(fmt.Sprintf("engine/%dx%d", n, n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				q := asked[i%len(asked)]
				g.AccessOf(permission.UserID(q[0]+1)).Can(permission.QueryTable, permission.ATable(catalog.TableID(q[1]+1)))
			}
		})
		b.Run(fmt.Sprintf("baseline/%dx%d", n, n), func(b *testing.B) {
			yes := 0
			for i := 0; b.Loop(); i++ {
				q := asked[i%len(asked)]
				if answers[q[0]][q[1]] {
					yes++
				}
			}
		})
	}
}

// BenchmarkChangeOneCell changes one level of one group. It is to cost the
// same whatever the size of the graph is.
func BenchmarkChangeOneCell(b *testing.B) {
	for _, n := range sizes {
		g := benchGraph(b, n)
		b.Run(fmt.Sprintf("%dx%d", n, n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d := g.Draft()
				if err := d.Set(3, 1, permission.Download, permission.OneTable(2), permission.Limited); err != nil {
					b.Fatal(err)
				}
				changes, _ := d.Changes()
				after, err := g.Apply(changes...)
				if err != nil {
					b.Fatal(err)
				}
				permission.EffectOf(g, after)
			}
		})
	}
}
