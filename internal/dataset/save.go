package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	"github.com/sluice-bi/sluice/internal/store"
)

// Savable is what is found out about a question before it is saved.
type Savable struct {
	Database  catalog.DatabaseID
	Table     catalog.TableID // of the innermost source; 0 for SQL
	QueryType string          // "query" or "native"
	Columns   []query.Column  // nil when they could not be found out
}

// CheckSave tells whether the person may ask the question ad hoc, which is
// what saving it needs, and what it would show. SQL is run for that, up to its
// first row, and recorded with the context "save"; SQL that fails can be saved
// all the same.
//
// Errors: *[QueryError] of type MissingPermissions when the person may not,
// of another type when the question is wrong.
func (d *Door) CheckSave(ctx context.Context, who permission.UserID, question json.RawMessage) (Savable, error) {
	r := Request{Query: question, Context: "save", MaxRawRows: 1}
	p, err := d.prepare(ctx, who, r, d.now())
	if p.query != nil && p.query.Native() && err != nil {
		// Variables need no values yet.
		var wrong *query.Error
		if source, err2 := d.source(ctx, p); err2 == nil && errors.As(err, &wrong) {
			err = query.Allowed(p.query, source)
		}
	}
	if err != nil {
		return Savable{}, d.answer(ctx, p, err)
	}
	found := Savable{Database: p.database, QueryType: "query", Columns: p.statement.Columns()}
	if p.native {
		found.QueryType = "native"
		if !p.statement.IsZero() {
			var only columnSink
			if _, err := d.Run(ctx, who, r, &only); err == nil {
				found.Columns = only.columns
			}
		}
		return found, nil
	}
	found.Table, err = d.sourceTable(ctx, p.access, question)
	return found, err
}

// columnSink keeps the columns of a result and none of its rows.
type columnSink struct{ columns []query.Column }

func (s *columnSink) Begin(h Head) error { s.columns = h.Columns; return nil }
func (s *columnSink) Row([]any) error    { return nil }

// source is where a question's rows come from, in both forms of the JSON.
type source struct {
	Table  json.RawMessage `json:"source-table"`
	Card   json.RawMessage `json:"source-card"`
	Query  *source         `json:"source-query"`
	Stages []source        `json:"stages"`
}

// sourceTable is the table at the bottom of a question, through saved ones.
func (d *Door) sourceTable(ctx context.Context, access permission.Access, question json.RawMessage) (catalog.TableID, error) {
	for range 20 { // Compile allows no more on top of one another
		var q struct {
			source
			Query *source `json:"query"`
		}
		if err := json.Unmarshal(question, &q); err != nil {
			return 0, fmt.Errorf("a question that compiled is not in order: %w", err)
		}
		s := &q.source
		if s.Query = nil; q.Query != nil {
			s = q.Query
		}
		if len(s.Stages) > 0 {
			s = &s.Stages[0]
		}
		for s.Query != nil {
			s = s.Query
		}
		name := strings.Trim(string(s.Table), `"`)
		card, below := strings.CutPrefix(name, "card__")
		if id := strings.Trim(string(s.Card), `"`); number(id) != 0 {
			card, below = id, true
		}
		if !below {
			return catalog.TableID(number(name)), nil
		}
		saved, err := d.card(ctx, access, number(card))
		if err != nil {
			return 0, err
		}
		question = saved.DatasetQuery
	}
	return 0, nil
}

// number reads an id; 0 for what is none.
func number(s string) int64 {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return id
}

// CanRunAdHoc tells whether the person may ask the question of a card anew:
// edit it, drill into it, build on it. It asks for nothing but that.
func (d *Door) CanRunAdHoc(ctx context.Context, who permission.UserID, card store.Card) bool {
	graph := d.store.Graph()
	p := prepared{graph: graph, access: graph.AccessOf(who), at: d.now()}
	if card.Database != nil {
		p.database = *card.Database
	}
	var err error
	if p.question, err = parse(question{json: card.DatasetQuery, database: p.database}, nil); err != nil {
		return false
	}
	s, err := d.source(ctx, p)
	return err == nil && query.Allowed(p.query, s) == nil
}
