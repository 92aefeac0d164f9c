package query_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the expected parts of testdata/*.txtar")

// Each file of testdata is a question and what becomes of it: for each engine
// the SQL with its arguments, the columns, and the rows it has in the shop.
// The parts that bear no engine's name are SQLite's, and are those of the
// others too unless theirs follow. The first lines say who asks; "saved" that
// it is a saved question, "monday" and "berlin" when weeks and days begin.
type golden struct {
	name  string
	raw   []byte
	a     *txtar.Archive
	asked []byte
}

func goldens(t *testing.T) []golden {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	var all []golden
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		g := golden{name: name, raw: raw, a: txtar.Parse(raw)}
		g.asked = g.part("query.json")
		all = append(all, g)
	}
	return all
}

func (g *golden) title() string { return strings.TrimSuffix(filepath.Base(g.name), ".txtar") }

func (g *golden) part(name string) []byte {
	for _, f := range g.a.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

// says tells whether a line of the beginning is the word.
func (g *golden) says(word string) bool {
	return bytes.Contains(append([]byte("\n"), g.a.Comment...), []byte("\n"+word+"\n"))
}

func (g *golden) source(t *testing.T, engine string) query.Source {
	t.Helper()
	s := sourceOn(t, engine, asker(t, g.a.Comment))
	s.Saved = g.says("saved")
	if g.says("monday") {
		s.FirstDay = 1
	}
	if g.says("berlin") {
		s.Now = s.Now.In(berlin(t))
	}
	return s
}

// asker finds the line "as NAME".
func asker(t *testing.T, comment []byte) permission.UserID {
	t.Helper()
	for line := range strings.Lines(string(comment)) {
		if name, is := strings.CutPrefix(strings.TrimSpace(line), "as "); is {
			if id, ok := persons[name]; ok {
				return id
			}
		}
	}
	t.Fatal("no line says who asks")
	return 0
}

// compiled is the statement of the case for an engine.
func (g *golden) compiled(t *testing.T, engine string) (query.Statement, error) {
	t.Helper()
	q, err := query.Parse(g.asked)
	if err != nil {
		return query.Statement{}, err
	}
	return write(q, g.source(t, engine))
}

// named is a part as it is called for an engine.
func named(part, engine string) string {
	if engine == engines[0] {
		return part
	}
	return part + " " + engine
}

func TestQuestionsBecomeTheWrittenSQL(t *testing.T) {
	for _, g := range goldens(t) {
		t.Run(g.title(), func(t *testing.T) {
			got := &txtar.Archive{Comment: g.a.Comment, Files: []txtar.File{{Name: "query.json", Data: g.asked}}}
			first := map[string]string{}
			for _, engine := range engines {
				add := func(part, text string) {
					if text != "" {
						text += "\n"
					}
					if engine == engines[0] {
						first[part] = text
					} else if first[part] == text {
						return
					}
					got.Files = append(got.Files, txtar.File{Name: named(part, engine), Data: []byte(text)})
				}
				st, err := g.compiled(t, engine)
				if err != nil {
					add("error", fmt.Sprintf("%T\n%v", err, err))
					continue
				}
				add("sql", lines(st.SQL()))
				if views := views(st); views != "" {
					add("views", views)
				}
				add("args", arguments(st))
				add("columns", described(t, st))
			}
			for _, engine := range engines { // checked where they run
				if rows := g.part(named("rows", engine)); rows != nil {
					got.Files = append(got.Files, txtar.File{Name: named("rows", engine), Data: rows})
				}
			}
			g.compare(t, got)
		})
	}
}

func (g *golden) compare(t *testing.T, got *txtar.Archive) {
	t.Helper()
	text := txtar.Format(got)
	if *update {
		if err := os.WriteFile(g.name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(g.raw), string(text)); diff != "" {
		t.Errorf("run with -update and read the difference\n%s", diff)
	}
}

// All the SQL of the cases runs on its engine, and gives the rows that are
// written there; most are the same on all engines.
func TestTheWrittenSQLHasTheWrittenRows(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			db := warehouseOn(t, engine)
			for _, g := range goldens(t) {
				t.Run(g.title(), func(t *testing.T) {
					st, err := g.compiled(t, engine)
					if err != nil {
						return // its text is among the cases
					}
					rows, err := runIn(db, st, g.source(t, engine).Now.Location())
					if err != nil {
						t.Fatalf("the SQL does not run: %v\n%s\n%v", err, st.SQL(), st.Args())
					}
					if !strings.Contains(st.SQL(), "ORDER BY") {
						slices.Sort(rows) // any order will do
					}
					text := []byte(strings.Join(rows, "\n"))
					if len(text) > 0 {
						text = append(text, '\n')
					}
					g.compareRows(t, engine, text)
				})
			}
		})
	}
}

// compareRows compares the rows of an engine with the part for it, or with
// those of SQLite.
func (g *golden) compareRows(t *testing.T, engine string, text []byte) {
	t.Helper()
	name := named("rows", engine)
	want := g.part(name)
	if want == nil {
		want = g.part("rows")
	}
	if bytes.Equal(want, text) && (g.part(name) != nil || engine != engines[0]) {
		return
	}
	if !*update {
		t.Errorf("run with -update and read the difference\n%s", cmp.Diff(string(want), string(text)))
		return
	}
	files := slices.DeleteFunc(slices.Clone(g.a.Files), func(f txtar.File) bool { return f.Name == name })
	if engine == engines[0] || !bytes.Equal(text, g.part("rows")) {
		files = append(files, txtar.File{Name: name, Data: text})
	}
	g.compare(t, &txtar.Archive{Comment: g.a.Comment, Files: files})
}

func arguments(st query.Statement) string {
	var args []string
	for i, a := range st.Args() {
		args = append(args, fmt.Sprintf("%d %T %v", i+1, a, a))
	}
	return strings.Join(args, "\n")
}

// views are what SQL of people is held to.
func views(st query.Statement) string {
	var all []string
	for _, v := range st.Views() {
		all = append(all, v.Table().Name+": "+v.Select("the file", "hash(", false))
	}
	return strings.Join(all, "\n")
}

func described(t *testing.T, st query.Statement) string {
	t.Helper()
	var columns []string
	for _, c := range st.Columns() {
		line, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		columns = append(columns, string(line))
	}
	return strings.Join(columns, "\n")
}

// lines breaks SQL at its clauses for the eye.
func lines(sql string) string {
	for _, word := range []string{" FROM (", " LEFT JOIN (", " INNER JOIN (", " RIGHT JOIN (", " FULL JOIN (", " CROSS JOIN (", ") AS \"s", ") AS `s", " GROUP BY ", " ORDER BY ", " LIMIT "} {
		sql = strings.ReplaceAll(sql, word, "\n"+strings.TrimPrefix(word, " "))
	}
	return sql
}
