// Package store keeps what Sluice itself knows: people, groups, permissions,
// the catalog, collections, questions, dashboards, the history of permission
// changes and the audit. It does so in SQLite or in PostgreSQL, with one SQL
// text for both.
//
// Permission state changes in one way only, [Store.Change] and the operations
// built like it: inside one transaction typed changes are applied to the
// current [permission.Graph], written as rows, recorded as one revision and
// audited; after the commit the new graph is published behind an atomic
// pointer. A write that fails leaves nothing applied.
//
// The store decides nothing about who may do what and never asks: its callers
// have. It never connects to a customer's database, and never hands out a
// stored password, token or key. Words of the database drivers go to the log,
// not into errors' texts. Start reading at [Store], then writer in write.go.
package store

import (
	"context"
	"log/slog"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// Config says where the application database is.
type Config struct {
	// Path is the SQLite file; it is created when absent.
	Path string
	// URL is a PostgreSQL database, used instead of Path when not empty.
	URL string
	// Key seals the connection details of databases: 32 bytes, kept outside
	// the application database. A store that was made with another key
	// refuses to open.
	Key []byte
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Logger takes what must not be shown to people; nil discards it.
	Logger *slog.Logger
	// History is how long revisions are kept; 0 is 90 days.
	History time.Duration
}

// Actor is who writes, why and in which request: recorded with the revision
// and the audit event. The zero User is the server itself.
type Actor struct {
	User    permission.UserID
	Reason  string
	Request string
}

// Bump says which of the two revision counters of the API a change raises.
type Bump struct {
	Data, Collection bool
}

// Revision is one recorded change of the permission state.
type Revision struct {
	ID         int64            // counts every recorded change
	Data       catalog.Revision // the data graph's revision after it
	Collection int64            // the collection graph's revision after it
	At         time.Time
	Actor      Actor
	Catalog    bool // the catalog changed with it
	Widens     bool // somebody gained access
	Changes    []permission.Change
}

// Open connects to the application database, brings its schema up to date,
// checks that the authorisation state is whole and loads it. Every reason not
// to open is an error that says what is wrong: a missing or wrong key, a
// database written by a newer Sluice, a group that is not there, an unknown
// level.
func Open(ctx context.Context, c Config) (*Store, error) { return nil, errPending }

// Close releases the database. Everything asked of the store afterwards is
// ErrClosed; the graph stays readable.
func (s *Store) Close() error { return errPending }

// Ping tells whether the application database answers.
func (s *Store) Ping(ctx context.Context) error { return errPending }

// Graph is the current permission state. It costs no statement.
func (s *Store) Graph() *permission.Graph { return nil }

// Statements is how many SQL statements the store has run since it was opened.
func (s *Store) Statements() int64 { return 0 }

// Change is the one way in which permission state changes. f gets the current
// graph inside the write transaction and returns the typed changes that are
// wanted, and which counters rise. They are applied, written as rows, recorded
// as one revision, audited, committed and then published; the new graph is
// returned. Nothing returned and nothing bumped writes nothing.
//
// Errors: what f returns, unchanged; *InvalidError for changes that would
// leave the state broken (the last active administrator gone, a user outside
// All Users, levels for Administrators or for something that is not there);
// ErrConflict when a change's From is not the present state.
func (s *Store) Change(ctx context.Context, who Actor, f func(*permission.Graph) ([]permission.Change, Bump, error)) (*permission.Graph, error) {
	return nil, errPending
}

// GraphAt is the graph as it was at a data revision: the present one with the
// later changes undone. Its Catalog is the present one; ask a table's At.
// ErrStale when the revision is in the future or older than the history.
func (s *Store) GraphAt(ctx context.Context, data catalog.Revision) (*permission.Graph, error) {
	return nil, errPending
}

// GraphAtCollection is GraphAt for a revision of the collection graph.
func (s *Store) GraphAtCollection(ctx context.Context, revision int64) (*permission.Graph, error) {
	return nil, errPending
}

// Revisions lists the history newest first, from before the revision with the
// id (0: from the newest), at most limit of them (0: 100).
func (s *Store) Revisions(ctx context.Context, before int64, limit int) ([]Revision, error) {
	return nil, errPending
}

// Refresh brings the graph up to date with what other nodes wrote to the same
// database. It costs one statement when there is nothing new.
func (s *Store) Refresh(ctx context.Context) error { return errPending }
