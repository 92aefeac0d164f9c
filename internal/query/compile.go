package query

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// Bounds on what a statement is made of.
const (
	maxStages  = 20    // stages and saved questions on top of one another
	maxSources = 50    // sources in all
	maxColumns = 1_000 // of a stage
	maxArgs    = 20_000
	rowLimit   = 1 << 31 // above which MaxRows makes no difference
)

// compiler writes one statement.
type compiler struct {
	Source
	now       time.Time
	database  catalog.DatabaseID // 0 until the first table decides
	scans     map[catalog.TableID]*scanned
	cards     map[int64]*Card
	sandboxed bool
	aliases   int
	depth     int
}

// start checks what does not depend on the question's clauses.
func start(q *Query, s Source) (*compiler, error) {
	switch {
	case q == nil || q.block == nil && q.native == nil:
		return nil, &Error{Message: "there is no question"}
	case s.Access.Graph() == nil: // nobody: say so in the words of permission
		return nil, s.Access.Check(permission.ShowTable, permission.ATable(0))
	case s.Dialect.name == "":
		return nil, errors.New("query: a source without a dialect")
	case s.MaxRows <= 0:
		return nil, errors.New("query: a source without a row limit")
	}
	return &compiler{Source: s, now: s.Now.UTC(), database: q.database,
		scans: map[catalog.TableID]*scanned{}, cards: map[int64]*Card{}}, nil
}

func (c *compiler) catalog() *catalog.Snapshot { return c.Access.Graph().Catalog() }

func (c *compiler) right() permission.Right {
	if c.Saved {
		return permission.ShowTable
	}
	return permission.QueryTable
}

// Compile writes a structured question as one SQL statement under the
// person's permissions. Errors: *permission.DeniedError when a table or the
// person is refused, *[InvalidAttributeError] when a sandbox cannot be
// applied, *[Error] when the question is wrong; all sources are decided on
// before anything else of the question is looked at.
func Compile(q *Query, s Source) (Statement, error) {
	c, err := start(q, s)
	if err != nil {
		return Statement{}, err
	}
	if q.Native() {
		return Statement{}, &Error{Path: "native", Message: "this is not a structured question"}
	}
	if err := c.sources(q.block); err != nil {
		return Statement{}, err
	}
	b, err := q.governed()
	if err != nil {
		return Statement{}, err
	}
	st := Statement{database: c.database, revision: s.Access.Graph().Revision()}
	ask := b.limit // rows that the SQL asks for
	if b.page.number > 0 {
		ask = b.page.items
	}
	st.limit = int(min(int64(s.MaxRows), rowLimit))
	if ask > 0 && ask <= int64(st.limit) {
		st.limit = int(ask)
	} else {
		ask = int64(st.limit) + 1
	}
	sql, columns, err := c.stage(b, ask)
	if err != nil {
		return Statement{}, err
	}
	if n := sql.values(); n > maxArgs {
		return Statement{}, &Error{Path: "query", Message: fmt.Sprintf("there are %d values in it; at most %d can be bound", n, maxArgs)}
	}
	if d := c.catalog().Database(c.database); d == nil || d.Engine != c.Dialect.name {
		return Statement{}, fmt.Errorf("query: the dialect %s is not that of database %d", c.Dialect.name, c.database)
	}
	st.sql, st.args = sql.render(s.Dialect)
	for _, col := range columns {
		st.columns = append(st.columns, col.Column)
	}
	for id, scan := range c.scans {
		st.tables = append(st.tables, Table{id, scan.table.Schema, scan.table.Name})
	}
	slices.SortFunc(st.tables, func(a, b Table) int { return cmp.Compare(a.ID, b.ID) })
	st.sandboxed = c.sandboxed
	st.showForm = s.Access.Can(permission.QueryNatively, permission.ADatabase(c.database))
	return st, nil
}

// governed is the outermost stage with the parameters as conditions.
func (q *Query) governed() (*block, error) {
	if len(q.parameters) == 0 {
		return q.block, nil
	}
	b := *q.block
	var all []expr
	if b.filter != nil {
		all = append(all, b.filter)
	}
	for i := range q.parameters {
		e, err := q.parameters[i].condition()
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	b.filter = &call{at: b.at, op: "and", args: all}
	return &b, nil
}

// stage writes a SELECT. ask limits the rows in place of the stage's own
// limit; 0 leaves it at that.
func (c *compiler) stage(b *block, ask int64) (fragment, []column, error) {
	s := &scope{block: b}
	from, err := c.from(b, s)
	if err != nil {
		return nil, nil, err
	}
	var where fragment
	if b.filter != nil {
		if where, err = c.condition(s, b.filter); err != nil {
			return nil, nil, err
		}
	}
	out, err := c.outputs(s)
	if err != nil {
		return nil, nil, err
	}
	if len(out) > maxColumns {
		return nil, nil, b.at.errorf("has %d columns, more than %d; name the fields that are needed", len(out), maxColumns)
	}
	var selected []fragment
	columns := make([]column, len(out))
	taken := names{}
	for i, v := range out {
		columns[i] = v.column
		columns[i].Name = taken.unique(v.column.Name)
		columns[i].sql = c.Dialect.quote("c" + itoa(int64(i+1)))
		selected = append(selected, cat(v.sql, " AS "+columns[i].sql))
	}
	sql := cat("SELECT ", separated(", ", selected), from)
	if where != nil {
		sql = cat(sql, " WHERE ", where)
	}
	if n := len(b.breakouts); n > 0 {
		sql = cat(sql, " GROUP BY ", ordinals(n))
	}
	sorted, err := c.sorted(s)
	if err != nil {
		return nil, nil, err
	}
	sql = cat(sql, sorted, limited(b, ask))
	return sql, columns, nil
}

// ordinals names the first n columns by their number, which holds also where
// an argument is in them.
func ordinals(n int) fragment {
	var all []fragment
	for i := range n {
		all = append(all, text(itoa(int64(i+1))))
	}
	return separated(", ", all)
}

func limited(b *block, ask int64) fragment {
	if ask == 0 {
		if ask = b.limit; b.page.number > 0 {
			ask = b.page.items
		}
	}
	switch {
	case ask == 0:
		return nil
	case b.page.number > 1:
		return text(" LIMIT " + itoa(ask) + " OFFSET " + itoa((b.page.number-1)*b.page.items))
	}
	return text(" LIMIT " + itoa(ask))
}

// from writes the sources of a stage and fills the scope with them.
func (c *compiler) from(b *block, s *scope) (fragment, error) {
	sql, r, err := c.relation(b.source, "")
	if err != nil {
		return nil, err
	}
	s.from = r
	f := cat(" FROM ", sql)
	for i, j := range b.joins {
		sql, r, err := c.relation(j.source, j.alias)
		if err != nil {
			return nil, err
		}
		s.joins = append(s.joins, r)
		on, err := c.condition(s, j.condition)
		if err != nil {
			return nil, err
		}
		word := " LEFT JOIN "
		if b.joins[i].strategy == "inner-join" {
			word = " INNER JOIN "
		}
		f = cat(f, word, sql, " ON ", on)
	}
	return f, nil
}

// relation writes a source with an alias of its own.
func (c *compiler) relation(src source, alias string) (fragment, relation, error) {
	var sql fragment
	var columns []column
	var err error
	switch {
	case src.table != 0:
		var scan *scanned
		if scan, err = c.scan(src.table, src.at); err == nil {
			sql, columns = scan.sql, scan.columns
		}
	case src.card != 0:
		var card *Card
		if card, err = c.card(src); err == nil {
			sql, columns, err = c.cardStage(card)
			err = inCard(src, err)
		}
	default:
		sql, columns, err = c.stage(src.block, 0)
	}
	c.aliases++
	r := relation{alias: alias, sql: c.Dialect.quote("s" + itoa(int64(c.aliases))), columns: columns}
	return cat("(", sql, ") AS "+r.sql), r, err
}

func (c *compiler) cardStage(card *Card) (fragment, []column, error) {
	b, err := card.Query.governed()
	if err != nil {
		return nil, nil, err
	}
	return c.stage(b, 0)
}

// outputs are the columns of a stage, in their order.
func (c *compiler) outputs(s *scope) ([]value, error) {
	if s.block.grouped() {
		return c.groupedOutputs(s)
	}
	var out []value
	seen := map[string]bool{}
	add := func(v value) {
		v.column.Source = "fields"
		seen[string(v.column.FieldRef)] = true
		out = append(out, v)
	}
	fields := s.block.fields
	if len(fields) == 0 {
		for _, col := range s.from.columns {
			add(s.from.value(col))
		}
		for _, x := range s.block.expressions {
			fields = append(fields, &expressionRef{at: x.at, name: x.name})
		}
	}
	for _, e := range fields {
		v, err := c.value(s, e)
		if err != nil {
			return nil, err
		}
		add(v)
	}
	for i, j := range s.block.joins {
		var joined []value
		if j.all {
			for _, col := range s.joins[i].columns {
				joined = append(joined, s.joins[i].value(col))
			}
		}
		for _, e := range j.fields {
			v, err := c.value(s, e)
			if err != nil {
				return nil, err
			}
			joined = append(joined, v)
		}
		for _, v := range joined { // what stands in "fields" too comes once
			if !seen[string(v.column.FieldRef)] {
				add(v)
			}
		}
	}
	return out, nil
}

func (c *compiler) groupedOutputs(s *scope) ([]value, error) {
	var out []value
	for _, b := range s.block.breakouts {
		v, err := c.value(s, b)
		if err != nil {
			return nil, err
		}
		v.column.Source = "breakout"
		out = append(out, v)
	}
	for i, a := range s.block.aggregations {
		v, err := c.aggregate(s, a.expr)
		if err != nil {
			return nil, err
		}
		v.column.Source = "aggregation"
		v.column.Name, v.column.DisplayName = cmp.Or(a.name, v.column.Name), cmp.Or(a.displayName, v.column.DisplayName)
		v.column.FieldRef = reference(&aggregationRef{index: i})
		out = append(out, v)
	}
	return out, nil
}
