package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain lets the test binary be the program that the measuring starts for
// each promise.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-child" {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// TestEveryPromiseCanBeMeasured measures them all at small sizes. Counts must
// hold there, too; what is judged by time is not looked at.
func TestEveryPromiseCanBeMeasured(t *testing.T) {
	if _, err := program("postgres"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	var table bytes.Buffer
	if code := run(t.Context(), []string{"-quick"}, &table, t.Output()); code != 0 {
		t.Errorf("the program ended with %d", code)
	}
	for _, p := range promises {
		_, after, found := strings.Cut(table.String(), "**"+p.name+"**")
		section, _, _ := strings.Cut(after, "\n**")
		if !found || !strings.Contains(section, "| held") && !strings.Contains(section, "| **missed**") {
			t.Errorf("nothing was judged of %s", p.name)
		}
	}
	if t.Failed() {
		t.Log(table.String())
	}
}

func TestAQuickRunIsJudgedByCountsOnly(t *testing.T) {
	for _, c := range []struct {
		check       check
		quick, full bool
	}{
		{check{What: "held", Wanted: "1", Held: true}, true, true},
		{check{What: "a time missed", Wanted: "1", Timed: true}, true, false},
		{check{What: "a count missed", Wanted: "1"}, false, false},
	} {
		r := report{sections: []section{{promise{}, []check{{What: "another", Wanted: "1", Held: true}, c.check}}}}
		if r.held(true) != c.quick || r.held(false) != c.full {
			t.Errorf("%s: a quick run held is %v, a full one %v", c.check.What, r.held(true), r.held(false))
		}
	}
}

func TestTheTableReplacesTheOldOneBetweenTheMarks(t *testing.T) {
	r := report{machine: []string{"a machine"}, sections: []section{{promise{name: "check", text: "It is quick."}, []check{{What: "a | b", Wanted: "1", Measured: "1", Held: true}}}}}
	path := filepath.Join(t.TempDir(), "page.md")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("before\n" + beginMark + "\nold\n" + endMark + "\nafter\n")
	if err := r.into(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := string(text)
	if !strings.HasPrefix(got, "before\n"+beginMark+"\n") || !strings.HasSuffix(got, endMark+"\nafter\n") || strings.Contains(got, "old") || !strings.Contains(got, "| a / b ") {
		t.Errorf("the document became\n%s", got)
	}
	write("no marks")
	if err := r.into(path); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("a document without marks: %v", err)
	}
}
