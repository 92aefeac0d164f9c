package permission_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"pgregory.net/rapid"
)

// mutate makes a few random changes of every kind to a scene.
func (s *scene) mutate(t *rapid.T) {
	for range 1 + below(t, 5, "changes") {
		c := s.drawChange(t)
		if c == nil {
			continue
		}
		s.do(t, c)
	}
}

// drawChange draws a change that fits the graph; nil where there is nothing to
// change.
func (s *scene) drawChange(t *rapid.T) permission.Change {
	groups := slices.Collect(s.graph.Groups())
	users := slices.Collect(s.graph.Users())
	g, u := groups[below(t, len(groups), "group")], users[below(t, len(users), "user")]
	switch below(t, 9, "change") {
	case 0:
		to := *g
		to.Internal = !to.Internal
		return permission.SetGroup{From: g, To: &to}
	case 1:
		to := *u
		to.Active = !to.Active
		return permission.SetUser{From: u, To: &to}
	case 2:
		to := *u
		to.Attributes = map[string]string{"org": oneOf(t, "org", "1", "2", ""), "role": s.drawRole(t)}
		return permission.SetUser{From: u, To: &to}
	case 3:
		is := s.graph.IsMember(u.ID, g.ID)
		return permission.SetMembership{User: u.ID, Group: g.ID, From: is, To: !is}
	case 4:
		id := permission.Root
		for c := range s.graph.Collections() {
			if chance(t, 30, "collection") {
				id = c.ID
			}
		}
		level := permission.Level(below(t, 3, "level"))
		return permission.SetCollectionAccess{Group: g.ID, Collection: id, From: s.graph.CollectionLevel(g.ID, id), To: permission.Cell{Set: level > 0, Level: level}}
	}
	tb := s.drawTable(t)
	if tb == nil {
		return nil
	}
	switch below(t, 4, "change of data") {
	case 0:
		m := s.graph.Mark(tb.ID)
		return permission.SetTableMark{Table: tb.ID, From: m, To: permission.TableMark{Governed: !m.Governed, Shared: chance(t, 50, "shared")}}
	case 1:
		return permission.SetStrict{Database: tb.Database, From: s.graph.Strict(tb.Database), To: !s.graph.Strict(tb.Database)}
	case 2:
		from := s.graph.Sandbox(g.ID, tb.ID)
		if from != nil && chance(t, 40, "remove") {
			return permission.SetSandbox{From: from}
		}
		where := []permission.AttributeEquality{{Field: s.graph.Catalog().Fields(tb.ID)[below(t, 2, "field")].ID, Attribute: oneOf(t, "attribute", "org", "team")}}
		return permission.SetSandbox{From: from, To: &permission.Sandbox{Group: g.ID, Table: tb.ID, Policy: s.drawPolicy(t, tb, where), At: now + 1}}
	}
	k, scope := s.drawScope(t, tb)
	to := permission.Cell{Set: true, Level: oneOf(t, "level", levelsAt(k, scope.Depth)...), At: now + 1}
	if chance(t, 25, "clear") {
		to = permission.Cell{}
	}
	return permission.SetDataAccess{Group: g.ID, Database: tb.Database, Kind: k, Scope: scope, From: s.graph.Cell(g.ID, tb.Database, k, scope), To: impersonated(t, k, to)}
}

// drawTable draws one of the tables; nil when there are none.
func (s *scene) drawTable(t *rapid.T) *catalog.Table {
	ids := slices.Sorted(maps.Keys(s.ref.Tables))
	if len(ids) == 0 {
		return nil
	}
	return s.graph.Catalog().Table(ids[below(t, len(ids), "table")])
}

// drawScope draws a kind and the table, or what is around it.
func (s *scene) drawScope(t *rapid.T, tb *catalog.Table) (permission.Kind, permission.Scope) {
	k := oneOf(t, "kind", permission.View, permission.View, permission.Create, permission.Download, permission.DataModel, permission.Details)
	scope := oneOf(t, "scope", permission.OneTable(tb.ID), permission.WholeSchema(tb.Schema), permission.WholeDatabase())
	if k == permission.Details {
		scope = permission.WholeDatabase()
	}
	return k, scope
}

// dump writes down everything that a graph holds but its catalog and revision.
func dump(g *permission.Graph) string {
	var b strings.Builder
	for gr := range g.Groups() {
		fmt.Fprintf(&b, "%+v members %v\n", *gr, slices.Collect(g.Members(gr.ID)))
		for db := range g.Entries(gr.ID) {
			for k := permission.View; k <= permission.Details; k++ {
				for scope, c := range g.Cells(gr.ID, db, k) {
					fmt.Fprintf(&b, " %d %s%s %+v\n", db, k, scope, c)
				}
			}
		}
		for c, cell := range g.CollectionLevels(gr.ID) {
			fmt.Fprintf(&b, " collection %s %+v\n", c, cell)
		}
		for p := range g.Sandboxes(gr.ID) {
			fmt.Fprintf(&b, " %+v\n", *p)
		}
	}
	for u := range g.Users() {
		fmt.Fprintf(&b, "%+v groups %v\n", *u, g.GroupsOf(u.ID))
	}
	for c := range g.Collections() {
		fmt.Fprintf(&b, "%+v\n", *c)
	}
	for t, m := range g.Marks() {
		fmt.Fprintf(&b, "table %d %+v\n", t, m)
	}
	for d := range g.Catalog().Databases() {
		fmt.Fprintf(&b, "database %d strict %v\n", d.ID, g.Strict(d.ID))
	}
	return b.String()
}

// undated is a dump in which it does not show when something was written.
func undated(g *permission.Graph) string {
	lines := strings.Split(dump(g), "\n")
	for i, l := range lines {
		if at := strings.LastIndex(l, " At:"); at >= 0 {
			lines[i] = l[:at]
		}
	}
	return strings.Join(lines, "\n")
}

// drawPolicy is one with these conditions, or with all rows; most show all
// columns.
func (s *scene) drawPolicy(t *rapid.T, tb *catalog.Table, where []permission.AttributeEquality) permission.Policy {
	p := permission.Policy{Where: where}
	if chance(t, 20, "all rows") {
		p = permission.Policy{AllRows: true}
	}
	if chance(t, 20, "by a question") {
		return s.byQuestion(t, tb, p.Where)
	}
	if !chance(t, 35, "columns") {
		return p
	}
	p.Columns = []permission.ColumnRule{}
	for _, f := range s.graph.Catalog().Fields(tb.ID) {
		if chance(t, 30, "hidden") {
			continue
		}
		mask := oneOf(t, "mask", permission.Mask{}, permission.Mask{}, permission.Mask{Kind: permission.MaskNull}, permission.Mask{Kind: permission.MaskHash},
			permission.Mask{Kind: permission.MaskPartial, Last: 2}, permission.Mask{Kind: permission.MaskPartial, Last: 4},
			permission.Mask{Kind: permission.MaskDate, Unit: "year"}, permission.Mask{Kind: permission.MaskDate, Unit: "month"})
		p.Columns = append(p.Columns, permission.ColumnRule{Field: f.ID, Mask: mask})
	}
	return p
}

// byQuestion is a policy by a saved question. Without columns it is not known
// what it shows.
func (s *scene) byQuestion(t *rapid.T, tb *catalog.Table, where []permission.AttributeEquality) permission.Policy {
	p := permission.Policy{Where: where, Card: oneOf[int64](t, "question", 7, 8), Seal: oneOf(t, "seal", "a", "b")}
	if chance(t, 40, "variable") {
		p.Variables = []permission.AttributeVariable{{Variable: oneOf(t, "variable", "x", "y"), Attribute: oneOf(t, "attribute", "org", "team")}}
	}
	for _, f := range s.graph.Catalog().Fields(tb.ID) {
		if !chance(t, 30, "hidden") {
			p.Columns = append(p.Columns, permission.ColumnRule{Field: f.ID})
		}
	}
	return p
}
