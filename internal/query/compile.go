package query

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
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
	maxTable   = 1_600 // columns of a table
	maxArgs    = 20_000
	rowLimit   = 1 << 31 // above which MaxRows makes no difference
)

// compiler writes one statement.
type compiler struct {
	Source
	now       time.Time          // in the zone
	zone      *time.Location     // that of Source.Now, or UTC for engines without zones
	database  catalog.DatabaseID // 0 until the first table decides
	scans     map[catalog.TableID]*scanned
	cards     map[int64]*Card
	snippets  map[snippetRef]*native
	sandboxed bool
	sql       bool                      // SQL typed by a person is in it
	keyed     bool                      // the key of hashes is among its values
	hiding    bool                      // a policy hides a column of a source
	risky     bool                      // see risk
	judging   bool                      // nothing is written: attributes are read as the engine of their table reads them
	viewing   bool                      // what is written is a view
	overViews bool                      // tables are views already: they are as the person sees them
	standing  bool                      // what is written stands in for a table
	below     map[catalog.TableID]Table // what questions read that stand in for tables
	boundary  *Boundary                 // that holds SQL of people, on engines with leases
	calm      bool                      // see Boundary.Calm
	readable  []readable                // what SQL of people may read, where the engine holds it to that
	open      bool                      // that is all of the database, whole
	role      string                    // as which the statement runs
	roled     bool                      // that was decided for some table
	aliases   int
	depth     int
	work      int
	ranges    int // looked at for binning
}

// start checks what does not depend on the question's clauses.
func start(q *Query, s Source) (*compiler, error) {
	switch {
	case q == nil || q.block == nil && q.native == nil:
		return nil, &Error{Message: "there is no question"}
	case s.Access.Graph() == nil: // nobody: say so in the words of permission
		return nil, s.Access.Check(permission.ShowTable, permission.ATable(0))
	case s.Dialect.dialect == nil:
		return nil, errors.New("query: a source without a dialect")
	case s.MaxRows <= 0:
		return nil, errors.New("query: a source without a row limit")
	}
	zone := s.Now.Location()
	if !s.Dialect.zoned() || zone.String() == "Local" { // which has no name that an engine knows
		zone = time.UTC
	}
	return &compiler{Source: s, now: s.Now.In(zone), zone: zone, database: q.database,
		scans: map[catalog.TableID]*scanned{}, below: map[catalog.TableID]Table{}, cards: map[int64]*Card{}, snippets: map[snippetRef]*native{}}, nil
}

func (c *compiler) catalog() *catalog.Snapshot { return c.Access.Graph().Catalog() }

func (c *compiler) right() permission.Right {
	if c.Saved {
		return permission.ShowTable
	}
	return permission.QueryTable
}

// risk notes that something was written which can fail for a row. A statement
// without it needs no fences around sandboxed scans, and its conditions can
// use the engine's indexes.
func (c *compiler) risk() { c.risky = true }

// Compile writes a structured question as one SQL statement under the
// person's permissions. Errors: *permission.DeniedError when a table or the
// person is refused, *[PolicyError] when a sandbox cannot be
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
	b, err := q.governed()
	if err != nil {
		return Statement{}, err
	}
	if err := c.sources(b); err != nil {
		return Statement{}, err
	}
	if err := c.fitting(); err != nil {
		return Statement{}, err
	}
	ask := b.limit // rows that the SQL asks for
	if b.page.number > 0 {
		ask = b.page.items
	}
	limit := int(min(int64(s.MaxRows), rowLimit))
	if ask > 0 && ask <= int64(limit) {
		limit = int(ask)
	} else {
		ask = int64(limit) + 1
	}
	sql, columns, err := c.stage(b, ask)
	if err != nil {
		return Statement{}, err
	}
	st, err := c.statement(sql)
	st.limit = limit
	for _, col := range columns {
		st.columns = append(st.columns, col.Column)
	}
	if err == nil && c.sandboxed && !c.sql && c.mayWriteSQL() {
		c.formOver(&st, q, b, ask)
	}
	return st, err
}

// fitting checks that the dialect is that of the question's database.
func (c *compiler) fitting() error {
	if d := c.catalog().Database(c.database); d == nil || d.Engine != c.Dialect.engine() {
		return fmt.Errorf("query: the dialect %s is not that of database %d", c.Dialect.engine(), c.database)
	}
	return nil
}

// statement is the SQL with all that is known of it.
func (c *compiler) statement(sql fragment) (Statement, error) {
	if n := sql.values(); n > maxArgs {
		return Statement{}, &Error{Path: "query", Message: fmt.Sprintf("there are %d values in it; at most %d can be bound", n, maxArgs)}
	}
	st := Statement{database: c.database, engine: c.Dialect.engine(), revision: c.Access.Graph().Revision(),
		limit: int(min(int64(c.MaxRows), rowLimit)), native: c.sql, sandboxed: c.sandboxed, role: c.role}
	st.sql, st.args = sql.render(c.Dialect, c.risky)
	var gated func(*Statement) error
	switch _, attaches := c.Dialect.dialect.(attaching); {
	case c.sql && attaches:
		c.held(&st)
	case c.sql && c.boundary != nil:
		gated = c.gated
	case c.sql:
		st.tables = c.whole()
	default:
		for id, scan := range c.scans {
			st.tables = append(st.tables, Table{id, scan.table.Schema, scan.table.Name})
		}
	}
	byID := func(a, b Table) int { return cmp.Compare(a.ID, b.ID) }
	slices.SortFunc(st.tables, byID)
	st.form, st.formArgs = st.sql, st.args
	st.showForm = c.mayWriteSQL() && !c.keyed && (c.sql || !c.sandboxed)
	if gated != nil {
		if err := gated(&st); err != nil {
			return Statement{}, err
		}
	}
	st.below = slices.SortedFunc(maps.Values(c.below), byID) // the gate asks for views
	return st, nil
}

// stage writes a SELECT. ask limits the rows in place of the stage's own
// limit; 0 leaves it at that.
func (c *compiler) stage(b *block, ask int64) (fragment, []column, error) {
	b, err := c.measured(b)
	if err != nil {
		return nil, nil, err
	}
	s := &scope{block: b, hops: map[hopKey]*relation{}}
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
	if b.windowed() {
		s.layer = c.alias()
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
		columns[i].sql = c.numbered(i)
		selected = append(selected, cat(v.sql, " AS "+columns[i].sql))
	}
	sorted, err := c.sorted(s)
	if err != nil {
		return nil, nil, err
	}
	rows := cat(from, s.extra) // what the clauses asked for is known now
	if where != nil {
		rows = cat(rows, " WHERE ", where)
	}
	if n := len(b.breakouts); n > 0 {
		rows = cat(rows, " GROUP BY ", ordinals(n))
	}
	if s.layer != "" {
		rows = cat(" FROM (SELECT ", c.listed(s.leaves), rows, ") AS "+s.layer)
	}
	return cat("SELECT ", separated(", ", selected), rows, sorted, limited(b, ask)), columns, nil
}

// numbered is the name of a column by its place, from 0.
func (c *compiler) numbered(i int) string { return c.Dialect.quote("c" + itoa(int64(i+1))) }

// listed selects values under their numbers.
func (c *compiler) listed(all []fragment) fragment {
	var selected []fragment
	for i, x := range all {
		selected = append(selected, cat(x, " AS "+c.numbered(i)))
	}
	return separated(", ", selected)
}

// alias is a new name for a source.
func (c *compiler) alias() string {
	c.aliases++
	return c.Dialect.quote("s" + itoa(int64(c.aliases)))
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

// joinWords are the strategies in SQL.
var joinWords = map[string]string{"left-join": " LEFT JOIN ", "inner-join": " INNER JOIN ", "right-join": " RIGHT JOIN ", "full-join": " FULL JOIN "}

// from writes the sources of a stage and fills the scope with them.
func (c *compiler) from(b *block, s *scope) (fragment, error) {
	sql, r, err := c.relation(b.source, "")
	if err != nil {
		return nil, err
	}
	s.from = r
	f := cat(" FROM ", sql)
	for _, j := range b.joins {
		sql, r, err := c.relation(j.source, j.alias)
		if err != nil {
			return nil, err
		}
		if !c.Dialect.joins(j.strategy) {
			return nil, j.at.errorf("the engine %s has no %q", c.Dialect.engine(), j.strategy)
		}
		s.joins = append(s.joins, r)
		s.joining = true
		on, err := c.condition(s, j.condition)
		if err != nil {
			return nil, err
		}
		s.joining = false
		f = cat(f, s.extra, joinWords[j.strategy], sql, " ON ", on)
		s.extra = nil
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
	r := relation{alias: alias, sql: c.alias(), columns: columns, body: sql}
	return cat("(", sql, ") AS "+r.sql), r, err
}

func (c *compiler) cardStage(card *Card) (fragment, []column, error) {
	if card.Query.Native() {
		return c.nativeStage(card)
	}
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
		v.sql = c.leaf(s, v.sql)
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
