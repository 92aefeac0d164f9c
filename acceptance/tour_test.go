package acceptance_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/dbtest"
)

// The tour of the README, in which a person stands for the reader: what is in
// its `sh` blocks is run, line for line, in one shell, and what it prints must
// be what the `text` block after it shows. "..." there stands for anything. The
// reader's PostgreSQL is a private one.
func TestTheReadmesTourWorks(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, tour, found := strings.Cut(string(readme), "\n## A tour in five minutes\n")
	if !found {
		t.Fatal("the README has no tour")
	}
	tour, _, _ = strings.Cut(tour, "\n## ")
	steps := regexp.MustCompile("(?ms)^```(sh|text)\n(.*?)^```").FindAllStringSubmatch(tour, -1)
	if len(steps) < 10 {
		t.Fatalf("the tour has only %d blocks", len(steps))
	}
	s := start(t, filepath.Join(t.TempDir(), "data"))
	pg := dbtest.PostgreSQL(t)
	database := pg.Database(t)
	t.Cleanup(func() { pg.Exec(t, database, "drop owned by sluice cascade; drop role sluice") })

	// What the reader types differently: where the servers are, and the token.
	types := map[string]string{
		"site=http://127.0.0.1:3000\n":                                        "site=" + s.site + "\n",
		"token=the-token-that-make-run-printed\n":                             "token=" + s.setupToken() + "\n",
		" PGHOST=127.0.0.1 PGPORT=5432 PGUSER=postgres PGDATABASE=postgres\n": fmt.Sprintf(" PGHOST=%s PGPORT=%d PGUSER=%s PGDATABASE=%s\n", pg.Host, pg.Port, pg.Admin, database),
	}
	script, want := "set -e\n", []string{}
	for i, step := range steps {
		kind, text := step[1], step[2]
		switch {
		case kind == "text" && steps[i-1][1] == "sh":
			want[len(want)-1] = text
		case kind == "sh":
			script += text + "echo '--- end of step'\n"
			want = append(want, "")
		}
	}
	for line, own := range types {
		if strings.Count(script, line) != 1 {
			t.Fatalf("the tour does not have the line %q once", line)
		}
		script = strings.Replace(script, line, own, 1)
	}
	shell := exec.CommandContext(t.Context(), "bash", "-c", script)
	out, err := shell.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := strings.Split(string(out), "--- end of step\n")
	for i, text := range want {
		if i >= len(got) || !shows(text, got[i]) {
			t.Errorf("step %d prints\n%s\nand the README says\n%s", i+1, strings.Join(got[min(i, len(got)-1):min(i+1, len(got))], ""), text)
		}
	}
}

// shows tells whether a printed text is the one that a page shows, with "..."
// for anything and without regard to line ends.
func shows(page, printed string) bool {
	var parts []string
	for _, p := range strings.Split(strings.Join(strings.Fields(page), " "), "...") {
		parts = append(parts, regexp.QuoteMeta(p))
	}
	return regexp.MustCompile("^" + strings.Join(parts, ".*") + "$").MatchString(strings.Join(strings.Fields(printed), " "))
}

// The two commands that the README begins with are the Makefile's.
func TestTheReadmesCommandsAreTheMakefiles(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"run", "test"} {
		if !strings.Contains(string(readme), "make "+target) || !strings.Contains(string(makefile), fmt.Sprintf("\n%s:", target)) {
			t.Errorf("make %s is not in both", target)
		}
	}
}

// Links in the pages lead somewhere.
func TestTheDocumentsLinksLeadSomewhere(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	records, err := filepath.Glob("../docs/adr/*.md")
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^)#:\s]+)(#[^)]*)?\)`)
	checked := 0
	for _, page := range append(append(pages, records...), "../README.md", "../CONTRIBUTING.md", "../CHANGELOG.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range link.FindAllStringSubmatch(string(text), -1) {
			checked++
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), l[1])); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", page, l[1])
			}
		}
	}
	if checked < 10 {
		t.Errorf("only %d links were found", checked)
	}
}
