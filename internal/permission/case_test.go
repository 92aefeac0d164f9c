package permission_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sluice-bi/sluice/internal/permission/accesscase"
)

const caseFiles = "../../testdata/access/*.txtar"

// cases reads all case files; every mistake in one is a failure.
func cases(t *testing.T) []*accesscase.Case {
	t.Helper()
	files, err := filepath.Glob(caseFiles)
	if err != nil {
		t.Fatal(err)
	}
	var all []*accesscase.Case
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		c, err := accesscase.Parse(f, data)
		if err != nil {
			t.Error(err)
			continue
		}
		all = append(all, c)
	}
	return all
}

// TestThereAreEnoughCases: the files are found, and are not being lost.
func TestThereAreEnoughCases(t *testing.T) {
	if n := len(cases(t)); n < 60 {
		t.Errorf("there are %d case files, and 60 are promised", n)
	}
}

// TestCases: every situation comes out as its file says, asked by check, list
// and explanation.
func TestCases(t *testing.T) {
	for _, c := range cases(t) {
		t.Run(c.Name, func(t *testing.T) {
			if err := c.Run(); err != nil {
				t.Errorf("%s\n%v", c.Promise, err)
			}
		})
	}
}
