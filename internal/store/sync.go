package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode"

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

// ApplySync makes the catalog of a database what a complete sync found, under
// a new data revision; nothing happens when it is so already. A table is known
// by schema and name: one that is absent gets its Until, one that comes back
// after that is another table. A new table with the schema and name of a
// governed one is born governed. What people wrote about tables and fields
// stays. ErrNotFound when there is no such database; *InvalidError when the
// sync names a table or a field twice.
func (s *Store) ApplySync(ctx context.Context, who Actor, id catalog.DatabaseID, tables []SyncedTable) (*permission.Graph, error) {
	return s.write(ctx, who, func(w *writer) error {
		if w.graph.Catalog().Database(id) == nil {
			return ErrNotFound
		}
		y := syncing{writer: w, database: id, found: tables, cat: w.graph.Catalog(),
			present: map[tableName]*catalog.Table{}, fields: map[catalog.TableID][]catalog.Field{}}
		for _, step := range []func() error{y.names, y.tables, y.columns, y.targets, y.write} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
}

// tableName is what a table is known by.
type tableName struct{ schema, name string }

// syncing compares what a sync found with the catalog, then writes what
// differs.
type syncing struct {
	*writer
	database catalog.DatabaseID
	found    []SyncedTable
	cat      *catalog.Snapshot

	present map[tableName]*catalog.Table // the tables that are there, old and new
	fields  map[catalog.TableID][]catalog.Field
	made    []*catalog.Table
	absent  []catalog.TableID
	created map[catalog.FieldID]bool // never seen before
}

// names refuses a result that names something twice.
func (y *syncing) names() error {
	seen := map[tableName]bool{}
	for _, t := range y.found {
		name := tableName{t.Schema, t.Name}
		if seen[name] {
			return invalid("", "The sync of database %d found the table %q of schema %q twice.", y.database, t.Name, t.Schema)
		}
		seen[name] = true
		columns := map[string]bool{}
		for _, f := range t.Fields {
			if columns[f.Name] {
				return invalid("", "The sync of database %d found the field %q of table %q twice.", y.database, f.Name, t.Name)
			}
			columns[f.Name] = true
		}
	}
	return nil
}

// tables tells which tables stay, come and go.
func (y *syncing) tables() error {
	was := map[tableName]*catalog.Table{}
	for t := range y.cat.Tables(y.database) {
		if t.Active() {
			was[tableName{t.Schema, t.Name}] = t
		}
	}
	var added []SyncedTable
	for _, f := range y.found {
		name := tableName{f.Schema, f.Name}
		if t, ok := was[name]; ok {
			y.present[name] = t
			delete(was, name)
		} else {
			added = append(added, f)
		}
	}
	for t := range y.cat.Tables(y.database) {
		if was[tableName{t.Schema, t.Name}] == t {
			y.absent = append(y.absent, t.ID)
		}
	}
	if len(added) == 0 {
		return nil
	}
	id, err := y.newIDs("table", len(added))
	if err != nil {
		return err
	}
	for i, f := range added {
		t := &catalog.Table{ID: catalog.TableID(id + int64(i)), Database: y.database, Schema: f.Schema, Name: f.Name,
			DisplayName: title(f.Name), Description: f.Description, EntityType: f.EntityType, FieldOrder: OrderDatabase, Since: y.nextData()}
		y.made = append(y.made, t)
		y.present[tableName{f.Schema, f.Name}] = t
	}
	return nil
}

// unlist takes a column that comes back off the policies that list it among
// those that they show: it may hold something else now, and is hidden until
// somebody decides.
func (y *syncing) unlist(id catalog.FieldID, table catalog.TableID) error {
	is := func(c permission.ColumnRule) bool { return c.Field == id }
	for g := range y.graph.Groups() {
		b := y.graph.Sandbox(g.ID, table)
		if b == nil || !slices.ContainsFunc(b.Columns, is) {
			continue
		}
		to := *b
		to.Columns, to.At = slices.DeleteFunc(slices.Clone(b.Columns), is), y.graph.Revision()+1
		if err := y.apply(permission.SetSandbox{From: b, To: &to}); err != nil {
			return err
		}
	}
	return nil
}

// columns makes the fields of every table that is there what was found; their
// foreign keys come later.
func (y *syncing) columns() error {
	y.created = map[catalog.FieldID]bool{}
	away, err := y.awayFields()
	if err != nil {
		return err
	}
	missing := 0
	for _, f := range y.found {
		t := y.present[tableName{f.Schema, f.Name}]
		had := map[string]*catalog.Field{}
		for _, o := range y.cat.Fields(t.ID) {
			had[o.Name] = o
		}
		fields := make([]catalog.Field, len(f.Fields))
		for i, c := range f.Fields {
			fields[i] = catalog.Field{Table: t.ID, Name: c.Name, DisplayName: title(c.Name), SemanticType: c.SemanticType, Description: c.Description}
			if old, ok := had[c.Name]; ok {
				fields[i] = *old
			} else if old, ok := away[t.ID][c.Name]; ok {
				fields[i] = old
				if err := y.unlist(old.ID, t.ID); err != nil {
					return err
				}
			} else {
				missing++
			}
			if fields[i].Description == "" {
				fields[i].Description = c.Description
			}
			fields[i].DatabaseType, fields[i].BaseType, fields[i].DatabasePosition = c.DatabaseType, c.BaseType, i
		}
		number(t.FieldOrder, fields)
		y.fields[t.ID] = fields
	}
	if missing == 0 {
		return nil
	}
	next, err := y.newIDs("field", missing)
	if err != nil {
		return err
	}
	for _, f := range y.found {
		fields := y.fields[y.present[tableName{f.Schema, f.Name}].ID]
		for i := range fields {
			if fields[i].ID == 0 {
				fields[i].ID = catalog.FieldID(next)
				y.created[fields[i].ID] = true
				next++
			}
		}
	}
	return nil
}

// awayFields are the fields that a former sync no longer found: one that comes
// back is the same field.
func (y *syncing) awayFields() (map[catalog.TableID]map[string]catalog.Field, error) {
	all, err := list(y.ctx, y.conn, scanCatalogField, "select "+catalogField+` from fields f join tables t on t.id = f.table_id
		where t.database_id = $1 and t.until_revision = 0 and not f.active`, y.database)
	away := map[catalog.TableID]map[string]catalog.Field{}
	for _, f := range all {
		if away[f.Table] == nil {
			away[f.Table] = map[string]catalog.Field{}
		}
		away[f.Table][f.Name] = f
	}
	return away, err
}

// targets makes foreign keys point to the fields that were found. A target
// that a person set stays where the database knows of none.
func (y *syncing) targets() error {
	byName := map[SyncedColumn]catalog.FieldID{}
	known := map[catalog.FieldID]bool{}
	for name, t := range y.present {
		for _, f := range y.fields[t.ID] {
			byName[SyncedColumn{name.schema, name.name, f.Name}] = f.ID
			known[f.ID] = true
		}
	}
	for _, t := range y.found {
		fields := y.fields[y.present[tableName{t.Schema, t.Name}].ID]
		for i, c := range t.Fields {
			target := catalog.FieldID(0)
			if c.Target != nil {
				target = byName[*c.Target]
			}
			switch f := &fields[i]; {
			case target != 0 && target != f.Target:
				f.Target = target
				if f.SemanticType == "" {
					f.SemanticType = "type/FK"
				}
			case target == 0 && f.Target != 0 && !known[f.Target]:
				f.Target = 0
			}
		}
	}
	return nil
}

// write writes what differs from the catalog, if anything does.
func (y *syncing) write() error {
	var changed []catalog.Table
	for _, id := range y.absent {
		t := *y.cat.Table(id)
		t.Until = y.nextData()
		y.fields[id] = fieldsOf(y.cat, id)
		changed = append(changed, t)
		if err := y.execOne(y.ctx, "update tables set until_revision = $1, updated_at = $2 where id = $3", t.Until, y.now, id); err != nil {
			return err
		}
	}
	if err := y.insertTables(); err != nil {
		return err
	}
	var inserted [][]any
	for _, f := range y.found {
		t := *y.present[tableName{f.Schema, f.Name}]
		differs, err := y.writeFields(t.ID, &inserted)
		if err != nil {
			return err
		}
		if t.Description == "" && f.Description != "" || t.EntityType == "" && f.EntityType != "" {
			t.Description, t.EntityType = cmp.Or(t.Description, f.Description), cmp.Or(t.EntityType, f.EntityType)
			differs = true
			err := y.execOne(y.ctx, "update tables set description = $1, entity_type = $2, updated_at = $3 where id = $4", t.Description, t.EntityType, y.now, t.ID)
			if err != nil {
				return err
			}
		}
		if differs || t.Since == y.nextData() {
			changed = append(changed, t)
		}
	}
	if len(inserted) > 0 {
		err := insertMany(y.ctx, y.conn, `insert into fields (id, table_id, name, display_name, description, database_type, base_type, semantic_type,
			target_id, position, database_position, active, visibility_type, created_at, updated_at)`, inserted)
		if err != nil {
			return err
		}
	}
	if len(changed) == 0 {
		return nil
	}
	cat := y.cat.WithTables(changed, func(id catalog.TableID) []catalog.Field { return y.fields[id] })
	y.setCatalog(cat, y.database, "sync database %d: %d new tables, %d gone, %d there", y.database, len(y.made), len(y.absent), len(y.found))
	return y.bornGoverned()
}

func (y *syncing) insertTables() error {
	if len(y.made) == 0 {
		return nil
	}
	rows := make([][]any, len(y.made))
	for i, t := range y.made {
		rows[i] = []any{t.ID, t.Database, t.Schema, t.Name, t.DisplayName, t.Description, t.EntityType, t.FieldOrder, t.Since, t.Until, y.now, y.now}
	}
	return insertMany(y.ctx, y.conn, `insert into tables (id, database_id, schema_name, name, display_name, description, entity_type,
		field_order, since_revision, until_revision, created_at, updated_at)`, rows)
}

// writeFields updates the fields of a table that differ, puts away those that
// are gone, and collects the new ones. It tells whether anything differs.
func (y *syncing) writeFields(table catalog.TableID, inserted *[][]any) (bool, error) {
	was := map[catalog.FieldID]catalog.Field{}
	for _, f := range y.cat.Fields(table) {
		was[f.ID] = *f
	}
	differs := false
	for _, f := range y.fields[table] {
		old, had := was[f.ID]
		delete(was, f.ID)
		if had && old == f {
			continue
		}
		differs = true
		if y.created[f.ID] {
			*inserted = append(*inserted, []any{f.ID, table, f.Name, f.DisplayName, f.Description, f.DatabaseType, f.BaseType, f.SemanticType,
				f.Target, f.Position, f.DatabasePosition, true, "normal", y.now, y.now})
			continue
		}
		err := y.execOne(y.ctx, `update fields set description = $1, database_type = $2, base_type = $3, semantic_type = $4, target_id = $5,
			position = $6, database_position = $7, active = true, updated_at = $8 where id = $9`,
			f.Description, f.DatabaseType, f.BaseType, f.SemanticType, f.Target, f.Position, f.DatabasePosition, y.now, f.ID)
		if err != nil {
			return false, err
		}
	}
	for id := range was {
		differs = true
		if err := y.execOne(y.ctx, "update fields set active = false, updated_at = $1 where id = $2", y.now, id); err != nil {
			return false, err
		}
	}
	return differs, nil
}

// bornGoverned marks new tables that bear the schema and name of a governed
// one: what hid the old table's rows must hide the new one's.
func (y *syncing) bornGoverned() error {
	governed := map[tableName]bool{}
	for t := range y.cat.Tables(y.database) {
		if y.graph.Mark(t.ID).Governed {
			governed[tableName{t.Schema, t.Name}] = true
		}
	}
	var changes []permission.Change
	for _, t := range y.made {
		if governed[tableName{t.Schema, t.Name}] {
			changes = append(changes, permission.SetTableMark{Table: t.ID, To: permission.TableMark{Governed: true}})
		}
	}
	return y.apply(changes...)
}

// title is how a table or field is called until somebody names it: "order_id"
// is "Order ID".
func title(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '_' || r == '-' || unicode.IsSpace(r) })
	for i, word := range words {
		if strings.EqualFold(word, "id") {
			words[i] = "ID"
			continue
		}
		runes := []rune(word)
		runes[0] = unicode.ToUpper(runes[0])
		words[i] = string(runes)
	}
	if len(words) == 0 {
		return name
	}
	return strings.Join(words, " ")
}
