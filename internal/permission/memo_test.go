package permission_test

import (
	"sync"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"pgregory.net/rapid"
)

// ask compares every answer of a graph with what is wanted.
func (s *scene) ask(t *rapid.T, g *permission.Graph, want map[asking]bool, of string) {
	for q, yes := range want {
		if got := g.AccessOf(q.person).Can(q.right, q.object); got != yes {
			s.fatal(t, "%s: person %d, %s %s: the engine says %v, the reference %v", of, q.person, q.right, q.object, got, yes)
		}
	}
}

type asking struct {
	person permission.UserID
	right  permission.Right
	object permission.Object
}

// wanted is what the reference says of everybody and everything.
func (s *scene) wanted() map[asking]bool {
	all := map[asking]bool{}
	for _, p := range s.people() {
		for _, q := range s.questions() {
			all[asking{p, q.right, q.object}] = s.ref.Can(p, q.right, q.id)
		}
	}
	return all
}

// TestNoAnswerOutlivesItsState: graphs that share a memory, one made from the
// other or both from a third, answer each for itself, in whatever order they
// are asked.
func TestNoAnswerOutlivesItsState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		s.graph = permission.New(s.graph.Catalog()).WithRevisions(now, 1).Remembering(1 << oneOf(t, "memory", 8, 20))
		for _, c := range s.changes {
			g, err := s.graph.Apply(c)
			if err != nil {
				t.Fatal(err)
			}
			s.graph = g
		}
		s.graph = s.graph.Settled()
		first, of := s.graph, s.wanted()
		s.ask(t, first, of, "at first")
		// A draft that comes to nothing.
		if other, err := first.Apply(s.drawOther(t)...); err == nil {
			other = other.Settled()
			for q := range of {
				other.AccessOf(q.person).Can(q.right, q.object)
			}
		}
		s.mutate(t)
		if tb := s.drawTable(t); tb != nil && chance(t, 50, "table goes") {
			to := *tb
			to.Until = now + 1
			s.graph = s.graph.WithCatalog(s.graph.Catalog().WithTable(to, nil))
			s.ref.Tables[tb.ID] = to
			s.ref.Fill(s.graph.Catalog())
		}
		s.graph = s.graph.Settled()
		second, is := s.graph, s.wanted()
		s.ask(t, second, is, "changed")
		s.ask(t, first, of, "the old graph")
		s.ask(t, second, is, "changed, again")
	})
}

// drawOther draws a change that is made to nothing else.
func (s *scene) drawOther(t *rapid.T) []permission.Change {
	if c := s.drawChange(t); c != nil {
		return []permission.Change{c}
	}
	return nil
}

// TestReadersAndWritersShareTheMemory: while answers are filed and found by
// many, every one of them is right.
func TestReadersAndWritersShareTheMemory(t *testing.T) {
	cat := &catalog.Snapshot{}
	for d := range catalog.DatabaseID(3) {
		cat = cat.WithDatabase(catalog.Database{ID: d + 1})
		for i := range catalog.TableID(40) {
			cat = cat.WithTable(catalog.Table{ID: catalog.TableID(d)*40 + i + 1, Database: d + 1, Since: 1}, nil)
		}
	}
	g := permission.New(cat).WithRevisions(1, 1).Remembering(1 << 12)
	apply := func(changes ...permission.Change) {
		n, err := g.Apply(changes...)
		if err != nil {
			t.Fatal(err)
		}
		g = n.Settled()
	}
	apply(permission.SetGroup{To: &permission.Group{ID: 3}})
	for u := range permission.UserID(20) {
		apply(permission.SetUser{To: &permission.User{ID: u + 1, Active: true}}, permission.SetMembership{User: u + 1, Group: 3, To: true})
	}
	// States in which exactly one table is closed.
	var states []*permission.Graph
	for closed := range catalog.TableID(8) {
		d := g.Draft()
		for _, err := range []error{
			d.Grant(3, 1, permission.WholeDatabase()),
			d.Set(3, 1, permission.View, permission.OneTable(closed+1), permission.Blocked),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		states = append(states, d.Graph().Settled())
	}
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 20_000 {
				n := (i*7 + worker) % len(states)
				table, person := catalog.TableID((i*11+worker)%40+1), permission.UserID((i*13+worker)%20+1)
				if got := states[n].AccessOf(person).Can(permission.QueryTable, permission.ATable(table)); got != (table != catalog.TableID(n+1)) {
					t.Errorf("state %d, table %d, person %d: %v", n, table, person, got)
					return
				}
			}
		})
	}
	wg.Wait()
}
