package query

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// scanned is a table as the person may read it.
type scanned struct {
	table   *catalog.Table
	sql     fragment // a SELECT of the permitted rows and columns
	columns []column
}

// scan is the one way for a table into a statement. It asks for the rows that
// the person may see and lays their conditions below everything else: the
// conditions of one sandbox must all hold, of several sandboxes one must.
// Errors: *permission.DeniedError, *[PolicyError], and *[Error] for
// a table of another database.
func (c *compiler) scan(id catalog.TableID, at *node) (*scanned, error) {
	if s, ok := c.scans[id]; ok {
		return s, nil
	}
	rows, err := c.Access.Rows(c.right(), id)
	if err != nil {
		return nil, err
	}
	if err := c.under(rows, id); err != nil {
		return nil, err
	}
	t := c.catalog().Table(id)
	if c.database == 0 {
		c.database = t.Database
	}
	if t.Database != c.database {
		return nil, at.errorf("table %d is not in the database of the question, %d", id, c.database)
	}
	if d := c.catalog().Database(t.Database); c.judging && d != nil {
		if dialect, err := DialectOf(d.Engine); err == nil {
			c.Dialect = dialect
		}
	}
	s, err := c.scanOf(t, rows, at)
	if err != nil {
		return nil, err
	}
	switch {
	case rows.All(), rows.Role() != "":
	case c.overViews:
		c.sandboxed = true
	default:
		where, err := c.rowCondition(t, rows.Filters())
		if err != nil {
			return nil, err
		}
		s.sql = cat(s.sql, " WHERE ", where, fragment{{fence: true}})
		c.sandboxed = true
	}
	c.scans[id] = s
	return s, nil
}

// scanOf is the table with all its rows, and of each what the person sees of it.
// A column that is hidden is none. Columns are qualified, because an engine
// could take a bare name that has vanished for text.
func (c *compiler) scanOf(t *catalog.Table, rows permission.Rows, at *node) (*scanned, error) {
	s := &scanned{table: t}
	var list []fragment
	fields := c.catalog().Fields(t.ID)
	if len(fields) > maxTable {
		return nil, at.errorf("table %d cannot be read: it has %d columns, more than %d", t.ID, len(fields), maxTable)
	}
	for _, f := range fields {
		if strings.ContainsRune(f.Name, 0) {
			return nil, at.errorf("table %d cannot be read: a column has a NUL character in its name", t.ID)
		}
		if !rows.Shows(f.ID) {
			c.hiding = true
			continue
		}
		col, x := column{Column: c.describe(f), sql: c.Dialect.quote(f.Name), field: f.ID}, c.stored(f)
		if c.boundary != nil && c.viewing && !c.standing { // people know the column as it is
			x = c.raw(f)
		}
		if !rows.All() && rows.Role() == "" {
			m, err := c.cell(t, f, rows.Filters())
			if err != nil {
				return nil, err
			}
			if m != nil {
				if !c.overViews {
					x = cat(m.sql, " AS "+col.sql)
				}
				col.masked = true
				col.BaseType, col.EffectiveType, col.SemanticType, col.Target = m.base, m.base, nil, nil
			}
		}
		list, s.columns = append(list, x), append(s.columns, col)
	}
	if len(list) == 0 || strings.ContainsRune(t.Schema+t.Name, 0) {
		return nil, at.errorf("table %d cannot be read: no columns are known of it", t.ID)
	}
	name := c.Dialect.quote(t.Name)
	if t.Schema != "" {
		name = c.Dialect.quote(t.Schema) + "." + name
	}
	from := text(name)
	switch {
	case !c.viewing:
	case c.boundary == nil:
		from = cat(fragment{{schema: true}}, "."+name)
	case t.Schema == "":
		from = text(c.Dialect.quote(c.boundary.Base) + "." + name)
	}
	for _, filter := range rows.Filters() { // of these there is one alone
		if filter.Card == 0 || c.overViews {
			continue
		}
		var err error
		if from, err = c.standIn(t, filter); err != nil {
			return nil, err
		}
	}
	s.sql = cat("SELECT ", separated(", ", list), " FROM ", from, " AS "+c.Dialect.quote("t"))
	return s, nil
}

// stored is a field where its table is scanned. What the dialect reads as
// something else keeps its name.
func (c *compiler) stored(f *catalog.Field) fragment {
	x := c.raw(f)
	if y := c.Dialect.stored(f, x); len(y) > 1 {
		return cat(y, " AS "+c.Dialect.quote(f.Name))
	}
	return x
}

// raw is a field as its table has it.
func (c *compiler) raw(f *catalog.Field) fragment {
	return text(c.Dialect.quote("t") + "." + c.Dialect.quote(f.Name))
}

// rowCondition writes the sandboxes of the person on a table. Without any
// there are no rows.
func (c *compiler) rowCondition(t *catalog.Table, filters []permission.Filter) (fragment, error) {
	var shown []fragment
	for _, filter := range filters {
		if filter.All || filter.Card != 0 && len(filter.Where) == 0 {
			return text("1 = 1"), nil
		}
		var all []fragment
		for _, eq := range filter.Where {
			f := c.catalog().Field(eq.Field)
			if f == nil || f.Table != t.ID {
				return nil, c.invalid(t, eq, "the field is no longer one of the table")
			}
			var either []fragment
			var list []any
			values, _ := permission.AttributeValues(eq.Value)
			for _, text := range values {
				v, err := attributeValue(c.Dialect, text, f.BaseType)
				if err != nil {
					return nil, c.invalid(t, eq, err.Error())
				}
				list = append(list, v)
				either = append(either, c.Dialect.exactly(classOf(f.BaseType), c.Dialect.stored(f, c.raw(f)), v))
			}
			if len(either) == 0 {
				return nil, c.invalid(t, eq, "it has no value")
			}
			if l, is := c.Dialect.dialect.(leasing); is && c.viewing && len(either) > 1 { // one view, however many there are
				either = []fragment{l.among(classOf(f.BaseType), c.Dialect.stored(f, c.raw(f)), list)}
			}
			all = append(all, balanced(" OR ", either))
		}
		if len(all) == 0 {
			continue // a filter without conditions shows nothing, never everything
		}
		shown = append(shown, cat("(", separated(" AND ", all), ")"))
	}
	if len(shown) == 0 {
		return text("1 = 0"), nil
	}
	return balanced(" OR ", shown), nil
}

// attributeValue reads the text of an attribute as a value of the field's
// type. What is not exactly one is an error.
func attributeValue(d Dialect, s, baseType string) (any, error) {
	switch k := classOf(baseType); k {
	case aText, aUUID:
		if s == "" || strings.ContainsRune(s, 0) || !utf8.ValidString(s) {
			return nil, errors.New("it is not a text that can be compared")
		}
		if why := d.invalid(k, s); why != "" {
			return nil, errors.New(why)
		}
		return s, nil
	case aNumber:
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return i, nil
		}
		if whole(baseType) {
			return nil, errors.New("it is not a whole number")
		}
		if f, ok := finite(s); ok {
			return f, nil
		}
		return nil, errors.New("it is not a number")
	case aBoolean:
		if b, err := strconv.ParseBool(s); err == nil {
			return b, nil
		}
		return nil, errors.New("it is neither true nor false")
	case aDate:
		if t, err := time.Parse(time.DateOnly, s); err == nil {
			return t.Format(time.DateOnly), nil
		}
		return nil, errors.New("it is not a date such as 2026-01-31")
	}
	return nil, incomparable(baseType)
}

// finite reads a decimal number that is one.
func finite(s string) (float64, bool) {
	if strings.Trim(s, "+-.0123456789eE") != "" {
		return 0, false // no hexadecimal, no underscores, no names
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsInf(f, 0)
}

// invalid is the refusal of a sandbox; it names the attribute.
func (c *compiler) invalid(t *catalog.Table, eq permission.Equality, reason string) error {
	e := &PolicyError{User: c.Access.User(), Table: t.ID, Field: eq.Field, Reason: reason}
	g := c.Access.Graph()
	u := g.User(e.User)
	for _, group := range g.GroupsOf(e.User) {
		sandbox := g.Sandbox(group, t.ID)
		if sandbox == nil {
			continue
		}
		i := slices.IndexFunc(sandbox.Where, func(w permission.AttributeEquality) bool {
			return w.Field == eq.Field && u.Attributes[w.Attribute] == eq.Value
		})
		if i >= 0 {
			e.Attribute = sandbox.Where[i].Attribute
			break
		}
	}
	return e
}
