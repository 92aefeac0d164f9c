package dataset

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// FieldValues are the distinct values of a field that the person may see.
type FieldValues struct {
	Values [][]any // each a list of one
	More   bool    // there are more than a thousand
}

// askable is a field that the person may ask for by itself.
func askable(access permission.Access, of *catalog.Snapshot, id catalog.FieldID) (*catalog.Field, error) {
	f := of.Field(id)
	if f == nil {
		return nil, fmt.Errorf("field %d: %w", id, ErrNotFound)
	}
	if err := access.Check(permission.QueryTable, permission.ATable(f.Table)); err != nil {
		return nil, err
	}
	if !access.SeesField(f) {
		return nil, fmt.Errorf("field %d: %w", id, ErrNotFound)
	}
	return f, nil
}

// FieldValues reads the distinct values of a field. It is a question like any
// other that the person asks, so it shows no value that the person's own rows
// do not hold. Errors as Run; [ErrNotFound] and *permission.DeniedError when
// the person may not query the field's table.
func (d *Door) FieldValues(ctx context.Context, who permission.UserID, field catalog.FieldID) (FieldValues, error) {
	graph := d.store.Graph()
	f, err := askable(graph.AccessOf(who), graph.Catalog(), field)
	if err != nil {
		return FieldValues{}, err
	}
	question, err := json.Marshal(map[string]any{
		"database": graph.Catalog().Table(f.Table).Database,
		"type":     "query",
		"query": map[string]any{
			"source-table": f.Table,
			"breakout":     []any{[]any{"field", field, nil}},
		},
	})
	if err != nil {
		return FieldValues{}, err
	}
	found, err := d.values(ctx, who, question)
	if err != nil {
		return FieldValues{}, err
	}
	words, err := d.words(ctx, field)
	for i := range found.Values {
		found.Values[i] = labelled(found.Values[i], words)
	}
	return found, err
}

// FieldSearch is for the values of a field by the field Other beside it: those
// whose Other has the text Search in it, or the one that is Value.
type FieldSearch struct {
	Field, Other  catalog.FieldID
	Search, Value string
}

// SearchField finds values of a field, each with its Other unless that is the
// field itself. Those of a foreign key are looked for where it points to. Errors
// as FieldValues; a *[QueryError] of type InvalidQuery when the fields are of
// two tables.
func (d *Door) SearchField(ctx context.Context, who permission.UserID, r FieldSearch) (FieldValues, error) {
	graph := d.store.Graph()
	w := choosing{ChoiceRequest: ChoiceRequest{Search: r.Search, Value: r.Value}, access: graph.AccessOf(who)}
	for _, id := range []catalog.FieldID{r.Field, r.Other} {
		if _, err := askable(w.access, graph.Catalog(), id); err != nil {
			return FieldValues{}, err
		}
	}
	f, other := w.queryable(r.Field), w.queryable(r.Other)
	if to := w.queryable(f.Target); to != nil && to.Table == other.Table {
		f = to
	}
	if f.Table != other.Table {
		return FieldValues{}, &QueryError{InvalidQuery, fmt.Sprintf("field %d is not in the table of field %d, nor in the one that it points to", r.Other, r.Field), nil}
	}
	if other == f {
		other = nil
	}
	question, err := w.question(column{Field: f}, other)
	if err != nil || question == nil {
		return FieldValues{}, err
	}
	return d.values(ctx, who, question)
}

// FieldCounts are how many rows there are of a field that the person may see,
// those without a value left out, and of how many distinct values.
func (d *Door) FieldCounts(ctx context.Context, who permission.UserID, field catalog.FieldID) (counts [2]any, err error) {
	graph := d.store.Graph()
	f, err := askable(graph.AccessOf(who), graph.Catalog(), field)
	if err != nil {
		return counts, err
	}
	ref := []any{"field", field, nil}
	question, err := json.Marshal(map[string]any{"database": graph.Catalog().Table(f.Table).Database, "type": "query",
		"query": map[string]any{"source-table": f.Table, "aggregation": []any{[]any{"count", ref}, []any{"distinct", ref}}}})
	if err != nil {
		return counts, err
	}
	found, err := d.values(ctx, who, question)
	if err == nil {
		counts = [2]any(found.Values[0])
	}
	return counts, err
}

// values are the rows of a question that the person asks.
func (d *Door) values(ctx context.Context, who permission.UserID, question json.RawMessage) (FieldValues, error) {
	var out valueSink
	sum, err := d.Run(ctx, who, Request{Query: question, Context: "field-values", MaxRows: maxFieldValues}, &out)
	if err != nil {
		return FieldValues{}, err
	}
	return FieldValues{out.values, sum.Truncated}, nil
}

// words are those for the values of a field that shows them in place of its
// values.
func (d *Door) words(ctx context.Context, field catalog.FieldID) (map[string]any, error) {
	all, err := d.store.Dimensions(ctx, []catalog.FieldID{field})
	if err != nil || len(all) == 0 || all[0].Type != store.Internal {
		return nil, err
	}
	return d.labels(ctx, field)
}

// valueSink keeps the rows.
type valueSink struct{ values [][]any }

func (s *valueSink) Begin(Head) error { return nil }

func (s *valueSink) Row(values []any) error {
	s.values = append(s.values, append([]any(nil), values...))
	return nil
}
