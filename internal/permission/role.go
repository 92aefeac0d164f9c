package permission

import (
	"fmt"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// A group's view of a whole database can be Impersonated: its members see what
// a role inside of the database may. Which role that is stands in an attribute
// of each person, and which attribute, in the level's cell.

// Impersonation is the attribute that names the role as which the members of a
// group see a database; "" for none.
func (g *Graph) Impersonation(id GroupID, d catalog.DatabaseID) string {
	return g.Cell(id, d, View, WholeDatabase()).Attribute
}

// IsRole tells whether a value may be the name of a database role. Words that
// an engine takes for no role, or for several, are none.
func IsRole(name string) bool {
	if name == "" || len(name) > 63 {
		return false
	}
	for _, c := range []byte(name) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '$' || c == '-') {
			return false
		}
	}
	for _, word := range [...]string{"none", "default", "all", "public"} {
		if strings.EqualFold(name, word) {
			return false
		}
	}
	return true
}

// role is the database role as which a person sees a table whose view is
// Impersonated. Where it cannot be told, nothing is shown.
func (a Access) role(r table, t *catalog.Table, tr *trace) (string, bool) {
	d := a.g.Catalog().Database(t.Database)
	switch {
	case r.torn:
		return "", tr.because("the groups name different attributes for the database role; that cannot be combined")
	case r.attribute == "":
		return "", tr.because("the view is impersonated without an attribute that names the database role: it shows nothing")
	case d == nil || !catalog.TakesRoles(d.Engine):
		return "", tr.because("databases of this engine have no roles that people could be seen as")
	}
	role := a.u.Attributes[r.attribute]
	if !IsRole(role) {
		if tr != nil {
			what := "is no name of a database role"
			if !hasValue(role) {
				what = "has no value"
			}
			tr.because(fmt.Sprintf("the person's attribute %q, which names their database role, %s", r.attribute, what))
		}
		return "", false
	}
	return role, true
}

// seenAs is the role as which the rows of an open table are read; "" for none.
func (a Access) seenAs(r table, t *catalog.Table) (role string) {
	if r.view == Impersonated {
		role, _ = a.role(r, t, nil)
	}
	return role
}

// Impersonated tells whether a group of the person sees the database as a
// database role, whatever the others do.
func (a Access) Impersonated(d catalog.DatabaseID) bool {
	if a.u == nil || a.admin(nil) {
		return false
	}
	for _, id := range a.u.groups {
		if a.g.Cell(id, d, View, WholeDatabase()).Level == Impersonated {
			return true
		}
	}
	return false
}

// natively tells whether SQL of the person may run in a database, where a group
// gives the level for it.
func (a Access) natively(d *catalog.Database, tr *trace) bool {
	if !a.Impersonated(d.ID) {
		return a.held(d, tr)
	}
	role, some := "", false
	var closed *catalog.Table // as no role can be told for it
	for t := range a.g.Catalog().Tables(d.ID) {
		if !t.Active() {
			continue
		}
		r := a.resolve(t, nil)
		if !a.open(r, t, nil) {
			if r.view == Impersonated {
				closed = t
			}
			continue
		}
		is := a.seenAs(r, t)
		if some && is != role {
			return tr.because("SQL runs as one database role, and the person sees tables of the database as different ones")
		}
		role, some = is, true
	}
	switch {
	case role != "":
		return true
	case a.wholeImpersonated(d.ID) && !catalog.Governs(d.Engine): // nothing would hold the SQL
		if closed != nil && tr != nil {
			a.open(a.resolve(closed, nil), closed, tr)
		}
		return tr.because("the person sees the database as a database role, and no table of it is open to them as one")
	}
	return a.held(d, tr)
}

// held is natively for who is seen as no role.
func (a Access) held(d *catalog.Database, tr *trace) bool {
	if d.Governs {
		return a.opens(d.ID, tr)
	}
	return a.plain(d.ID, tr)
}

// wholeImpersonated tells whether the person's groups give the view of a role
// for the whole database, and none all of it.
func (a Access) wholeImpersonated(d catalog.DatabaseID) (is bool) {
	for _, id := range a.u.groups {
		switch a.g.Cell(id, d, View, WholeDatabase()).Level {
		case Unrestricted:
			return false
		case Impersonated:
			is = true
		}
	}
	return is
}

// Impersonate writes the attribute of a group's impersonated view. The level
// must be there: the attribute is part of it.
func (d *Draft) Impersonate(id GroupID, db catalog.DatabaseID, attribute string) error {
	e, err := d.on(id, db, WholeDatabase())
	if err != nil {
		return err
	}
	was := e.cell(View, WholeDatabase())
	switch {
	case was.Level != Impersonated:
		return fmt.Errorf("group %d, database %d %q: view-data is %q, and only \"impersonated\" has an attribute; send both", id, db, e.db.Name, View.Word(was.Level))
	case attribute == "":
		return fmt.Errorf("group %d, database %d %q: an impersonation needs the name of an attribute", id, db, e.db.Name)
	case was.Attribute != attribute:
		e.narrows(true)
		to := was // the date stays: this decides about no table
		to.Attribute = attribute
		e.must(SetDataAccess{id, db, View, WholeDatabase(), was, to})
	}
	return nil
}
