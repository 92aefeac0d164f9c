package query

import (
	"cmp"
	"maps"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// Who is seen as a role inside of the database has statements that run as it.
// A structured question needs no more: all of it is written here. SQL that
// people type could leave the role again, so it goes through the gate, which
// lets the tables that they may see stand for themselves.

// under notes as which role a table is read. A statement runs as one.
func (c *compiler) under(rows permission.Rows, id catalog.TableID) error {
	if c.roled && rows.Role() != c.role {
		return c.refused(c.right(), permission.ATable(id), "a question runs as one database role, and the person sees tables of it as different ones")
	}
	c.role, c.roled = rows.Role(), true
	return nil
}

// refused is a refusal for a reason that permission does not know of.
func (c *compiler) refused(right permission.Right, on permission.Object, why string) error {
	d := c.Access.Explain(right, on)
	d.Allowed, d.Reasons = false, append(slices.Clone(d.Reasons), permission.Reason{Note: why})
	return &permission.DeniedError{Decision: d}
}

// holdRole has the gate hold SQL to the role as which the person sees the
// tables of the database. It is false where they see none as one.
func (c *compiler) holdRole() (held bool, err error) {
	if !c.Access.Impersonated(c.database) {
		return false, nil
	}
	var open []readable
	var rows []permission.Rows
	var unmet error
	for t := range c.catalog().Tables(c.database) {
		if !t.Active() {
			continue
		}
		r, err := c.Access.Rows(c.right(), t.ID)
		if err != nil {
			unmet = cmp.Or(unmet, c.Access.Unmet(c.right(), t.ID))
			continue
		}
		open, rows = append(open, readable{view: View{table: Table{t.ID, t.Schema, t.Name}}}), append(rows, r)
	}
	if !slices.ContainsFunc(rows, func(r permission.Rows) bool { return r.Role() != "" }) {
		return false, nil
	}
	for i, r := range rows {
		if err := c.under(r, open[i].view.table.ID); err != nil {
			return true, err
		}
	}
	switch {
	case unmet != nil:
		return true, unmet
	case c.judging:
		return true, nil
	case c.Gate == nil:
		return true, c.refused(permission.QueryNatively, permission.ADatabase(c.database), "nothing reads the SQL that would run as a database role")
	}
	if c.boundary, err = c.Gate(); err != nil {
		return true, &Error{Path: "native", Message: err.Error(), cause: err}
	}
	c.readable = open
	return true, nil
}

// gatedAs sends a statement that runs as a role through the gate, which leaves
// its tables as they are.
func (c *compiler) gatedAs(st *Statement) error {
	used := map[catalog.TableID]Table{}
	printed, err := c.boundary.Gate(st.sql, func(schema, name string) (string, string, bool) {
		t, ok := c.named(schema, name)
		if !ok {
			return "", "", false
		}
		used[t.ID] = t
		return cmp.Or(t.Schema, c.boundary.Base), t.Name, true
	})
	if err != nil {
		return &Error{Path: "native", Message: err.Error(), cause: err}
	}
	st.sql = printed
	for _, id := range slices.Sorted(maps.Keys(used)) {
		st.tables = append(st.tables, used[id])
	}
	return nil
}
