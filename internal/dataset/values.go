package dataset

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// FieldValues are the distinct values of a field that the person may see.
type FieldValues struct {
	Values [][]any // each a list of one
	More   bool    // there are more than a thousand
}

// FieldValues reads the distinct values of a field. It is a question like any
// other that the person asks, so it shows no value that the person's own rows
// do not hold. Errors as Run; [ErrNotFound] and *permission.DeniedError when
// the person may not query the field's table.
func (d *Door) FieldValues(ctx context.Context, who permission.UserID, field catalog.FieldID) (FieldValues, error) {
	graph := d.store.Graph()
	f := graph.Catalog().Field(field)
	if f == nil {
		return FieldValues{}, fmt.Errorf("field %d: %w", field, ErrNotFound)
	}
	if err := graph.AccessOf(who).Check(permission.QueryTable, permission.ATable(f.Table)); err != nil {
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
	var out valueSink
	sum, err := d.Run(ctx, who, Request{Query: question, Context: "field-values", MaxRows: maxFieldValues}, &out)
	if err != nil {
		return FieldValues{}, err
	}
	return FieldValues{out.values, sum.Truncated}, nil
}

// valueSink keeps the rows.
type valueSink struct{ values [][]any }

func (s *valueSink) Begin(Head) error { return nil }

func (s *valueSink) Row(values []any) error {
	s.values = append(s.values, append([]any(nil), values...))
	return nil
}
