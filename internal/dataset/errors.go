package dataset

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/warehouse"
)

// ErrNotFound is a card, dashboard, field or database that does not exist, or
// a dashcard that does not belong to its dashboard or card. To people who are
// not administrators it must be told as a *permission.DeniedError is.
var ErrNotFound = store.ErrNotFound

// ErrNoDownload is an export of what the person may look at and not export.
var ErrNoDownload = errors.New("the person may not export what is asked for")

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

// What people read who may know no more.
const (
	refusal     = "Not found or no access."
	trouble     = "The query failed."
	unreachable = "The database cannot be reached."
)

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
// *query.PolicyError or *warehouse.Error.
func (e *QueryError) Unwrap() error { return e.Cause }

// answer is what the person is told of an error of Run. Administrators, who
// may know everything, are told what it is; people who may write SQL on the
// database read the engine's words; others read a sentence that is the same
// for what they may not see and for what is not there.
func (d *Door) answer(ctx context.Context, p prepared, err error) error {
	if err == nil {
		return nil
	}
	var (
		sink      *sinkError
		told      *QueryError
		engine    *warehouse.Error
		denied    *permission.DeniedError
		attribute *query.PolicyError
		wrong     *query.Error
	)
	all := p.access.Can(permission.Administer, permission.Server)
	say := func(may bool, detail, else_ string) string {
		if may {
			return detail
		}
		return else_
	}
	switch {
	case errors.As(err, &sink):
		return sink
	case errors.As(err, &told):
		return told
	case errors.As(err, &engine):
		sees := p.access.Can(permission.QueryNatively, permission.ADatabase(p.database))
		if len(p.statement.Below()) > 0 && !p.statement.Native() { // the words may be about a question that stands in for a table
			sees = all
		}
		switch engine.Kind {
		case warehouse.Denied:
			return &QueryError{MissingPermissions, say(sees, engine.Message, refusal), err}
		case warehouse.Invalid:
			if !sees && d.veiled(ctx, p) {
				return &QueryError{MissingPermissions, refusal, err}
			}
			return &QueryError{InvalidQuery, say(sees, engine.Message, trouble), err}
		case warehouse.NoRole:
			return &QueryError{MissingPermissions, say(all, engine.Message, refusal), err}
		case warehouse.TimedOut:
			return &QueryError{TimedOut, fmt.Sprintf("The query took longer than %s and was stopped.", d.timeout), err}
		case warehouse.Cancelled:
			return &QueryError{Cancelled, "The query was cancelled.", err}
		case warehouse.Unusable:
			return &QueryError{QueryFailed, say(all, engine.Message, unreachable), err}
		}
		return &QueryError{QueryFailed, say(sees, engine.Message, trouble), err}
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &QueryError{TimedOut, fmt.Sprintf("The query took longer than %s and was stopped.", d.timeout), err}
	case ctx.Err() != nil:
		return &QueryError{Cancelled, "The query was cancelled.", err}
	case errors.Is(err, errNarrowed):
		return &QueryError{MissingPermissions, refusal, err}
	case p.query == nil && (errors.As(err, &denied) || errors.Is(err, ErrNotFound)):
		return err // the person does not get as far as a question
	case errors.As(err, &denied), errors.As(err, &attribute):
		return &QueryError{MissingPermissions, say(all, err.Error(), refusal), err}
	case errors.Is(err, ErrNotFound): // a saved question below this one, or the database
		return &QueryError{MissingPermissions, say(all, err.Error(), refusal), err}
	case errors.As(err, &wrong):
		if p.query != nil && !p.query.Native() && d.veiled(ctx, p) {
			return &QueryError{MissingPermissions, refusal, err}
		}
		return &QueryError{typeOf(wrong), wrong.Error(), err}
	}
	return err
}

// typeOf tells mistakes in the values beside a question from those in it.
func typeOf(e *query.Error) string {
	switch {
	case strings.HasPrefix(e.Path, "parameters"):
		return InvalidParameter
	case errors.Is(e, query.ErrNoValue):
		return MissingParameter
	}
	return InvalidQuery
}

// What is recorded of SQL that the engine refused. Its own words cite those of
// the statement: they go to the log.
const refusedSQL = "the SQL reads or does what it may not, or names what is not there; the log has the words of the database"

// reason is what is recorded of an error: for administrators, and without any
// value or word that a person typed or a row holds.
func reason(err error) (outcome, why string) {
	var (
		told      *QueryError
		engine    *warehouse.Error
		denied    *permission.DeniedError
		attribute *query.PolicyError
		wrong     *query.Error
		sink      *sinkError
	)
	outcome = "failed"
	if errors.As(err, &told) {
		switch why = told.Type; told.Type {
		case MissingPermissions:
			outcome = "denied"
		case Cancelled:
			outcome = "cancelled"
		}
	}
	switch {
	case err == nil:
		return "completed", ""
	case errors.As(err, &sink):
		return "cancelled", "whoever took the result took no more rows"
	case errors.As(err, &denied):
		return "denied", denied.Error()
	case errors.Is(err, ErrNoDownload):
		return "denied", ErrNoDownload.Error()
	case errors.As(err, &attribute):
		return "denied", attribute.Error()
	case errors.As(err, &engine) && engine.Kind == warehouse.Denied:
		return outcome, refusedSQL
	case errors.As(err, &engine) && (engine.Kind == warehouse.Unusable || engine.Kind == warehouse.NoRole):
		return outcome, engine.Message
	case errors.As(err, &engine):
		return outcome, engine.Kind.String()
	case errors.Is(err, ErrNotFound) && errors.As(err, &wrong):
		return "denied", "a saved question or a snippet in it is not found, or its reader has no access"
	case errors.Is(err, ErrNotFound):
		return "denied", err.Error()
	case errors.Is(err, errNarrowed):
		return "denied", errNarrowed.Error()
	case why != "":
		return outcome, why
	}
	return outcome, "a fault of the server: see the log"
}
