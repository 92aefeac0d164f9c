package acceptance_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPublishedClientsWorkUnchanged runs programs from npm, as published,
// against a fresh server: Metabase's own command line and two MCP servers.
// testdata/clients/driver.js says what must come of it.
func TestPublishedClientsWorkUnchanged(t *testing.T) {
	needNode(t)
	const dir = "testdata/clients"
	if _, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json")); err != nil {
		absent(t, "the clients are not installed: make clients")
	}
	for _, file := range []string{"driver.js", "mcp.js", "package-lock.json"} {
		if _, err := os.ReadFile(filepath.Join(dir, file)); err != nil { // lets the test cache see changes
			t.Fatal(err)
		}
	}
	s := start(t, filepath.Join(t.TempDir(), "data"))
	key := s.apiKey(s.setUp())
	node := exec.CommandContext(t.Context(), "node", "--test-reporter=tap", filepath.Join(dir, "driver.js"))
	// What the clients keep about whom they know goes with the test.
	node.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir(), "METABASE_URL="+s.site, "METABASE_API_KEY="+key,
		"METABASE_USERNAME="+adminEmail, "METABASE_PASSWORD="+adminPassword, "WAREHOUSE="+filepath.Join(s.data, "sample.db"))
	out, err := node.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	// Five subjects; a driver that ran nothing would be green as well.
	if !strings.Contains(string(out), "\n1..5\n") || !strings.Contains(string(out), "\n# fail 0\n") || !strings.Contains(string(out), "\n# skipped 0\n") {
		t.Errorf("not all of the driver was run:\n%s", out)
	}
}
