package api

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
)

// warnAbout says what of a policy will not work out as its author may expect.
// It looks at the members of the group, not at everybody.
func warnAbout(g *permission.Graph, group permission.GroupID, table catalog.TableID) []permission.Warning {
	b, t, gr := g.Sandbox(group, table), g.Catalog().Table(table), g.Group(group)
	if b == nil || t == nil || gr == nil {
		return nil
	}
	db := g.Catalog().Database(t.Database)
	in := fmt.Sprintf("group %d %q", gr.ID, gr.Name)
	where := fmt.Sprintf("%s, table %d %q of database %d %q: ", in, t.ID, t.Name, db.ID, db.Name)
	var list []permission.Warning
	warn := func(people int, format string, args ...any) {
		list = append(list, permission.Warning{Group: group, Database: db.ID, Table: table, People: people, Message: where + fmt.Sprintf(format, args...)})
	}
	if len(b.Where) == 0 && !b.AllRows && b.Card == 0 {
		warn(0, "the policy shows no rows: it names no attribute, and all_rows is false")
	}
	if b.Columns != nil && len(b.Columns) == 0 {
		warn(0, "the policy shows no columns")
	}
	if l := g.Level(group, db.ID, permission.View, permission.OneTable(table)); l <= permission.Blocked {
		word := "not set"
		if l == permission.Blocked {
			word = permission.View.Word(l)
		}
		warn(0, "view-data is %s for the group, so that the policy shows nothing; it takes \"sandboxed\"", word)
	}
	needed := slices.Clone(b.Where)
	for _, v := range b.Variables { // what they take says the question
		needed = append(needed, permission.AttributeEquality{Attribute: v.Attribute})
	}
	for _, eq := range needed {
		f := g.Catalog().Field(eq.Field)
		lack, misfit, what := 0, 0, ""
		for u := range g.Subjects(group) {
			switch v := u.Attributes[eq.Attribute]; {
			case v == "":
				lack++
			case f != nil:
				if err := query.FitsAttribute(db.Engine, f, v); err != nil {
					misfit++
					what = err.Error()
				}
			}
		}
		if lack > 0 {
			warn(lack, "%s in %s %s the attribute %s, and cannot ask", people(lack), in, form(lack, "lacks", "lack"), eq.Attribute)
		}
		if misfit > 0 {
			warn(misfit, "%s %s a value of %s that the column %s does not take, and cannot ask: %s", people(misfit), form(misfit, "has", "have"), eq.Attribute, f.Name, what)
		}
	}
	contradicted(g, group, table, warn)
	opened := g.OpenedBy(group, table)
	for _, other := range slices.Sorted(maps.Keys(opened)) {
		n := opened[other]
		warn(n, "group %d %q gives %s of this group all rows, so that the policy comes to nothing for them", other, g.Group(other).Name, people(n))
	}
	return list
}

func people(n int) string { return fmt.Sprintf("%d %s", n, form(n, "person", "people")) }

// form is the form of a word for one or for many.
func form(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
