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
// stored token or key. Words of the database drivers go to the log, not into
// errors' texts. Start reading at [Store], then writer in write.go.
package store

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	_ "modernc.org/sqlite" // the driver "sqlite"

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
	// Lease is how long a server of several answers people without having
	// heard from the database; 0 is 3 seconds. It must be the same for all
	// servers of one database, so that only tests set it.
	Lease time.Duration
}

// Store is the application database and the current permission state. Its
// methods may be called from many goroutines at once, and by many nodes on one
// PostgreSQL database.
type Store struct {
	log     *slog.Logger
	now     func() time.Time
	history time.Duration
	seal    seal

	writes *sql.DB // SQLite: one connection, transactions lock at their begin
	read   *sql.DB // cannot write
	runs   *sql.DB // for query runs alone: nothing waits for the disk, and a machine that fails forgets the newest

	reads, notes handle // read and runs, for single statements

	postgres *pgx.ConnConfig // nil with SQLite
	process  string          // names this store's connections; no other store has it
	lease    time.Duration
	node     atomic.Pointer[node] // nil until Join
	term     atomic.Pointer[term] // nil while there was no lease yet

	// writing is held by the write of permission state that is under way in
	// this process; PostgreSQL's row lock on the head orders the nodes.
	writing chan struct{}
	// trimmed is when the history was last trimmed; guarded by writing.
	trimmed time.Time

	refreshing chan struct{} // held by who reads what others wrote
	// narrowed is the newest revision in the graph by which somebody may have
	// lost, while it is not known to be in force on every server; 0 for none.
	narrowed   atomic.Int64
	publishing sync.Mutex // orders publish
	snap       atomic.Pointer[snapshot]
	changed    chan struct{} // closed by the next publish; guarded by publishing
	statements atomic.Int64
	closed     atomic.Bool
}

// snapshot is a published permission state, the revision it is, and its digest.
type snapshot struct {
	graph    *permission.Graph
	revision int64
	digest   permission.Digest
}

// Open connects to the application database, brings its schema up to date,
// checks that the permission state is whole and loads it. Every reason not to
// open is an error that says what is wrong: a missing or wrong key, a database
// written by a newer Sluice, a group that is not there, an unknown level.
func Open(ctx context.Context, c Config) (*Store, error) {
	s := &Store{log: c.Logger, now: c.Now, history: c.History, lease: c.Lease, process: "sluice " + newEntityID(),
		writing: make(chan struct{}, 1), refreshing: make(chan struct{}, 1), changed: make(chan struct{})}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.history == 0 {
		s.history = 90 * 24 * time.Hour
	}
	if s.lease == 0 {
		s.lease = standardLease
	}
	var err error
	if s.seal, err = newSeal(c.Key); err != nil {
		return nil, err
	}
	if c.URL != "" {
		err = s.connectPostgres(c.URL)
	} else {
		err = s.connectSQLite(c.Path)
		s.term.Store(endless())
	}
	if err != nil {
		return nil, err
	}
	if err := s.start(ctx, c.URL != ""); err != nil {
		return nil, errors.Join(fmt.Errorf("open the application database: %w", err), s.Close())
	}
	return s, nil
}

func (s *Store) start(ctx context.Context, postgres bool) error {
	if err := s.writes.PingContext(ctx); err != nil {
		return s.failed(ctx, "connect", err)
	}
	if !postgres {
		if err := s.claimFile(ctx); err != nil {
			return err
		}
	}
	if err := s.migrate(ctx, postgres); err != nil {
		return err
	}
	if err := s.tx(ctx, func(c conn) error { return s.checkKey(ctx, c) }); err != nil {
		return err
	}
	if !postgres { // nobody else has the file, so that nobody is at work on it
		if err := s.releaseJobs(ctx); err != nil {
			return err
		}
	}
	err := s.view(ctx, func(c conn) error {
		snap, err := load(ctx, c)
		s.snap.Store(snap)
		return err
	})
	if err != nil {
		return err
	}
	return s.digest(ctx)
}

func (s *Store) connectSQLite(path string) error {
	if path == "" {
		return errors.New("the application database needs a path or a URL")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	// Password hashes lie in it: nobody else reads it.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return fmt.Errorf("open the application database: %w", err)
	}
	dsn := func(more url.Values) string {
		q := url.Values{"_pragma": {"foreign_keys(1)", "busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)"},
			"_dqs": {"0"}, "_defensive": {"1"}}
		for k, v := range more {
			q[k] = v
		}
		return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}).String()
	}
	if s.writes, err = sql.Open("sqlite", dsn(url.Values{"_txlock": {"immediate"}})); err != nil {
		return err
	}
	s.writes.SetMaxOpenConns(1)
	s.read, err = sql.Open("sqlite", dsn(url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(10000)", "query_only(1)"}}))
	if err != nil {
		return err
	}
	s.read.SetMaxOpenConns(8)
	s.read.SetMaxIdleConns(idleReads)
	// In WAL mode this syncs at checkpoints only; what others commit afterwards takes it to the disk as well.
	s.runs, err = sql.Open("sqlite", dsn(url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(NORMAL)"}}))
	if err != nil {
		return err
	}
	s.runs.SetMaxOpenConns(1)
	s.reads, s.notes = newPrepared(s.read), newPrepared(s.runs)
	return nil
}

// claimFile writes into an empty file whose it is, and refuses the file of
// another program.
func (s *Store) claimFile(ctx context.Context) error {
	ask := func(query string) (n int64, err error) {
		err = s.writes.QueryRowContext(ctx, query).Scan(&n)
		return n, err
	}
	id, err := ask("select application_id from pragma_application_id")
	if err != nil {
		return s.failed(ctx, "read the file's header", err)
	}
	tables, err := ask("select count(*) from sqlite_schema")
	if err != nil {
		return s.failed(ctx, "read the file", err)
	}
	switch {
	case id == catalog.OwnFile:
		return nil
	case id != 0 || tables > 0:
		return errors.New("the file is an SQLite database of another program; give the path of a file that is not there yet")
	}
	// The checkpoint brings it into the file itself, where others look for it.
	for _, statement := range []string{fmt.Sprintf("pragma application_id = %d", catalog.OwnFile), "pragma wal_checkpoint(truncate)"} {
		if _, err := s.writes.ExecContext(ctx, statement); err != nil {
			return s.failed(ctx, "mark the file", err)
		}
	}
	return nil
}

func (s *Store) connectPostgres(address string) error {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		// The driver's error may quote the address, and that the password.
		return errors.New("the URL of the application database cannot be read; it is to be of the form postgres://user:password@host:port/name")
	}
	config.RuntimeParams["application_name"] = s.process
	// A server that cannot be reached any more is noticed in seconds.
	config.DialFunc = (&net.Dialer{Timeout: 10 * time.Second,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3}}).DialContext
	s.postgres = config
	s.writes = stdlib.OpenDB(*config)
	s.writes.SetMaxOpenConns(8)
	s.writes.SetMaxIdleConns(4)
	readOnly := config.Copy()
	readOnly.RuntimeParams["default_transaction_read_only"] = "on"
	s.read = stdlib.OpenDB(*readOnly)
	s.read.SetMaxOpenConns(16)
	s.read.SetMaxIdleConns(idleReads)
	unsynced := config.Copy()
	unsynced.RuntimeParams["synchronous_commit"] = "off"
	s.runs = stdlib.OpenDB(*unsynced)
	s.runs.SetMaxOpenConns(4)
	s.reads, s.notes = s.read, s.runs
	return nil
}

// idleReads are the connections for reading that are kept for the next
// statement. There are no more of any other kind.
const idleReads = 8

//go:embed migrations
var migrations embed.FS

func (s *Store) migrate(ctx context.Context, postgres bool) error {
	dialect, folder := goose.DialectSQLite3, "migrations/sqlite"
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger())}
	if postgres {
		dialect, folder = goose.DialectPostgres, "migrations/postgres"
		// Nodes that start together migrate one after the other.
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	files, err := fs.Sub(migrations, folder)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(dialect, s.writes, files, options...)
	if err != nil {
		return err
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return s.failed(ctx, "read the schema's version", err)
	}
	if current > target {
		return fmt.Errorf("it was written by a newer Sluice: its schema is number %d and this Sluice knows number %d; start the newer one", current, target)
	}
	if _, err := p.Up(ctx); err != nil {
		return s.failed(ctx, "migrate the schema", err)
	}
	return nil
}

// checkKey remembers the key's fingerprint at the first start and compares it
// at every other.
func (s *Store) checkKey(ctx context.Context, c conn) error {
	if _, err := c.exec(ctx, "insert into installation (id, key_fingerprint) values (1, $1) on conflict (id) do nothing", s.seal.fingerprint); err != nil {
		return err
	}
	stored, err := one(ctx, c, value[string], "select key_fingerprint from installation where id = 1")
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(stored), []byte(s.seal.fingerprint)) != 1 {
		return errors.New("the key is not the one that this application database was made with; connection details could not be read. Give the key that belongs to it")
	}
	return nil
}

// Close leaves the other servers, if the store has joined them, and releases
// the database. Nobody may be waiting for an answer any more. Everything asked
// of the store afterwards is ErrClosed; the graph stays readable.
func (s *Store) Close() error {
	var errs []error
	if n := s.node.Swap(nil); n != nil {
		errs = append(errs, n.leave())
	}
	if s.closed.Swap(true) {
		return nil
	}
	for _, db := range []*sql.DB{s.read, s.runs, s.writes} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// Ping tells whether the application database answers.
func (s *Store) Ping(ctx context.Context) error {
	_, err := one(ctx, s.reader(), value[int64], "select revision from head where id = 1")
	return err
}

// Graph is the current permission state. It costs no statement.
func (s *Store) Graph() *permission.Graph { return s.snap.Load().graph }

// Changed is closed when another graph becomes the current one. Whoever acts on
// changes takes it before the graph, and again after each change.
func (s *Store) Changed() <-chan struct{} {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	return s.changed
}

// Statements is how many SQL statements the store has run since it was opened.
func (s *Store) Statements() int64 { return s.statements.Load() }

// publish makes a state the current one, unless a later one is already.
func (s *Store) publish(n *snapshot) {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	if n.revision > s.snap.Load().revision {
		s.replace(n)
	}
}

// replace makes a state the current one. The caller holds publishing.
func (s *Store) replace(n *snapshot) {
	s.snap.Store(n)
	close(s.changed)
	s.changed = make(chan struct{})
}
