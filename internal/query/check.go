package query

import (
	"fmt"

	"github.com/sluice-bi/sluice/internal/permission"
)

// Check admits a native question. Asked ad hoc it needs QueryNatively on the
// database; a saved one needs nothing here but a person. The statement carries
// the tables of which the person may see all rows, by the same right that a
// structured question would need; the text is not read, so the engine must
// hold it to those tables, and to one statement that only reads. Values of
// variables are bound. Errors as for [Compile].
func Check(q *Query, s Source) (Statement, error) {
	c, err := start(q, s)
	if err != nil {
		return Statement{}, err
	}
	if !q.Native() {
		return Statement{}, &Error{Path: "query", Message: "this is not a native question"}
	}
	if err := c.mayRunNative(); err != nil {
		return Statement{}, err
	}
	if d := c.catalog().Database(q.database); d.Engine != c.Dialect.name {
		return Statement{}, fmt.Errorf("query: the dialect %s is not that of database %d", c.Dialect.name, q.database)
	}
	values, err := q.native.values(q.parameters)
	if err != nil {
		return Statement{}, err
	}
	sql, err := q.native.fill(values)
	if err != nil {
		return Statement{}, err
	}
	st := Statement{database: q.database, revision: s.Access.Graph().Revision(), native: true}
	st.limit = int(min(int64(s.MaxRows), rowLimit))
	st.sql, st.args = sql.render(s.Dialect)
	st.showForm = s.Access.Can(permission.QueryNatively, permission.ADatabase(q.database))
	for t := range c.catalog().Tables(q.database) {
		if !t.Active() {
			continue
		}
		if rows, err := s.Access.Rows(c.right(), t.ID); err == nil && rows.All() {
			st.tables = append(st.tables, Table{t.ID, t.Schema, t.Name})
		}
	}
	return st, nil
}

// mayRunNative decides whether SQL may be run at all.
func (c *compiler) mayRunNative() error {
	on := permission.ADatabase(c.database)
	if c.Saved && c.catalog().Database(c.database) != nil {
		return nil
	}
	return c.Access.Check(permission.QueryNatively, on)
}
