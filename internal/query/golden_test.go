package query_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the expected parts of testdata/*.txtar")

// Each file of testdata is a question and what becomes of it: the SQL with
// its arguments and columns, and the rows it has in the shop. The first lines
// say who asks; "saved" that it is a saved question.
func TestQuestionsBecomeTheWrittenSQL(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	db := warehouse(t)
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			raw, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			a := txtar.Parse(raw)
			got := &txtar.Archive{Comment: a.Comment}
			var asked []byte
			for _, f := range a.Files {
				if f.Name == "query.json" {
					asked = f.Data
				}
			}
			got.Files = append(got.Files, txtar.File{Name: "query.json", Data: asked})
			s := source(t, asker(t, a.Comment))
			s.Saved = bytes.Contains(a.Comment, []byte("\nsaved\n"))
			got.Files = append(got.Files, outcome(t, asked, s, func(st query.Statement) string {
				rows, err := run(db, st)
				if err != nil {
					t.Errorf("the SQL does not run: %v\n%s", err, st.SQL())
				}
				return strings.Join(rows, "\n")
			})...)
			text := txtar.Format(got)
			if *update {
				if err := os.WriteFile(name, text, 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(raw), string(text)); diff != "" {
				t.Errorf("run with -update and read the difference\n%s", diff)
			}
		})
	}
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

func outcome(t *testing.T, asked []byte, s query.Source, rows func(query.Statement) string) []txtar.File {
	t.Helper()
	part := func(name, text string) txtar.File {
		if text != "" {
			text += "\n"
		}
		return txtar.File{Name: name, Data: []byte(text)}
	}
	q, err := query.Parse(asked)
	var st query.Statement
	if err == nil {
		write := query.Compile
		if q.Native() {
			write = query.Check
		}
		st, err = write(q, s)
	}
	if err != nil {
		return []txtar.File{part("error", fmt.Sprintf("%T\n%v", err, err))}
	}
	var args, columns []string
	for i, a := range st.Args() {
		args = append(args, fmt.Sprintf("%d %T %v", i+1, a, a))
	}
	for _, c := range st.Columns() {
		line, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		columns = append(columns, string(line))
	}
	return []txtar.File{part("sql", lines(st.SQL())), part("args", strings.Join(args, "\n")),
		part("columns", strings.Join(columns, "\n")), part("rows", rows(st))}
}

// lines breaks SQL at its clauses for the eye.
func lines(sql string) string {
	for _, word := range []string{" FROM (", " LEFT JOIN (", " INNER JOIN (", ") AS \"s", " GROUP BY ", " ORDER BY ", " LIMIT "} {
		sql = strings.ReplaceAll(sql, word, "\n"+strings.TrimPrefix(word, " "))
	}
	return sql
}
