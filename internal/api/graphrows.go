package api

import (
	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// layout is a schema in which something is written, as all parts of an entry
// need it: made once for all of them.
type layout struct {
	known bool
	there bool // whether it was there at the graph's revision
	rows  []tableRow
}

// tableRow is a table and the levels that reach it.
type tableRow struct {
	*catalog.Table
	permission.Line
	key, end uint32 // where its key stands in emitter.keys
}

// relay forgets the layouts of another entry.
func (m *emitter) relay() {
	n := len(m.sheet.Schemas)
	if cap(m.layouts) < n {
		m.layouts = make([]layout, n)
	}
	m.layouts = m.layouts[:n]
	clear(m.layouts)
	m.rows, m.keys, m.schemas = m.rows[:0], m.keys[:0], m.schemas[:0]
}

// names are the schemas of the database at the graph's revision, sorted.
func (m *emitter) names() []string {
	if len(m.schemas) == 0 {
		for name := range m.g.Catalog().SchemasAt(m.sheet.Database, m.g.Revision()) {
			m.schemas = append(m.schemas, name)
		}
	}
	return m.schemas
}

// lay is the layout of a schema of the sheet. It has rows if single tables
// differ: of all tables if what is not written reaches one that has no line of
// its own, else of those of which something is written.
func (m *emitter) lay(i int) *layout {
	l, in, at := &m.layouts[i], &m.sheet.Schemas[i], m.g.Revision()
	if l.known {
		return l
	}
	l.known = true
	begin := len(m.rows)
	switch {
	case in.ByTable == 0:
	case m.reaches(in):
		m.everyRow(in)
	default:
		for j := range in.Tables {
			if t := &in.Tables[j]; t.At(at) {
				m.row(t.Table, &t.Line)
			}
		}
	}
	l.rows = m.rows[begin:]
	l.there = len(l.rows) > 0
	if !l.there {
		for t := range m.g.Catalog().TablesIn(m.sheet.Database, in.Name) {
			if t.At(at) {
				l.there = true
				break
			}
		}
	}
	return l
}

// everyRow makes rows of all tables of a schema at the graph's revision.
func (m *emitter) everyRow(in *permission.SheetSchema) {
	next := 0
	for t := range m.g.Catalog().TablesIn(m.sheet.Database, in.Name) {
		for next < len(in.Tables) && in.Tables[next].ID < t.ID {
			next++
		}
		switch {
		case !t.At(m.g.Revision()):
		case next < len(in.Tables) && in.Tables[next].ID == t.ID:
			m.row(t, &in.Tables[next].Line)
		default:
			under := m.sheet.Under(&in.Whole, t)
			m.row(t, &under)
		}
	}
}

// reaches tells whether tables of which nothing is written have a word in some
// part that is by table.
func (m *emitter) reaches(in *permission.SheetSchema) bool {
	if m.g.Strict(m.sheet.Database) {
		return false
	}
	for i := range splitParts {
		if p := &splitParts[i]; in.ByTable&p.kinds != 0 && m.tableWord(p, &in.Whole) != "" {
			return true
		}
	}
	return in.ByTable&seedPart.kinds != 0 && m.tableWord(&seedPart, &in.Whole) != ""
}

func (m *emitter) row(t *catalog.Table, l *permission.Line) {
	key := uint32(len(m.keys))
	m.keys = appendNumber(m.keys, int64(t.ID))
	m.rows = append(m.rows, tableRow{t, *l, key, uint32(len(m.keys))})
}

// tableKey adds the key of a table in a part.
func (m *emitter) tableKey(b []byte, p *part, r *tableRow) []byte {
	if p.seeds {
		return appendKey(b, r.Name)
	}
	return append(b, m.keys[r.key:r.end]...)
}
