package acceptance_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestThePublishedProvisioningProgramWorks runs the article's JavaScript, as
// published, against a fresh server on each engine. testdata/seed/driver.js
// says what must come of it.
func TestThePublishedProvisioningProgramWorks(t *testing.T) {
	needNode(t)
	onBothEngines(t, func(t *testing.T, s *server) {
		key := s.apiKey(s.setUp())
		for _, file := range []string{"driver.js", "provisioning.js", "helpers.js"} {
			if _, err := os.ReadFile("testdata/seed/" + file); err != nil { // lets the test cache see changes
				t.Fatal(err)
			}
		}
		node := exec.CommandContext(t.Context(), "node", "--test-reporter=tap", "testdata/seed/driver.js")
		node.Env = append(os.Environ(), "METABASE_SITE_URL="+s.site, "METABASE_API_KEY="+key)
		out, err := node.CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		// Six subjects; a driver that ran nothing would be green as well.
		if !strings.Contains(string(out), "\n1..6\n") || !strings.Contains(string(out), "\n# fail 0\n") || !strings.Contains(string(out), "\n# skipped 0\n") {
			t.Errorf("not all of the driver was run:\n%s", out)
		}
	})
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
