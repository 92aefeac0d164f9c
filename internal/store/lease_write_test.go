package store_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"
)

// What people may lose is written in transactions that ask the lease before
// they commit. Only what is not decided by permissions goes past it.
func TestWritesAskTheLease(t *testing.T) {
	past := []string{"tx", "start", "connectSQLite", "claimFile", "connectPostgres", "migrate", "Close"} // the way itself, and opening
	past = append(past, "SetSyncStatus", "EndJob", "CancelJob", "ReleaseJob", "releaseJobs", "TrimJobs") // work of the server
	past = append(past, "TrimQueryRuns", "DeleteSession")                                                // what only goes away
	past = append(past, "digest")                                                                        // what tells at a start that the state is whole
	names, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, n := range names {
		if !strings.HasSuffix(n.Name(), ".go") || strings.HasSuffix(n.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), n.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, is := d.(*ast.FuncDecl)
			if !is {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if s, is := n.(*ast.SelectorExpr); is && s.Sel.Name == "writes" {
					found = append(found, f.Name.Name)
				}
				return true
			})
		}
	}
	for _, name := range found {
		if !slices.Contains(past, name) {
			t.Errorf("%s writes without asking the lease", name)
		}
	}
	for _, name := range past {
		if !slices.Contains(found, name) {
			t.Errorf("%s does not write by itself", name)
		}
	}
}
