package acceptance_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/dbtest"
)

// TestThePublishedProvisioningProgramWorks runs the article's JavaScript, as
// published, against a fresh server on each engine. testdata/seed/driver.js
// says what must come of it.
func TestThePublishedProvisioningProgramWorks(t *testing.T) {
	onBothEngines(t, func(t *testing.T, s *server) { s.drive(s.apiKey(s.setUp()), "driver.js", 6) })
}

// drive runs a driver of the article's program with so many subjects.
func (s *server) drive(key, driver string, subjects int, env ...string) {
	s.t.Helper()
	needNode(s.t)
	for _, file := range []string{driver, "tools.js", "provisioning.js", "helpers.js"} {
		if _, err := os.ReadFile("testdata/seed/" + file); err != nil { // lets the test cache see changes
			s.t.Fatal(err)
		}
	}
	node := exec.CommandContext(s.t.Context(), "node", "--test-reporter=tap", "testdata/seed/"+driver)
	node.Env = append(append(os.Environ(), "METABASE_SITE_URL="+s.site, "METABASE_API_KEY="+key), env...)
	out, err := node.CombinedOutput()
	if err != nil {
		s.t.Errorf("%v\n%s", err, out)
	}
	// A driver that ran nothing would be green as well.
	if !strings.Contains(string(out), fmt.Sprintf("\n1..%d\n", subjects)) || !strings.Contains(string(out), "\n# fail 0\n") || !strings.Contains(string(out), "\n# skipped 0\n") {
		s.t.Errorf("not all of the driver was run:\n%s", out)
	}
}

// TestTwoTenantsOfOneWarehouseSeeTheirOwnRows provisions two tenants with the
// article's program, on the sample warehouse and on servers, and sandboxes
// both. testdata/seed/tenants.js says what each must see.
func TestTwoTenantsOfOneWarehouseSeeTheirOwnRows(t *testing.T) {
	t.Run("the sample", func(t *testing.T) {
		s := start(t, filepath.Join(t.TempDir(), "data"))
		s.drive(s.apiKey(s.setUp()), "tenants.js", 1)
	})
	for of, server := range map[string]func(testing.TB) *dbtest.Server{"generate_series(1, 1000) as s (seq)": dbtest.PostgreSQL, "seq_1_to_1000": dbtest.MariaDB} {
		at := server(t)
		t.Run(at.Engine, func(t *testing.T) {
			name := at.Database(t)
			at.Exec(t, name, "create table products (id integer primary key, title text)", "insert into products values (1, 'Anvil'), (2, 'Bell')",
				"create table orders (id integer primary key, organization_id integer, total numeric(10,2))",
				"insert into orders select seq, 1 + seq % 5, seq from "+of)
			s := start(t, filepath.Join(t.TempDir(), "data"))
			key := s.apiKey(s.setUp())
			var database struct{ ID int64 }
			s.must(200, credential{"X-Api-Key": key}, "POST", "/api/database", map[string]any{"name": "Tenants", "engine": at.Engine, "details": at.Details(name, "")}, &database)
			s.must(200, credential{"X-Api-Key": key}, "POST", fmt.Sprintf("/api/database/%d/governance", database.ID), map[string]any{"slots": 4}, nil)
			s.drive(key, "tenants.js", 1, fmt.Sprint("METABASE_DATABASE_ID=", database.ID))
		})
	}
}

// needNode skips where Node is not installed; continuous integration treats
// that as a failure.
func needNode(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		absent(t, "node is not installed")
	}
}

// absent skips a test for want of a program, visibly; where CI is set it
// fails instead.
func absent(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}
