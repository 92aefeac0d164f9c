package query

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// There are two kinds of engines that hold SQL that people type to views: the
// tables as the person may see them, and nothing else.

// attaching is a dialect whose engine has views that are made for one
// statement, under the names of the tables.
type attaching interface {
	dialect
	// literal writes a value into the text of a view, which can have no
	// arguments.
	literal(v any) (string, error)
	// barrier ends a view so that no condition from outside is tried on a row
	// that the view holds back.
	barrier() string
}

// leasing is a dialect whose engine has views that stay, each for whoever has a
// lease that names it: see [Boundary]. A view reads the values that are other
// ones for each person from the lease.
type leasing interface {
	dialect
	// leases is the condition that the lease names the view.
	leases(home, view string) string
	// leased reads the n-th value that the lease has for the view, from 0, as
	// one of the kind of v; a list ([]any) as what among compares with.
	leased(home, view string, n int, v any, as argumentType) string
	// among compares like exactly, with any of several values.
	among(k class, x fragment, list []any) fragment
	// held ends a view that holds something back so that no condition from
	// outside is tried on a row that it holds back. "" where views that stay are
	// made so.
	held() string
}

// View is a table as SQL typed by a person may read it: its rows and columns
// as the person sees them, under its own name. Values stand in it as literals,
// but for the key of hashes.
type View struct {
	in      attaching // nil for one that stays
	table   Table
	whole   bool
	columns []string
	reads   []string
	parts   []viewPart

	// Of one that stays:
	name, definition string
	values           []any
}

// viewPart is a piece of a view's SELECT: text, or the place of a name that is
// drawn for one connection.
type viewPart struct {
	text         string
	schema, hash bool
}

// Table is the table that the view stands for.
func (v View) Table() Table { return v.table }

// Whole tells whether nothing of the table is held back.
func (v View) Whole() bool { return v.whole }

// Columns are those that it shows; nil, of a whole one, for all there are.
func (v View) Columns() []string { return slices.Clone(v.columns) }

// Reads are the columns of the table that it reads, be it for its conditions;
// nil, of a whole one, for all there are.
func (v View) Reads() []string { return slices.Clone(v.reads) }

// Select is its SQL. The schema is where the table is, and hash how the call of
// a function begins that hashes: the number of a field, a value and ")" follow.
// What is closed lets no condition of others in; a view that holds something
// back is closed in any case.
func (v View) Select(schema, hash string, closed bool) string {
	var b strings.Builder
	for _, p := range v.parts {
		switch {
		case p.schema:
			b.WriteString(v.in.quote(schema))
		case p.hash:
			b.WriteString(hash)
		default:
			b.WriteString(p.text)
		}
	}
	if closed || !v.whole {
		b.WriteString(v.in.barrier())
	}
	return b.String()
}

// Name is that of a view that stays, "" for one that is made for a statement.
// It depends on all of the definition: two that are not the same have two names.
func (v View) Name() string { return v.name }

// Definition is the SELECT of a view that stays. No value of a person is in it.
func (v View) Definition() string { return v.definition }

// Values are what the lease of a person has for a view that stays: texts, and
// lists of texts.
func (v View) Values() []any { return slices.Clone(v.values) }

// Key is all that a view says, for comparisons.
func (v View) Key() string {
	if v.name != "" {
		return fmt.Sprintf("%d %q %v %q", v.table.ID, v.name, v.whole, v.values)
	}
	return fmt.Sprintf("%d %q %v %q", v.table.ID, v.table.Name, v.whole, v.Select("schema", "hash", true))
}

// readable are the tables that SQL typed by a person may read, by the right
// that a structured question would need, and how.
type readable struct {
	view  View
	keyed bool
}

// readables finds them, and tells whether they are all of the database, whole.
// A table that is not open to the person is none. One whose policy cannot be
// applied refuses all SQL: whether it would be read is not known.
func (c *compiler) readables(d Dialect) (all []readable, open bool, err error) {
	open = true
	for t := range c.catalog().Tables(c.database) {
		if !t.Active() {
			continue
		}
		if !c.Access.Can(c.right(), permission.ATable(t.ID)) {
			if err := c.Access.Unmet(c.right(), t.ID); err != nil {
				return nil, false, err
			}
			open = false
			continue
		}
		if c.boundary != nil { // the gate tells which of them it needs
			all = append(all, readable{view: View{table: Table{t.ID, t.Schema, t.Name}}})
			continue
		}
		r, err := c.readableOf(d, t)
		if err != nil {
			return nil, false, err
		}
		open = open && r.view.whole
		all = append(all, r)
	}
	return all, open, nil
}

// readableOf writes the view of a table.
func (c *compiler) readableOf(d Dialect, t *catalog.Table) (readable, error) {
	at := &node{}
	rows, err := c.Access.Rows(c.right(), t.ID)
	if err != nil {
		return readable{}, err
	}
	if strings.ContainsRune(t.Name, 0) {
		return readable{}, at.errorf("table %d cannot be read: its name has a NUL character", t.ID)
	}
	g, attaches := d.dialect.(attaching)
	r := readable{view: View{in: g, table: Table{t.ID, t.Schema, t.Name}, whole: rows.All()}}
	if r.view.whole && attaches {
		r.view.parts = []viewPart{{text: "SELECT " + g.quote("t") + ".* FROM "}, {schema: true}, {text: "." + g.quote(t.Name) + " AS " + g.quote("t")}}
		return r, nil
	}
	if attaches && slices.ContainsFunc(rows.Filters(), func(f permission.Filter) bool { return f.Card != 0 }) {
		return readable{}, &PolicyError{User: c.Access.User(), Table: t.ID, Card: rows.Filters()[0].Card,
			Reason: "SQL that people type cannot be held to a saved question on this engine; the query builder can"}
	}
	v := *c // its own, since what it notes is about the view alone
	v.Dialect, v.viewing, v.keyed, v.overViews, v.risky = d, true, false, false, false
	s, err := v.scanOf(t, rows, at)
	if err != nil {
		return readable{}, err
	}
	if r.view.whole {
		return r, v.stay(&r.view, s.sql, text("1 = 1"))
	}
	where, err := v.rowCondition(t, rows.Filters())
	if err != nil {
		return readable{}, err
	}
	for _, col := range s.columns {
		name := c.catalog().Field(col.field).Name
		r.view.columns = append(r.view.columns, name)
		r.view.reads = append(r.view.reads, name)
	}
	for _, filter := range rows.Filters() {
		for _, eq := range filter.Where {
			f := c.catalog().Field(eq.Field)
			if f == nil || f.Table != t.ID {
				return readable{}, c.invalid(t, eq, "the field is no longer one of the table")
			}
			r.view.reads = append(r.view.reads, f.Name)
		}
	}
	slices.Sort(r.view.reads)
	r.view.reads, r.keyed = slices.Compact(r.view.reads), v.keyed
	if !attaches {
		return r, v.stay(&r.view, s.sql, where)
	}
	r.view.parts, err = cat(s.sql, " WHERE ", where).literally(g)
	return r, err
}

// held gives a statement the views that its text can name.
func (c *compiler) held(st *Statement) {
	mentions := Mentions(st.sql)
	for _, r := range c.readable {
		st.tables = append(st.tables, r.view.table)
		if !mentions(r.view.table.Name) {
			continue
		}
		st.views = append(st.views, r.view)
		st.sandboxed = st.sandboxed || !r.view.whole
		if r.keyed {
			st.maskKey = c.MaskKey
		}
	}
	st.open = c.open
}

func (c *compiler) mayWriteSQL() bool {
	return c.Access.Can(permission.QueryNatively, permission.ADatabase(c.database))
}

// formOver writes a question as a person could type it from whom something of
// its tables is held back: over tables that are as they see them. The
// conditions and columns of policies are not theirs to know.
func (c *compiler) formOver(st *Statement, q *Query, b *block, ask int64) {
	if d := c.catalog().Database(c.database); d == nil || !d.Governs {
		return
	}
	over, err := start(q, c.Source)
	if err != nil {
		return
	}
	over.overViews = true
	sql, _, err := over.stage(b, ask)
	if err != nil || sql.values() > maxArgs {
		return
	}
	st.form, st.formArgs = sql.render(c.Dialect, over.risky)
	st.showForm = true
}

// literally writes a fragment with its values in the text.
func (f fragment) literally(g attaching) ([]viewPart, error) {
	var parts []viewPart
	for _, t := range f {
		switch {
		case t.schema, t.hash:
			parts = append(parts, viewPart{schema: t.schema, hash: t.hash})
			continue
		case t.fence:
			continue
		case t.bound:
			text, err := g.literal(t.value)
			if err != nil {
				return nil, fmt.Errorf("query: %w", err)
			}
			t.text = text
		}
		if n := len(parts); n > 0 && !parts[n-1].schema && !parts[n-1].hash {
			parts[n-1].text += t.text
			continue
		}
		parts = append(parts, viewPart{text: t.text})
	}
	return parts, nil
}

// literal writes a value so that SQLite reads the same value.
func (sqlite) literal(v any) (string, error) {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return "", errors.New("a number that is none has no literal")
		}
		s := strconv.FormatFloat(v, 'e', -1, 64)
		if !strings.Contains(s, ".") { // with a point it is read as what it is
			s = strings.Replace(s, "e", ".0e", 1)
		}
		return s, nil
	case bool:
		if v {
			return "1", nil
		}
		return "0", nil
	case string:
		if strings.ContainsRune(v, 0) || !utf8.ValidString(v) {
			return "", errors.New("a text with a NUL character, or that is not UTF-8, has no literal")
		}
		return "'" + strings.ReplaceAll(v, "'", "''") + "'", nil
	}
	return "", fmt.Errorf("a value of the type %T has no literal", v)
}

// barrier has an offset, since without one SQLite moves a sub-select up into a
// statement that has no condition.
func (sqlite) barrier() string { return " LIMIT -1 OFFSET 0" }

// Mentions tells whether SQL may name a table: whether its name stands in it
// anywhere, as SQLite compares names. Of a name with quotes in it, which can be
// spelled in several ways, it says so in any case.
func Mentions(sql string) func(name string) bool {
	sql = folded(sql)
	return func(name string) bool {
		return strings.ContainsAny(name, "\"'`[]") || strings.Contains(sql, folded(name))
	}
}

// folded is text without regard to the case of ASCII letters.
func folded(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
