package store

import (
	"context"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// SyncedTable is a table as a complete sync of its database found it.
type SyncedTable struct {
	Schema, Name string
	Description  string
	EntityType   string
	Fields       []SyncedField // in their order
}

// SyncedField is a column as a sync found it.
type SyncedField struct {
	Name         string
	Description  string
	DatabaseType string
	BaseType     string
	SemanticType string        // "type/PK", "type/FK", ...
	Target       *SyncedColumn // what a foreign key points to, in the same database
}

// SyncedColumn names a column by the names a sync found.
type SyncedColumn struct {
	Schema, Table, Field string
}

// Table is a table with what people noted about it.
type Table struct {
	catalog.Table
	VisibilityType   *string
	PointsOfInterest *string
	Caveats          *string
	CreatedAt        time.Time
	UpdatedAt        time.Time
}

// Field is a field with what people noted about it.
type Field struct {
	catalog.Field
	VisibilityType   string // "normal" unless somebody said otherwise
	HasFieldValues   *string
	PointsOfInterest *string
	Caveats          *string
	CreatedAt        time.Time
	UpdatedAt        time.Time
}

// TableQuery selects tables.
type TableQuery struct {
	Database catalog.DatabaseID // 0 for all
	IDs      []catalog.TableID  // among these; nil for all
	Absent   bool               // also tables that went away
}

// TableUpdate says what to change about a table; nil leaves as it is.
type TableUpdate struct {
	DisplayName      *string
	Description      **string
	EntityType       **string
	VisibilityType   **string
	PointsOfInterest **string
	Caveats          **string
}

// FieldUpdate says what to change about a field; nil leaves as it is.
type FieldUpdate struct {
	DisplayName      *string
	Description      **string
	SemanticType     **string
	Target           **catalog.FieldID
	VisibilityType   *string
	HasFieldValues   **string
	PointsOfInterest **string
	Caveats          **string
}

// Tables lists the tables that the query selects, by id.
func (s *Store) Tables(ctx context.Context, q TableQuery) ([]Table, error) { return nil, errPending }

// Table returns a table, there now or not, or ErrNotFound.
func (s *Store) Table(ctx context.Context, id catalog.TableID) (Table, error) {
	return Table{}, errPending
}

// Fields lists the fields of the tables, by table and position.
func (s *Store) Fields(ctx context.Context, tables []catalog.TableID) ([]Field, error) {
	return nil, errPending
}

// Field returns a field, or ErrNotFound.
func (s *Store) Field(ctx context.Context, id catalog.FieldID) (Field, error) {
	return Field{}, errPending
}

// UpdateTable notes something about a table. It takes a data revision when the
// catalog changes by it. ErrNotFound; *InvalidError for a blank display name.
func (s *Store) UpdateTable(ctx context.Context, who Actor, id catalog.TableID, u TableUpdate) (Table, error) {
	return Table{}, errPending
}

// UpdateField is UpdateTable for a field.
func (s *Store) UpdateField(ctx context.Context, who Actor, id catalog.FieldID, u FieldUpdate) (Field, error) {
	return Field{}, errPending
}

// ApplySync makes the catalog of a database what a complete sync found, under
// a new data revision; nothing happens when it is so already. A table is known
// by schema and name: one that is absent gets its Until, one that comes back
// after that is another table. A new table with the schema and name of a
// governed one is born governed. What people wrote about tables and fields
// stays. ErrNotFound when there is no such database; *InvalidError when the
// sync names a table or a field twice.
func (s *Store) ApplySync(ctx context.Context, who Actor, id catalog.DatabaseID, tables []SyncedTable) (*permission.Graph, error) {
	return nil, errPending
}
