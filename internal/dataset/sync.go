package dataset

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/store"
)

// The states of a database's last sync.
const (
	syncComplete = "complete"
	syncAborted  = "aborted"
)

// Sync reads the schema of a database and makes the catalog say what it found.
// A schema that cannot be read whole changes nothing: what cannot be read is
// not absent. Errors: [ErrNotFound]; *warehouse.Error, for administrators.
func (d *Door) Sync(ctx context.Context, by store.Actor, id catalog.DatabaseID) error {
	err := d.sync(ctx, by, id)
	status := syncComplete
	if err != nil {
		status = syncAborted
	}
	noted := d.store.SetSyncStatus(context.WithoutCancel(ctx), id, status)
	if err != nil {
		return err
	}
	return noted
}

func (d *Door) sync(ctx context.Context, by store.Actor, id catalog.DatabaseID) error {
	if err := d.open(ctx, id); err != nil {
		return err
	}
	admin, err := d.warehouses.Admin(id)
	if err != nil {
		return err
	}
	tables, err := admin.Tables(ctx)
	if err != nil {
		return fmt.Errorf("reading the schema of database %d: %w", id, err)
	}
	synced := make([]store.SyncedTable, len(tables))
	for i, t := range tables {
		synced[i] = store.SyncedTable{Schema: t.Schema, Name: t.Name, EntityType: entityType(t.Name)}
		for _, f := range t.Fields {
			s := store.SyncedField{Name: f.Name, DatabaseType: f.DatabaseType, BaseType: f.BaseType, SemanticType: f.SemanticType}
			if r := f.References; r != nil {
				s.Target = &store.SyncedColumn{Schema: r.Schema, Table: r.Table, Field: r.Field}
			}
			synced[i].Fields = append(synced[i].Fields, s)
		}
	}
	_, err = d.store.ApplySync(ctx, by, id, synced)
	return err
}

// entityType is what the rows of a table are, as far as its name tells.
func entityType(table string) string {
	name := strings.ToLower(table)
	for _, e := range []struct{ part, entity string }{
		{"order", "Transaction"}, {"invoice", "Transaction"}, {"payment", "Transaction"}, {"transaction", "Transaction"},
		{"people", "User"}, {"user", "User"}, {"customer", "User"}, {"person", "User"},
		{"product", "Product"}, {"organization", "Company"}, {"compan", "Company"}, {"subscription", "Subscription"}, {"event", "Event"},
	} {
		if strings.Contains(name, e.part) {
			return "entity/" + e.entity + "Table"
		}
	}
	return "entity/GenericTable"
}

// TestConnection tries a connection that is not stored yet. A *warehouse.Error
// says in its message, in plain words, what is wrong with it; only
// administrators may ask.
func (d *Door) TestConnection(ctx context.Context, engine string, details json.RawMessage) error {
	return d.warehouses.Try(ctx, engine, details)
}

// Forget closes the connections to a database that was removed. Statements
// that run on them end by themselves.
func (d *Door) Forget(id catalog.DatabaseID) { d.warehouses.Forget(id) }
