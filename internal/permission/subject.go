package permission

import (
	"iter"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// Subjects yields the people to whom the policies of a group apply: its active
// members, without those who administer.
func (g *Graph) Subjects(id GroupID) iter.Seq[*User] {
	return func(yield func(*User) bool) {
		for u := range g.Members(id) {
			if a := g.AccessOf(u); a.u != nil && !a.admin(nil) && !yield(&a.u.User) {
				return
			}
		}
	}
}

// OpenedBy counts the people to whom the policies of a group apply and whom
// another group shows all rows of a table, by that group: for them a policy of
// the first comes to nothing. It costs the members of the group and their
// groups.
func (g *Graph) OpenedBy(id GroupID, t catalog.TableID) map[GroupID]int {
	people := map[GroupID]int{}
	tb := g.Catalog().Table(t)
	if tb == nil {
		return people
	}
	opens := map[GroupID]bool{}
	for u := range g.Subjects(id) {
		for _, other := range g.GroupsOf(u.ID) {
			open, known := opens[other]
			if !known {
				open = g.view(other, tb) == Unrestricted
				opens[other] = open
			}
			if open && other != id {
				people[other]++
			}
		}
	}
	return people
}

// Contradicts counts the people to whom the policy of a group on a table applies
// and that of another one as well, by that group, where one of the two is by a
// saved question: such people are shown nothing of the table. It costs what
// OpenedBy does.
func (g *Graph) Contradicts(id GroupID, t catalog.TableID) map[GroupID]int {
	people := map[GroupID]int{}
	p, tb := g.Sandbox(id, t), g.Catalog().Table(t)
	if p == nil || tb == nil || p.empty() {
		return people
	}
	for u := range g.Subjects(id) {
		for _, other := range g.GroupsOf(u.ID) {
			o := g.Sandbox(other, t)
			if other != id && o != nil && !o.empty() && (p.Card != 0 || o.Card != 0) && g.view(other, tb) == Sandboxed {
				people[other]++
			}
		}
	}
	return people
}

// view is what a group gives its members on a table.
func (g *Graph) view(id GroupID, t *catalog.Table) Level {
	gr, ok := g.groups.Get(id)
	if !ok {
		return None
	}
	e, ok := gr.entries.Get(t.Database)
	if !ok {
		return None
	}
	view, _, _, _ := Access{g: g}.given(gr, e, t)
	return view
}
