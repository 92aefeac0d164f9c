package storetest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/sluice-bi/sluice/internal/dbtest"
)

// number counts the schemas that were made.
var number atomic.Int64

// URL is the address of a fresh place in the test binary's PostgreSQL server,
// removed when the test ends: a schema of its own, which is quicker to make
// than a database and, to who connects there, as empty.
func URL(t *testing.T) string {
	t.Helper()
	s := dbtest.PostgreSQL(t)
	name := fmt.Sprintf("test_%d", number.Add(1))
	s.Exec(t, "", "create schema "+name)
	t.Cleanup(func() {
		if err := s.Try(context.Background(), "", "drop schema "+name+" cascade"); err != nil {
			t.Error(err)
		}
	})
	return s.URL("postgres") + "&search_path=" + name
}
