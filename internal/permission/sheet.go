package permission

import (
	"cmp"
	"iter"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/intmap"
)

// Sheet is one group's entry for a database, laid out for whoever reads all of
// it: which levels are written where, and which reach what is named. It costs
// what is written in the entry, and no look-up for each of its parts. Reading
// another entry into it uses its memory again.
type Sheet struct {
	Database catalog.DatabaseID
	// Whole is the database itself.
	Whole Line
	// Open tells whether a View above Blocked is written anywhere in the entry.
	Open bool
	// Written are the kinds of which something is written below the database.
	// If there are none, the levels of Whole are all there is to say.
	Written Kinds
	// Schemas are those in which something is written, by name.
	Schemas []SheetSchema

	g      *Graph
	group  GroupID
	tables []TableLine
}

// SheetSchema is what is written in one schema of a [Sheet].
type SheetSchema struct {
	Name string
	// Whole is the schema itself.
	Whole Line
	// Open tells whether a View above Blocked is written for one of its tables.
	Open bool
	// Written are the kinds of which something is written in the schema, ByTable
	// those of which it is for single tables.
	Written, ByTable Kinds
	// Tables are those for which something is written, by id; tables that have
	// gone are among them.
	Tables []TableLine
}

// TableLine is one table of a [Sheet].
type TableLine struct {
	*catalog.Table
	Line
}

// Line is the levels at one scope.
type Line struct {
	// Levels are the levels that reach the scope by what is written, as
	// [Graph.Level] has them.
	Levels [dataKinds]Level
	// Set are the kinds of which a level is written at the scope itself, Wide
	// those of which it came with a wide grant; see [Cell].
	Set, Wide Kinds
	viewed    catalog.Revision // when the View that reaches it was written
}

// Kinds is a set of kinds of the data graph.
type Kinds uint8

// KindsOf is the set of these kinds.
func KindsOf(kinds ...Kind) (s Kinds) {
	for _, k := range kinds {
		s |= 1 << k
	}
	return s
}

// Has tells whether a kind is in the set.
func (s Kinds) Has(k Kind) bool { return s>>k&1 != 0 }

// Sheet reads the entry of a group into a sheet. False means that there is no
// entry, and leaves a sheet on which nothing is written.
func (g *Graph) Sheet(id GroupID, d catalog.DatabaseID, into *Sheet) bool {
	e := g.entry(id, d)
	into.read(g, id, d, e)
	return e != nil
}

// Sheets reads the entries of a group into a sheet, one after the other, in
// the order of the databases.
func (g *Graph) Sheets(id GroupID, into *Sheet) iter.Seq[*Sheet] {
	return func(yield func(*Sheet) bool) {
		gr, ok := g.groups.Get(id)
		if !ok {
			return
		}
		var ahead readAhead
		more := func() bool {
			for i := range ahead.entries[:ahead.fetch()] {
				if into.read(g, id, ahead.databases[i], ahead.entries[i]); !yield(into) {
					return false
				}
			}
			return true
		}
		for d, e := range gr.entries.All() {
			if full := ahead.add(d, e); full && !more() {
				return
			}
		}
		more()
	}
}

// readAhead gathers entries before they are read. They lie all over the
// memory; looking at one after the other before anything is done with them
// lets the processor fetch many at once.
type readAhead struct {
	databases [64]catalog.DatabaseID
	entries   [64]*entry
	n         int
	seen      int // what was looked at comes to this, or the compiler would not look
}

// add adds an entry and tells whether no more of them are taken.
func (a *readAhead) add(d catalog.DatabaseID, e *entry) (full bool) {
	a.databases[a.n], a.entries[a.n] = d, e
	a.n++
	a.seen += int(e.whole[0].Level) + int(e.whole[dataKinds-1].Level)
	return a.n == len(a.entries)
}

// fetch looks at what the entries point to and tells how many they are. The
// next one that is added is the first again.
func (a *readAhead) fetch() int {
	n := a.n
	for _, e := range a.entries[:n] {
		if e.parts == nil {
			continue
		}
		for k := range e.parts {
			a.seen += e.parts[k].tables.Len()
			if schemas := e.parts[k].schemas; len(schemas) > 0 {
				a.seen += int(schemas[0].cell.Level)
			}
		}
	}
	a.n = 0
	return n
}

func (s *Sheet) read(g *Graph, id GroupID, d catalog.DatabaseID, e *entry) {
	s.g, s.group, s.Database = g, id, d
	s.Whole, s.Open, s.Written = Line{}, false, 0
	s.Schemas, s.tables = s.Schemas[:0], s.tables[:0]
	if e == nil {
		return
	}
	for k, c := range e.whole {
		s.Whole.write(Kind(k), c)
	}
	s.Open = s.Whole.Levels[View] > Blocked
	if e.parts == nil {
		return
	}
	for k := range e.parts {
		for _, c := range e.parts[k].schemas {
			in := s.schema(c.name)
			in.Whole.write(Kind(k), c.cell)
			in.Written |= 1 << k
			s.Open = s.Open || Kind(k) == View && c.cell.Level > Blocked
		}
	}
	for k := range e.parts {
		if e.parts[k].tables.Len() > 0 {
			s.gather(Kind(k), e.parts[k].tables)
		}
	}
	bySchema := func(a, b TableLine) int { return cmp.Compare(a.Schema, b.Schema) }
	if !slices.IsSortedFunc(s.tables, bySchema) {
		slices.SortStableFunc(s.tables, bySchema)
	}
	for rest := s.tables; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].Schema == rest[0].Schema {
			n++
		}
		s.schema(rest[0].Schema).Tables = rest[:n:n]
		rest = rest[n:]
	}
	for i := range s.Schemas {
		s.Schemas[i].inherit(s)
	}
}

// write notes the cell that is written at the line's scope.
func (l *Line) write(k Kind, c Cell) {
	if !c.Set {
		return
	}
	l.Set |= 1 << k
	if c.Wide {
		l.Wide |= 1 << k
	}
	l.Levels[k] = c.Level
	if k == View {
		l.viewed = c.At
	}
}

// inherit fills in what is not written at the line's scope from a wider one.
func (l *Line) inherit(wider *Line) {
	for k := range l.Levels {
		if !l.Set.Has(Kind(k)) {
			l.Levels[k] = wider.Levels[k]
		}
	}
	if !l.Set.Has(View) {
		l.viewed = wider.viewed
	}
}

// schema is the part of the sheet for a schema, made if it is not there.
func (s *Sheet) schema(name string) *SheetSchema {
	if n := len(s.Schemas); n > 0 && s.Schemas[n-1].Name == name {
		return &s.Schemas[n-1]
	}
	i, ok := slices.BinarySearchFunc(s.Schemas, name, func(in SheetSchema, n string) int { return cmp.Compare(in.Name, n) })
	if !ok {
		s.Schemas = slices.Insert(s.Schemas, i, SheetSchema{Name: name})
	}
	return &s.Schemas[i]
}

// gather adds the cells of single tables of a kind to the tables that are
// there already.
func (s *Sheet) gather(k Kind, cells intmap.Map[catalog.TableID, Cell]) {
	cat := s.g.Catalog()
	i, old := 0, len(s.tables)
	for id, c := range cells.All() {
		s.Open = s.Open || k == View && c.Level > Blocked
		for i < old && s.tables[i].ID < id {
			i++
		}
		if i < old && s.tables[i].ID == id {
			s.tables[i].write(k, c)
			continue
		}
		// A table is not in the catalog if its database was taken away since.
		if t := cat.Table(id); t != nil {
			s.tables = append(s.tables, TableLine{Table: t})
			s.tables[len(s.tables)-1].write(k, c)
		}
	}
	if old > 0 && len(s.tables) > old {
		slices.SortFunc(s.tables, func(a, b TableLine) int { return cmp.Compare(a.ID, b.ID) })
	}
}

func (s *SheetSchema) inherit(of *Sheet) {
	s.Whole.inherit(&of.Whole)
	for i := range s.Tables {
		t := &s.Tables[i]
		s.ByTable |= t.Set
		s.Open = s.Open || t.Set.Has(View) && t.Levels[View] > Blocked
		t.inherit(&s.Whole)
		if !t.Set.Has(View) {
			of.wait(&t.Line, t.Table)
		}
	}
	s.Written |= s.ByTable
	of.Written |= s.Written
}

// Under is the line of a table of the sheet's database for which nothing is
// written; around is the line of its schema, or of the database where nothing
// is written for that.
func (s *Sheet) Under(around *Line, t *catalog.Table) Line {
	l := *around
	l.Set, l.Wide = 0, 0
	s.wait(&l, t)
	return l
}

// wait takes away the View of a table that is pending under a wider level:
// only one that is newer can be.
func (s *Sheet) wait(l *Line, t *catalog.Table) {
	if l.Levels[View] > Blocked && t.Since > l.viewed && s.g.pending(s.group, t) {
		l.Levels[View] = None
	}
}
