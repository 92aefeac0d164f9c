package query

import "github.com/sluice-bi/sluice/internal/permission"

// Check admits a native question. Asked ad hoc it needs QueryNatively on the
// database; a saved one needs nothing here but a person. The saved questions
// in it need what they would need in a structured question, and so do the
// tables of its field filters. The statement carries the tables that the person
// may see something of, as views of what they see, by the same right that a
// structured question would need; the text is not read, so the engine must
// hold it to those views, and to one statement that only reads. Where the
// engine cannot, the person must be one from whom nothing in the database is
// hidden. A policy that cannot be applied, on whatever table, refuses. Values
// of variables are bound. Errors as for [Compile].
func Check(q *Query, s Source) (Statement, error) {
	c, err := start(q, s)
	if err != nil {
		return Statement{}, err
	}
	if !q.Native() {
		return Statement{}, &Error{Path: "query", Message: "this is not a native question"}
	}
	if err := c.mayRunNative(q); err != nil {
		return Statement{}, err
	}
	if err := c.fitting(); err != nil {
		return Statement{}, err
	}
	sql, err := c.splice(q)
	if err != nil {
		return Statement{}, err
	}
	return c.statement(sql)
}

// mayRunNative decides whether SQL may be run at all, and about what stands in
// it.
func (c *compiler) mayRunNative(q *Query) error {
	on := permission.ADatabase(q.database)
	if !c.Saved || c.catalog().Database(q.database) == nil {
		if err := c.Access.Check(permission.QueryNatively, on); err != nil {
			return err
		}
	}
	if err := c.walk().query(q, q.native.at); err != nil {
		return err
	}
	return c.mayMix()
}
