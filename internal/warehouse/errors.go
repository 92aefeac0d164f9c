package warehouse

import (
	"context"
	"errors"
	"fmt"
)

// Kind tells what went wrong in a warehouse.
type Kind uint8

// The kinds.
const (
	Failed    Kind = iota // the engine gave up while it ran, or for a reason of its own
	Denied                // the statement reads or does what it may not, or names what is not there
	Invalid               // the statement is not valid SQL, or not exactly one query
	TimedOut              // the time for the statement was up
	Cancelled             // whoever asked went away
	Unusable              // the connection cannot be made: wrong details, no file, no rights
)

var kindNames = [...]string{"failed", "denied", "invalid", "timed out", "cancelled", "unusable"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown kind"
}

// Error is what a warehouse answers instead of rows. Message and Cause are for
// people who may know the whole database: the engine's words can tell what
// exists there. Kind may be told to everybody.
type Error struct {
	Kind    Kind
	Message string
	Cause   error // the engine's error; may be nil
}

func (e *Error) Error() string {
	if e.Message == "" && e.Cause != nil {
		return fmt.Sprintf("%s: %s", e.Kind, e.Cause)
	}
	return fmt.Sprintf("%s: %s", e.Kind, e.Message)
}

// Unwrap is the engine's error.
func (e *Error) Unwrap() error { return e.Cause }

func errClosed() error {
	return &Error{Kind: Unusable, Message: "the connections to the databases are closed: the server is stopping"}
}

// ended is the error of a statement whose context is over.
func ended(ctx context.Context, cause error) *Error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &Error{TimedOut, "the statement took longer than it may", cause}
	}
	return &Error{Cancelled, "whoever asked has gone away", cause}
}
