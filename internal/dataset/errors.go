package dataset

import (
	"github.com/sluice-bi/sluice/internal/store"
)

// ErrNotFound is a card, dashboard, field or database that does not exist, or
// a dashcard that does not belong to its dashboard or card. To people who are
// not administrators it must be told as a *permission.DeniedError is.
var ErrNotFound = store.ErrNotFound

// The types of a QueryError, as clients read them in "error_type".
const (
	MissingPermissions = "missing-required-permissions"
	MissingParameter   = "missing-required-parameter"
	InvalidParameter   = "invalid-parameter"
	InvalidQuery       = "invalid-query"
	TimedOut           = "timed-out"
	Cancelled          = "cancelled"
	QueryFailed        = "db" // the warehouse could not answer
)

// refusal is all that a person without rights reads.
const refusal = "Not found or no access."

// QueryError is a question that was put in order but could not be answered: on
// the wire it is a result with status "failed". Message is fit for the person
// it was made for: it says nothing that the person may not know.
type QueryError struct {
	Type    string
	Message string
	Cause   error // for logs
}

func (e *QueryError) Error() string { return e.Type + ": " + e.Message }

// Unwrap is the cause: *permission.DeniedError, *query.Error,
// *query.InvalidAttributeError or *warehouse.Error.
func (e *QueryError) Unwrap() error { return e.Cause }
