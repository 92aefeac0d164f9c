package dataset

import (
	"encoding/json"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
)

// Request is what a person asks: a question of their own (Query), a saved one
// (Card), or a saved one as it stands on a dashboard (Dashboard, Dashcard and
// Card). Exactly one of Query and Card is given.
type Request struct {
	Query     json.RawMessage // Metabase's query JSON
	Card      int64
	Dashboard int64
	Dashcard  int64

	Parameters json.RawMessage // the JSON list of values that clients send beside a saved question; may be empty
	// Context is what the question is asked for, such as "ad-hoc" or
	// "question"; recorded, and guessed when empty. One that ends in
	// "-download" is an export, with a row limit of its own and only as far as
	// the person's download level goes: it must not be taken from the client.
	Context string

	// choice asks for the values to choose from for a parameter instead; see
	// [Door.Choices], which alone makes such a request.
	choice *choice

	Fresh bool // a result that is kept from before will not do

	// MaxRows and MaxRawRows lower the row limits of aggregated and of raw
	// results; 0 leaves them.
	MaxRows, MaxRawRows int
}

// Head is what is known of a result before its first row.
type Head struct {
	Database   catalog.DatabaseID
	Query      json.RawMessage // the question that was run, as it was sent or saved
	Context    string
	Columns    []query.Column
	NativeForm json.RawMessage  // {"query","params"}, for people who may write SQL there; else nil
	Native     bool             // a person wrote the SQL
	Sandboxed  bool             // rows or columns are held back from the person
	Filtered   []Filtered       // of which tables, as far as the person may know of them
	Download   permission.Level // how much of it the person may export
	Zone       string           // the time zone that its times are in
	Started    time.Time
}

// Filtered is a table of which a person is shown a part.
type Filtered struct {
	Table  catalog.TableID `json:"table_id"`
	Hidden []string        `json:"hidden"` // "rows": some are held back; "columns": some are held back, or changed
}

// Sink takes a result as it comes. An error that it returns ends the run and
// is returned by Run.
type Sink interface {
	// Begin is called once, before the first row, and not at all when the
	// question fails before its first row.
	Begin(Head) error
	// Row takes one row: for each column an int64, float64, string, bool or
	// nil; a json.Number, of a decimal or of a whole number that no int64
	// holds; or a json.RawMessage, of a list. The slice is used again for the
	// next row.
	Row(values []any) error
}

// Summary is what is known of a result after its last row.
type Summary struct {
	Rows      int
	Truncated bool // there were more rows than the limit
	Duration  time.Duration
	Kept      *Kept // the rows are those of an earlier run; nil if they are not
}
