package store

import (
	"context"
	"slices"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
)

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
	FieldOrder       *string // OrderDatabase, ...
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

const (
	tableColumns = catalogTable + ", t.visibility_type, t.points_of_interest, t.caveats, t.created_at, t.updated_at"
	fieldColumns = catalogField + ", f.visibility_type, f.has_field_values, f.points_of_interest, f.caveats, f.created_at, f.updated_at"
)

func scanTable(row scanner) (t Table, err error) {
	return t, row.Scan(append(catalogTableInto(&t.Table), &t.VisibilityType, &t.PointsOfInterest, &t.Caveats, moment{&t.CreatedAt}, moment{&t.UpdatedAt})...)
}

func scanField(row scanner) (f Field, err error) {
	return f, row.Scan(append(catalogFieldInto(&f.Field), &f.VisibilityType, &f.HasFieldValues, &f.PointsOfInterest, &f.Caveats, moment{&f.CreatedAt}, moment{&f.UpdatedAt})...)
}

// Tables lists the tables that the query selects, by id.
func (s *Store) Tables(ctx context.Context, q TableQuery) ([]Table, error) {
	all := []Table{}
	for _, ids := range chunks(q.IDs) {
		var w where
		if q.Database != 0 {
			w.and("t.database_id = ?", q.Database)
		}
		if q.IDs != nil {
			in(&w, "t.id", ids)
		}
		if !q.Absent {
			w.and("t.until_revision = 0")
		}
		some, err := list(ctx, s.reader(), scanTable, "select "+tableColumns+" from tables t"+w.String()+" order by t.id", w.args...)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// Table returns a table, there now or not, or ErrNotFound.
func (s *Store) Table(ctx context.Context, id catalog.TableID) (Table, error) {
	return readTable(ctx, s.reader(), id)
}

func readTable(ctx context.Context, c conn, id catalog.TableID) (Table, error) {
	return one(ctx, c, scanTable, "select "+tableColumns+" from tables t where t.id = $1", id)
}

// Fields lists the fields of the tables, by table and position.
func (s *Store) Fields(ctx context.Context, tables []catalog.TableID) ([]Field, error) {
	all := []Field{}
	for _, ids := range chunks(tables) {
		var w where
		w.and("f.active")
		in(&w, "f.table_id", ids)
		some, err := list(ctx, s.reader(), scanField, "select "+fieldColumns+" from fields f"+w.String()+" order by f.table_id, f.position, f.id", w.args...)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// Field returns a field, or ErrNotFound.
func (s *Store) Field(ctx context.Context, id catalog.FieldID) (Field, error) {
	return readField(ctx, s.reader(), id)
}

func readField(ctx context.Context, c conn, id catalog.FieldID) (Field, error) {
	return one(ctx, c, scanField, "select "+fieldColumns+" from fields f where f.id = $1 and f.active", id)
}

// UpdateTable notes something about a table. It takes a data revision when the
// catalog changes by it. ErrNotFound; *InvalidError for a blank display name.
func (s *Store) UpdateTable(ctx context.Context, who Actor, id catalog.TableID, u TableUpdate) (t Table, err error) {
	_, err = s.write(ctx, who, func(w *writer) error {
		if t, err = readTable(ctx, w.conn, id); err != nil {
			return err
		}
		was := t.Table
		set(&t.DisplayName, u.DisplayName)
		setText(&t.Description, u.Description)
		setText(&t.EntityType, u.EntityType)
		set(&t.FieldOrder, u.FieldOrder)
		set(&t.VisibilityType, u.VisibilityType)
		set(&t.PointsOfInterest, u.PointsOfInterest)
		set(&t.Caveats, u.Caveats)
		if blank(t.DisplayName) {
			return invalid("display_name", "value must be a non-blank string.")
		}
		t.UpdatedAt = w.now
		err = w.execOne(ctx, `update tables set display_name = $1, description = $2, entity_type = $3, field_order = $4, visibility_type = $5,
			points_of_interest = $6, caveats = $7, updated_at = $8 where id = $9`,
			t.DisplayName, t.Description, t.EntityType, t.FieldOrder, t.VisibilityType, t.PointsOfInterest, t.Caveats, t.UpdatedAt, id)
		if err != nil {
			return err
		}
		if cat := w.graph.Catalog(); t.Table != was {
			fields := fieldsOf(cat, id)
			if _, err := w.arrange(t.Table, fields); err != nil {
				return err
			}
			w.setCatalog(cat.WithTable(t.Table, fields), t.Database, "describe table %d %q", id, t.Name)
		}
		return nil
	})
	return t, err
}

// UpdateField is UpdateTable for a field.
func (s *Store) UpdateField(ctx context.Context, who Actor, id catalog.FieldID, u FieldUpdate) (f Field, err error) {
	_, err = s.write(ctx, who, func(w *writer) error {
		if f, err = readField(ctx, w.conn, id); err != nil {
			return err
		}
		was, cat := f.Field, w.graph.Catalog()
		set(&f.DisplayName, u.DisplayName)
		setText(&f.Description, u.Description)
		setText(&f.SemanticType, u.SemanticType)
		if u.Target != nil {
			f.Target = 0
			set(&f.Target, *u.Target)
		}
		set(&f.VisibilityType, u.VisibilityType)
		set(&f.HasFieldValues, u.HasFieldValues)
		set(&f.PointsOfInterest, u.PointsOfInterest)
		set(&f.Caveats, u.Caveats)
		switch {
		case blank(f.DisplayName):
			return invalid("display_name", "value must be a non-blank string.")
		case f.Target != 0 && cat.Field(f.Target) == nil:
			return invalid("fk_target_field_id", "There is no field %d.", f.Target)
		}
		f.UpdatedAt = w.now
		err = w.execOne(ctx, `update fields set display_name = $1, description = $2, semantic_type = $3, target_id = $4, visibility_type = $5,
			has_field_values = $6, points_of_interest = $7, caveats = $8, updated_at = $9 where id = $10`,
			f.DisplayName, f.Description, f.SemanticType, f.Target, f.VisibilityType, f.HasFieldValues, f.PointsOfInterest, f.Caveats, f.UpdatedAt, id)
		if err != nil {
			return err
		}
		if f.Field == was {
			return nil
		}
		t, fields := *cat.Table(f.Table), fieldsOf(cat, f.Table)
		at := slices.IndexFunc(fields, func(of catalog.Field) bool { return of.ID == id })
		fields[at] = f.Field
		if _, err := w.arrange(t, fields); err != nil {
			return err
		}
		f.Field = fields[at]
		w.setCatalog(cat.WithTable(t, fields), t.Database, "describe field %d %q", id, f.Name)
		return nil
	})
	return f, err
}

// setText writes a text that is given; null is stored as empty.
func setText(into *string, v **string) {
	if v != nil {
		*into = text(*v)
	}
}

// fieldsOf copies the fields of a table.
func fieldsOf(cat *catalog.Snapshot, id catalog.TableID) []catalog.Field {
	var fields []catalog.Field
	for _, f := range cat.Fields(id) {
		fields = append(fields, *f)
	}
	return fields
}
