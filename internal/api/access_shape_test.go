package api

import (
	"os"
	"testing"

	"github.com/sluice-bi/sluice/internal/permission/accesscase"
)

// shape is a way of putting a question, and what there is to see beside
// questions. A case speaks of it with an expectation.
type shape struct {
	name string
	verb accesscase.Verb
	of   func(q accesscase.Question) bool // nil for what is of no saved question
}

// shapes are the rows of the table "needed for ad-hoc by query shape" and the
// columns of the matrix below it (reference 1.6), as permissions.md amends
// them.
func shapes() []shape {
	is := func(kind string, on, native, sql bool, tables int) func(accesscase.Question) bool {
		return func(q accesscase.Question) bool {
			return q.Collection != "Vault" && q.Kind == kind && (q.On != "") == on && q.Native == native && q.SQL == sql && len(q.Tables) == tables
		}
	}
	plain, joined := is("question", false, false, false, 1), is("question", false, false, false, 2)
	model, metric := is("model", false, false, false, 1), is("metric", false, false, false, 1)
	sql, nested, overSQL, inTag := is("question", false, true, true, 1), is("question", true, false, false, 1), is("question", true, false, true, 1), is("question", true, true, true, 1)
	hidden := func(q accesscase.Question) bool { return q.Collection == "Vault" && q.On == "" }
	overHidden := func(native bool) func(accesscase.Question) bool {
		return func(q accesscase.Question) bool {
			return q.Collection != "Vault" && (q.On == "Vault") && q.Native == native
		}
	}
	return []shape{
		{"a table", accesscase.Asks, nil},
		{"tables joined", accesscase.Joins, nil},
		{"a table behind a key", accesscase.Follows, nil},
		{"a saved question", accesscase.RunsQuestion, plain},
		{"a saved question with a join", accesscase.RunsQuestion, joined},
		{"a model, run", accesscase.RunsQuestion, model},
		{"a metric, run", accesscase.RunsQuestion, metric},
		{"saved SQL", accesscase.RunsQuestion, sql},
		{"a saved question on another", accesscase.RunsQuestion, nested},
		{"a saved question on SQL", accesscase.RunsQuestion, overSQL},
		{"saved SQL with a question in a tag", accesscase.RunsQuestion, inTag},
		{"a question on a saved one", accesscase.BuildsOn, plain},
		{"a question on a saved join", accesscase.BuildsOn, joined},
		{"a question on a model", accesscase.BuildsOn, model},
		{"a question on a question on another", accesscase.BuildsOn, nested},
		{"a question on saved SQL", accesscase.BuildsOn, sql},
		{"a question on SQL with a tag", accesscase.BuildsOn, inTag},
		{"a saved question joined with a table", accesscase.BuildsAndJoins, plain},
		{"saved SQL joined with a table", accesscase.BuildsAndJoins, sql},
		{"a table joined with a saved question", accesscase.JoinsQuestion, plain},
		{"a table joined with saved SQL", accesscase.JoinsQuestion, sql},
		{"a table by a metric", accesscase.UsesMetric, metric},
		{"SQL", accesscase.WritesSQL, nil},
		{"SQL over a saved question", accesscase.WritesSQLOver, plain},
		{"SQL over saved SQL", accesscase.WritesSQLOver, sql},
		{"an export", accesscase.ExportsQuestion, plain},
		{"an export of a join", accesscase.ExportsQuestion, joined},
		{"an export of SQL", accesscase.ExportsQuestion, sql},
		{"an export of a question on another", accesscase.ExportsQuestion, nested},
		{"values of a field", accesscase.ListsValues, nil},
		{"values for a new parameter", accesscase.Chooses, nil},
		{"values of a saved question for a new parameter", accesscase.ChoosesFrom, plain},
		{"values of saved SQL for a new parameter", accesscase.ChoosesFrom, sql},
		{"values for a question's parameter", accesscase.ChoosesFor, plain},
		{"values for a parameter of a join", accesscase.ChoosesFor, joined},
		{"values for a dashboard's parameter", accesscase.ChoosesOn, plain},
		{"a search for a table", accesscase.FindsTable, nil},
		{"a table's metadata", accesscase.SeesTable, nil},
		{"a database's metadata", accesscase.SeesDatabase, nil},

		{"a search for a question", accesscase.Finds, plain},
		{"a hidden question", accesscase.RunsQuestion, hidden},
		{"a saved question on a hidden one", accesscase.RunsQuestion, overHidden(false)},
		{"saved SQL with a hidden question in a tag", accesscase.RunsQuestion, overHidden(true)},
		{"a question on a hidden one", accesscase.BuildsOn, hidden},
		{"a question on one on a hidden one", accesscase.BuildsOn, overHidden(false)},
		{"a table joined with a hidden question", accesscase.JoinsQuestion, hidden},
		{"a table by a hidden metric", accesscase.UsesMetric, hidden},
		{"SQL over a hidden question", accesscase.WritesSQLOver, hidden},
		{"an export of a hidden question", accesscase.ExportsQuestion, hidden},
		{"values of a hidden question for a new parameter", accesscase.ChoosesFrom, hidden},
		{"values for a hidden question's parameter", accesscase.ChoosesFor, hidden},
		{"values for a parameter of a locked card", accesscase.ChoosesOn, hidden},
		{"a search for a hidden question", accesscase.Finds, hidden},
	}
}

// alwaysSo are the shapes that are decided by the collection alone, and so the
// same whatever the person has on the data.
const alwaysSo = "a search for a question"

// The levels of the matrix (reference 1.6, with what permissions.md adds: what
// is unasked but shown, and sandboxes), a case each, speak of every shape on
// every engine; and every shape is possible under one of them and impossible
// under another, but for what lies in a collection that is not readable.
func TestEveryShapeOfQuestionHasACaseUnderEveryLevel(t *testing.T) {
	can, cannot := map[string]bool{}, map[string]bool{}
	for _, level := range []string{"native", "query-builder", "view-only", "nothing", "blocked", "one-table-blocked", "one-table-unasked", "sandboxed"} {
		file := "../../testdata/access/shape-" + level + ".txtar"
		text, err := os.ReadFile(file)
		if err != nil {
			t.Errorf("a level has no case: %v", err)
			continue
		}
		c, err := accesscase.Parse(file, text)
		if err != nil {
			t.Fatal(err)
		}
		if !httpCase(c) || !everywhere(c) {
			t.Errorf("%s does not run over HTTP on all engines", c.Name)
		}
		for _, engine := range accesscase.Engines {
			for _, s := range shapes() {
				said := false
				for _, e := range c.Steps[0].Expect {
					if e.Verb != s.verb || !e.On(engine) || s.of != nil && !s.of(questionOf(t, c, e.Question)) {
						continue
					}
					said = true
					map[bool]map[string]bool{true: can, false: cannot}[e.Can][engine+": "+s.name] = true
				}
				if !said {
					t.Errorf("%s does not say whether there is %s on %s", c.Name, s.name, engine)
				}
			}
		}
	}
	for _, engine := range accesscase.Engines {
		for i, s := range shapes() {
			hidden, name := i >= len(shapes())-13, engine+": "+s.name
			if can[name] == hidden || !cannot[name] && s.name != alwaysSo {
				t.Errorf("%s is possible under some level: %v; impossible: %v", name, can[name], cannot[name])
			}
		}
	}
}

func questionOf(t *testing.T, c *accesscase.Case, name string) accesscase.Question {
	t.Helper()
	q, err := c.Question(name)
	if err != nil {
		t.Fatal(err)
	}
	return *q
}
