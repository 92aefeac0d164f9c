package permission

import (
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// matter is a database, and the tables of it on which people are compared.
type matter struct {
	before, after *Graph
	database      catalog.DatabaseID
	tables        []catalog.TableID
	all           bool // of the database's tables
}

// on is the matter of some tables of a database, or (nil) of all.
func (e *effects) on(d catalog.DatabaseID, tables []catalog.TableID) *matter {
	m := &matter{before: e.before, after: e.after, database: d, tables: tables}
	if tables == nil {
		for t := range e.before.Catalog().Tables(d) {
			m.tables = append(m.tables, t.ID)
		}
		if e.before.Catalog() != e.after.Catalog() {
			for t := range e.after.Catalog().Tables(d) {
				if e.before.Catalog().Table(t.ID) == nil {
					m.tables = append(m.tables, t.ID)
				}
			}
		}
		m.all = true
	}
	return m
}

// sort is what decides about a table that no level or policy mentions by
// itself: tables of one sort are treated alike.
type sort struct {
	schema   string
	since    catalog.Revision
	was, is  bool // there
	old, new TableMark
}

// compare looks at what a person might do before and may do after.
func (m *matter) compare(a, b Access) outcome {
	var o outcome
	for r := SeeDatabase; r <= ManageDatabase; r++ {
		was, is := a.decide(r, ADatabase(m.database), nil), b.decide(r, ADatabase(m.database), nil)
		o = o.and(outcome{is && !was, was && !is})
	}
	var mentioned map[catalog.TableID]bool
	seen, last := map[sort]bool{}, sort{}
	if m.all {
		mentioned = map[catalog.TableID]bool{}
		a.mentioned(m.database, mentioned)
		b.mentioned(m.database, mentioned)
	}
	for _, id := range m.tables {
		if o.gain && o.lose {
			break
		}
		was, is := m.before.Catalog().Table(id), m.after.Catalog().Table(id)
		if m.all && was != nil && is != nil && !mentioned[id] && was.Schema == is.Schema && was.Since == is.Since {
			s := sort{is.Schema, is.Since, was.Active(), is.Active(), m.before.Mark(id), m.after.Mark(id)}
			if s == last || seen[s] {
				continue
			}
			seen[s], last = true, s
		}
		p, q := a.profile(was), b.profile(is)
		more, less := p, q
		if a.u != nil && b.u != nil {
			more, less = p.orUnwritten(was), q.orUnwritten(is)
		}
		o = o.and(outcome{q.exceeds(more), p.exceeds(less)})
	}
	return o
}

// orUnwritten is, for a table that is not there, what everybody may do with a
// table of which nothing is written: be shown what is saved. That a table comes
// or goes gives and takes nobody that, since nothing can be saved of it.
func (p profile) orUnwritten(t *catalog.Table) profile {
	if t == nil || !t.Active() {
		return profile{rights: 1 << (ShowTable - SeeTable), shown: Rows{all: true}, unwritten: true}
	}
	return p
}

// mentioned collects the tables of a database that a level or a policy of the
// person's groups names.
func (a Access) mentioned(d catalog.DatabaseID, into map[catalog.TableID]bool) {
	if a.u == nil {
		return
	}
	for _, gid := range a.u.groups {
		gr, ok := a.g.groups.Get(gid)
		if !ok {
			continue
		}
		if e, ok := gr.entries.Get(d); ok && e.parts != nil {
			for k := range e.parts {
				for t := range e.parts[k].tables.Keys() {
					into[t] = true
				}
			}
		}
		for t := range gr.sandboxes.Keys() {
			into[t] = true
		}
	}
}

// profile is all that a person may do with one table.
type profile struct {
	rights   uint8 // a bit a right, as tableRights has them
	download Level
	rows     Rows // as a question of one's own sees them
	shown    Rows // as a saved question shows them
	// unwritten is of a table that is not there: all is shown of nothing.
	unwritten bool
}

// profile resolves the table once. nil is a table that is not there.
func (a Access) profile(t *catalog.Table) profile {
	if a.u == nil || t == nil || !t.Active() {
		return profile{}
	}
	if a.admin(nil) {
		return profile{rights: a.tableRights(t), download: Full, rows: Rows{all: true}, shown: Rows{all: true}}
	}
	r := a.resolve(t, nil)
	p := profile{rights: a.granted(r, t)}
	if p.has(ShowTable) {
		p.download, p.shown = r.download, a.rows(r, t)
	}
	if p.has(QueryTable) {
		p.rows = a.rows(r, t)
	}
	return p
}

func (p profile) has(r Right) bool { return p.rights>>(r-SeeTable)&1 != 0 }

// exceeds tells whether p allows something that q does not.
func (p profile) exceeds(q profile) bool {
	return p.rights&^q.rights != 0 || p.download > q.download || p.rows.exceed(q.rows) || !q.unwritten && p.shown.exceed(q.shown)
}

// exceed tells whether r may hold a row, or a value in it, that is not in q.
func (r Rows) exceed(q Rows) bool {
	byCard := func(f Filter) bool { return f.Card != 0 }
	switch {
	case q.All(): // a question can show what the table has not
		return slices.ContainsFunc(r.filters, byCard)
	case r.role != q.role: // what a role may see is not known
		return r.all || len(r.filters) > 0
	case q.all:
		return slices.ContainsFunc(r.filters, byCard)
	case r.all:
		return true
	}
	for _, f := range r.filters {
		if !slices.ContainsFunc(q.filters, f.within) {
			return true
		}
	}
	// Where a cell is shown in several ways, the one that shows the most counts:
	// less of them can show another.
	return !slices.EqualFunc(r.filters, q.filters, Filter.equal) && (r.mixes() || q.mixes())
}

// mixes tells whether some column is masked in several ways.
func (r Rows) mixes() bool {
	masks := map[catalog.FieldID]Mask{}
	for _, f := range r.filters {
		for _, c := range f.Columns {
			if was, seen := masks[c.Field]; c.Mask.Kind != Unmasked && seen && was != c.Mask {
				return true
			} else if c.Mask.Kind != Unmasked {
				masks[c.Field] = c.Mask
			}
		}
	}
	return false
}

func (f Filter) equal(g Filter) bool {
	return f.All == g.All && f.Card == g.Card && f.Seal == g.Seal && slices.Equal(f.Variables, g.Variables) && slices.Equal(f.Where, g.Where) && slices.Equal(f.Columns, g.Columns) && (f.Columns == nil) == (g.Columns == nil)
}

// within tells whether another filter is known to show all that f does.
func (f Filter) within(g Filter) bool {
	if f.Card != 0 || g.Card != 0 { // what another question shows is not known
		return f.equal(g)
	}
	if !g.All && (f.All || !slices.Equal(f.Where, g.Where)) {
		return false
	}
	if f.Columns == nil {
		return g.Columns == nil
	}
	return !slices.ContainsFunc(f.Columns, func(c ColumnRule) bool {
		mask, shows := g.Column(c.Field)
		return !shows || mask != c.Mask && mask.Kind != Unmasked
	})
}
