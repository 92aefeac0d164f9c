package query

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// Boundary is how an engine with logins holds SQL of people to views that stay.
// What a person typed is read with the engine's own grammar and printed again,
// with the views in place of the tables, and runs as a login that may read the
// views and nothing else. A view shows rows to whom a lease names, with the
// values that stand in the lease. Where it is set up is told by the catalog
// ([catalog.Database.Governs]).
type Boundary struct {
	Home  string // the schema in which is what a login's lease says: the view "mine"
	Views string // the schema of the views
	Base  string // where tables are that have no schema in the catalog
	// Gate reads SQL, refuses what people may not write, and prints the rest.
	// names tells what a table that the SQL names stands for; it is asked for
	// each of them. Its errors are sentences for the person.
	Gate func(sql string, names func(schema, name string) (inSchema, in string, ok bool)) (printed string, err error)
	// Calm tells whether nothing in SQL can fail for a row, so that its conditions
	// may be tried on rows that are held back; nil for never. Only engines without
	// barriers of their own need it.
	Calm func(sql string) bool
}

// stay makes a view one that stays.
func (c *compiler) stay(v *View, selected, where fragment) error {
	l, is := c.Dialect.dialect.(leasing)
	if !is {
		return fmt.Errorf("query: the engine %s has no leases", c.Dialect.engine())
	}
	home, end := c.boundary.Home, ""
	if !v.whole && (!c.calm || c.risky) {
		end = l.held()
	}
	write := func(name string) (string, []any) {
		return cat(selected, " WHERE "+l.leases(home, name)+" AND (", where, ")"+end).leased(l, home, name)
	}
	var err error
	nameless, values := write("")
	sum := sha256.Sum256([]byte(nameless))
	v.name = readableName(v.table.Name) + "_" + hex.EncodeToString(sum[:12])
	v.definition, _ = write(v.name)
	v.values, err = leasedValues(values)
	return err
}

// readableName is a short form of a table's name of plain letters.
func readableName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '_'
	}, s)
	return "v_" + s[:min(len(s), 30)]
}

// leased writes a fragment with its values read from the lease.
func (f fragment) leased(l leasing, home, view string) (string, []any) {
	var b strings.Builder
	var values []any
	for _, t := range f {
		switch {
		case t.fence:
		case t.bound:
			b.WriteString(l.leased(home, view, len(values), t.value, t.as))
			values = append(values, t.value)
		default:
			b.WriteString(t.text)
		}
	}
	return b.String(), values
}

// leasedValues are values as they stand in a lease: as text.
func leasedValues(values []any) ([]any, error) {
	var all []any
	for _, v := range values {
		list, is := v.([]any)
		if !is {
			s, err := leasedText(v)
			if err != nil {
				return nil, err
			}
			all = append(all, s)
			continue
		}
		texts := make([]string, len(list))
		for i, v := range list {
			s, err := leasedText(v)
			if err != nil {
				return nil, err
			}
			texts[i] = s
		}
		all = append(all, texts)
	}
	return all, nil
}

func leasedText(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	case bool:
		if v {
			return "1", nil // every engine takes it for true
		}
		return "0", nil
	}
	return "", fmt.Errorf("query: a value of the type %T cannot stand in a lease", v)
}

// hold has the engine hold SQL to what the person may see. It is false where
// the engine does not: there nothing of the database may be hidden.
func (c *compiler) hold(on *catalog.Database) (held bool, err error) {
	d, err := DialectOf(on.Engine)
	if err != nil {
		return false, nil //nolint:nilerr // an engine without SQL holds none
	}
	if catalog.TakesRoles(on.Engine) {
		if held, err := c.holdRole(); held || err != nil {
			return held, err
		}
	}
	_, attaches := d.dialect.(attaching)
	_, leases := d.dialect.(leasing)
	switch {
	case attaches:
	case !leases || !on.Governs || c.seesAll():
		return false, nil
	case c.judging:
		c.boundary = &Boundary{}
	case c.Boundary == nil:
		return false, nil
	default:
		if c.boundary, err = c.Boundary(); err != nil {
			return true, &Error{Path: "native", Message: err.Error(), cause: err}
		}
	}
	c.readable, c.open, err = c.readables(d)
	c.overViews, c.sandboxed, c.keyed, c.risky = true, false, false, false
	clear(c.scans) // they were decided about; now they are read through the views
	return true, err
}

// seesAll tells whether nothing of the database is hidden from the person.
func (c *compiler) seesAll() bool { return c.hiddenTable() == 0 }

// hiddenTable is a table of the database of which something is hidden from the
// person, by the right that a structured question would need; 0 for none.
func (c *compiler) hiddenTable() catalog.TableID {
	for t := range c.catalog().Tables(c.database) {
		if !t.Active() {
			continue
		}
		if rows, err := c.Access.Rows(c.right(), t.ID); err != nil || !rows.All() {
			return t.ID
		}
	}
	return 0
}

// gated sends a statement through the gate, which puts the views in the place
// of the tables that it names.
func (c *compiler) gated(st *Statement) error {
	if c.role != "" {
		return c.gatedAs(st)
	}
	c.calm = c.boundary.Calm != nil && c.boundary.Calm(st.sql)
	used := map[catalog.TableID]View{}
	var broken error // of a policy
	printed, err := c.boundary.Gate(st.sql, func(schema, name string) (string, string, bool) {
		t, ok := c.named(schema, name)
		if !ok {
			return "", "", false
		}
		if _, has := used[t.ID]; !has {
			r, err := c.readableOf(c.Dialect, c.catalog().Table(t.ID))
			broken = cmp.Or(broken, err)
			used[t.ID] = r.view
		}
		return c.boundary.Views, used[t.ID].name, true
	})
	switch {
	case broken != nil:
		return broken
	case err != nil:
		return &Error{Path: "native", Message: err.Error(), cause: err}
	}
	st.sql, st.leased = printed, true
	for _, id := range slices.Sorted(maps.Keys(used)) {
		v := used[id]
		st.tables, st.views = append(st.tables, v.table), append(st.views, v)
		st.sandboxed = st.sandboxed || !v.whole
	}
	return nil
}

// named is the table that a name in SQL stands for: of those that the person
// may read, the one of that schema, or without a schema the only one of that
// name, or the one in "public".
func (c *compiler) named(schema, name string) (found Table, ok bool) {
	for _, r := range c.readable {
		t := r.view.table
		if t.Name != name || schema != "" && schema != t.Schema && (t.Schema != "" || schema != c.boundary.Base) {
			continue
		}
		if schema != "" || t.Schema == "public" {
			return t, true
		}
		if ok = found.ID == 0; !ok { // it could be either
			continue
		}
		found = t
	}
	return found, ok
}
