// Package sluice_test holds what is true of the tree as a whole.
package sluice_test

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sluice-bi/sluice/"

// mayImport is the import table: who may import whom within the module. A new
// package needs a row here and a sentence in docs/architecture.md. There is no
// row for a package that only tests use; those are in onlyForTests.
var mayImport = map[string][]string{
	"internal/intmap":     {},
	"internal/catalog":    {"internal/intmap"},
	"internal/permission": {"internal/catalog", "internal/intmap"},
	"internal/query":      {"internal/catalog", "internal/permission"},
	"internal/gate":       {},
	"internal/store":      {"internal/catalog", "internal/permission"},
	"internal/warehouse":  {"internal/catalog", "internal/query"},
	"internal/dbrole":     {"internal/catalog", "internal/warehouse"},
	"internal/dataset": {"internal/catalog", "internal/permission", "internal/query", "internal/store",
		"internal/warehouse", "internal/dbrole", "internal/gate"},
	// Not internal/warehouse: a handler reaches data only through dataset.
	"internal/api": {"internal/catalog", "internal/permission", "internal/query", "internal/dataset", "internal/store"},
	"internal/cli": {"internal/catalog", "internal/permission", "internal/api", "internal/dataset", "internal/store",
		"internal/warehouse"},
	"cmd/sluice": {"internal/cli"},
}

// onlyForTests are packages that no part of the program may import.
var onlyForTests = map[string][]string{
	"internal/dbtest":                {},
	"internal/permission/accesscase": {"internal/catalog", "internal/permission"},
	"internal/permission/reference":  {"internal/catalog", "internal/permission"},
	"internal/store/storetest":       {"internal/catalog", "internal/dbtest", "internal/permission", "internal/store"},
}

// pure packages decide; they touch nothing outside the process and ask no
// clock, so that the same input gives the same answer, for ever.
var pure = []string{"internal/intmap", "internal/catalog", "internal/permission", "internal/query"}

// impure is what a pure package may not import, itself or anything below it.
var impure = []string{"context", "crypto/rand", "database/sql", "io/fs", "log", "math/rand", "net", "os", "plugin",
	"syscall", "testing", "unsafe"}

// clock is what a pure package may not name of package time.
var clock = []string{"After", "AfterFunc", "Local", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until"}

// packages returns every folder of the module that holds Go files, with what
// its non-test files import, whatever their build tags. It reads the files
// itself: what `go list` says is not seen by the test cache, so a test that
// asked it could stay green after a forbidden import.
func packages(t *testing.T) map[string]*build.Package {
	t.Helper()
	ctx := build.Default
	ctx.UseAllFiles = true
	found := map[string]*build.Package{}
	err := filepath.WalkDir(".", func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if name := d.Name(); dir != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules" || name == "bin" || name == "data") {
			return filepath.SkipDir
		}
		// A module of its own, such as bench, is no part of the program.
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); dir != "." && err == nil {
			return filepath.SkipDir
		}
		p, err := ctx.ImportDir(dir, 0)
		if p != nil && len(p.GoFiles)+len(p.CgoFiles) > 0 {
			if err != nil {
				return err
			}
			found[filepath.ToSlash(dir)] = p
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestPackagesImportOnlyWhatTheTableAllows(t *testing.T) {
	found := packages(t)
	for dir, p := range found {
		allowed, known := mayImport[dir]
		if !known {
			allowed, known = onlyForTests[dir]
		}
		if !known {
			t.Errorf("%s is in no row of the import table: add one, with a sentence in docs/architecture.md", dir)
			continue
		}
		for _, imported := range p.Imports {
			own, is := strings.CutPrefix(imported, module)
			if is && !slices.Contains(allowed, own) {
				t.Errorf("%s imports %s, which the table does not allow", dir, own)
			}
		}
	}
	for _, table := range []map[string][]string{mayImport, onlyForTests} {
		for dir := range table {
			if found[dir] == nil {
				t.Errorf("the import table has a row for %s, which is not there", dir)
			}
		}
	}
}

func TestPackagesForTestsAreNotPartOfTheProgram(t *testing.T) {
	for dir, p := range packages(t) {
		for _, imported := range p.Imports {
			own := strings.TrimPrefix(imported, module)
			if _, is := onlyForTests[own]; is && onlyForTests[dir] == nil {
				t.Errorf("%s imports %s, which is only for tests", dir, own)
			}
			if imported == "testing" && onlyForTests[dir] == nil {
				t.Errorf("%s imports testing outside its tests", dir)
			}
		}
	}
}

func TestPurePackagesTouchNothingOutside(t *testing.T) {
	found := packages(t)
	for _, dir := range pure {
		p := found[dir]
		if p == nil {
			t.Errorf("%s is not there", dir)
			continue
		}
		for _, imported := range p.Imports {
			for _, no := range impure {
				if imported == no || strings.HasPrefix(imported, no+"/") {
					t.Errorf("%s is pure and imports %s", dir, imported)
				}
			}
			if first, _, _ := strings.Cut(imported, "/"); strings.Contains(first, ".") && !strings.HasPrefix(imported, module) {
				t.Errorf("%s is pure and imports %s from another module", dir, imported)
			}
		}
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles) {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			if used := names(file, "time", clock); len(used) > 0 {
				t.Errorf("%s/%s is pure and asks the clock: time.%s", dir, name, strings.Join(used, ", time."))
			}
		}
	}
}

// names returns which of the wanted identifiers of an imported package a file
// uses, under whatever name it imports the package. A dot import uses all.
func names(file *ast.File, imported string, wanted []string) []string {
	local := ""
	for _, spec := range file.Imports {
		if strings.Trim(spec.Path.Value, `"`) != imported {
			continue
		}
		local = path.Base(imported)
		if spec.Name != nil {
			local = spec.Name.Name
		}
	}
	if local == "." {
		return wanted
	}
	var used []string
	ast.Inspect(file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && local != "" {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == local && slices.Contains(wanted, sel.Sel.Name) {
				used = append(used, sel.Sel.Name)
			}
		}
		return true
	})
	return used
}

// Whoever has the rights of the author of policies reads everything: only query
// takes them, for the questions of policies.
func TestOnlyQueryReadsAsTheAuthorOfPolicies(t *testing.T) {
	seen := 0
	for dir, p := range packages(t) {
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles) {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if s, is := n.(*ast.SelectorExpr); is && s.Sel.Name == "AuthorOfPolicies" {
					if seen++; dir != "internal/query" {
						t.Errorf("%s/%s names AuthorOfPolicies", dir, name)
					}
				}
				return true
			})
		}
	}
	if seen != 1 {
		t.Errorf("it is named %d times", seen)
	}
}

// The words that a grown tree hides things under.
func TestPackagesAreNamedAfterWhatTheyAnswer(t *testing.T) {
	banned := []string{"auth", "base", "common", "config", "helper", "helpers", "manager", "misc", "mock", "mocks", "models",
		"repository", "service", "services", "shared", "types", "util", "utils"}
	for dir, p := range packages(t) {
		if slices.Contains(banned, p.Name) {
			t.Errorf("%s: a package named %s answers no question; name it after the one it answers", dir, p.Name)
		}
	}
}

func TestMainDecidesNothing(t *testing.T) {
	source, err := os.ReadFile("cmd/sluice/main.go")
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(source), "\n"); lines > 60 {
		t.Errorf("cmd/sluice/main.go has %d lines; it holds signals and the exit code, the rest belongs in internal/cli", lines)
	}
}
