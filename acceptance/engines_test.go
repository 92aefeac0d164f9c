package acceptance_test

import (
	"path/filepath"
	"testing"
)

// onBothEngines runs a test against a fresh server with its application
// database in the data folder, and one with it in PostgreSQL.
func onBothEngines(t *testing.T, test func(*testing.T, *server)) {
	t.Run("SQLite", func(t *testing.T) {
		test(t, start(t, filepath.Join(t.TempDir(), "data")))
	})
}
