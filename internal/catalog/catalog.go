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
	// Governs tells that SQL that people type is held to what they may see there,
	// row by row and column by column: see [Governs].
	Governs bool
}

// Governs tells whether an engine can hold SQL that people type to what they
// may see. What is loaded into a catalog says so of each database.
func Governs(engine string) bool { return engine == "sqlite" }

// TakesRoles tells whether an engine has roles that a connection can take, so
// that people can be seen as one.
func TakesRoles(engine string) bool { return engine == "postgres" || engine == "mysql" }

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
	FieldOrder  string   // what its fields are ordered by: "database", "alphabetical", "smart", "custom"
	Since       Revision // the revision that brought it
	Until       Revision // the revision that took it away; 0 while it is there
}

// Active tells whether the table is there now.
func (t *Table) Active() bool { return t.Until == 0 }

// At tells whether the table was there at revision r.
func (t *Table) At(r Revision) bool { return t.Since <= r && (t.Until == 0 || t.Until > r) }

// Field is a column of a table.
type Field struct {
	ID               FieldID
	Table            TableID
	Name             string
	DisplayName      string
	Description      string
	DatabaseType     string  // the engine's own word, such as "VARCHAR"
	BaseType         string  // "type/Integer", "type/Text", "type/DateTime", ...
	SemanticType     string  // "type/PK", "type/FK", ...; "" when nothing is known
	Target           FieldID // what a foreign key points to; 0 for other fields
	Position         int     // order in the table, from 0
	DatabasePosition int     // order in the database, from 0
	CustomPosition   int     // where somebody has put it, from 1; 0 for nowhere
}

// Snapshot is the whole catalog at one moment. It never changes; With... give
// a new one that shares the rest. The zero value is an empty catalog. The
// records it hands out are shared and must not be written to.
type Snapshot struct {
	databases intmap.Map[DatabaseID, *database]
	tables    intmap.Map[TableID, *table]
	fields    intmap.Map[FieldID, *Field]
	active    intmap.Dense[TableID, DatabaseID] // where the tables that are there lie
}

type database struct {
	Database
	tables  intmap.Map[TableID, *Table]
	schemas []schema // by name
	newest  Revision // no table came after it
}

// schema is the tables of a database that lie, or lay, in one schema.
type schema struct {
	name   string
	tables intmap.Map[TableID, *Table]
	active int // how many of them are there
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

// Changes yields, in order, every database that may differ between two
// snapshots, itself or in its tables. What the snapshots share is skipped.
func Changes(a, b *Snapshot) iter.Seq[DatabaseID] {
	return func(yield func(DatabaseID) bool) {
		for id := range intmap.Changes(a.databases, b.databases) {
			was, _ := a.databases.Get(id)
			is, _ := b.databases.Get(id)
			if was != is && !yield(id) {
				return
			}
		}
	}
}

// Table returns the table with the id, active or not, or nil.
func (s *Snapshot) Table(id TableID) *Table {
	if t, ok := s.tables.Get(id); ok {
		return &t.Table
	}
	return nil
}

// DatabaseOf is where an active table lies; 0 for any other.
func (s *Snapshot) DatabaseOf(id TableID) DatabaseID { return s.active.Get(id) }

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

// TablesIn yields the tables of one schema as Tables does, at the cost of that
// schema.
func (s *Snapshot) TablesIn(id DatabaseID, name string) iter.Seq[*Table] {
	return func(yield func(*Table) bool) {
		d, ok := s.databases.Get(id)
		if !ok {
			return
		}
		i, ok := d.find(name)
		if !ok {
			return
		}
		for _, t := range d.schemas[i].tables.All() {
			if !yield(t) {
				return
			}
		}
	}
}

// Schemas returns the schemas of a database that hold an active table, sorted.
func (s *Snapshot) Schemas(id DatabaseID) []string {
	d, ok := s.databases.Get(id)
	if !ok {
		return nil
	}
	var names []string
	for _, c := range d.schemas {
		if c.active > 0 {
			names = append(names, c.name)
		}
	}
	return names
}

// SchemasAt yields the schemas of a database that held a table at a revision,
// sorted.
func (s *Snapshot) SchemasAt(id DatabaseID, r Revision) iter.Seq[string] {
	return func(yield func(string) bool) {
		d, ok := s.databases.Get(id)
		if !ok {
			return
		}
		for i := range d.schemas {
			for _, t := range d.schemas[i].tables.All() {
				if !t.At(r) {
					continue
				}
				if !yield(d.schemas[i].name) {
					return
				}
				break
			}
		}
	}
}

// HasSchema tells whether a table of the database, active or not, lies in the
// schema.
func (s *Snapshot) HasSchema(id DatabaseID, name string) bool {
	d, ok := s.databases.Get(id)
	if !ok {
		return false
	}
	_, ok = d.find(name)
	return ok
}

// Newest is a revision after which no table of the database came.
func (s *Snapshot) Newest(id DatabaseID) Revision {
	if d, ok := s.databases.Get(id); ok {
		return d.newest
	}
	return 0
}

// Len is how many databases and how many tables there are.
func (s *Snapshot) Len() (databases, tables int) { return s.databases.Len(), s.tables.Len() }

// TablesOf is how many tables a database has, active and absent ones.
func (s *Snapshot) TablesOf(id DatabaseID) int {
	d, ok := s.databases.Get(id)
	if !ok {
		return 0
	}
	return d.tables.Len()
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
	c, n := *s, &database{}
	if old, ok := s.databases.Get(d.ID); ok {
		*n = *old
	}
	n.Database = d
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
		c.active = c.active.Set(t.ID, 0)
	}
	c.databases = s.databases.Delete(id)
	return &c
}

// WithTable returns a catalog in which t stands with these fields, in place of
// the table with its id or as a new one. Its database must be there, and is
// always the same.
func (s *Snapshot) WithTable(t Table, fields []Field) *Snapshot {
	return s.WithTables([]Table{t}, func(TableID) []Field { return fields })
}

// WithTables is WithTable for many tables, each id once, at the cost of one
// copy of what changes.
func (s *Snapshot) WithTables(tables []Table, fieldsOf func(TableID) []Field) *Snapshot {
	c := *s
	var (
		records []intmap.Entry[TableID, *table]
		places  []intmap.Entry[TableID, DatabaseID]
		fields  []intmap.Entry[FieldID, *Field]
		byBase  = map[DatabaseID][]*Table{}
	)
	tables = slices.Clone(tables)
	slices.SortFunc(tables, func(a, b Table) int { return cmp.Compare(a.ID, b.ID) })
	for _, t := range tables {
		n := &table{Table: t}
		for _, f := range s.Fields(t.ID) {
			c.fields = c.fields.Delete(f.ID)
		}
		for _, f := range fieldsOf(t.ID) {
			f.Table = t.ID
			n.fields = append(n.fields, &f)
			fields = append(fields, intmap.Entry[FieldID, *Field]{Key: f.ID, Value: &f})
		}
		slices.SortStableFunc(n.fields, func(a, b *Field) int { return cmp.Compare(a.Position, b.Position) })
		records = append(records, intmap.Entry[TableID, *table]{Key: t.ID, Value: n})
		place := intmap.Entry[TableID, DatabaseID]{Key: t.ID}
		if t.Active() {
			place.Value = t.Database
		}
		places = append(places, place)
		byBase[t.Database] = append(byBase[t.Database], &n.Table)
	}
	slices.SortFunc(fields, func(a, b intmap.Entry[FieldID, *Field]) int { return cmp.Compare(a.Key, b.Key) })
	c.tables, c.active, c.fields = c.tables.SetAll(records), c.active.SetAll(places), c.fields.SetAll(fields)
	for id, tables := range byBase {
		d, ok := s.databases.Get(id)
		if !ok {
			panic("catalog: a table of a database that is not there")
		}
		c.databases = c.databases.Set(id, d.with(tables))
	}
	return &c
}

// with is a copy of the database in which the tables stand, which are sorted.
func (d *database) with(tables []*Table) *database {
	n := *d
	n.schemas = slices.Clone(d.schemas)
	bySchema := map[string][]intmap.Entry[TableID, *Table]{}
	var all []intmap.Entry[TableID, *Table]
	for _, t := range tables {
		if old, ok := d.tables.Get(t.ID); ok {
			i, _ := n.find(old.Schema)
			n.schemas[i].tables = n.schemas[i].tables.Delete(t.ID)
			if old.Active() {
				n.schemas[i].active--
			}
		}
		bySchema[t.Schema] = append(bySchema[t.Schema], intmap.Entry[TableID, *Table]{Key: t.ID, Value: t})
		all = append(all, intmap.Entry[TableID, *Table]{Key: t.ID, Value: t})
		n.newest = max(n.newest, t.Since)
	}
	for name, in := range bySchema {
		i, ok := n.find(name)
		if !ok {
			n.schemas = slices.Insert(n.schemas, i, schema{name: name})
		}
		n.schemas[i].tables = n.schemas[i].tables.SetAll(in)
		for _, e := range in {
			if e.Value.Active() {
				n.schemas[i].active++
			}
		}
	}
	n.schemas = slices.DeleteFunc(n.schemas, func(c schema) bool { return c.tables.Len() == 0 })
	n.tables = d.tables.SetAll(all)
	return &n
}

func (d *database) find(name string) (int, bool) {
	return slices.BinarySearchFunc(d.schemas, name, func(c schema, n string) int { return cmp.Compare(c.name, n) })
}
