package dataset

import (
	"context"
	"encoding/json"
	"errors"

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
	Snippets  []store.Snippet // in its SQL, as they were read
}

// CheckSave tells whether the person may ask the question ad hoc, which is
// what saving it needs, and what it would show. SQL is run for that, up to its
// first row; SQL that fails can be saved all the same. The run is recorded with
// the context "save", and so is a refusal.
//
// Errors: *[QueryError] of type MissingPermissions when the person may not,
// of another type when the question is wrong.
func (d *Door) CheckSave(ctx context.Context, who permission.UserID, question json.RawMessage) (Savable, error) {
	r := Request{Query: question, Context: "save", MaxRawRows: 1}
	p, err := d.prepare(ctx, who, r, d.now())
	if p.query != nil && p.query.Native() && err != nil {
		// Variables need no values yet.
		var wrong *query.Error
		if source, err2 := d.source(ctx, &p); err2 == nil && errors.As(err, &wrong) {
			err = query.Allowed(p.query, source)
		}
	}
	if err != nil {
		err = d.answer(ctx, p, err)
		d.record(ctx, p.run(), Summary{}, err)
		return Savable{}, err
	}
	found := Savable{Database: p.database, QueryType: "query", Columns: p.statement.Columns(), Snippets: p.snippets}
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
	found.Table, err = d.sourceTable(ctx, p.access, p.query)
	return found, err
}

// columnSink keeps the columns of a result and none of its rows.
type columnSink struct{ columns []query.Column }

func (s *columnSink) Begin(h Head) error { s.columns = h.Columns; return nil }
func (s *columnSink) Row([]any) error    { return nil }

// sourceTable is the table at the bottom of a question, through saved ones.
func (d *Door) sourceTable(ctx context.Context, access permission.Access, q *query.Query) (catalog.TableID, error) {
	card := d.cards(ctx, access)
	for {
		table, below := q.Begins()
		if below == 0 {
			return table, nil
		}
		saved, err := card(below)
		if err != nil {
			return 0, err
		}
		q = saved.Query // what compiled is made of no circle
	}
}
