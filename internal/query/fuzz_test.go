package query_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/query"
	"golang.org/x/tools/txtar"
)

// questions are all that stand in the cases, for seeds.
func questions(t testing.TB) [][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	var all [][]byte
	for _, name := range files {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Files {
			if f.Name == "query.json" {
				all = append(all, bytes.TrimSpace(f.Data))
			}
		}
	}
	for _, c := range cards {
		all = append(all, []byte(c.text))
	}
	return all
}

// FuzzParse: no input panics, and what is accepted is written as something
// that reads as the same question.
func FuzzParse(f *testing.F) {
	for _, q := range questions(f) {
		f.Add(q)
	}
	if _, err := os.Stat("testdata"); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		q, err := query.Parse(data)
		if err != nil {
			return
		}
		first, err := json.Marshal(q)
		if err != nil {
			t.Fatalf("an accepted question cannot be written: %v", err)
		}
		again, err := query.Parse(first)
		if err != nil {
			t.Fatalf("%s\nis written as\n%s\nwhich is refused: %v", data, first, err)
		}
		second, err := json.Marshal(again)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, second) {
			t.Fatalf("%s\nis written as\n%s\nand that as\n%s", data, first, second)
		}
	})
}

// FuzzCompile: whatever is accepted and compiled is well-formed SQL of every
// engine, and SQLite prepares its own.
func FuzzCompile(f *testing.F) {
	for _, q := range questions(f) {
		f.Add(q)
	}
	db := warehouse(f)
	var sources []query.Source
	for _, engine := range engines {
		sources = append(sources, sourceOn(f, engine, admin), sourceOn(f, engine, tenant))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		q, err := query.Parse(data)
		if err != nil || q.Native() {
			return
		}
		for _, s := range sources {
			st, err := query.Compile(q, s)
			if err != nil {
				continue
			}
			if wrong := structure(st); wrong != "" && !st.Native() {
				t.Fatalf("%s\n%s:\n%s", data, wrong, st.SQL())
			}
			if st.Engine() != "sqlite" {
				continue
			}
			prepared, err := db.PrepareContext(t.Context(), st.SQL())
			if err != nil {
				t.Fatalf("%s\ndoes not prepare: %v\n%s", data, err, st.SQL())
			}
			if err := prepared.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// maxNative is more than any SQL with variables can become: its own text and
// snippets, and fifty saved questions that are no longer.
const maxNative = 60 * 200_000

// FuzzNative: no SQL with variables panics, whatever its text, the types and
// values of its variables; what is accepted is written as something that reads
// as the same question; no value of a variable gets into the text; and what
// comes of it is not without bounds.
func FuzzNative(f *testing.F) {
	for _, q := range questions(f) {
		if q, err := query.Parse(q); err == nil && q.Native() {
			text, err := json.Marshal(q)
			if err != nil {
				f.Fatal(err)
			}
			var n struct{ Native struct{ Query string } }
			if err := json.Unmarshal(text, &n); err != nil {
				f.Fatal(err)
			}
			for _, kind := range []string{"text", "number", "date", "dimension"} {
				f.Add(n.Native.Query, kind, "2026-01-01")
			}
		}
	}
	f.Add("select 1 [[ where {{x}} ]] -- {{x}}\n", "boolean", "true")
	f.Add("select '{{x}}' /* {{y}} */ {{snippet: again}} {{#13}}; select", "text", "' or 1=1 --")
	var sources []query.Source
	for _, engine := range engines {
		sources = append(sources, sourceOn(f, engine, analyst))
	}
	f.Fuzz(func(t *testing.T, sql, kind, value string) {
		tag := func(name string) dict {
			return dict{"name": name, "type": kind, "default": value, "dimension": list{"field", 407, nil}, "widget-type": "string/contains"}
		}
		tags := dict{}
		for _, name := range []string{"x", "y", "low", "status"} {
			tags[name] = tag(name)
		}
		text, err := json.Marshal(dict{"database": 1, "type": "native", "native": dict{"query": sql, "template-tags": tags}})
		if err != nil {
			t.Fatal(err)
		}
		q, err := query.Parse(text)
		if err != nil {
			return
		}
		first, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		again, err := query.Parse(first)
		if err != nil {
			t.Fatalf("%s\nis written as\n%s\nwhich is refused: %v", text, first, err)
		}
		if second, err := json.Marshal(again); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%s\nis written as\n%s, %v", first, second, err)
		}
		for _, s := range sources {
			st, err := query.Check(q, s)
			if err != nil {
				continue
			}
			if len(st.SQL()) > maxNative {
				t.Fatalf("%d bytes come of %d", len(st.SQL()), len(sql))
			}
			const long = 12 // below, a value can be part of the text by chance
			if len(value) > long && strings.Contains(st.SQL(), value) && !strings.Contains(sql, value) {
				t.Fatalf("the value %q is in the SQL\n%s", value, st.SQL())
			}
		}
	})
}
