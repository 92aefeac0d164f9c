// Package query turns what a person asks into a statement that may run: the
// JSON of a Metabase question is parsed, bound to the catalog, put under the
// person's permissions and written as SQL.
//
// [Parse] reads the JSON strictly and knows no tables and no people.
// [Compile] writes a structured question and [Check] admits a native one; they
// are the only ways to make a [Statement], both demand a [permission.Access],
// and a warehouse runs nothing else that comes from people. Every table of a
// structured question - source, join, inside of a saved question - passes one
// function, scan, which asks for the person's rows and lays their conditions
// below everything the person wrote. Values are bound as arguments; of the
// text of a question not a byte reaches the SQL.
//
// The package never opens a connection, reads a row, looks at a clock or
// decides who may do what: permission decides. It does not read SQL typed by
// people either; which tables that may touch is written on the Statement, and
// the engine's authorizer holds it to them. Start reading at [Compile].
package query

import (
	"errors"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// Error is a question that cannot be answered as it was put. Path is where in
// the JSON, such as "query.filter[2][1]"; the message says what was wrong
// there and names no table or field that the person did not name.
type Error struct {
	Path    string
	Message string
	cause   error
}

func (e *Error) Error() string {
	if e.Path == "" {
		return e.Message
	}
	return e.Path + ": " + e.Message
}

// ErrNoValue is the cause of an [Error] at a variable that needs a value and
// has none.
var ErrNoValue = errors.New("needs a value")

// Unwrap gives the cause, if there is one to tell: the error that
// [Source.Card] returned, or [ErrNoValue].
func (e *Error) Unwrap() error { return e.cause }

// Query is a parsed question. It is immutable; make one with [Parse].
type Query struct {
	database   catalog.DatabaseID // 0 when the source card decides (-1337 on the wire)
	block      *block             // of a structured question
	native     *native            // of a native one
	parameters []parameter
}

// Database is the database that the question names; 0 when it leaves that to
// the saved question it stands on.
func (q *Query) Database() catalog.DatabaseID { return q.database }

// Native tells whether the question is SQL typed by a person: it goes to
// [Check], all others to [Compile].
func (q *Query) Native() bool { return q.native != nil }

// Aggregated tells whether the outermost stage aggregates or breaks out, for
// which the higher row limit applies. False for native questions.
func (q *Query) Aggregated() bool { return q.block != nil && q.block.grouped() }
