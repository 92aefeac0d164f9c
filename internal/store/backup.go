package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"path/filepath"

	"github.com/pressly/goose/v3"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// About is what an SQLite application database says of itself.
type About struct {
	Schema         int64  // the number of its schema
	KeyFingerprint string // of the key that it was made with; see Fingerprint
}

// Copy copies the SQLite application database of the configuration into a file
// that is empty or not there. It may be called while a server has the database
// open and writes: the copy is one committed state of it, and holds nothing of
// what was deleted before. It needs no key and changes nothing.
func Copy(ctx context.Context, c Config, into string) (About, error) {
	s, err := openFile(c)
	if err != nil {
		return About{}, err
	}
	defer s.Close()
	// Another program's file is not copied in the belief that it is a backup.
	if _, err := s.about(ctx); err != nil {
		return About{}, err
	}
	if _, err := s.reader().exec(ctx, "vacuum into $1", into); err != nil {
		return About{}, fmt.Errorf("copy the application database: %w", err)
	}
	c.Path = into
	return Inspect(ctx, c)
}

// Inspect reads what the SQLite application database of the configuration says
// of itself. It needs no key and changes nothing. A file that is not an
// application database is an error.
func Inspect(ctx context.Context, c Config) (About, error) {
	s, err := openFile(c)
	if err != nil {
		return About{}, err
	}
	defer s.Close()
	return s.about(ctx)
}

// openFile is a store with nothing but a handle that cannot write. "vacuum
// into" writes a file of its own, which a handle held to queries would refuse.
func openFile(c Config) (*Store, error) {
	s := &Store{log: c.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return nil, err
	}
	name := url.URL{Scheme: "file", Path: filepath.ToSlash(path),
		RawQuery: url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(10000)"}, "_dqs": {"0"}}.Encode()}
	if s.read, err = sql.Open("sqlite", name.String()); err != nil {
		return nil, err
	}
	s.read.SetMaxOpenConns(1)
	s.reads = s.read
	return s, nil
}

func (s *Store) about(ctx context.Context) (About, error) {
	id, err := one(ctx, s.reader(), value[int64], "select application_id from pragma_application_id")
	if err != nil {
		return About{}, err
	}
	if id != catalog.OwnFile {
		return About{}, errors.New("the file is not an application database of Sluice")
	}
	var a About
	if a.Schema, err = one(ctx, s.reader(), value[int64], "select max(version_id) from goose_db_version where is_applied"); err != nil {
		return About{}, err
	}
	a.KeyFingerprint, err = one(ctx, s.reader(), value[string], "select key_fingerprint from installation where id = 1")
	if errors.Is(err, ErrNotFound) {
		return About{}, errors.New("the application database was never started: it has no key yet")
	}
	return a, err
}

// Fingerprint is what an application database keeps of its key to know it
// again. It tells nothing about the key.
func Fingerprint(key []byte) (string, error) {
	s, err := newSeal(key)
	return s.fingerprint, err
}

// Schema is the number of the schema that Open brings an SQLite application
// database to, the highest that it can read.
func Schema() (int64, error) {
	names, err := fs.Glob(migrations, "migrations/sqlite/*.sql")
	var newest int64
	for _, name := range names {
		n, err := goose.NumericComponent(name)
		if err != nil {
			return 0, err
		}
		newest = max(newest, n)
	}
	return newest, err
}

// Restored notes that the application database was put back from a backup, and
// ends every session: one that was open then may have been ended since, by its
// person or because the person left. It returns how many it ended.
func (s *Store) Restored(ctx context.Context, who Actor) (sessions int64, err error) {
	err = s.tx(ctx, func(c conn) error {
		if sessions, err = c.exec(ctx, "delete from sessions"); err != nil {
			return err
		}
		return recordEvent(ctx, c, AuditEvent{At: s.now(), Kind: "restore", Actor: who, Details: json.RawMessage("{}")})
	})
	return sessions, err
}
