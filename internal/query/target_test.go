package query_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/sluice-bi/sluice/internal/query"
)

func TestEverythingButAVariableMayBeAColumn(t *testing.T) {
	for target, column := range map[string]bool{
		`["variable", ["template-tag", "x"]]`:               false,
		`["dimension",["template-tag","x"]]`:                false,
		`["variable",["template-tag",{"id":1}],{"a":null}]`: false,
		``:                                      false,
		` null `:                                false,
		`["dimension",["field",1,null]]`:        true,
		`["variable",["field",1,null]]`:         true,
		`["variable",["template-tag","x","y"]]`: true,
		`["variable",["template-tag"]]`:         true,
		`["variable"]`:                          true,
		`[["variable"],["template-tag","x"]]`:   true,
		`["text-tag","x"]`:                      true,
		`{"variable":["template-tag","x"]}`:     true,
		`"variable"`:                            true,
		`nonsense`:                              true,
	} {
		got := query.ParseTarget(json.RawMessage(target))
		if got.Column() != column {
			t.Errorf("%s may be a column: %v", target, got.Column())
		}
		if none := target == "" || target == " null "; got.IsZero() != none {
			t.Errorf("%s is none: %v", target, got.IsZero())
		}
	}
	if query.ParseTarget(json.RawMessage(`["a", 1]`)) != query.ParseTarget(json.RawMessage(`["a",1]`)) {
		t.Error("spaces make another target")
	}
	x := query.ParseTarget(json.RawMessage(`["variable",["template-tag","x"]]`))
	for target, same := range map[string]bool{
		`["dimension", ["template-tag", "x"], {"stage-number": 0}]`: true,
		`["dimension",["template-tag","y"]]`:                        false,
		`"x"`:                                                       false,
		`x`:                                                         false,
	} {
		if (query.ParseTarget(json.RawMessage(target)) == x) != same {
			t.Errorf("%s is the variable x: %v, want %v", target, !same, same)
		}
	}
}

func TestAQuestionTellsWhereItBeginsAndItsVariables(t *testing.T) {
	for _, c := range []struct {
		question    string
		table, card int64
		variables   []query.Variable
	}{
		{`{"database":1,"type":"query","query":{"source-table":7}}`, 7, 0, nil},
		{`{"database":1,"type":"query","query":{"source-query":{"source-query":{"source-table":"8"}}}}`, 8, 0, nil},
		{`{"database":-1337,"type":"query","query":{"source-query":{"source-table":"card__9"}}}`, 0, 9, nil},
		{`{"database":1,"stages":[{"source-card":9},{"limit":1}]}`, 0, 9, nil},
		{`{"database":1,"type":"native","native":{"query":"select 1"}}`, 0, 0, nil},
		{`{"database":1,"type":"native","native":{"query":"{{b}} {{a}}","template-tags":{"b":{"type":"text","id":"2"},"a":{"type":"text","id":null}}}}`, 0, 0,
			[]query.Variable{{Name: "a"}, {ID: "2", Name: "b"}}},
		{`{"database":1,"type":"native","native":{"query":"{{f}} {{#1}} {{snippet: s}}","template-tags":{"f":{"type":"dimension","dimension":["field",1,null]},"#1":{"type":"card"},"snippet: s":{"type":"snippet"}}}}`, 0, 0,
			[]query.Variable{{Name: "f", Field: true}}},
		{`{"database":1,"stages":[{"native":"{{b}}","template-tags":{"b":{"type":"text","id":"2"}}}]}`, 0, 0, []query.Variable{{ID: "2", Name: "b"}}},
	} {
		q, err := query.Parse([]byte(c.question))
		if err != nil {
			t.Fatalf("%s: %v", c.question, err)
		}
		if table, card := q.Begins(); int64(table) != c.table || card != c.card {
			t.Errorf("%s begins at table %d, card %d", c.question, table, card)
		}
		if got := q.Variables(); !slices.Equal(got, c.variables) {
			t.Errorf("%s has the variables %v", c.question, got)
		}
	}
	var wrong *query.Error
	if _, err := query.Parse([]byte(`{"database":1,"type":"native","native":{"query":"{{b}}","template-tags":{"b":{"type":"text","id":2}}}}`)); !errors.As(err, &wrong) || wrong.Path != "native.template-tags.b.id" {
		t.Errorf("a variable with a number for an id: %v", err)
	}
}
