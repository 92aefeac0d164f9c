package query

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// Target is what the value of a parameter is compared with. Targets can be
// compared; the zero value is none.
type Target struct {
	text     string
	variable bool
}

// ParseTarget reads the JSON of a target. Nothing and null are none, and what
// cannot be read is a target that is its text: running it is refused. A
// variable is the same target however clients say it.
func ParseTarget(data json.RawMessage) Target {
	var b bytes.Buffer
	if json.Compact(&b, data) != nil {
		return Target{text: string(data)}
	}
	if b.String() == "null" {
		return Target{}
	}
	if inner := variable(b.Bytes()); inner != nil {
		if name := inner.items[1]; name.kind == isString {
			return Target{name.text, true}
		}
		return Target{b.String(), true}
	}
	return Target{b.String(), false}
}

// variable is the inner list of a target of the form
// ["variable", ["template-tag", name]], or the same with "dimension"; nil for
// others.
func variable(data []byte) *node {
	n, err := readJSON(data)
	if err != nil || n.kind != isArray || len(n.items) < 2 || n.items[0].kind != isString {
		return nil
	}
	kind, inner := n.items[0].text, n.items[1]
	if (kind == "variable" || kind == "dimension") && inner.kind == isArray && len(inner.items) == 2 &&
		inner.items[0].kind == isString && inner.items[0].text == "template-tag" {
		return inner
	}
	return nil
}

// IsZero tells whether it is none.
func (t Target) IsZero() bool { return t == Target{} }

// Column tells whether it may be a column. Everything is but a variable of the
// question's own SQL: who sees the result can find out what is in a column
// that it does not show, by comparing with it.
func (t Target) Column() bool { return !t.IsZero() && !t.variable }

// Field is the field of a table that a target of the question names by its id,
// itself or as the field that a variable filters by, and the foreign key that
// leads to it, if one does; 0 for any other.
func (q *Query) Field(t Target) (id, key catalog.FieldID) {
	if t.variable {
		if q.native == nil {
			return 0, 0
		}
		for _, tag := range q.native.tags {
			if tag.name == t.text && tag.field != nil {
				return tag.field.id, 0
			}
		}
		return 0, 0
	}
	n, err := readJSON([]byte(t.text))
	if err != nil || n.kind != isArray || len(n.items) < 2 || n.items[0].text != "dimension" {
		return 0, 0
	}
	e, err := (&parser{}).column(n.items[1])
	f, is := e.(*fieldRef)
	switch {
	case !is || err != nil:
		return 0, 0
	case f.via != nil:
		return f.id, f.via.id
	}
	return f.id, 0
}

// Values is the question for the different values, but for null, that a column
// of a structured question has in the rows that a parameter with the target
// chooses from: at the target's stage, before it counts or limits anything.
// The parameters of the question hold.
func (q *Query) Values(t Target) (*Query, error) {
	n, err := readJSON([]byte(t.text))
	if err != nil {
		return nil, err
	}
	if q.block == nil || t.variable {
		return nil, n.errorf("is not the target of a column")
	}
	x := parameter{at: n, stage: -1}
	if err := (&parser{}).target(n, &x, q); err != nil {
		return nil, err
	}
	if x.stage < 0 {
		x.stage = q.block.stages() - 1
	}
	b, err := q.governed()
	if err != nil {
		return nil, err
	}
	if b.stages() <= x.stage {
		b = &block{at: b.at, source: source{at: b.at, block: b}}
	}
	for b.stages() > x.stage+1 {
		b = b.source.block
	}
	v := block{at: b.at, source: b.source, joins: b.joins, expressions: b.expressions, breakouts: []expr{x.field},
		filter: &call{at: n, op: "not-null", args: []expr{x.field}}}
	if b.filter != nil {
		v.filter = &call{at: n, op: "and", args: []expr{b.filter, v.filter}}
	}
	return &Query{database: q.database, block: &v}, nil
}

// Variable is a variable of a native question.
type Variable struct {
	ID, Name string // the ID is what clients call it, and may be empty
	Field    bool   // it is a field filter
}

// Target is the JSON of the target that the variable is.
func (v Variable) Target() (json.RawMessage, error) {
	kind := "variable"
	if v.Field {
		kind = "dimension"
	}
	return json.Marshal([]any{kind, []any{"template-tag", v.Name}})
}

// Variables lists the variables of a native question by name; others have none.
func (q *Query) Variables() []Variable {
	if q.native == nil {
		return nil
	}
	var all []Variable
	for _, t := range q.native.tags {
		if t.variable() {
			all = append(all, Variable{t.id, t.name, t.field != nil})
		}
	}
	slices.SortFunc(all, func(a, b Variable) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Aggregations is how many values the outermost stage counts; 0 for SQL.
func (q *Query) Aggregations() int {
	if q.block == nil {
		return 0
	}
	return len(q.block.aggregations)
}

// Begins tells where the rows of a question come from, at the bottom of its
// stages: a table or a saved question; both are 0 for a native one.
func (q *Query) Begins() (table catalog.TableID, card int64) {
	if q.block == nil {
		return 0, 0
	}
	b := q.block
	for b.source.block != nil {
		b = b.source.block
	}
	return b.source.table, b.source.card
}
