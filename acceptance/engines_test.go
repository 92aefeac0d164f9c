package acceptance_test

import (
	"encoding/base64"
	"path/filepath"
	"strings"
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
		_, env := inPostgreSQL(t)
		test(t, start(t, filepath.Join(t.TempDir(), "data"), env...))
	})
}

// inPostgreSQL is a fresh application database, and the environment of servers
// that share it.
func inPostgreSQL(t *testing.T) (url string, env []string) {
	t.Helper()
	url = storetest.URL(t)
	return url, sharing(url)
}

// sharing is the environment of servers that share an application database.
func sharing(url string) []string {
	return []string{"SLUICE_DATABASE_URL=" + url, "SLUICE_SECRET_KEY=" + base64.StdEncoding.EncodeToString(storetest.Key())}
}

func TestServersOfOneDatabaseFollowEachOther(t *testing.T) {
	_, env := inPostgreSQL(t)
	first := start(t, filepath.Join(t.TempDir(), "data"), env...)
	second := start(t, filepath.Join(t.TempDir(), "data"), env...)
	if first.setupToken() == second.setupToken() {
		t.Error("two servers printed the same set-up token")
	}
	admin := second.setUp() // the newest token is the good one
	known := func(on *server, who credential) func() bool {
		return func() bool {
			status, _ := on.call(who, "GET", "/api/user/current", nil, nil)
			return status == 200
		}
	}
	first.eventually("the administrator that the second server made", known(first, admin))
	body := map[string]any{"email": "karen@example.com", "password": "needles and pins"}
	first.must(200, admin, "POST", "/api/user", body, nil)
	karen := first.signIn("karen@example.com", "needles and pins")
	second.eventually("the person that the first server made", known(second, karen))
	database := func(s *server) (n struct{ Total int }) {
		s.must(200, karen, "GET", "/api/database", nil, &n)
		return n
	}
	if database(second).Total != 0 {
		t.Fatal("a new person sees a database")
	}
	grant := map[string]any{"groups": map[string]any{"1": map[string]any{"1": map[string]string{"schemas": "all"}}}}
	first.must(200, admin, "PUT", "/api/permissions/graph?force=true", grant, nil)
	second.eventually("what the first server granted", func() bool { return database(second).Total == 1 })
	grant["groups"].(map[string]any)["1"].(map[string]any)["1"] = map[string]any{"view-data": nil}
	second.must(200, admin, "PUT", "/api/permissions/graph?force=true", grant, nil)
	first.eventually("what the second server took away", func() bool { return database(first).Total == 0 })
}

func TestAServerWithAnotherKeyIsRefused(t *testing.T) {
	_, env := inPostgreSQL(t)
	start(t, filepath.Join(t.TempDir(), "data"), env...)
	said := refused(t, command(filepath.Join(t.TempDir(), "data"), []string{env[0], "SLUICE_SECRET_KEY=" + strings.Repeat("A", 43)}))
	if !strings.Contains(said, "key") {
		t.Errorf("the refusal does not name the key: %s", said)
	}
}
