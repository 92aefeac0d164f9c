package api

import (
	"iter"
	"strconv"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// dialect is a form of the data graph on the wire. Every GET emits both beside
// each other unless it is asked for one: split is Metabase's since v50, seed
// the one of v20 to v42 with table names for ids.
type dialect string

const (
	both  dialect = "both"
	split dialect = "split"
	seed  dialect = "seed"
)

func (d dialect) emits(one dialect) bool { return d == both || d == one }

// said is the text of an entry in both dialects; no text where there is
// nothing to say.
type said struct {
	text []byte
	seed int // where the seeds' form begins
}

// pieces are the text in one dialect, in two pieces.
func (s said) pieces(d dialect) (begin, end []byte) {
	switch {
	case d == both:
		return s.text, nil
	case d == split && s.seed > 1:
		return s.text[:s.seed-1], []byte("}")
	case d == seed && s.seed < len(s.text):
		return []byte("{"), s.text[s.seed:]
	}
	return nil, nil
}

// in adds the text in a dialect.
func (s said) in(d dialect, b []byte) []byte {
	begin, end := s.pieces(d)
	return append(append(b, begin...), end...)
}

// emitter says what the entries of one graph are on the wire, with the tables
// that were there at its revision. It is for one goroutine. What it says of an
// entry is text; who needs a tree reads the text (emitter.tree).
type emitter struct {
	g     *permission.Graph
	sheet permission.Sheet // the entry that was read last
	text  []byte           // what was said of it, if it was long
	// plain is what was said of entries in which nothing is written below the
	// database: it follows from five levels.
	plain [1 << 9]said
	// schemas are those of the database of the sheet, where somebody asked.
	schemas []string
	// layouts are those of the schemas of the sheet, rows their rows, and keys
	// the keys of these.
	layouts []layout
	rows    []tableRow
	keys    []byte
}

func newEmitter(g *permission.Graph) *emitter {
	return &emitter{g: g}
}

// entries reads the entries of a group one after the other, by database:
// where something is written for it. Administrators, of whom nothing is
// written, have one on every database.
func (m *emitter) entries(id permission.GroupID) iter.Seq[catalog.DatabaseID] {
	return func(yield func(catalog.DatabaseID) bool) {
		if id != permission.Administrators {
			for s := range m.g.Sheets(id, &m.sheet) {
				if !yield(s.Database) {
					return
				}
			}
			return
		}
		for db := range m.g.Catalog().Databases() {
			if m.read(id, db.ID); !yield(db.ID) {
				return
			}
		}
	}
}

// databases yields those of the entries of a group, by id.
func (m *emitter) databases(id permission.GroupID) iter.Seq[catalog.DatabaseID] {
	if id != permission.Administrators {
		return m.g.Entries(id)
	}
	return func(yield func(catalog.DatabaseID) bool) {
		for db := range m.g.Catalog().Databases() {
			if !yield(db.ID) {
				return
			}
		}
	}
}

// read reads one entry.
func (m *emitter) read(id permission.GroupID, db catalog.DatabaseID) {
	m.g.Sheet(id, db, &m.sheet)
	if id == permission.Administrators {
		for k := range m.sheet.Whole.Levels {
			m.sheet.Whole.Levels[k] = top(permission.Kind(k))
		}
		m.sheet.Open = true
	}
}

// say says what the entry is that was read last. It holds until the next one
// is said.
func (m *emitter) say() said {
	if m.sheet.Written != 0 || m.sheet.Open != opens(&m.sheet.Whole) {
		m.relay()
		s := m.entry(m.text[:0])
		m.text = s.text
		return s
	}
	l := &m.sheet.Whole.Levels
	s := &m.plain[uint(l[permission.View])|uint(l[permission.Create])<<3|uint(l[permission.Download])<<5|uint(l[permission.DataModel])<<7|uint(l[permission.Details])<<8]
	if s.text == nil {
		m.relay()
		*s = m.entry(make([]byte, 0, 64))
	}
	return *s
}

// append adds what the entry is in a dialect; nothing where there is nothing
// to say.
func (m *emitter) append(b []byte, d dialect) []byte { return m.say().in(d, b) }

// tree is what an entry is in a dialect; an empty object where there is
// nothing to say.
func (m *emitter) tree(id permission.GroupID, db catalog.DatabaseID, d dialect) *tree {
	m.read(id, db)
	text := m.append(nil, d)
	if len(text) == 0 {
		return newTree()
	}
	t, err := readTree(text, 0)
	if err != nil {
		panic("api: what was emitted is no graph: " + err.Error())
	}
	return t
}

// member adds the entry that was read last as a member of its group.
func (m *emitter) member(b []byte, db catalog.DatabaseID, d dialect) []byte {
	begin, end := m.say().pieces(d)
	if len(begin) == 0 {
		return b
	}
	b = appendNumber(b, int64(db))
	return append(append(append(b, begin...), end...), ',')
}

// Every member of an object is written with a comma after it. ended makes the
// last comma the bracket that ends the object.
func ended(b []byte) []byte {
	if b[len(b)-1] == ',' {
		b[len(b)-1] = '}'
		return b
	}
	return append(b, '}')
}

// endedOrNot is ended for an object of which nothing stays if it is empty: b
// is cut where its key begins. An object that stays gets its comma.
func endedOrNot(b []byte, key int) []byte {
	if b[len(b)-1] == '{' {
		return b[:key]
	}
	b[len(b)-1] = '}'
	return append(b, ',')
}

// appendNumber adds a number as a key.
func appendNumber(b []byte, n int64) []byte {
	return append(strconv.AppendInt(append(b, '"'), n, 10), `":`...)
}

// appendKey adds a text as a key.
func appendKey(b []byte, key string) []byte { return append(appendString(b, key), ':') }
