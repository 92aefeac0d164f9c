// Package storetest gives tests real application databases: each test case
// runs on a fresh SQLite file and on a fresh PostgreSQL database.
//
// PostgreSQL is a server of its own for each test binary, started at first
// need from the installed programs and stopped when the binary ends. Without
// them the PostgreSQL half is skipped visibly; where CI is set it fails.
// Start at [Each].
package storetest

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/sluice-bi/sluice/internal/store"
)

// Key is the key of all stores of tests.
func Key() []byte { return []byte("a key that is only good for tests")[:32] }

// Each runs a test on a fresh store of each engine.
func Each(t *testing.T, f func(t *testing.T, s *store.Store)) {
	t.Helper()
	EachConfig(t, func(t *testing.T, c store.Config) { f(t, Open(t, c)) })
}

// EachConfig runs a test with a fresh database of each engine that nobody has
// opened yet, for tests that open it more than once.
func EachConfig(t *testing.T, f func(t *testing.T, c store.Config)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, PostgreSQL(t)) })
}

// SQLite is the configuration of a fresh SQLite database.
func SQLite(t *testing.T) store.Config {
	t.Helper()
	return store.Config{Path: filepath.Join(t.TempDir(), "sluice.db"), Key: Key(), Logger: logger(t)}
}

// PostgreSQL is the configuration of a fresh PostgreSQL database.
func PostgreSQL(t *testing.T) store.Config {
	t.Helper()
	return store.Config{URL: URL(t), Key: Key(), Logger: logger(t)}
}

// Open opens a store and closes it when the test ends.
func Open(t *testing.T, c store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return s
}

// SetUp creates the first administrator, admin@example.com.
func SetUp(t *testing.T, s *store.Store) store.User {
	t.Helper()
	u, err := s.SetUpUnattended(t.Context(), store.NewUser{Email: "admin@example.com", FirstName: "Ada", LastName: "Admin"})
	if err != nil {
		t.Fatalf("create the first administrator: %v", err)
	}
	return u
}

// Person creates a member of All Users and the groups, name@example.com.
func Person(t *testing.T, s *store.Store, name string, in ...store.GroupRow) store.User {
	t.Helper()
	n := store.NewUser{Email: name + "@example.com", FirstName: name, Active: true}
	for _, g := range in {
		n.Groups = append(n.Groups, g.ID)
	}
	u, err := s.CreateUser(t.Context(), store.Actor{}, n)
	if err != nil {
		t.Fatalf("create %s: %v", name, err)
	}
	return u
}

// Group creates a group.
func Group(t *testing.T, s *store.Store, name string) store.GroupRow {
	t.Helper()
	g, err := s.CreateGroup(t.Context(), store.Actor{}, store.NewGroup{Name: name})
	if err != nil {
		t.Fatalf("create the group %q: %v", name, err)
	}
	return g
}

func logger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})).With("test", fmt.Sprint(t.Name()))
}
