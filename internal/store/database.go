package store

import (
	"context"
	"encoding/json"
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
	Creator          permission.UserID
	CreatedAt        time.Time
	UpdatedAt        time.Time
}

// Databases lists all connections by name, without regard to case. Details are
// unsealed.
func (s *Store) Databases(ctx context.Context) ([]Database, error) { return nil, errPending }

// Database returns a connection, or ErrNotFound.
func (s *Store) Database(ctx context.Context, id catalog.DatabaseID) (Database, error) {
	return Database{}, errPending
}

// CreateDatabase makes a connection; its id and times are set here. No group
// has anything on it. It takes a data revision. *InvalidError for a blank name
// or engine.
func (s *Store) CreateDatabase(ctx context.Context, who Actor, d Database) (Database, error) {
	return Database{}, errPending
}

// UpdateDatabase writes the connection with the id as given, but for Sample,
// Strict, its creator and creation time. It takes a data revision when name or
// engine change. Errors as CreateDatabase, and ErrNotFound.
func (s *Store) UpdateDatabase(ctx context.Context, who Actor, d Database) (Database, error) {
	return Database{}, errPending
}

// SetSyncStatus notes how the last sync of a database ended.
func (s *Store) SetSyncStatus(ctx context.Context, id catalog.DatabaseID, status string) error {
	return errPending
}

// DeleteDatabase removes a connection with its tables and every level, sandbox
// and mark on them, in one revision. Questions about it stay, and can no
// longer run. ErrNotFound when there is none.
func (s *Store) DeleteDatabase(ctx context.Context, who Actor, id catalog.DatabaseID) error {
	return errPending
}
