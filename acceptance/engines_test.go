package acceptance_test

import (
	"encoding/base64"
	"path/filepath"
	"testing"

	"github.com/sluice-bi/sluice/internal/store/storetest"
)

// onBothEngines runs a test against a fresh server with its application
// database in the data folder, and one with it in PostgreSQL.
func onBothEngines(t *testing.T, test func(*testing.T, *server)) {
	t.Run("SQLite", func(t *testing.T) {
		test(t, start(t, filepath.Join(t.TempDir(), "data")))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		test(t, start(t, filepath.Join(t.TempDir(), "data"),
			"SLUICE_DATABASE_URL="+storetest.URL(t),
			"SLUICE_SECRET_KEY="+base64.StdEncoding.EncodeToString(storetest.Key())))
	})
}
