package query

import (
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// Card is a saved question as far as other questions build on it.
type Card struct {
	ID         int64
	Name       string
	Query      *Query
	Collection permission.CollectionID
}

// Source is what a question is compiled against. Its zero value compiles
// nothing.
type Source struct {
	// Access is the person's. Tables, fields and names come from its graph.
	Access permission.Access
	// Saved says that the question is a saved one that the person runs
	// unchanged: tables need ShowTable. Otherwise it is asked ad hoc, and
	// every table in it, also inside of saved questions, needs QueryTable.
	Saved bool
	// Card looks a saved question up. For one that the person may not read
	// it answers as for one that is not there: with an error, or nil and nil.
	Card func(id int64) (*Card, error)
	// Now is what dates such as "the last 30 days" count from, in the zone
	// that days begin in.
	Now     time.Time
	Dialect Dialect
	// MaxRows is the row limit; a limit of the question can only lower it.
	MaxRows int
}

// InvalidAttributeError is a sandbox that cannot be applied: the person's
// attribute is not a value of the field that it is compared with. The
// question is refused.
type InvalidAttributeError struct {
	Attribute string
	User      permission.UserID
	Table     catalog.TableID
	Field     catalog.FieldID
	Reason    string
}

func (e *InvalidAttributeError) Error() string { return "not implemented" }

// Compile writes a structured question as one SQL statement under the
// person's permissions. Errors: *permission.DeniedError when a table or the
// person is refused, *[InvalidAttributeError] when a sandbox cannot be
// applied, *[Error] when the question is wrong; all sources are decided on
// before anything else of the question is looked at.
func Compile(q *Query, s Source) (Statement, error) {
	return Statement{}, &Error{Message: "not implemented"}
}

// Check admits a native question. Asked ad hoc it needs QueryNatively on the
// database. The statement carries the tables of which the person may see all
// rows; the text is not read, so the engine must hold it to those tables.
func Check(q *Query, s Source) (Statement, error) {
	return Statement{}, &Error{Message: "not implemented"}
}

// Reach is what a question reads at any depth.
type Reach struct {
	Tables []catalog.TableID // sorted
	Cards  []int64           // sorted
	Native bool              // somewhere in it is SQL, which may read anything of the database
}

// ReachOf lists the tables and saved questions that a question reads. It
// decides nothing; a card that Source.Card does not give is an *[Error].
func ReachOf(q *Query, s Source) (Reach, error) { return Reach{}, &Error{Message: "not implemented"} }

// Allowed makes the decisions about people that Compile or Check would make,
// with the same errors, and looks at nothing else: "may this person run this".
func Allowed(q *Query, s Source) error { return &Error{Message: "not implemented"} }
