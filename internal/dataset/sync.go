package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/warehouse"
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

// sampleAdded is the setting that remembers that the sample was added once, so
// that it does not come back when somebody has deleted it.
const sampleAdded = "sample-database-added"

// AddSample makes the sample warehouse in a folder and connects it as the
// first database, once and only to a store that has none. Where it is
// connected already, a file that has gone is written again, and the connection
// follows a folder that was moved.
func (d *Door) AddSample(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "sample.db")
	details, err := json.Marshal(map[string]string{"db": file})
	if err != nil {
		return err
	}
	all, err := d.store.Databases(ctx)
	if err != nil {
		return err
	}
	by := store.Actor{Reason: "the sample database"}
	for _, db := range all {
		if db.Sample {
			return d.keepSample(ctx, by, db, file, details)
		}
	}
	if _, err := d.store.Setting(ctx, sampleAdded); !errors.Is(err, store.ErrNotFound) || len(all) > 0 {
		return ignore(err, store.ErrNotFound)
	}
	if err := warehouse.WriteSample(file); err != nil {
		return err
	}
	db, err := d.store.CreateDatabase(ctx, by, store.Database{Name: "Sample Database", Engine: "sqlite", Details: details,
		Sample: true, FullSync: true, AutoRunQueries: true})
	if err != nil {
		return err
	}
	if err := d.Sync(ctx, by, db.ID); err != nil {
		return err
	}
	return d.store.SetSettings(ctx, by, map[string]string{sampleAdded: "true"})
}

// Forget closes the connections to a database that was removed. Statements
// that run on them end by themselves.
func (d *Door) Forget(id catalog.DatabaseID) { d.warehouses.Forget(id) }

// keepSample puts the file of the sample and its connection in order.
func (d *Door) keepSample(ctx context.Context, by store.Actor, db store.Database, file string, details json.RawMessage) error {
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		if err := warehouse.WriteSample(file); err != nil {
			return err
		}
	}
	var has struct {
		DB string `json:"db"`
	}
	if err := json.Unmarshal(db.Details, &has); err != nil || has.DB != file {
		if _, err := d.store.UpdateDatabase(ctx, by, db, store.DatabaseUpdate{Details: details}); err != nil {
			return err
		}
	}
	if db.SyncStatus != syncComplete {
		return d.Sync(ctx, by, db.ID)
	}
	return nil
}

// ignore is nil for the one error.
func ignore(err, one error) error {
	if errors.Is(err, one) {
		return nil
	}
	return err
}
