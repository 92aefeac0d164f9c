package permission

import (
	"cmp"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/intmap"
)

// entry is what is written for one group in one database. nil is nothing.
type entry struct {
	whole [dataKinds]Cell
	parts *[dataKinds]parts // nil when nothing is written below the database
}

// parts is what is written for one kind below the database.
type parts struct {
	schemas []schemaCell // sorted by name
	tables  intmap.Map[catalog.TableID, Cell]
}

type schemaCell struct {
	name string
	cell Cell
}

func findSchema(s []schemaCell, name string) (int, bool) {
	return slices.BinarySearchFunc(s, name, func(c schemaCell, n string) int { return cmp.Compare(c.name, n) })
}

func (e *entry) cell(k Kind, s Scope) Cell {
	switch {
	case e == nil || int(k) >= dataKinds:
	case s.Depth == OfDatabase:
		return e.whole[k]
	case e.parts == nil:
	case s.Depth == OfSchema:
		if i, ok := findSchema(e.parts[k].schemas, s.Schema); ok {
			return e.parts[k].schemas[i].cell
		}
	default:
		c, _ := e.parts[k].tables.Get(s.Table)
		return c
	}
	return Cell{}
}

// find is the deepest cell that is written for a table.
func (e *entry) find(k Kind, schema string, t catalog.TableID) (Cell, Depth) {
	if e == nil {
		return Cell{}, OfDatabase
	}
	if e.parts != nil {
		if c, ok := e.parts[k].tables.Get(t); ok {
			return c, OfTable
		}
		if i, ok := findSchema(e.parts[k].schemas, schema); ok {
			return e.parts[k].schemas[i].cell, OfSchema
		}
	}
	return e.whole[k], OfDatabase
}

func (e *entry) each(k Kind, yield func(Scope, Cell) bool) {
	if e == nil || int(k) >= dataKinds {
		return
	}
	if e.whole[k].Set && !yield(WholeDatabase(), e.whole[k]) {
		return
	}
	if e.parts == nil {
		return
	}
	for _, s := range e.parts[k].schemas {
		if !yield(WholeSchema(s.name), s.cell) {
			return
		}
	}
	for t, c := range e.parts[k].tables.All() {
		if !yield(OneTable(t), c) {
			return
		}
	}
}

// with is a copy of the entry in which c stands at the scope; nil when nothing
// is left.
func (e *entry) with(k Kind, s Scope, c Cell) *entry {
	n := &entry{}
	if e != nil {
		*n = *e
	}
	if s.Depth == OfDatabase {
		n.whole[k] = c
	} else {
		p := &[dataKinds]parts{}
		if n.parts != nil {
			*p = *n.parts
		}
		n.parts = p
		if s.Depth == OfSchema {
			i, has := findSchema(p[k].schemas, s.Schema)
			schemas := slices.Clone(p[k].schemas)
			switch {
			case has && c.Set:
				schemas[i].cell = c
			case has:
				schemas = slices.Delete(schemas, i, i+1)
			case c.Set:
				schemas = slices.Insert(schemas, i, schemaCell{s.Schema, c})
			}
			p[k].schemas = schemas
		} else if c.Set {
			p[k].tables = p[k].tables.Set(s.Table, c)
		} else {
			p[k].tables = p[k].tables.Delete(s.Table)
		}
	}
	if n.parts != nil && n.empty() {
		n.parts = nil
	}
	if n.parts == nil && n.whole == ([dataKinds]Cell{}) {
		return nil
	}
	return n
}

// empty tells whether nothing is written below the database.
func (e *entry) empty() bool {
	for k := range e.parts {
		if len(e.parts[k].schemas) > 0 || e.parts[k].tables.Len() > 0 {
			return false
		}
	}
	return true
}
