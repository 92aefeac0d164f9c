package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// Database is a connection to a warehouse.
type Database struct {
	ID               catalog.DatabaseID
	Name             string
	Engine           string
	Details          json.RawMessage // sealed at rest
	Sample           bool
	Strict           bool // see permission.Graph.Strict; set by Change
	Description      *string
	Caveats          *string
	PointsOfInterest *string
	CacheTTL         *int
	Timezone         *string
	Settings         json.RawMessage
	Schedules        json.RawMessage
	FullSync         bool
	OnDemand         bool
	AutoRunQueries   bool
	Refingerprint    *bool
	SyncStatus       string // "incomplete", "complete" or "aborted"
	Governance       Governance
	Creator          permission.UserID
	CreatedAt        time.Time
	UpdatedAt        time.Time
}

// DatabaseUpdate changes a connection; what is nil stays as it is.
type DatabaseUpdate struct {
	Name                                              *string
	Details, Settings, Schedules                      json.RawMessage
	Description, Caveats, PointsOfInterest            **string
	CacheTTL                                          **int
	FullSync, OnDemand, AutoRunQueries, Refingerprint *bool
}

const databaseColumns = `id, name, engine, details, sample, strict, description, caveats, points_of_interest, cache_ttl, timezone, settings,
	schedules, full_sync, on_demand, auto_run_queries, refingerprint, sync_status, coalesce(creator_id, 0), created_at, updated_at, governance`

func (s *Store) scanDatabase(row scanner) (d Database, err error) {
	var sealed []byte
	var governance json.RawMessage
	err = row.Scan(&d.ID, &d.Name, &d.Engine, &sealed, &d.Sample, &d.Strict, &d.Description, &d.Caveats, &d.PointsOfInterest, &d.CacheTTL,
		&d.Timezone, document{&d.Settings}, document{&d.Schedules}, &d.FullSync, &d.OnDemand, &d.AutoRunQueries, &d.Refingerprint,
		&d.SyncStatus, &d.Creator, moment{&d.CreatedAt}, moment{&d.UpdatedAt}, document{&governance})
	if err == nil && governance != nil {
		err = json.Unmarshal(governance, &d.Governance)
	}
	if err == nil {
		d.Details, err = s.seal.open(detailsOf(d.ID), sealed)
	}
	return d, err
}

// detailsOf is the place that connection details are sealed for.
func detailsOf(id catalog.DatabaseID) string { return fmt.Sprintf("the details of database %d", id) }

// sealed are the details of a connection as they are stored.
func (s *Store) sealed(id catalog.DatabaseID, details json.RawMessage) []byte {
	if details == nil {
		details = json.RawMessage("{}")
	}
	return s.seal.close(detailsOf(id), details)
}

// Databases lists all connections by name, without regard to case. Details are
// unsealed.
func (s *Store) Databases(ctx context.Context) ([]Database, error) {
	return list(ctx, s.reader(), s.scanDatabase, "select "+databaseColumns+" from databases order by name_fold, id")
}

// Database returns a connection, or ErrNotFound.
func (s *Store) Database(ctx context.Context, id catalog.DatabaseID) (Database, error) {
	return s.readDatabase(ctx, s.reader(), id)
}

func (s *Store) readDatabase(ctx context.Context, c conn, id catalog.DatabaseID) (Database, error) {
	return one(ctx, c, s.scanDatabase, "select "+databaseColumns+" from databases where id = $1", id)
}

func checkDatabase(d *Database) error {
	switch {
	case blank(d.Name):
		return invalid("name", "value must be a non-blank string.")
	case blank(d.Engine):
		return invalid("engine", "value must be a non-blank string.")
	}
	if d.SyncStatus == "" {
		d.SyncStatus = "incomplete"
	}
	return nil
}

// CreateDatabase makes a connection; its id and times are set here. No group
// has anything on it. It takes a data revision. *InvalidError for a blank name
// or engine; ErrConflict for a second sample.
func (s *Store) CreateDatabase(ctx context.Context, who Actor, d Database) (made Database, err error) {
	if err := checkDatabase(&d); err != nil {
		return Database{}, err
	}
	_, err = s.write(ctx, who, func(w *writer) error {
		for other := range w.graph.Catalog().Databases() {
			if d.Sample && other.Sample {
				return fmt.Errorf("%w: database %d is the sample", ErrConflict, other.ID)
			}
		}
		id, err := w.newIDs("database", 1)
		if err != nil {
			return err
		}
		d.ID = catalog.DatabaseID(id)
		err = w.execOne(ctx, `insert into databases (id, name, name_fold, engine, details, sample, strict, description, caveats,
			points_of_interest, cache_ttl, timezone, settings, schedules, full_sync, on_demand, auto_run_queries, refingerprint, sync_status,
			creator_id, created_at, updated_at)
			values ($1, $2, $3, $4, $5, $6, false, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $20)`,
			d.ID, d.Name, fold(d.Name), d.Engine, s.sealed(d.ID, d.Details), d.Sample, d.Description, d.Caveats, d.PointsOfInterest, d.CacheTTL,
			d.Timezone, d.Settings, d.Schedules, d.FullSync, d.OnDemand, d.AutoRunQueries, d.Refingerprint, d.SyncStatus, null(who.User), w.now)
		if err != nil {
			return err
		}
		w.setCatalog(w.graph.Catalog().WithDatabase(catalog.Database{ID: d.ID, Name: d.Name, Engine: d.Engine, Sample: d.Sample, Governs: catalog.Governs(d.Engine)}), d.ID,
			"connect database %d %q", d.ID, d.Name)
		if d.Strict {
			if err := w.apply(permission.SetStrict{Database: d.ID, To: true}); err != nil {
				return err
			}
		}
		made, err = s.readDatabase(ctx, w.conn, d.ID)
		return err
	})
	return made, err
}

// UpdateDatabase changes a connection that was as given when it was decided
// that who may change it so. Nothing is written, and the error is ErrChanged,
// when its details are others since and the update has details: they may have
// been made from the former ones. It takes a data revision when the name
// changes. *InvalidError for a blank name, and ErrNotFound.
func (s *Store) UpdateDatabase(ctx context.Context, who Actor, was Database, u DatabaseUpdate) (is Database, err error) {
	_, err = s.write(ctx, who, func(w *writer) error {
		if is, err = s.readDatabase(ctx, w.conn, was.ID); err != nil {
			return err
		}
		if u.Details != nil && !bytes.Equal(is.Details, was.Details) {
			return fmt.Errorf("database %d: %w", was.ID, ErrChanged)
		}
		d := u.over(is)
		if err := checkDatabase(&d); err != nil {
			return err
		}
		err := w.execOne(ctx, `update databases set name = $1, name_fold = $2, details = $3, description = $4, caveats = $5,
			points_of_interest = $6, cache_ttl = $7, settings = $8, schedules = $9, full_sync = $10, on_demand = $11,
			auto_run_queries = $12, refingerprint = $13, updated_at = $14 where id = $15`,
			d.Name, fold(d.Name), s.sealed(d.ID, d.Details), d.Description, d.Caveats, d.PointsOfInterest, d.CacheTTL,
			d.Settings, d.Schedules, d.FullSync, d.OnDemand, d.AutoRunQueries, d.Refingerprint, w.now, d.ID)
		if err != nil {
			return err
		}
		if !bytes.Equal(d.Details, is.Details) { // it may be another database
			if err := w.setGovernance(d.ID, Governance{Slots: is.Governance.Slots}); err != nil {
				return err
			}
		}
		if d.Name != is.Name {
			now := *w.graph.Catalog().Database(d.ID)
			now.Name = d.Name
			w.setCatalog(w.graph.Catalog().WithDatabase(now), d.ID, "alter database %d %q", d.ID, d.Name)
		}
		is, err = s.readDatabase(ctx, w.conn, d.ID)
		return err
	})
	return is, err
}

// over is the connection with the changes.
func (u DatabaseUpdate) over(d Database) Database {
	set(&d.Name, u.Name)
	setJSON(&d.Details, u.Details)
	setJSON(&d.Settings, u.Settings)
	setJSON(&d.Schedules, u.Schedules)
	set(&d.Description, u.Description)
	set(&d.Caveats, u.Caveats)
	set(&d.PointsOfInterest, u.PointsOfInterest)
	set(&d.CacheTTL, u.CacheTTL)
	set(&d.FullSync, u.FullSync)
	set(&d.OnDemand, u.OnDemand)
	set(&d.AutoRunQueries, u.AutoRunQueries)
	if u.Refingerprint != nil {
		d.Refingerprint = u.Refingerprint
	}
	return d
}

// SetSyncStatus notes how the last sync of a database ended. ErrNotFound when
// there is no such database.
func (s *Store) SetSyncStatus(ctx context.Context, id catalog.DatabaseID, status string) error {
	n, err := conn{s, s.writes}.exec(ctx, "update databases set sync_status = $1, updated_at = $2 where id = $3", status, s.now(), id)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

// DeleteDatabase removes a connection with its tables and every level, sandbox
// and mark on them, in one revision. Questions about it stay, and can no
// longer run. ErrNotFound when there is none.
func (s *Store) DeleteDatabase(ctx context.Context, who Actor, id catalog.DatabaseID) error {
	_, err := s.write(ctx, who, func(w *writer) error {
		cat := w.graph.Catalog()
		if cat.Database(id) == nil {
			return ErrNotFound
		}
		if err := w.apply(w.writtenOn(id)...); err != nil {
			return err
		}
		for _, query := range []string{
			"delete from fields where table_id in (select id from tables where database_id = $1)",
			"delete from tables where database_id = $1",
			"delete from databases where id = $1",
		} {
			if _, err := w.exec(ctx, query, id); err != nil {
				return err
			}
		}
		w.setCatalog(cat.WithoutDatabase(id), id, "remove database %d %q", id, cat.Database(id).Name)
		return nil
	})
	return err
}

// writtenOn are the changes that take away everything that is written about a
// database and its tables.
func (w *writer) writtenOn(id catalog.DatabaseID) []permission.Change {
	var changes []permission.Change
	cat := w.graph.Catalog()
	for g := range w.graph.GroupsOn(id) {
		for k := range permission.Collection { // the kinds of the data graph
			for scope, cell := range w.graph.Cells(g, id, k) {
				changes = append(changes, permission.SetDataAccess{Group: g, Database: id, Kind: k, Scope: scope, From: cell})
			}
		}
	}
	for g := range w.graph.Groups() { // a policy may be there without a level
		for b := range w.graph.Sandboxes(g.ID) {
			if t := cat.Table(b.Table); t != nil && t.Database == id {
				changes = append(changes, permission.SetSandbox{From: b})
			}
		}
	}
	for t, mark := range w.graph.Marks() {
		if is := cat.Table(t); is != nil && is.Database == id {
			changes = append(changes, permission.SetTableMark{Table: t, From: mark})
		}
	}
	if w.graph.Strict(id) {
		changes = append(changes, permission.SetStrict{Database: id, From: true})
	}
	return changes
}
