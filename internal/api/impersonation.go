package api

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// impersonationRoutes tell which groups see a database as the role that an
// attribute of each member names. They are written with the data graph, of
// which they are a part.
func impersonationRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/api/ee/advanced-permissions/impersonation", Need: administrator(), Query: impersonationQuery{}, Answer: []impersonationWire{},
			Summary: "List impersonations; with a group and a database, the one, or 204", handle: (*API).listImpersonations},
	}
}

type impersonationQuery struct {
	Group    ID `query:"group_id"`
	Database ID `query:"db_id"`
}

// impersonationWire is an impersonation as clients know it.
type impersonationWire struct {
	Group     int64  `json:"group_id"`
	Database  int64  `json:"db_id"`
	Attribute string `json:"attribute"`
}

// impersonationBody is an impersonation that is sent with the data graph.
type impersonationBody struct {
	Group     Opt[ID]     `json:"group_id" rule:"positive"`
	Database  Opt[ID]     `json:"db_id" rule:"positive"`
	Attribute Opt[string] `json:"attribute"`
}

func (a *API) listImpersonations(r *request) (any, error) {
	q := queryOf[impersonationQuery](r)
	list := impersonationsOf(a.store.Graph(), permission.GroupID(q.Group), catalog.DatabaseID(q.Database))
	if q.Group == 0 || q.Database == 0 {
		return append([]impersonationWire{}, list...), nil
	}
	if len(list) == 0 {
		return noContent(), nil
	}
	return list[0], nil
}

// impersonationsOf are those of a group, or of all (0), in a database, or in
// all (0).
func impersonationsOf(g *permission.Graph, group permission.GroupID, db catalog.DatabaseID) (list []impersonationWire) {
	for gr := range g.Groups() {
		if group != 0 && gr.ID != group {
			continue
		}
		for d := range g.Entries(gr.ID) {
			if by := g.Impersonation(gr.ID, d); by != "" && (db == 0 || d == db) {
				list = append(list, impersonationWire{int64(gr.ID), int64(d), by})
			}
		}
	}
	return list
}

// attributeOf reads the name of an attribute.
func attributeOf(o Opt[string]) (string, error) {
	name, given := o.Get()
	switch {
	case !given, strings.TrimSpace(name) == "":
		return "", errors.New("name the attribute of people in which their database role stands")
	case strings.HasPrefix(name, "@"):
		return "", errors.New("names that begin with @ belong to the server, and there is no such attribute")
	case strings.ContainsRune(name, 0), utf8.RuneCountInString(name) > 254:
		return "", errors.New("the name of an attribute has at most 254 characters, and no NUL")
	}
	return name, nil
}

// impersonationEdits are the edits of the impersonations of a body, to go after
// those of the levels. One that base has already says nothing: clients send
// back what they have read, beside another level.
func impersonationEdits(base *permission.Graph, bodies []impersonationBody) (edits []permission.Edit, err error) {
	seen := map[permission.Edge]bool{}
	for i, b := range bodies {
		path := fmt.Sprintf("impersonations[%d]", i)
		group, byGroup := b.Group.Get()
		db, byDatabase := b.Database.Get()
		attribute, err := attributeOf(b.Attribute)
		at := permission.Edge{Group: permission.GroupID(group), Database: catalog.DatabaseID(db)}
		switch {
		case !byGroup:
			return nil, graphError(path+".group_id", "name the group")
		case !byDatabase:
			return nil, graphError(path+".db_id", "name the database")
		case err != nil:
			return nil, graphError(path+".attribute", "%v", err)
		case seen[at]:
			return nil, graphError(path, "group %d has one impersonation in database %d, and this is a second", at.Group, at.Database)
		}
		seen[at] = true
		if base.Impersonation(at.Group, at.Database) != attribute {
			edits = append(edits, permission.Edit{Op: permission.OpImpersonate, Group: at.Group, Database: at.Database, Attribute: attribute})
		}
	}
	return edits, nil
}

// impersonated are the entries that edits make impersonated, or by another
// attribute.
func impersonated(edits []permission.Edit) (on []permission.Edge) {
	for _, e := range edits {
		level := (e.Op == permission.OpSet || e.Op == permission.OpWrite) && e.Kind == permission.View && e.Level == permission.Impersonated
		if at := (permission.Edge{Group: e.Group, Database: e.Database}); (level || e.Op == permission.OpImpersonate) && !slices.Contains(on, at) {
			on = append(on, at)
		}
	}
	return on
}

// impersonations are those that are there now of some entries, and what is to
// be said about them.
func impersonations(g *permission.Graph, on []permission.Edge) (list []impersonationWire, warnings []permission.Warning) {
	for _, at := range on {
		gr, db := g.Group(at.Group), g.Catalog().Database(at.Database)
		if gr == nil || db == nil || g.Cell(at.Group, at.Database, permission.View, permission.WholeDatabase()).Level != permission.Impersonated {
			continue
		}
		in := fmt.Sprintf("group %d %q", gr.ID, gr.Name)
		warn := func(people int, format string, args ...any) {
			warnings = append(warnings, permission.Warning{Group: at.Group, Database: at.Database, People: people,
				Message: fmt.Sprintf("%s, database %d %q: ", in, db.ID, db.Name) + fmt.Sprintf(format, args...)})
		}
		by := g.Impersonation(at.Group, at.Database)
		switch {
		case !catalog.TakesRoles(db.Engine):
			warn(0, "databases of this engine have no roles that people could be seen as: the view shows nothing")
		case by == "":
			warn(0, "the view is impersonated without an attribute, and shows nothing; name one in impersonations")
		}
		if by == "" {
			continue
		}
		list = append(list, impersonationWire{int64(at.Group), int64(at.Database), by})
		lack := 0
		for u := range g.Subjects(at.Group) {
			if !permission.IsRole(u.Attributes[by]) {
				lack++
			}
		}
		if lack > 0 {
			warn(lack, "%s in %s %s no name of a database role in the attribute %s, and cannot ask", people(lack), in, form(lack, "has", "have"), by)
		}
	}
	return list, warnings
}
