package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/warehouse"
)

// sampleFile is the sample warehouse in the data folder. Servers that share an
// application database have a folder each, and the same sample in it: that is
// why the stored connection names the file without a folder.
const sampleFile = "sample.db"

// sampleDetails are the sample's connection details, as stored.
type sampleDetails struct {
	DB string `json:"db"`
}

// sampleHere is the sample's connection on this machine.
func (d *Door) sampleHere(stored json.RawMessage) (json.RawMessage, error) {
	var is sampleDetails
	if err := json.Unmarshal(stored, &is); err != nil {
		return nil, err
	}
	if filepath.IsAbs(is.DB) { // an earlier version stored it
		return stored, nil
	}
	return json.Marshal(sampleDetails{filepath.Join(d.folder, is.DB)})
}

// sampleAdded is the setting that remembers that the sample was added once, so
// that it does not come back when somebody has deleted it.
const sampleAdded = "sample-database-added"

// AddSample makes the sample warehouse in a folder of this machine and connects
// it as the first database, once and only to a store that has none. Where it is
// connected already, also by another server, a file that is not there is
// written. It is called before the first question is asked.
func (d *Door) AddSample(ctx context.Context, dir string) (err error) {
	if d.folder, err = filepath.Abs(dir); err != nil {
		return err
	}
	file := filepath.Join(d.folder, sampleFile)
	details, err := json.Marshal(sampleDetails{sampleFile})
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
	if errors.Is(err, store.ErrConflict) { // another server was quicker, and does the rest
		return nil
	}
	if err != nil {
		return err
	}
	if err := d.Sync(ctx, by, db.ID); err != nil {
		return err
	}
	return d.store.SetSettings(ctx, by, map[string]string{sampleAdded: "true"})
}

// keepSample puts the file of the sample and its connection in order.
func (d *Door) keepSample(ctx context.Context, by store.Actor, db store.Database, file string, details json.RawMessage) error {
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		if err := warehouse.WriteSample(file); err != nil {
			return err
		}
	}
	// Connections of earlier versions name the folder of one server.
	var has sampleDetails
	if err := json.Unmarshal(db.Details, &has); err != nil || has.DB != sampleFile {
		_, err := d.store.UpdateDatabase(ctx, by, db, store.DatabaseUpdate{Details: details})
		if ignore(err, store.ErrChanged) != nil { // another server may have done it just now
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
