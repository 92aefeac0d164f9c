package query

import (
	"fmt"
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
	// Columns are those that a native question had when it last ran, by their
	// names in the SQL. Only of a native one; without them it cannot be the
	// source of a structured question.
	Columns []Column
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
	// The *Error of one that does not parse is passed on.
	Card func(id int64) (*Card, error)
	// Policy looks up the saved question of a policy, whoever may read it. For one
	// that is not there it answers with nil and nil, or an *Error; other errors are
	// passed on. Without it people with such a policy are refused.
	Policy func(id int64) (*StandIn, error)
	// Snippet looks up the SQL that people share by its id, whatever it is
	// called by now, or where the question knows none (0) by its name; nil if
	// there are none. One that the person may not read is an error, as one
	// that is not there.
	Snippet func(id int64, name string) (string, error)
	// Now is what dates such as "the last 30 days" count from, and its location
	// the time zone whose days they are, by a name that engines know, such as
	// "Europe/Berlin"; the connection must be in it. Dates that are stored
	// without a zone are taken to be in it. SQLite knows no zones: for it days
	// are those of UTC. FirstDay is the day that weeks begin on.
	Now      time.Time
	FirstDay time.Weekday
	Dialect  Dialect
	// MaskKey is the secret with which values are hashed that policies show
	// hashed. It stands in no text of SQL. Without it such tables are refused.
	MaskKey string
	// Boundary is what holds SQL of people on the database, where that stays in
	// it, or an error that tells people why it is not in force; it is asked
	// where it is needed. Without it such SQL is refused.
	Boundary func() (*Boundary, error)
	// Gate is for SQL of people who are seen as a database role, which needs no
	// boundary to be set up: only Base and Gate of it are used. Without it such
	// SQL is refused.
	Gate func() (*Boundary, error)
	// MaxRows is the row limit; a limit of the question can only lower it.
	MaxRows int
}

// PolicyError is a sandbox that cannot be applied: the person's attribute is not
// a value of the field that it is compared with, or a field cannot be masked as
// the policy says, or a saved question cannot stand in for the table. The
// question is refused.
type PolicyError struct {
	Attribute string // "" when it is about a mask
	Card      int64  // of a policy by a saved question
	User      permission.UserID
	Table     catalog.TableID
	Field     catalog.FieldID
	Reason    string
}

func (e *PolicyError) Error() string {
	if e.Card != 0 {
		with := ""
		if e.Attribute != "" {
			with = fmt.Sprintf(" with the attribute %q", e.Attribute)
		}
		return fmt.Sprintf("the sandbox of user %d has question %d stand in for table %d, which is not possible%s: %s", e.User, e.Card, e.Table, with, e.Reason)
	}
	if e.Attribute == "" {
		return fmt.Sprintf("the sandbox of user %d masks field %d of table %d in a way that is not possible: %s", e.User, e.Field, e.Table, e.Reason)
	}
	return fmt.Sprintf("the attribute %q of user %d cannot be compared with field %d of table %d: %s",
		e.Attribute, e.User, e.Field, e.Table, e.Reason)
}
