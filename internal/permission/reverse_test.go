package permission_test

import (
	"slices"
	"testing"

	"github.com/sluice-bi/sluice/internal/permission"
	"pgregory.net/rapid"
)

// TestReverseLookUpsSayWhatTheGraphSays: whatever was changed, who is concerned
// by an object is found as by asking everybody.
func TestReverseLookUpsSayWhatTheGraphSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		s.mutate(t)
		g := s.graph
		same := func(what string, id any, got, want []permission.GroupID) {
			if !slices.Equal(got, want) {
				s.fatal(t, "%s %v: groups %v, want %v", what, id, got, want)
			}
		}
		for d := range g.Catalog().Databases() {
			var want []permission.GroupID
			for gr := range g.Groups() {
				if slices.Contains(slices.Collect(g.Entries(gr.ID)), d.ID) {
					want = append(want, gr.ID)
				}
			}
			same("database", d.ID, slices.Collect(g.GroupsOn(d.ID)), want)
		}
		nodes := slices.Collect(g.Collections())
		for _, c := range append(nodes, &permission.CollectionNode{ID: permission.Root}) {
			var want []permission.GroupID
			for gr := range g.Groups() {
				if g.CollectionLevel(gr.ID, c.ID).Set {
					want = append(want, gr.ID)
				}
			}
			same("collection", c.ID, slices.Collect(g.GroupsOnCollection(c.ID)), want)
			var children []permission.CollectionID
			below := []permission.CollectionID{c.ID}
			for _, n := range nodes {
				if n.Parent == c.ID {
					children = append(children, n.ID)
				}
				for at := n; at != nil; at = g.Collection(at.Parent) {
					if at.Parent == c.ID {
						below = append(below, n.ID)
						break
					}
				}
			}
			if got := slices.Collect(g.Children(c.ID)); !slices.Equal(got, children) {
				s.fatal(t, "in collection %d: %v, want %v", c.ID, got, children)
			}
			got := g.Below(c.ID)
			slices.Sort(got)
			slices.Sort(below)
			if !slices.Equal(got, below) {
				s.fatal(t, "below collection %d: %v, want %v", c.ID, got, below)
			}
		}
		for u := range g.Users() {
			var want []permission.CollectionID
			for _, n := range nodes {
				if n.Owner == u.ID {
					want = append(want, n.ID)
				}
			}
			if got := slices.Collect(g.PersonalOf(u.ID)); !slices.Equal(got, want) {
				s.fatal(t, "of person %d: %v, want %v", u.ID, got, want)
			}
		}
	})
}
