// Package catalog says what the warehouses contain: databases, their schemas,
// tables, fields and foreign keys, each with an id. A [Snapshot] of it is
// immutable, so that a question and the permissions it is answered under see
// the same tables from beginning to end.
//
// It holds names and types, never connection details or rows, and it decides
// nothing about who may see what. Start reading at [Snapshot].
package catalog

import (
	"cmp"
	"iter"
	"slices"

	"github.com/sluice-bi/sluice/internal/intmap"
)

// Ids as the API shows them; positive, never used twice.
type (
	DatabaseID int64
	TableID    int64
	FieldID    int64
)

// Revision counts the changes of the data permissions graph. Changes of the
// catalog take one too, so that "newer than this grant" can be asked of a
// table. 0 is before everything.
type Revision int64

// OwnFile is the application id in the header of Sluice's own SQLite files,
// by which they are known and refused as warehouses: people and passwords lie
// in them.
const OwnFile = 0x534C5543 // "SLUC"

// Database is one connected warehouse.
type Database struct {
	ID     DatabaseID
	Name   string
	Engine string // "sqlite", "postgres", "mysql"
	Sample bool   // the sample warehouse that ships with Sluice
}

// Table is a table or view of a database. It is the same table as long as its
// schema and name stay; one that went away and came back is another table.
type Table struct {
	ID          TableID
	Database    DatabaseID
	Schema      string // "" where the engine has no schemas
	Name        string
	DisplayName string
	Description string
	EntityType  string   // such as "entity/TransactionTable"; may be ""
	Since       Revision // the revision that brought it
	Until       Revision // the revision that took it away; 0 while it is there
}

// Active tells whether the table is there now.
func (t *Table) Active() bool { return t.Until == 0 }

// At tells whether the table was there at revision r.
func (t *Table) At(r Revision) bool { return t.Since <= r && (t.Until == 0 || t.Until > r) }

// Field is a column of a table.
type Field struct {
	ID           FieldID
	Table        TableID
	Name         string
	DisplayName  string
	Description  string
	DatabaseType string  // the engine's own word, such as "VARCHAR"
	BaseType     string  // "type/Integer", "type/Text", "type/DateTime", ...
	SemanticType string  // "type/PK", "type/FK", ...; "" when nothing is known
	Target       FieldID // what a foreign key points to; 0 for other fields
	Position     int     // order in the table, from 0
}

// Snapshot is the whole catalog at one moment. It never changes; With... give
// a new one that shares the rest. The zero value is an empty catalog. The
// records it hands out are shared and must not be written to.
type Snapshot struct {
	databases intmap.Map[DatabaseID, *database]
	tables    intmap.Map[TableID, *table]
	fields    intmap.Map[FieldID, *Field]
}

type database struct {
	Database
	tables intmap.Map[TableID, *Table]
}

type table struct {
	Table
	fields []*Field // by position
}

// Database returns the database with the id, or nil.
func (s *Snapshot) Database(id DatabaseID) *Database {
	if d, ok := s.databases.Get(id); ok {
		return &d.Database
	}
	return nil
}

// Databases yields every database in the order of the ids.
func (s *Snapshot) Databases() iter.Seq[*Database] {
	return func(yield func(*Database) bool) {
		for _, d := range s.databases.All() {
			if !yield(&d.Database) {
				return
			}
		}
	}
}

// Same tells whether a database is the very same in both snapshots, its tables
// included. False is no proof that it differs.
func (s *Snapshot) Same(o *Snapshot, id DatabaseID) bool {
	a, _ := s.databases.Get(id)
	b, _ := o.databases.Get(id)
	return a == b
}

// Table returns the table with the id, active or not, or nil.
func (s *Snapshot) Table(id TableID) *Table {
	if t, ok := s.tables.Get(id); ok {
		return &t.Table
	}
	return nil
}

// Tables yields the tables of a database, active and absent ones, in the
// order of the ids.
func (s *Snapshot) Tables(id DatabaseID) iter.Seq[*Table] {
	return func(yield func(*Table) bool) {
		d, ok := s.databases.Get(id)
		if !ok {
			return
		}
		for _, t := range d.tables.All() {
			if !yield(t) {
				return
			}
		}
	}
}

// Schemas returns the schemas of a database that hold an active table, sorted.
func (s *Snapshot) Schemas(id DatabaseID) []string {
	var names []string
	for t := range s.Tables(id) {
		if t.Active() {
			names = append(names, t.Schema)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Field returns the field with the id, or nil.
func (s *Snapshot) Field(id FieldID) *Field {
	f, _ := s.fields.Get(id)
	return f
}

// Fields returns the fields of a table in their order. The slice is shared.
func (s *Snapshot) Fields(id TableID) []*Field {
	if t, ok := s.tables.Get(id); ok {
		return t.fields
	}
	return nil
}

// WithDatabase returns a catalog in which d stands, in place of the database
// with its id or as a new one; its tables stay.
func (s *Snapshot) WithDatabase(d Database) *Snapshot {
	c, n := *s, &database{Database: d}
	if old, ok := s.databases.Get(d.ID); ok {
		n.tables = old.tables
	}
	c.databases = s.databases.Set(d.ID, n)
	return &c
}

// WithoutDatabase returns a catalog without the database and its tables.
func (s *Snapshot) WithoutDatabase(id DatabaseID) *Snapshot {
	c := *s
	for t := range s.Tables(id) {
		for _, f := range s.Fields(t.ID) {
			c.fields = c.fields.Delete(f.ID)
		}
		c.tables = c.tables.Delete(t.ID)
	}
	c.databases = s.databases.Delete(id)
	return &c
}

// WithTable returns a catalog in which t stands with these fields, in place of
// the table with its id or as a new one. Its database must be there.
func (s *Snapshot) WithTable(t Table, fields []Field) *Snapshot {
	c, n := *s, &table{Table: t}
	for _, f := range s.Fields(t.ID) {
		c.fields = c.fields.Delete(f.ID)
	}
	for _, f := range fields {
		f.Table = t.ID
		n.fields = append(n.fields, &f)
		c.fields = c.fields.Set(f.ID, &f)
	}
	slices.SortStableFunc(n.fields, func(a, b *Field) int { return cmp.Compare(a.Position, b.Position) })
	d, ok := s.databases.Get(t.Database)
	if !ok {
		panic("catalog: a table of a database that is not there")
	}
	c.tables = c.tables.Set(t.ID, n)
	c.databases = c.databases.Set(t.Database, &database{d.Database, d.tables.Set(t.ID, &n.Table)})
	return &c
}
