package dataset

import (
	"context"
	"encoding/json"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	"github.com/sluice-bi/sluice/internal/store"
)

// Run answers a question.
func (d *Door) Run(ctx context.Context, who permission.UserID, r Request, out Sink) (Summary, error) {
	panic("to be written")
}

// Savable is what is found out about a question before it is saved.
type Savable struct {
	Database  catalog.DatabaseID
	Table     catalog.TableID // of the innermost source; 0 for SQL
	QueryType string          // "query" or "native"
	Columns   []query.Column  // nil when they cannot be known without running and it did not run
}

// CheckSave tells whether the person may run the question ad hoc, which is
// what saving it needs.
func (d *Door) CheckSave(ctx context.Context, who permission.UserID, question json.RawMessage) (Savable, error) {
	panic("to be written")
}

// CanRunAdHoc tells whether the person may ask a saved question anew.
func (d *Door) CanRunAdHoc(ctx context.Context, who permission.UserID, card store.Card) bool {
	panic("to be written")
}

// FieldValues are the distinct values of a field that the person may see.
type FieldValues struct {
	Values [][]any // each a list of one
	More   bool
}

// FieldValues reads them.
func (d *Door) FieldValues(ctx context.Context, who permission.UserID, field catalog.FieldID) (FieldValues, error) {
	panic("to be written")
}

// Sync reads the schema of a database into the catalog.
func (d *Door) Sync(ctx context.Context, by store.Actor, id catalog.DatabaseID) error {
	panic("to be written")
}

// TestConnection tries a connection that is not stored yet.
func (d *Door) TestConnection(ctx context.Context, engine string, details json.RawMessage) error {
	panic("to be written")
}

// AddSample makes the sample database on an empty store.
func (d *Door) AddSample(ctx context.Context, dir string) error { panic("to be written") }
